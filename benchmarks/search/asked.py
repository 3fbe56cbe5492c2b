"""The filters that are asked for: with values that are frequent, rare, or that no archive has."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from random import Random
from typing import Any

from benchmarks.search.made import Made, made
from models.access import CELLAR
from models.search import Kind
from models.views.archives.archives import ListQuery
from services.views import archive_list

Drawn = dict[str, Any]


def shown(query: Drawn) -> None:
    """Read a page as the console's list shows it: a search says which words stand where."""
    found = archive_list.page(ListQuery(**query), CELLAR)
    archive_list.matched(query.get("q"), found.items, CELLAR)


def counted(query: Drawn) -> None:
    archive_list.facets(ListQuery(**query), CELLAR)


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter, how its value is drawn, what is asked with it, and how long that may take."""

    name: str
    draw: Callable[[Random], Drawn]
    ask: Callable[[Drawn], None] = shown
    goal_ms: int = 100


def filters(count: int) -> list[Filter]:
    """Return every filter by itself, searches of text, and pages further down."""
    return [
        Filter("none", lambda _: {}),
        *(Filter(kind, _of_an_archive(kind, count)) for kind in _NAMES),
        Filter("discrepancy that nobody has", lambda _: {"discrepancy": "CARD_EXPIRED"}),
        Filter("warning of long ago", lambda _: {"warning": "OTP_NOT_SENT"}),
        Filter("warning of two sources", lambda _: {"warning": "SOURCES_DIFFER"}),
        Filter("attention", lambda _: {"attention": True}),
        Filter("attention is not needed", lambda _: {"attention": False}),
        Filter("dates", lambda drawn: _dates(drawn, count)),
        Filter("q, frequent", lambda drawn: {"q": drawn.choice(("דנה", "לוי", "חיפה", "pdf", "template"))}),
        Filter("q, part of a word", lambda drawn: {"q": drawn.choice(("וזה", "פרידמ", "ירושל", "מכונה"))}),
        Filter("q, rare", lambda drawn: {"q": f"p-{_any(drawn, count).row['reference'][2:12]}"}),
        Filter("q, absent", lambda drawn: {"q": f"zq{drawn.randrange(1 << 40):x}"}),
        Filter("q, two words", lambda drawn: {"q": drawn.choice(("דנה חיפה", "Olga Smith צפת", "שרה template-39"))}),
        Filter("q, a whole name", lambda drawn: {"q": f'"{_value(_any(drawn, count), Kind.SIGNER)}"'}),
        Filter("q, two characters", lambda drawn: {"q": drawn.choice(("דנ", "לו", "xy", "כה", "c9"))}),
        Filter("q, one character", lambda drawn: {"q": drawn.choice(("ד", "x", "1"))}),
        Filter("q, process number", lambda drawn: {"q": str(_any(drawn, count).row["process_number"])}),
        *(Filter(f"{each.name}, page further down", _further(each, count)) for each in _paged(count)),
    ]


def pairs(count: int) -> list[Filter]:
    """Return every pair of filters. The values are of different archives, so most pairs match few or none."""
    single = [*(Filter(kind, _of_an_archive(kind, count)) for kind in _NAMES)]
    single += [Filter("dates", lambda drawn: _dates(drawn, count))]
    single += [Filter("q", lambda drawn: {"q": drawn.choice(("דנה", "לוי", "חיפה", "שפירא", "zqx", "דנ", "תעודת"))})]
    return [Filter(f"{a.name} and {b.name}", _both(a, b)) for a, b in combinations(single, 2)]


def seconds(count: int) -> list[Filter]:
    """Return what a second request asks for: facets and orders, over the newest 10,000 matches of a filter."""
    bases = [
        *(each for each in filters(count) if each.name in _COUNTED_WITH),
        Filter("state and label", _both(*(Filter(each, _of_an_archive(each, count)) for each in ("state", "label")))),
    ]
    orders = [(f"sorted by {each}", shown, {"sort": each}) for each in ("amount", "deadline")]
    return [
        Filter(f"{base.name}, {name}", _with(base, more), ask, 300)
        for base in bases
        for name, ask, more in [("facets", counted, {}), *orders]
    ]


def _with(base: Filter, more: Drawn) -> Callable[[Random], Drawn]:
    return lambda drawn: base.draw(drawn) | more


_COUNTED_WITH = {"none", "state", "template", "label", "attention", "dates", "q, frequent", "q, rare", "q, two words"}
_NAMES = {
    "process_number": Kind.PROCESS_NUMBER,
    "transaction_number": Kind.TRANSACTION_NUMBER,
    "template": Kind.TEMPLATE,
    "source": Kind.SOURCE,
    "state": Kind.STATE,
    "cause": Kind.CAUSE,
    "session": Kind.SESSION,
    "label": Kind.LABEL,
    "field": Kind.FIELD,
    "standing": Kind.STANDING,
    "filename": Kind.FILENAME,
    "signer": Kind.SIGNER,
    "warning": Kind.WARNING,
    "verdict": Kind.VERDICT,
    "discrepancy": Kind.DISCREPANCY,
}


def _of_an_archive(name: str, count: int) -> Callable[[Random], Drawn]:
    """Return a drawing of the value of an archive that has one. Half of the values of labels and fields are rare."""
    kind = _NAMES[name]

    def _draw(drawn: Random) -> Drawn:
        found = [each for each in _any(drawn, count).found_by if each[0] is kind]
        while not found:
            found = [each for each in _any(drawn, count).found_by if each[0] is kind]
        _, key, value = drawn.choice(found)
        return {name: [f"{key}={value}"] if key else value}

    return _draw


def _both(first: Filter, second: Filter) -> Callable[[Random], Drawn]:
    return lambda drawn: {**first.draw(drawn), **second.draw(drawn)}


def _paged(count: int) -> list[Filter]:
    return [
        Filter("none", lambda _: {}),
        Filter("state", lambda _: {"state": "completed"}),
        Filter("q, frequent", lambda _: {"q": "לוי"}),
    ]


def _further(asked: Filter, count: int) -> Callable[[Random], Drawn]:
    def _draw(drawn: Random) -> Drawn:
        return {**asked.draw(drawn), "received_before": _any(drawn, count).row["received_at"].isoformat()}

    return _draw


def _dates(drawn: Random, count: int) -> Drawn:
    first, last = sorted(_at(drawn, count) for _ in range(2))
    return {"received_after": first.isoformat(), "received_before": last.isoformat()}


def _at(drawn: Random, count: int) -> datetime:
    at: datetime = _any(drawn, count).row["received_at"]
    return at


def _value(of: Made, kind: Kind) -> object:
    return next(value for each, _, value in of.found_by if each is kind)


def _any(drawn: Random, count: int) -> Made:
    return made(drawn.randrange(count), count)

"""Dates anchors by time-stamp authorities, and keeps time stamps provable after the certificates of these end.

A statement names the root of the statement before, so its time stamp covers all earlier statements. Their signatures
and time stamps come later, so the next anchor has leaves of them. An old time stamp proves as long as a chain of later
ones does, each made while the certificates of the one before were valid (as in RFC 4998).
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path

from adapters.anchors import anchors
from adapters.anchors.anchors import Anchor
from adapters.database.transactions import writing
from adapters.files.store import store
from adapters.settings.settings import settings
from adapters.store import ocfl
from adapters.tables.conditions import Found, set_within
from domain.anchors import statement_text
from models.errors import Conflict, Refused, Transient
from models.store.anchor import AnchorProof, Inclusion, Leaf, Renewal
from models.store.condition import ConditionCode, Subject

_DATED_LATER = 30
"""Of how many anchors a missing time stamp is fetched later. Each anchor dates all anchors before it."""
_TOLD_AHEAD = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class _Stamp:
    """A valid time stamp of an anchor: the name of its file, its time, and when the first of its certificates ends."""

    anchor: Anchor
    name: str
    at: datetime
    ends_at: datetime


def date() -> Iterator[str]:
    """Fetch the time stamps that the newest anchors lack, and yield why one is still missing."""
    authorities = {anchors.token_name(each): each for each in settings().time_stamp_urls}
    if not authorities:
        return
    from adapters.peers import time_stamps  # noqa: PLC0415 -- slow, and most anchors need it nowhere

    away: set[str] = set()
    for anchor in islice(anchors.anchors(store()), _DATED_LATER):
        text, digest = statement_text(anchor.statement), anchor.statement.digest
        for name in sorted(authorities.keys() - anchor.files - away):
            try:
                token = time_stamps.stamped(authorities[name], text, _roots(), digest)
            except Transient as error:
                away.add(name)
                yield str(error)
            else:
                store().keep_first(token, anchor.key(name))


def leaves_of_proofs() -> list[Leaf]:
    """Return the leaves of the files that prove earlier anchors, and that no anchor names yet."""
    found, named = list[str](), set[str]()
    for age, anchor in enumerate(anchors.anchors(store())):
        new = set(map(anchor.key, {"pem", "signature", *anchor.tokens})) - named
        if age > _DATED_LATER and not new:
            break
        found += new.intersection(map(anchor.key, proving(anchor) if new else ()))
        with suppress(Conflict):  # its leaves are damaged: what they name is named again
            leaves = anchors.leaves_of(store(), anchor)
            named |= {leaf.key for leaf in takewhile(lambda leaf: leaf.key < ocfl.ROOT, leaves)}
    return [Leaf(key, 0, store().digest_of(key) or "", (), ()) for key in sorted(found)]


def proving(anchor: Anchor) -> set[str]:
    """Return the names of the files that prove an anchor."""
    signed = {"pem", "signature"} if anchors.is_signed(store(), anchor) else set()
    return {each.name for each in _stamps(anchor)} | signed


def renewed(proof: AnchorProof) -> AnchorProof:
    """Return a proof with the time stamps that renew its own: each the last that was made in time."""
    first = proof.inclusion.statement.number
    later = list(takewhile(lambda each: each.statement.number >= first, anchors.anchors(store())))
    stamp = max(_stamps(later[-1]), key=lambda each: each.ends_at, default=None)
    renewals: list[Renewal] = []
    while stamp and (found := _next(stamp, later)):
        stamp, inclusion = found
        token = store().read_bytes(stamp.anchor.key(stamp.name))
        renewals.append(Renewal(inclusion, stamp.anchor.statement.number, token))
    last = renewals[-1].number if renewals else first
    statements = (each.statement for each in reversed(later) if first < each.statement.number <= last)
    return replace(proof, renewals=tuple(renewals), later=tuple(statements))


def _next(stamp: _Stamp, found: Sequence[Anchor]) -> tuple[_Stamp, Inclusion] | None:
    """Return the last time stamp that renews another, with the proof that an anchor up to its own names that one.

    Args:
        found: the anchors, the newest first.
    """
    later = [each for each in found if each.statement.number > stamp.anchor.statement.number]
    dated = (each for each in later if each.tokens and each.statement.at < stamp.ends_at)
    its = (each for anchor in islice(dated, _DATED_LATER) for each in _stamps(anchor))
    last = next((each for each in its if each.at < stamp.ends_at < each.ends_at), None)
    until, key = last.anchor.statement.number if last else 0, stamp.anchor.key(stamp.name)
    naming = (each for each in reversed(later) if each.statement.number <= until)
    inclusion = next(filter(None, (anchors.inclusion_in(store(), each, key) for each in naming)), None)
    return (last, inclusion) if last and inclusion else None


def note_end(now: datetime) -> None:
    """Open the condition that the certificates of the newest time stamps end within a year, or end it."""
    listed = anchors.listed(store())
    number = next((each for each, names in reversed(listed.items()) if ".tsr" in "".join(names)), None)
    anchor = anchors.anchor_at(store(), number, listed[number]) if number else None
    ends_at = max((each.ends_at for each in _stamps(anchor)), default=None) if anchor else None
    found = Found(1, {"ends_on": f"{ends_at:%Y-%m-%d}"}) if ends_at and ends_at - now < _TOLD_AHEAD else None
    with writing() as session:
        set_within(session, Subject.SYSTEM, "CELLAR_TIME_STAMP_URLS", {ConditionCode.TIME_STAMP_ENDS: found}, now)


def _stamps(anchor: Anchor) -> Iterator[_Stamp]:
    """Yield the valid time stamps of an anchor."""
    if not anchor.tokens:
        return
    from adapters.peers import time_stamps  # noqa: PLC0415 -- as in `date`

    for name in anchor.tokens:
        token = store().found_bytes(anchor.key(name)) or b""
        with suppress(Refused):
            yield _Stamp(anchor, name, *time_stamps.stamped_at(token, statement_text(anchor.statement), _roots()))


def _roots() -> list[Path]:
    return [Path(root) for root in settings().time_stamp_roots]

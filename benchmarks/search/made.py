"""Makes archives to search in: what they are found by follows from their number. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from domain.search import divided_text, facet, first_id_at, normalised
from models.search import Kind
from models.titles import Title, TitlePayment

_NEWEST = datetime(2026, 11, 1, tzinfo=UTC)
_APART = timedelta(seconds=31)  # a million archives a year
_FIRST = ("דנה", "יוסי", "נועה", "אברהם", "רחל", "משה", "שרה", "איתי", "מיכל", "עומר", "תמר", "Maria", "Ahmad", "Olga")
_LAST = ("לוי", "כהן", "מזרחי", "פרץ", "ביטון", "דהן", "אברהמי", "פרידמן", "שפירא", "חדד", "Haddad", "Petrov", "Smith")
_BRANCHES = ("חיפה", "תל אביב", "ירושלים", "באר שבע", "אילת", "נתניה", "אשדוד", "רמת גן", "חולון", "צפת")
_FILES = ("חוזה שכירות", "הסכם הלוואה", "ייפוי כוח", "תעודת זהות", "אישור ניהול חשבון", "Lease", "Invoice")
_STANDINGS = ("charged", "charged", "settled", "verified", "held", "failed")
_MIX = 2_654_435_761  # spreads numbers, so that what archives have is not periodic


COLUMNS = {
    "session": (
        *("reference", "position", "id", "author", "recipient_name", "transaction_number"),
        *("recipient", "submission_details"),
    ),
    "label": ("reference", "session_position", "position", "key", "value"),
    "file": ("reference", "position", "role", "filename", "size_bytes", "sha256"),
    "signature": ("reference", "position", "signer_name", "labels"),
}


@dataclass(frozen=True, slots=True)
class Made:
    """An archive and what it is found by, as `kind, name, value`."""

    row: dict[str, Any]
    entry_id: int
    text: str
    title: str
    found_by: tuple[tuple[Kind, str, object], ...]

    def rows(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Yield the rows in which a search says that its words stand, by table, with the columns of `COLUMNS`."""
        its = {(kind, name): value for kind, name, value in self.found_by}
        at, signer = (self.row["reference"], 0), its[Kind.SIGNER, ""]
        number = its[Kind.TRANSACTION_NUMBER, ""]
        yield "session", (*at, its[Kind.SESSION, ""], "agent@example.com", signer, number, "{}", "{}")
        yield "label", (*at, 0, "branch", its[Kind.LABEL, "branch"])
        yield "label", (*at, 1, "customer", its[Kind.LABEL, "customer"])
        yield "file", (*at, "signed_document", its[Kind.FILENAME, ""], 20_000, f"{self.entry_id:064x}")
        yield "signature", (*at, signer, "{}")

    def facets(self) -> Iterator[tuple[int, str, int]]:
        for kind, name, value in dict.fromkeys(self.found_by):
            yield self.entry_id, str(kind), _digest(kind, value, name)


def made(number: int, count: int) -> Made:
    """Return the archive of a number below `count`. The greatest number is the newest archive."""
    drawn = number * _MIX % (1 << 32)
    received_at = _NEWEST - (count - number) * _APART
    row = {
        "reference": f"p-{drawn:010}-{number:08}",
        "state": "failed" if drawn % 100 == 7 else "completed",
        "received_at": received_at,
        "template_id": f"template-{_skewed(drawn >> 3, 40)}",
        "process_number": 1_000_000 + number,
        "source": ("default", "north", "south")[0 if drawn % 10 else 1 if drawn % 100 else 2],
        "cause_code": ("STORE_AWAY", "RUN_TIMEOUT", "KEY_AWAY")[drawn % 3] if drawn % 100 == 7 else None,
    }
    name = f"{_FIRST[_skewed(drawn >> 5, 14)]} {_LAST[_skewed(drawn >> 7, 13)]} {drawn >> 20:x}"
    its = {
        "session": f"s-{drawn:08x}-{number}",
        "transaction": 30_000_000 + number,
        "branch": f"{_BRANCHES[_skewed(drawn >> 4, 10)]} {drawn >> 9 & 3}",
        "customer": f"C{drawn % 100_003}",
        "filename": f"{_FILES[drawn >> 6 & 3]} {drawn % 5000}.pdf",
        "name": name,
    }
    paid = TitlePayment(amount_minor=drawn % 9_999_991, currency="ILS", standing="charged")
    title = Title(person=name, template_id=row["template_id"], facets=(its["branch"],), payment=paid)
    found_by = (*_of_archive(row), *_of_payload(drawn, number, count, its))
    return Made(row, first_id_at(received_at), _text(row, its), title.model_dump_json(), found_by)


def branches() -> list[str]:
    """Return all branches, whose label is a facet."""
    return [f"{each} {number}" for each in _BRANCHES for number in range(4)]


def _of_archive(row: dict[str, Any]) -> Iterator[tuple[Kind, str, object]]:
    columns = {Kind.PROCESS_NUMBER: "process_number", Kind.TEMPLATE: "template_id", Kind.SOURCE: "source"}
    for kind, column in (columns | {Kind.STATE: "state", Kind.CAUSE: "cause_code"}).items():
        if row[column] is not None:
            yield kind, "", row[column]


def _of_payload(drawn: int, number: int, count: int, its: dict[str, Any]) -> Iterator[tuple[Kind, str, object]]:
    yield Kind.TRANSACTION_NUMBER, "", its["transaction"]
    yield Kind.SESSION, "", its["session"]
    yield Kind.LABEL, "branch", its["branch"]
    yield Kind.LABEL, "customer", its["customer"]
    yield Kind.FIELD, "plan", f"plan {drawn >> 8 & 31}"
    yield Kind.FIELD, "id_number", str(drawn % 900_000)
    yield (
        Kind.STANDING,
        "",
        ("charged", "charged", "settled", "verified", "held", "failed")[drawn >> 11 & 3 if drawn % 9 else 5],
    )
    yield Kind.FILENAME, "", normalised(its["filename"])
    yield Kind.SIGNER, "", normalised(its["name"])
    yield Kind.VERDICT, "", "broken" if drawn % 1000 == 3 else "unsigned" if drawn % 12 == 3 else "sound"
    if drawn % 50 == 1:
        yield Kind.WARNING, "", "SIGNER_UNKNOWN"
    if number < count // 20:  # only archives of long ago have it
        yield Kind.WARNING, "", "OTP_NOT_SENT"
    if drawn % 100 == 9:
        yield Kind.DISCREPANCY, "", "AMOUNT_MISMATCH"
    if number % 100_000 == 5:
        yield Kind.SOURCES, "", "SOURCES_DIFFER"
    if drawn % 2000 == 9:
        yield Kind.ATTENTION, "", True


def _text(row: dict[str, Any], its: dict[str, Any]) -> str:
    known = [row["reference"], row["process_number"], row["template_id"], its["session"], its["transaction"]]
    people = [str(its[each]) for each in ("name", "branch", "customer", "filename")]
    known += [f"{row['received_at']:%d.%m.%Y}", f"{its['transaction'] % 9_999_991 / 100:.2f} ILS", "Loan agreement"]
    behind = ["agent@example.com", f"{its['customer']}@example.com".lower(), f"Visa *{its['transaction'] % 10_000:04}"]
    return divided_text(map(str, known), [*people, *behind])


def _skewed(drawn: int, count: int) -> int:
    """Return a number below `count`; small numbers are more frequent."""
    share = drawn % 10_007 / 10_007
    return int(share * share * count)


@lru_cache(maxsize=200_000)
def _digest(kind: Kind, value: object, name: str) -> int:
    return facet(kind, value, name)

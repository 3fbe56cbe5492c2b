"""Makes what people read in Prefect's UI about a run, without personal data or card secrets."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from domain.completeness.missing import left_text, why_text
from domain.payments.booking import BookedPayment, booked
from domain.payments.discrepancies import told
from domain.personal import MASK, hides
from domain.secrets.cards import masked
from domain.words.catalogue import warned, word
from domain.words.wording import ENGLISH
from models.archive.archive import Archive
from models.completeness.processes import MissingProcessRow
from models.messages.notification import NotificationRow, NotificationState
from models.payments import PaymentTerms
from models.runs.receipt import Cause
from models.views.archives.payments import DiscrepancyView, ListedDiscrepancy


class _Markup(str):
    """Markdown made by cellar, which is not escaped."""


MOST_ROWS = 100  # in a section; people read the first few, and a hostile archive would make tens of MB


def summary(  # noqa: PLR0913 -- one for each section
    archive: Archive,
    discrepancies: Sequence[DiscrepancyView],
    notifications: Sequence[NotificationRow],
    *,
    discrepancies_in_all: int,
    version: int,
    archive_url: str,
    terms: PaymentTerms,
) -> str:
    """Return the Markdown summary of an archive's run. Pure. `discrepancies` are the first that are not closed.

    File names and numbers of cards are left out: data teams read Prefect. Role, element and digest identify a file.
    """
    warnings = [(each.code, each.where, word(warned(each.code, each.values))) for each in archive.warnings]
    messages = [(each.event, each.message_id, each.state) for each in notifications]
    parts = [
        f"# Archive {_cell(archive.reference)}, version {version}",
        f"Process {'–' if archive.process_number is None else archive.process_number}, "
        f"template {_cell(archive.template_id)}, "
        f"sessions: {len(archive.sessions)}, signatures: {len(archive.signatures)}, fields: {len(archive.fields)}.",
        section(
            "Payments",
            ("standing", "amount", "card", "type"),
            [_payment_row(each) for each in booked(replace(archive, payments=archive.payments[:MOST_ROWS]), terms)],
            len(archive.payments),
        ),
        section(
            "Discrepancies",
            ("code", "state", "what it means", "transaction"),
            [(each.code, each.state, *_told(each)) for each in discrepancies],
            discrepancies_in_all,
        ),
        section("Warnings", ("code", "where", "detail"), warnings),
        section("Files", ("role", "element", "type", "size", "file"), _file_rows(archive, archive_url)),
        # Endpoints are left out, because a URL may contain a token.
        section("Notifications", ("event", "message", "state"), messages),
        f"[The whole archive]({archive_url})",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def cause_summary(cause: Cause, what_now: str, archive_url: str) -> str:
    """Return the Markdown summary of a run that failed or waits. `what_now` says so, and what happens next. Pure."""
    row = (cause.code, cause.task or "before the first task", cause.error_class)
    told = section("Cause", ("code", "task", "error"), [row])
    return f"# {cause.code}\n\n{_cell(what_now)}\n\n[The whole archive]({archive_url})\n\n{told}\n"


def open_discrepancies_summary(newest: Sequence[ListedDiscrepancy], by_code: Mapping[str, int]) -> str:
    """Return the Markdown summary of all open discrepancies, with or without an archive. Pure."""
    rows = [
        (each.code, means, each.reference, transaction_id, f"{each.opened_at:%Y-%m-%d %H:%M}")
        for each in newest
        for means, transaction_id in [_told(each)]
    ]
    parts = [
        f"# Open discrepancies: {sum(by_code.values())}",
        section("By code", ("code", "open"), [(code, str(count)) for code, count in by_code.items()]),
        section("Newest", ("code", "what it means", "archive", "transaction", "opened"), rows),
    ]
    return "\n\n".join(parts) + "\n"


def size_text(size_bytes: int) -> str:
    if size_bytes < 1000:
        return f"{size_bytes} B"
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1000:.1f} kB"
    return f"{size_bytes / 1_000_000:.1f} MB"


def _file_rows(archive: Archive, archive_url: str) -> list[tuple[str | None, ...]]:
    return [
        (
            content.role,
            content.element_id,
            MASK if hides("files", "media_type", content.media_type) else content.media_type,
            size_text(content.stored.size_bytes),
            _Markup(f"[{content.stored.sha256[:12]}…]({archive_url}/files/{content.stored.sha256}/view)"),
        )
        for content in archive.contents
        if content.stored
    ]


def _payment_row(payment: BookedPayment) -> tuple[str | None, ...]:
    attempt = payment.attempt
    brand, type_ = masked(attempt.card_brand or ""), masked(attempt.type or "")
    return (payment.standing, payment.amount_text(ENGLISH), brand, type_)


def _told(found: DiscrepancyView) -> tuple[str, str | None]:
    said = told(found)
    return said["sentence"], said["transaction_id"]


def section(title: str, header: Sequence[str], rows: Sequence[Sequence[str | None]], in_all: int | None = None) -> str:
    """Return a section with a table. `in_all` is the number of all rows, if `rows` are only the first rows."""
    if not rows:
        return f"## {title}\n\nNone."
    lines = [header, ["---"] * len(header), *rows[:MOST_ROWS]]
    table = "\n".join(f"| {' | '.join(_cell(each) for each in line)} |" for line in lines)
    left = (in_all or len(rows)) - len(rows[:MOST_ROWS])
    more = f"\n\n{left} more are in the archive." if left > 0 else ""
    return f"## {title}\n\n{table}{more}"


def _cell(text: str | None) -> str:
    """Return text as a table cell. Text from a payload must not leave its cell or become markup or a link."""
    if not text:
        return "–"
    if isinstance(text, _Markup):
        return text
    # Renderers also turn bare addresses into links: with `https:`, `www.` or an `@`.
    return " ".join(_WWW.sub(r"\1\.", text.translate(_ESCAPED)).split())


_ESCAPED = str.maketrans({character: f"\\{character}" for character in "\\|`*_[]<>#&~:@!"})
_WWW = re.compile(r"(www)\.", re.IGNORECASE)

MOST_SHOWN = 50


def missing_summary(counts: Mapping[tuple[str, str], int], nearest: Sequence[MissingProcessRow], now: datetime) -> str:
    """Return the summary of the open findings: their numbers by source and why, and the nearest deadlines. Pure."""
    in_all = sum(counts.values())
    numbers = [(source, why_text(why), str(count)) for (source, why), count in counts.items()]
    rows = [
        (
            left_text(each.deadline_at, now),
            each.source,
            "" if each.process_number is None else str(each.process_number),
            "" if each.transaction_number is None else str(each.transaction_number),
            each.reference,
            why_text(each.why),
        )
        for each in nearest[:MOST_SHOWN]
    ]
    header = ("left", "source", "process", "transaction", "reference", "why")
    more = f"\n\n{in_all - len(rows)} more: `cellar missing list`." if in_all > len(rows) else ""
    parts = ["# Missing processes", section("By source", ("source", "why", "open"), numbers)]
    return "\n\n".join([*parts, section("Nearest deadlines", header, rows) + more])


UNDELIVERED = "Undelivered"
"""The name of the state, of type Completed, of a run with messages that are not confirmed."""
UNDELIVERED_TAG = "undelivered"


def undelivered_text(messages: Sequence[NotificationRow]) -> str | None:
    """Return which messages of a run are not confirmed, and until when they are tried. None if there are none. Pure."""
    pending = [each for each in messages if each.state == NotificationState.PENDING]
    dead = sum(each.state == NotificationState.DEAD for each in messages)
    sentences = []
    if pending:
        until = max(each.expires_at or each.planned_at for each in pending)
        tried = f"not confirmed yet; cellar tries until {until:%Y-%m-%d %H:%M} UTC"
        sentences.append(f"{_of(len(pending), len(messages))} {tried}.")
    if dead:
        sentences.append(f"{_of(dead, len(messages))} given up.")
    return " ".join(("The archive is complete.", *sentences, "Retry delivers now.")) if sentences else None


def _of(some: int, all_: int) -> str:
    return f"{some} of {all_} {'message' if all_ == 1 else 'messages'} {'is' if some == 1 else 'are'}"

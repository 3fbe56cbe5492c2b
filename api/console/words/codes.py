"""Words for codes that the services use: states, outcomes, kinds, roles, filters. A code without words shows itself."""

from collections.abc import Mapping

from api.console.words.languages import N_, gettext, worded
from models.errors import System
from models.store.condition import ConditionCode

_WORDS: Mapping[str, str] = {
    # states of archives, receipts and messages
    "received": N_("Received"),
    "processing": N_("Processing"),
    "completed": N_("Completed"),
    "failed": N_("Failed"),
    "delivered": N_("Delivered"),
    "pending": N_("Pending"),
    "dead": N_("Given up"),
    "skipped": N_("Skipped"),
    # states of runs, as Prefect names them
    "Running": N_("Running"),
    "AwaitingRetry": N_("Waiting"),
    "Completed": N_("Completed"),
    "Failed": N_("Failed"),
    "Crashed": N_("Crashed"),
    "Cancelled": N_("Cancelled"),
    # what started a run
    "webhook": N_("a delivery"),
    "rerun": N_("a person"),
    "bulk": N_("a bulk re-run"),
    "retry": N_("a retry"),
    "sweep": N_("the sweep"),
    "import": N_("an import"),
    # outcomes of deliveries
    "new": N_("New"),
    "changed": N_("Changed"),
    "duplicate": N_("Duplicate"),
    "refused": N_("Refused"),
    "released": N_("Released"),
    "set_aside": N_("Set aside"),
    # kinds of the timeline
    "delivery": N_("Delivery"),
    "version": N_("Version"),
    "run": N_("Run"),
    "finding": N_("Finding"),
    "message": N_("Message"),
    "action": N_("Action"),
    "event": N_("Event"),
    # roles of files
    "signed_document": N_("Signed document"),
    "attachment": N_("Attachment"),
    # standings of payments
    "verified": N_("Verified"),
    "held": N_("Held"),
    "charged": N_("Charged"),
    "settled": N_("Settled"),
    "unknown": N_("Unknown"),
    # discrepancies
    "open": N_("Open"),
    "explained": N_("Explained"),
    "closed": N_("Closed"),
    # kinds and changes of a difference
    "added": N_("Added"),
    "removed": N_("Removed"),
    "session": N_("Session"),
    "field": N_("Form field"),
    "file": N_("File"),
    "payment": N_("Payment"),
    "signature": N_("Signature"),
    "archive": N_("Archive"),
    # bulk re-runs, their archives, redeliveries
    "planned": N_("Planned"),
    "confirmed": N_("Confirmed"),
    "running": N_("Running"),
    "paused": N_("Paused"),
    "resumed": N_("Resumed"),
    "aborted": N_("Aborted"),
    "done": N_("Done"),
    "queued": N_("Queued"),
    "started": N_("On its way"),
    "completed since": N_("completed since"),
    "on its way": N_("on its way"),
    "gone": N_("gone"),
    # endpoints, what people did with them, attempts
    "active": N_("Active"),
    "failing": N_("Failing"),
    "disabled": N_("Disabled"),
    "enabled": N_("Enabled"),
    "rotated": N_("Secret rotated"),
    "old key forgotten": N_("Old secret forgotten"),
    "manual": N_("sent again by a person"),
    "forced": N_("sent again by force"),
    "resolve": N_("looking up the address"),
    "connect": N_("connecting"),
    "tls": N_("the encrypted connection"),
    "write": N_("sending"),
    "answer": N_("the answer"),
    "status": N_("the HTTP status"),
    # why findings are closed, or open
    "archived": N_("Archived"),
    "continued": N_("Goes on"),
    "deleted": N_("Deleted by Cellosign"),
    "dismissed": N_("Dismissed by a person"),
    "submitted": N_("Submitted"),
    "expired": N_("Expired"),
    "listed": N_("On Cellosign's list"),
    # verdicts of checks
    "ok": N_("Well"),
    "off": N_("Off"),
    "warning": N_("Warning"),
    "wrong": N_("Wrong"),
    # outcomes of a verdict
    "sound": N_("Sound"),
    "fields_changed": N_("Fields changed"),
    "broken": N_("Broken"),
    "unsigned": N_("Unsigned"),
    "unreadable": N_("Unreadable"),
    # conditions of archives
    "RUN_FAILED": N_("Last run failed"),
    "FILE_DAMAGED": N_("Damaged"),
    "FILE_MISSING": N_("File missing"),
    "FILE_EXTRA": N_("Unknown file"),
    "FILE_UNREADABLE": N_("Unreadable"),
    "ROWS_DIFFER": N_("Data differs"),
    "ROWS_STALE": N_("Data of other settings"),
    "STORE_ABSENT": N_("Store not there"),
}

_MISSING: Mapping[str, str] = {
    "submitted": N_("submitted, and not archived"),
    "deleted": N_("deleted without an archive"),
    "expired": N_("expired without an archive"),
    "listed": N_("on Cellosign's list, and not archived"),
}

_WAITS: Mapping[str, str] = {
    System.STORE: N_("the store"),
    System.DATABASE: N_("the database"),
    System.PREFECT: N_("the Prefect server"),
    System.CLAMAV: N_("ClamAV"),
    System.KEY: N_("the key of sealed values"),
    System.ENDPOINT: N_("an endpoint"),
    System.OTHER_RUN: N_("another run of the same process"),
}

_FILTERS: Mapping[str, str] = {
    "reference": N_("Reference"),
    "process_number": N_("Process number"),
    "transaction_number": N_("Transaction number"),
    "session": N_("Session"),
    "label": N_("Label"),
    "template": N_("Template"),
    "source": N_("Source"),
    "state": N_("State"),
    "cause": N_("Cause"),
    "condition": N_("Condition"),
    "attention": N_("Needs attention"),
    "discrepancy": N_("Discrepancy"),
    "received_after": N_("Received after"),
    "received_before": N_("Received before"),
    "q": N_("Search"),
    "code": N_("Code"),
    "why": N_("Why missing"),
    "field": N_("Form field"),
    "standing": N_("Payment standing"),
    "file": N_("File name"),
    "file_name": N_("File name"),
    "filename": N_("File name"),
    "signer": N_("Signer"),
    "warning": N_("Warning"),
    "verdict": N_("Verdict"),
}

_TONES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("completed", "delivered", "Completed", "settled", "charged", "sound", "released"),
            *("ok", "active", "done", "archived"),
        ),
        "green",
    ),
    **dict.fromkeys(ConditionCode, "red"),
    **dict.fromkeys(("failed", "dead", "Failed", "Crashed", "broken", "refused", "open", "wrong", "deleted"), "red"),
    **dict.fromkeys(
        (
            *("pending", "processing", "received", "AwaitingRetry", "Running", "held", "changed", "fields_changed"),
            *("warning", "running", "paused", "queued", "started", "failing", "dismissed", "set_aside"),
        ),
        "orange",
    ),
}


_PARTS: Mapping[str, str] = {
    "receiver": N_("Receiver"),
    "workers": N_("Workers"),
    "database": N_("Database"),
    "search": N_("Search"),
    "store": N_("Store"),
    "inbox": N_("Inbox"),
    "disk of data": N_("Disk of the data"),
    "disk of inbox": N_("Disk of the inbox"),
    "disk of store": N_("Disk of the store"),
    "sources": N_("Sources"),
    "endpoints": N_("Endpoints"),
    "last verify": N_("Last check of the store"),
    "last anchor": N_("Last anchor"),
    "seal key": N_("Key of sealed values"),
    "anchor key": N_("Key of anchors"),
    "witness": N_("Witness"),
    "time zones": N_("Time zones"),
    "people": N_("Messages to people"),
}


def part_text(name: str) -> str:
    """Return the name of a part of the system."""
    return worded(_PARTS.get(name, name))


def code_text(code: str | None) -> str:
    """Return the words for a code; a code without words is returned as it is."""
    return worded(_WORDS.get(code or "", code or ""))


def value_text(value: object) -> str:
    """Return the value of a filter: the words for a code, else the value itself."""
    return code_text(value) if isinstance(value, str) and value in _WORDS else str(value)


def missing_text(why: str) -> str:
    """Return why a process is missing."""
    return worded(_MISSING.get(why, why))


def waits_text(system: str) -> str:
    """Return what archives wait for."""
    return worded(_WAITS.get(system, system))


def filter_text(name: str) -> str:
    """Return the label of a filter. A filter without words is named by its own name."""
    known = _FILTERS.get(name)
    return gettext(known) if known else name.replace("_", " ").capitalize()


def tone(code: str | None) -> str:
    """Return the colour in which a code is shown: green, orange, red or grey."""
    return _TONES.get(code or "", "secondary")

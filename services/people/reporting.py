"""Takes reports of things that leave no trace in the database. Everything else is found by looking.

A report costs one statement and never fails its caller: whatever people are told of goes on without them.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import uuid4

import structlog

from adapters.tables.people import notices
from domain.people.deciding import opened
from domain.people.words import counts_text
from models.errors import Transient
from models.people.notice import NoticeKind, Sighting

log = structlog.get_logger()


def report_unverified(now: datetime) -> None:
    """Report that a check of the store broke off."""
    _report(Sighting(NoticeKind.STORE_UNVERIFIED, "", 1, now, now))


def report_verified(now: datetime) -> None:
    """Report that a check of the store has come to its end, whatever it has found."""
    try:
        notices.report_gone(NoticeKind.STORE_UNVERIFIED, now)
    except Transient as error:
        log.warning("people are not told that the store is checked again", why=type(error).__name__)


def report_refusing(by_code: Mapping[str, int], now: datetime) -> None:
    """Report that the receiver has turned requests away since the last report: their number, by code.

    It counts as over after two hours without another report.
    """
    said = counts_text(sorted(by_code.items(), key=lambda each: (-each[1], each[0])))
    _report(Sighting(NoticeKind.RECEIVER_REFUSING, "", sum(by_code.values()), now, now, said))


def _report(seen: Sighting) -> None:
    try:
        notices.report(opened(seen, uuid4().hex))
    except Transient as error:
        log.warning("people are not told of something", kind=seen.kind, why=type(error).__name__)

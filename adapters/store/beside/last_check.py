"""Keeps in the store what its last check found, which a worker or a command made, perhaps on another machine."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from adapters.files.store import store
from models.errors import Transient
from models.store.fixity import Fault, Fixity

log = structlog.get_logger()
_KEY = "last-check.json"


@dataclass(frozen=True, slots=True)
class LastCheck:
    """A check of the store: when it ended, and the number of findings by fault."""

    at: datetime
    findings: Mapping[Fault, int]


def last_check() -> LastCheck | None:
    """Return the last check of the store, None if there was none or its record is unreadable.

    Raises:
        Transient: the store does not answer.
    """
    try:
        record = json.loads(store().found_bytes(_KEY) or b"")
        findings = {Fault(fault): int(number) for fault, number in record["findings"].items()}
        return LastCheck(datetime.fromisoformat(record["at"]), findings)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def keep_check(fixity: Fixity, share: float, now: datetime) -> None:
    """Keep the findings of a check. Findings stand until a check of the whole store finds none.

    A store that can only be read is checked all the same.
    """
    try:
        before = last_check()
        if share < 1 and fixity.is_sound and before and any(before.findings.values()):
            return
        found = Counter(finding.fault for finding in fixity.findings)
        record = {"at": now.isoformat(), "findings": {fault: found[fault] for fault in Fault}}
        store().write(json.dumps(record).encode(), _KEY)
        store().sync()
    except (Transient, OSError) as error:
        log.warning("the result of this check is not kept for the metrics", why=type(error).__name__)

"""Remembers what checks of the store find, archive by archive, as conditions. What was not checked stays as it was."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import structlog
from sqlmodel import Session

from adapters.database.transactions import writing
from adapters.store import ocfl
from adapters.tables import conditions
from adapters.tables.archives import archives
from adapters.tables.conditions import OF_CHECKS, Found
from models.errors import Transient
from models.store.condition import OF_FAULTS, ConditionCode, Subject
from models.store.fixity import Fixity, FixityFinding, StoredObject
from services.custody.verifying import object_of, verify_object

log = structlog.get_logger()
_AT_ONCE = 500
_MOST_NAMED = 5


class Memory:
    """What a check finds, remembered as it goes on. A database that is away costs the memory and never the check.

    `failure`: why the findings are not remembered, empty while they are.
    """

    def __init__(self, *, is_quick: bool = False) -> None:
        self.failure = ""
        self._is_quick = is_quick
        self._known: dict[str, str] | None = None
        self._checked: dict[str, Sequence[FixityFinding]] = {}
        self._outside: list[FixityFinding] = []

    def take(self, stored: StoredObject, fixity: Fixity) -> None:
        """Take the findings of an object, or those outside of objects."""
        if not stored.key:
            self._outside += fixity.findings
            return
        self._checked[stored.key] = fixity.findings
        if len(self._checked) >= _AT_ONCE:
            self.keep()

    def end_of_store(self, beside: Fixity) -> None:
        """End a check of the store. `beside`: findings of objects that were not taken, and those outside of objects."""
        for each in beside.findings:
            if key := ocfl.object_around(each.key):
                self._checked[key] = (*self._checked.get(key, ()), each)
            else:
                self._outside.append(each)
        self.keep(is_of_store=True)

    def keep(self, *, is_of_store: bool = False) -> None:
        """Make the conditions of the archives that were taken those that were found."""
        checked, self._checked = self._checked, {}
        try:
            if not self.failure:
                self._keep(checked, datetime.now(UTC), is_of_store=is_of_store)
        except Transient as error:
            self.failure = str(error)
            log.warning("the findings of this check are not remembered", why=type(error).__name__)

    def _keep(self, checked: dict[str, Sequence[FixityFinding]], now: datetime, *, is_of_store: bool) -> None:
        if self._known is None:
            self._known = {ocfl.object_key(each): each for each in conditions.references()}
        new = _references(key for key, findings in checked.items() if findings and key not in (self._known or {}))
        references = self._known | new
        for key in checked.keys() - references.keys():  # of no process, if it has findings
            self._outside += checked[key]
        with writing() as session:
            conditions.note_within(session, [*checked, *([""] if is_of_store else [])], checked_at=now)
            for key, reference in sorted(references.items()):
                if key in checked:
                    self._set(session, Subject.ARCHIVE, reference, key, checked[key], now)
            if is_of_store:
                self._set(session, Subject.STORE, "", "", self._outside, now)

    def _set(
        self, session: Session, kind: Subject, subject: str, key: str, findings: Iterable[FixityFinding], now: datetime
    ) -> None:
        """Make the conditions of a subject its findings. Without any it is whole, whatever its last run met."""
        files = defaultdict[ConditionCode, list[str]](list)
        for each in findings:
            if code := OF_FAULTS.get(each.fault):
                files[code].append(each.key.removeprefix(f"{key}/"))
        found: dict[ConditionCode, Found | None] = dict.fromkeys(OF_CHECKS if files else ConditionCode)
        for code, its in files.items():
            found[code] = Found(len(its), {"files": its[:_MOST_NAMED], "quick": self._is_quick})
        conditions.set_within(session, kind, subject, found, now, is_quick=self._is_quick)


def check_again(reference: str) -> bool:
    """Check an archive that has an open condition, and return whether it still has one.

    Raises:
        Transient: store or database does not answer.
    """
    if reference not in conditions.references(reference):
        return False
    stored, memory = object_of(reference), Memory()
    memory.take(stored, verify_object(stored))
    memory.keep()
    return reference in conditions.references(reference)


def _references(keys: Iterable[str]) -> dict[str, str]:
    """Return the references of the processes whose objects have these keys. Long references are found in the database
    alone, since a damaged inventory names none.
    """
    found = {key: ocfl.reference_at(key) for key in keys}
    if long := {key for key, reference in found.items() if reference is None}:
        found |= {key: each for each in archives.references() if (key := ocfl.object_key(each)) in long}
    return {key: reference for key, reference in found.items() if reference is not None}

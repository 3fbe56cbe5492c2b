"""Remembers what checks of the store find, archive by archive, as conditions. What was not checked stays as it was."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime

import structlog
from sqlmodel import Session

from adapters.database.transactions import writing
from adapters.store import ocfl
from adapters.tables import conditions
from adapters.tables.archives import archives
from adapters.tables.conditions import Found
from models.errors import Transient
from models.store.condition import OF_CHECKS, OF_FAULTS, ConditionCode, Subject
from models.store.fixity import NOTHING, Fault, Fixity, FixityFinding, StoredObject
from services import derived
from services.custody.objects import drawn, object_of, stored_objects
from services.custody.verifying import missing, verify_objects
from services.custody.verifying_records import verify_beside

OnVerified = Callable[[StoredObject, Fixity], None]
log = structlog.get_logger()
_AT_ONCE = 500
MOST_NAMED = 5
_ENDED_BY_CHECKS = {*OF_CHECKS, ConditionCode.RUN_FAILED}


class Memory:
    """What a check finds, remembered as it goes on. A database that is away costs the memory and never the check.

    `failure`: why the findings are not remembered, empty while they are.
    """

    def __init__(self, *, is_quick: bool = False, processes: Executor | None = None) -> None:
        self.failure = ""
        self._is_quick, self._processes = is_quick, processes
        self._known: dict[str, str] | None = None
        self._checked: dict[str, Sequence[FixityFinding]] = {}
        self._outside: list[FixityFinding] = []
        self._begun_at = datetime.now(UTC)

    def check(self, objects: Iterable[StoredObject], on_verified: OnVerified = lambda _, __: None) -> Fixity:
        """Verify objects as `verify_objects` does, and remember what is found, also if the check breaks off."""

        def take(stored: StoredObject, fixity: Fixity) -> None:
            on_verified(stored, fixity)
            self.take(stored, fixity)

        try:
            return verify_objects(objects, take, is_quick=self._is_quick, processes=self._processes)
        finally:
            self.keep()

    def check_store(
        self,
        share: float,
        seed: int,
        on_verified: OnVerified = lambda _, __: None,
        *,
        after: str = "",
        earlier: Fixity = NOTHING,
    ) -> tuple[Fixity, int]:
        """Verify a random share of the store, and everything beside the archives.

        Args:
            seed: draws the same archives again.
            after: the key of the object after which an interrupted check goes on.
            earlier: what the interrupted check has found.

        Returns:
            The findings, and the number of all archives.
        """
        seen, beside = set[str](), list[Fixity]()

        def listed() -> Iterator[StoredObject]:
            for each in stored_objects():
                seen.add(each.key)
                yield each
            beside.append(missing(seen) + verify_beside())  # while other processes verify the last objects

        fixity = self.check(drawn(listed(), share, seed, after), on_verified)
        self.end_of_store(sum(beside, earlier))
        return sum(beside, earlier + fixity), len(seen - {""})

    def end_of_store(self, beside: Fixity) -> None:
        """End a check of the store. `beside`: findings of objects that were not taken, and those outside of objects."""
        for each in beside.findings:
            if key := ocfl.object_around(each.key):
                self._checked[key] = (*self._checked.get(key, ()), each)
            else:
                self._outside.append(each)
        self.keep(is_of_store=True)

    def take(self, stored: StoredObject, fixity: Fixity) -> None:
        """Take the findings of an object, or those outside of objects."""
        if not stored.key:
            self._outside += fixity.findings
            return
        self._checked[stored.key] = fixity.findings
        if len(self._checked) >= _AT_ONCE:
            self.keep()

    def keep(self, *, is_of_store: bool = False) -> None:
        """Make the conditions of the archives that were taken those that were found."""
        checked, self._checked = self._checked, {}
        now = datetime.now(UTC)
        try:
            if not self.failure:
                self._keep(checked, now, is_of_store=is_of_store)
        except Transient as error:
            self.failure = str(error)
            log.warning("the findings of this check are not remembered", why=type(error).__name__)

    def _keep(self, checked: dict[str, Sequence[FixityFinding]], now: datetime, *, is_of_store: bool) -> None:
        if any(each.fault is Fault.ABSENT for each in self._outside) and archives.is_empty():
            return  # before the first archive, nobody has to act
        if self._known is None:
            self._known = {ocfl.object_key(each): each for each in conditions.references()}
        new = references_of(key for key, findings in checked.items() if findings and key not in (self._known or {}))
        references = self._known | new
        for key in checked.keys() - references.keys():  # of no process, if it has findings
            self._outside += checked[key]
        for key in checked.keys() & references.keys():
            with writing() as session:  # of one archive, which is locked first: runs and imports lock it first too
                archives.lock(session, [references[key]])
                self._set(session, Subject.ARCHIVE, references[key], key, checked[key], now)
        with writing() as session:
            if is_of_store:
                self._set(session, Subject.STORE, "", "", self._outside, now)
                conditions.note_within(session, [""], checked_at=now)
            conditions.note_within(session, checked, checked_at=self._begun_at)  # what came since may be unread

    def _set(
        self, session: Session, kind: Subject, subject: str, key: str, findings: Iterable[FixityFinding], now: datetime
    ) -> None:
        """Make the conditions of a subject its findings. Without any it is whole, whatever its last run met."""
        files = defaultdict[ConditionCode, list[str]](list)
        for each in findings:
            if code := OF_FAULTS.get(each.fault):
                files[code].append(each.key.removeprefix(f"{key}/"))
        found: dict[ConditionCode, Found | None] = dict.fromkeys(OF_CHECKS if files else _ENDED_BY_CHECKS)
        for code, its in files.items():
            found[code] = Found(len(its), {"files": its[:MOST_NAMED], "quick": self._is_quick})
        conditions.set_within(session, kind, subject, found, now, is_quick=self._is_quick, begun_at=self._begun_at)


def remember_check(*, is_broken: bool) -> None:
    """Open the condition that a check of the store broke off, or end it. A database that is away costs that alone."""
    found = {ConditionCode.STORE_UNCHECKED: Found(1, {}) if is_broken else None}
    try:
        with writing() as session:
            conditions.set_within(session, Subject.SYSTEM, "verify-archives", found, datetime.now(UTC))
    except Transient as error:
        log.warning("it is not remembered whether the check came to its end", why=type(error).__name__)


def check_again(reference: str) -> bool:
    """Check an archive that has an open condition, and return whether it still has one."""
    if reference not in conditions.references(reference):
        return False
    derived.differing([reference], is_mended=True)  # a run loads rows, and not all that the archive is found by
    Memory().check([object_of(reference)])
    return reference in conditions.references(reference)


def references_of(keys: Iterable[str]) -> dict[str, str]:
    """Return the references of the processes in the database whose objects have these keys. Long references are found
    there alone, since a damaged inventory names none.
    """
    found = {key: ocfl.reference_at(key) for key in keys}
    if long := {key for key, reference in found.items() if reference is None}:
        found |= {key: each for each in archives.references() if (key := ocfl.object_key(each)) in long}
    known = archives.known(filter(None, found.values()))
    return {key: reference for key, reference in found.items() if reference and reference in known}

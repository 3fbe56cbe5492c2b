"""Compares the store by itself with the newest anchor of the witness, and remembers what is found, as conditions."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from adapters.anchors.witness import Comparison
from adapters.database.transactions import writing
from adapters.platform.cancellation import Stopped
from adapters.store import last_records, ocfl
from adapters.tables import conditions
from adapters.tables.archives import archives
from adapters.tables.conditions import Found
from models.errors import Conflict, Transient
from models.store.condition import ConditionCode, Subject
from models.store.fixity import FixityFinding
from services.anchors.anchors import Held, hold_newest
from services.custody.remembering import MOST_NAMED, references_of


def compare(now: datetime) -> Held:
    """Hold the store against the newest anchor of the witness, or its own newest where there is no witness.

    What is found stands as a condition of its archive, or of the store, until a comparison does not find it. While the
    witness is away nothing is known, which is a condition too.

    Raises:
        Transient: the database does not answer.
    """
    try:
        held = hold_newest()
    except Stopped:
        raise
    except Exception as error:  # whatever somebody wrote there: nothing is known, and that is said
        with writing() as session:
            uncompared = {ConditionCode.STORE_UNCOMPARED: Found(1, {})}
            conditions.set_within(session, Subject.STORE, "", uncompared, now)
        is_known = isinstance(error, Conflict | Transient)
        failure = str(error) if is_known else f"the comparison broke off: {type(error).__name__}"
        last_records.keep(replace(last_records.find(Comparison) or Comparison(), failure=failure))
        if is_known:
            return Held("", failure=failure)
        raise
    if held.number or held.findings:  # otherwise there is no anchor yet
        _remember(held.findings, now)
        counts = held.uncovered, len(held.findings), held.erased
        last_records.keep(Comparison(now, held.number or 0, held.is_of_witness, *counts))
    return held


def _remember(findings: Sequence[FixityFinding], now: datetime) -> None:
    """Make the conditions of all archives, and of the store, those that a comparison has found.

    While something beside the archives is wrong, such as an anchor, no condition of an archive ends.
    """
    files = defaultdict[str, list[str]](list)
    for each in findings:
        key = ocfl.object_around(each.key)
        files[key].append(each.key.removeprefix(f"{key}/") if key else each.key)
    known = set[str]() if "" in files else conditions.references()
    references = references_of(files.keys() - {""}) | {ocfl.object_key(each): each for each in known}
    for key, reference in references.items():
        with writing() as session:
            archives.lock(session, [reference])
            conditions.set_within(session, Subject.ARCHIVE, reference, _found(files.pop(key, [])), now)
    outside = [each for its in files.values() for each in its]  # also of archives that the database does not know
    with writing() as session:
        found = _found(outside) | {ConditionCode.STORE_UNCOMPARED: None}
        conditions.set_within(session, Subject.STORE, "", found, now)


def _found(files: Sequence[str]) -> dict[ConditionCode, Found | None]:
    found = Found(len(files), {"files": list(files[:MOST_NAMED])}) if files else None
    return {ConditionCode.NOT_AS_ANCHORED: found}

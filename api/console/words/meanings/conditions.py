"""What the conditions of archives mean, and what a person does about each."""

from collections.abc import Mapping

from api.console.words.languages import N_
from api.console.words.meanings.meaning import Meaning, worded
from models.store.condition import ConditionCode

_RESTORE = N_("Restore it from a backup of the store, or let Cellosign send the archive again. Then run cellar verify.")

CONDITIONS: Mapping[str, Meaning] = {
    ConditionCode.RUN_FAILED: Meaning(
        N_("The last run failed, so the archive may be damaged although it was complete."),
        N_("Run cellar verify: it names each damaged file. Then run the archive again."),
    ),
    ConditionCode.FILE_DAMAGED: Meaning(N_("The store has other bytes than were written."), _RESTORE),
    ConditionCode.FILE_MISSING: Meaning(N_("The store has lost a file."), _RESTORE),
    ConditionCode.FILE_EXTRA: Meaning(
        N_("The store has a file that cellar has not written."),
        N_("Find out who made it, remove it, then run cellar verify."),
    ),
    ConditionCode.FILE_UNREADABLE: Meaning(
        N_("A file in the store cannot be read."), N_("Check the disk or bucket, then run cellar verify.")
    ),
    ConditionCode.ROWS_DIFFER: Meaning(
        N_("The database says otherwise than the store, which is right."), N_("Run the archive again.")
    ),
    ConditionCode.ROWS_STALE: Meaning(
        N_("The data was read with other settings than those of today. Nothing is lost."), N_("Run the archive again.")
    ),
    ConditionCode.STORE_ABSENT: Meaning(
        N_("The store is not there: nothing was ever archived in its place."),
        N_("Mount its disk, or correct CELLAR_STORE_URL, then run cellar verify."),
    ),
}


def condition_meaning(code: str) -> Meaning | None:
    """Return what is wrong with an archive, None for a code without words."""
    return worded(CONDITIONS, code)

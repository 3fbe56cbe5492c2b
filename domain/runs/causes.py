"""Names the causes of failures."""

from typing import get_args

from models.errors import CellarError, Locked, RefusalCode, Refused, System, Transient, Unexpected
from models.runs.cause import Cause

CANCELLED = Cause(
    "CANCELLED", None, "Cancelled", "a person cancelled the run in Prefect; go on with `cellar rerun REFERENCE`"
)
CRASHED = Cause(
    "CRASHED",
    None,
    "Crashed",
    "the run has killed its worker for three days, or was killed with its worker; see the log of the worker, give it "
    "more memory, and run the archive again with `cellar rerun REFERENCE`",
)
_LACKS_ITS_BODY = {"BODY_DAMAGED", "BODY_MISSING", "NOT_REPAIRABLE", *get_args(RefusalCode)}


def heals_by_rerun(code: str) -> bool:
    """Return whether running the archive again can help by itself. It cannot while there is no sound body to run: a new
    delivery brings one and its own run, or the store is restored first.
    """
    return code not in _LACKS_ITS_BODY


def cause_of(error: Exception, task: str | None) -> Cause:
    """Return why an attempt failed. Its sentence repeats no value of a payload, also where the error is unexpected."""
    told = error if isinstance(error, CellarError) else Unexpected(error)
    name = told.error_class if isinstance(told, Unexpected) else type(told).__name__
    return Cause(told.code, task, name, _sentence_of(told))


def system_of(error: Exception) -> System | None:
    """Return what a failed run has to wait for, None where waiting would not heal the failure."""
    if isinstance(error, Locked):
        return System.KEY
    if isinstance(error, Transient):
        return error.system or System.OTHER_RUN
    return None


def _sentence_of(error: CellarError) -> str:
    if isinstance(error, Refused):
        return f"{error.where}: {error.detail}" if error.where else error.detail
    return error.summary if isinstance(error, Transient) else str(error)

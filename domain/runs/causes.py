"""Names the causes of failures."""

from models.errors import CellarError, Locked, Refused, System, Transient, Unexpected
from models.runs.cause import Cause

CANCELLED = Cause(
    "CANCELLED", None, "Cancelled", "a person cancelled the run in Prefect; run the archive again with `cellar rerun`"
)
CRASHED = Cause(
    "CRASHED",
    None,
    "Crashed",
    "the run has killed its worker for three days, or was killed with its worker; see the log of the worker, give it "
    "more memory, and run the archive again with `cellar rerun`",
)


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

"""Names the causes of failures."""

from models.errors import CellarError, Locked, Refused, System, Transient
from models.runs.cause import Cause

UNEXPECTED = "UNEXPECTED"
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


def cause_of(error: BaseException, task: str | None) -> Cause:
    """Return why an attempt failed. Its sentence repeats no value of a payload, also where the error is unexpected."""
    return Cause(_code_of(error), task, type(error).__name__, _sentence_of(error))


def system_of(error: BaseException) -> System | None:
    """Return what a failed run has to wait for, None where waiting would not heal the failure."""
    if isinstance(error, Locked):
        return System.KEY
    if isinstance(error, Transient):
        return error.system or System.OTHER_RUN
    return None


def _code_of(error: BaseException) -> str:
    return error.code if isinstance(error, CellarError) else UNEXPECTED


def _sentence_of(error: BaseException) -> str:
    if isinstance(error, Refused):
        return f"{error.where}: {error.detail}" if error.where else error.detail
    if isinstance(error, Transient):
        return error.summary
    if isinstance(error, CellarError):
        return str(error)
    return (
        f"an unexpected {type(error).__name__}, which is a fault of cellar; report the trace in the run's log, and run "
        "the archive again after an update"
    )

"""Sets up the log: a line of `key=value` for each event, on standard error."""

import io
import logging
import sys

import stamina
import structlog

_LOST = (OSError, ValueError, AttributeError)
"""What a write raises. `sys.stderr` is None, which has no `write`, in a process that was started with `2>&-`."""


class _StandardError(io.StringIO):
    """Standard error as it is when a line is written: loggers are cached, and the stream may be replaced.

    A full disk or a closed stream loses the line and raises nothing: most callers log a failure and continue.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0

    def write(self, text: str) -> int:
        try:
            return sys.stderr.write(text)
        except _LOST:
            self.failures += 1
            return len(text)

    def flush(self) -> None:
        try:
            sys.stderr.flush()
        except _LOST:
            self.failures += 1


_STANDARD_ERROR = _StandardError()


def failed_writes() -> int:
    """Return how often a line of this process's log could not be written."""
    return _STANDARD_ERROR.failures


def set_up_log() -> None:
    """Configure structlog and the standard library's logging for this process.

    structlog's default is a developer's console: it colours even the output of commands and takes 50 µs a line.
    """
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(_STANDARD_ERROR),
        cache_logger_on_first_use=True,
    )
    # Traces go through the standard library. Its handler writes to the same stream, so their loss is counted too.
    logging.lastResort = logging.StreamHandler(_STANDARD_ERROR)
    logging.lastResort.setLevel(logging.WARNING)
    stamina.instrumentation.set_on_retry_hooks(())  # a retry that succeeds is not logged; the caller reports a failure

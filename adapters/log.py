"""The log: a line of `key=value` for each thing that happened, on standard error."""

import io
import logging
import sys

import structlog


class _StandardError(io.StringIO):
    """Whatever standard error is when a line is written: loggers are kept for ever, a stream may be replaced."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_STANDARD_ERROR = _StandardError()


def set_up_log() -> None:
    """structlog's own default is a console for developers: it writes colours, into the output of commands too, and
    takes 50 µs a line.
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

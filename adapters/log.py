"""The log: a line of `key=value` for each thing that happened, on standard error."""

import logging
import sys

import structlog


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
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )

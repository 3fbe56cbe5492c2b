"""Sets up the log: a line for each unit of work, on standard error. JSON, and on a terminal text for people.

Lines of structlog and of the standard library's logging have one format. Both carry the ids that `bound` or structlog's
`bind_contextvars` has set for a request or a run. No line has a process's reference: it may be somebody's number.
"""

import hashlib
import io
import json
import logging
import os
import sys
from collections.abc import MutableMapping
from contextlib import AbstractContextManager
from typing import Any, TextIO

import orjson
import stamina
import structlog
from structlog.typing import Processor

from adapters.observation.log_file import PROGRAM_VARIABLE, human_renderer

_LOST = (OSError, ValueError, AttributeError)
"""What a write raises. `sys.stderr` is None, which has no `write`, in a process that was started with `2>&-`."""
_DIGEST_LENGTH = 16


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
            self._count()
            return len(text)

    def flush(self) -> None:
        try:
            sys.stderr.flush()
        except _LOST:
            self._count()

    def _count(self) -> None:
        from adapters.observation.counting import FAILED_LOG_WRITES  # noqa: PLC0415 -- slow, and commands have no metrics

        self.failures += 1
        FAILED_LOG_WRITES.inc()


_STANDARD_ERROR = _StandardError()


def failed_writes() -> int:
    """Return how often a line of this process's log could not be written."""
    return _STANDARD_ERROR.failures


def reference_digest(reference: str) -> str:
    """Return the digest by which log lines name a process. The key of a run's summary in Prefect ends with it too."""
    return hashlib.sha256(reference.encode()).hexdigest()[:_DIGEST_LENGTH]


def bound(reference: str, receipt_id: str) -> AbstractContextManager[None]:
    """Let every log line of the block carry the ids of a receipt and of its process."""
    return structlog.contextvars.bound_contextvars(receipt_id=receipt_id, reference_digest=reference_digest(reference))


def set_up_log(lowest: int = logging.INFO) -> None:
    """Configure structlog and the standard library's logging for this process, for lines of the `lowest` level on.

    structlog's default is a developer's console: it colours even the output of commands and takes 50 µs a line.
    """
    is_terminal = _is_terminal(sys.stderr)
    renderer = human_renderer(colors=True) if is_terminal else _json
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        *([_by(name)] if (name := os.environ.get(PROGRAM_VARIABLE)) else []),
    ]
    # A processor, since a logger that has written a line keeps the class that was configured then.
    _PROCESSORS[:] = [*([_from(lowest)] if lowest > logging.INFO else []), *shared, renderer]
    structlog.configure(
        processors=_PROCESSORS,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(_STANDARD_ERROR),
        cache_logger_on_first_use=True,
    )
    _HANDLER.setFormatter(_standard_format(shared, renderer))
    adopt_loggers()
    logging.getLogger().addHandler(_HANDLER)
    stamina.instrumentation.set_on_retry_hooks(())  # a retry that succeeds is not logged; the caller reports a failure


def _by(program: str) -> Processor:
    def name(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["program"] = program
        return event

    return name


def _from(lowest: int) -> Processor:
    def drop(_logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if structlog.processors.NAME_TO_LEVEL[method] < lowest:
            raise structlog.DropEvent
        return event

    return drop


# One list for good: a logger that has written a line keeps the list that was configured then.
_PROCESSORS: list[Processor] = []

_HANDLER = logging.StreamHandler(_STANDARD_ERROR)
_HANDLER.setLevel(logging.WARNING)


def adopt_loggers() -> None:
    """Let loggers that write to standard error by themselves write in our format. For libraries imported since."""
    for logger in [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]:
        if isinstance(logger, logging.Logger):
            logger.handlers[:] = [_HANDLER if _is_printed(each) else each for each in logger.handlers]


def _standard_format(shared: list[Processor], renderer: Processor) -> logging.Formatter:
    """Return the format of the standard library's lines. Of Prefect's extras it takes ids and no names of runs."""
    extras = structlog.stdlib.ExtraAdder(allow=["flow_run_id", "task_run_id"])
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, extras, structlog.stdlib.add_logger_name],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            renderer,
        ],
    )


def _json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    head = {name: event.pop(name) for name in ("timestamp", "level", "event")}
    try:
        return orjson.dumps(head | event, default=str).decode()  # type: ignore[operator]
    except TypeError:  # an integer of any size, or half an emoji
        return json.dumps(head | event, default=str)  # type: ignore[operator]


def _is_printed(handler: logging.Handler) -> bool:
    printed = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    return isinstance(handler, logging.StreamHandler) and handler.stream in printed


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # the stream is closed
        return False

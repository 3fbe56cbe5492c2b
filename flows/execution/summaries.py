"""Keeps a summary for Prefect's UI from failing its run."""

from collections.abc import Iterator
from contextlib import contextmanager

from prefect import get_run_logger


@contextmanager
def optional_summary() -> Iterator[None]:
    """Go on with a warning if the block cannot make a summary and leave it in Prefect.

    A summary only shows what is recorded elsewhere. Its failure must not fail a run, nor hide why the run failed.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 -- a summary renders any archive, and no list of errors is complete
        # Only the class: the message of an unknown error may repeat a value from a payload.
        get_run_logger().warning("The run has no summary: %s", type(error).__name__)

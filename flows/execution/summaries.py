"""Summaries that people read in Prefect's UI."""

from collections.abc import Iterator
from contextlib import contextmanager

from prefect import get_run_logger


@contextmanager
def optional_summary() -> Iterator[None]:
    """Make a summary and leave it in Prefect, or go on with a warning.

    A summary only shows what is on record elsewhere. Its failure must not fail a run, nor hide why the run failed.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 -- it renders whatever was archived, and no list of errors is complete
        # The class alone: a message of an unknown error may repeat a value from a payload.
        get_run_logger().warning("The run has no summary: %s", type(error).__name__)

"""Summaries that people read in Prefect's UI."""

import httpx
from prefect import get_run_logger
from prefect.artifacts import acreate_markdown_artifact
from prefect.exceptions import PrefectException

NOT_TAKEN = (PrefectException, httpx.HTTPError)
"""What is raised where Prefect does not take something."""


async def leave_summary(key: str, markdown: str, description: str) -> None:
    """Leave a summary with the run that calls this. One that Prefect does not take must not fail the run, nor hide why
    it failed.
    """
    try:
        await acreate_markdown_artifact(markdown, key=key, description=description)
    except NOT_TAKEN as error:
        get_run_logger().warning("The run has no summary: %s", type(error).__name__)

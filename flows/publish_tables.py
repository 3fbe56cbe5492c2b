"""The flow `publish-tables`: keeps tables current in lake and share, and shows what it wrote."""

from typing import TYPE_CHECKING

from prefect.artifacts import acreate_table_artifact

from adapters.platform.cancellation import in_thread
from adapters.settings.settings import settings
from flows.execution.engine import done_by
from flows.execution.tasks import counted, name_run, of_cellar, optional_summary

if TYPE_CHECKING:
    from services.publishing import Published


@of_cellar("publish-tables", "publish tables")
async def publish_tables() -> None:
    """Write what changed into the tables at CELLAR_LAKE_URL, and with CELLAR_SHARE into those of the database. A killed
    run is done again.

    Raises:
        Conflict: a table there cannot be read or written.
        Transient: the place does not answer, or another run was faster. The next run goes on.
    """
    written = await done_by(publish)
    rows = sum(each.rows for each in written)
    await name_run([f"wrote {counted(rows, 'row')} of {counted(len(written), 'table')}"] if written else [])
    if written:
        with optional_summary():
            description = "Tables as the role data gets them; see docs/tables.md"
            await acreate_table_artifact([_row(each) for each in written], "published-tables", description)


async def publish() -> "list[Published]":
    from services import publishing  # noqa: PLC0415 -- pyarrow takes 60 MB, also where nothing is published

    return await in_thread(publishing.publish)


def _row(written: "Published") -> dict[str, str | int]:
    archives = "all, written anew" if written.archives is None else written.archives
    link = f"[{written.table}]({settings().receiver_url}/console/tables#{written.table})"
    counts = {"rows": written.rows, "changed archives": archives, "version": written.version}
    of_lake, of_share = f"{settings().lake_location}/{written.table}", f"{written.place}.{written.table}"
    return {"table": link, **counts, "place": of_lake if written.place == "lake" else of_share}

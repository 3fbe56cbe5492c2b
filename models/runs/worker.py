"""Workers, and the flow runs that they have claimed."""

from sqlmodel import Field, SQLModel


class WorkerRow(SQLModel, table=True):
    """A living worker. Its beats grow while it lives. A worker that sees them stand still may delete the row."""

    __tablename__ = "worker"

    worker_id: str = Field(primary_key=True, max_length=36)
    beats: int = 0


class ClaimRow(SQLModel, table=True):
    """A flow run that a worker executes. The claim outlives a killed worker, so the worker's runs can be found."""

    __tablename__ = "claim"

    flow_run_id: str = Field(primary_key=True, max_length=36)
    worker_id: str = Field(index=True, max_length=36)

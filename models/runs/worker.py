"""Who executes what: workers that live, and the flow runs that they have claimed."""

from sqlmodel import Field, SQLModel


class WorkerRow(SQLModel, table=True):
    """A worker that lives. Its beats grow while it does; whoever sees them stand still may take the row away."""

    __tablename__ = "worker"

    worker_id: str = Field(primary_key=True, max_length=36)
    beats: int = 0


class ClaimRow(SQLModel, table=True):
    """A flow run that a worker executes. It outlives a worker that was killed: that is how its runs are found."""

    __tablename__ = "claim"

    flow_run_id: str = Field(primary_key=True, max_length=36)
    worker_id: str = Field(index=True, max_length=36)

"""Results of Prefect's tasks."""

from sqlmodel import Field, LargeBinary, SQLModel


class TaskResultRow(SQLModel, table=True):
    """The result of a task of a flow run, by Prefect's name for it, so that Retry resumes at the failed task."""

    __tablename__ = "task_result"

    flow_run_id: str = Field(primary_key=True, max_length=36)
    name: str = Field(primary_key=True, max_length=255)
    content: bytes = Field(sa_type=LargeBinary)

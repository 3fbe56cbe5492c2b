"""The verdict on a signed document as the database keeps it."""

from typing import Any

from sqlmodel import Field, SQLModel

from models.columns import Json


class SignedDocumentRow(SQLModel, table=True):
    """One row for each archive with a signed document. `verdict` is the JSON that the API shows."""

    __tablename__ = "signed_document"

    reference: str = Field(primary_key=True, max_length=255)
    position: int = Field(primary_key=True)
    outcome: str = Field(max_length=16, index=True)
    verdict: dict[str, Any] = Field(sa_type=Json)

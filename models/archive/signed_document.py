"""The verdict on a signed document as the database keeps it."""

from typing import Any

from sqlmodel import Field, SQLModel

from models.columns import Json


class SignedDocumentRow(SQLModel, table=True):
    """One row for each archive with a signed document.

    `verdict` is the JSON of the verdict at arrival. `judgements` is the JSON of the later judgements, oldest first.
    `outcome` and `roots` are those of the last judgement, or of the arrival: the outcome, and the digest of the trust
    roots, None where it was not recorded.
    """

    __tablename__ = "signed_document"

    reference: str = Field(primary_key=True, max_length=255)
    position: int = Field(primary_key=True)
    outcome: str = Field(max_length=16, index=True)
    verdict: dict[str, Any] = Field(sa_type=Json)
    roots: str | None = Field(default=None, max_length=64)
    judgements: list[dict[str, Any]] = Field(
        default_factory=list, sa_type=Json, sa_column_kwargs={"server_default": "[]"}
    )

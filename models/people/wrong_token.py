"""Wrong tokens: how many of them came from an address."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.columns import Moment


class WrongTokensRow(SQLModel, table=True):
    """The wrong tokens that all receivers got from one network in one span of time, until `ends_at`.

    `key` names the network and the span, as the library `limits` does.
    """

    __tablename__ = "wrong_tokens"

    key: str = Field(primary_key=True, max_length=100)
    number: int
    ends_at: datetime = Field(index=True, sa_type=Moment)

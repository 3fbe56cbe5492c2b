"""Logins: people who are signed in to the console."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.columns import Moment


class LoginRow(SQLModel, table=True):
    """A person who is signed in, until `ends_at`.

    `session` is the digest of the id in the person's cookie, so a copy of the database signs nobody in. `token` is a
    keyed digest of the API token that was presented: the login ends with the token.
    """

    __tablename__ = "login"

    session: str = Field(primary_key=True, max_length=64)
    person: str = Field(max_length=100)
    token: str = Field(max_length=64)
    began_at: datetime = Field(sa_type=Moment)
    ends_at: datetime = Field(index=True, sa_type=Moment)

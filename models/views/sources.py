"""Sources as the JSON API and the command line show them. No secret and no digest is shown."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from models.payments import AmountUnit


class SecretView(BaseModel):
    """A secret of a source. `until`: null until it is replaced."""

    made_at: datetime
    until: datetime | None


class TermsView(BaseModel):
    """The terms that apply to a source. `stated` names those that the source states of its own."""

    timezone: str
    amount_unit: AmountUnit
    success_purge_h: int
    failure_purge_h: int
    archived_within_s: float
    unknown_events: Literal["keep", "refuse"]
    stated: list[str]


class SourceView(BaseModel):
    """A source. The source `default` has its secrets in the settings, and was not created by anybody."""

    name: str
    url: str = Field(description="The URL to enter in Cellosign.")
    terms: TermsView
    secrets: list[SecretView] = Field(description="The secrets that open it now, the newest first.")
    created_at: datetime | None
    created_by: str | None
    disabled_at: datetime | None
    disabled_by: str | None


class ListedSource(SourceView):
    """A source in a list, with what has come from it."""

    archives: int
    last_delivery_at: datetime | None
    clock_warning: str | None = Field(description="What says that its times are of another zone, and what to do.")


class Sources(BaseModel):
    """All sources, `default` first."""

    items: list[ListedSource]


class NewSecret(BaseModel):
    """A source with its new secret, which is shown this once."""

    source: SourceView
    secret: str

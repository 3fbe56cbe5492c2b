"""Sources as the JSON API and the command line show them. No secret and no digest is shown."""

from datetime import datetime

from pydantic import BaseModel, Field

from models.payments import AmountUnit


class SecretView(BaseModel):
    """A secret of a source. `until`: null until it is replaced."""

    made_at: datetime | None = Field(description="Null for a secret of the settings.")
    until: datetime | None
    last_used_at: datetime | None = Field(description="When a sender presented it last, or a token for it.")


class TermsView(BaseModel):
    """The terms that apply to a source. `stated` names those that the source states of its own."""

    timezone: str
    amount_unit: AmountUnit
    success_purge_h: int
    failure_purge_h: int
    archived_within_s: float
    addresses: list[str] = Field(description="The networks from which it may send; any if there are none.")
    signature: str = Field(description="The header that must have the signature of a body; empty for none.")
    retention: str = Field(description="How long archives are kept, where their template says nothing.")
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
    signing_key: str = Field(description="The key that signs bodies while this secret is valid.")

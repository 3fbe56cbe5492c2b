"""Reads the settings: environment variables with the prefix `CELLAR_`, a `.env` file, or a folder of secrets.

No other module reads settings from the environment.
"""

import base64
import os
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pydantic import AliasChoices, Field, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from adapters.settings.checks import Addresses, CommaSeparated, check
from adapters.settings.kept_secrets import kept_secret
from adapters.settings.setting_names import check_file_names, check_names, secrets_folder
from domain.payments.terms import SETTINGS, read_terms
from models.payments import AmountUnit, PaymentTerms
from models.sources import Networks, SourceTerms

if TYPE_CHECKING:
    from models.completeness.list_format import ListFormat
    from models.settlements.report_format import ReportFormat
    from models.settlements.settlement import SettlementTerms

_ENV_FILE = ".env"


class Settings(BaseSettings):
    """All settings with their defaults. The README's table is made of the texts below each."""

    model_config = SettingsConfigDict(
        env_prefix="CELLAR_",
        env_file=_ENV_FILE,
        extra="ignore",
        frozen=True,
        validate_by_name=True,
        hide_input_in_errors=True,  # else an error in one setting prints all settings, secrets too
    )

    data_dir: Path = Path("data")
    """Folder for all data whose location is not set elsewhere."""
    secrets_dir: Path | None = None
    """Folder with one file per secret, named after its variable, as orchestrators mount secrets. The environment takes
    precedence. Default: none.
    """
    host: str = "127.0.0.1"
    """Address that the receiver listens on."""
    port: int = Field(8000, ge=1, le=65535)
    """Port that the receiver listens on."""
    receiver_processes: int = Field(1, ge=1, le=64)
    """Number of receiver processes that share the port. Use at most one per core."""
    prefect_port: int = Field(4200, ge=1, le=65535)
    """Port of the embedded Prefect server."""
    prefect_api_url: str | None = Field(
        None, repr=False, validation_alias=AliasChoices("PREFECT_API_URL", "prefect_api_url")
    )
    """API URL of an existing Prefect server. If set, `cellar up` starts no server."""
    prefect_site: str | None = Field(None, validation_alias=AliasChoices("PREFECT_UI_URL", "prefect_site"))
    """URL of Prefect's UI for people, to which pages and letters link. Default: made of its API URL."""
    prefect_auth_string: str | None = Field(
        None, repr=False, validation_alias=AliasChoices("PREFECT_API_AUTH_STRING", "prefect_auth_string")
    )
    """`user:password` of the Prefect server, if it requires a login. Default: for the embedded server, one is generated
    at the first start, in `secrets/prefect` of the data folder.
    """
    prefect_retention_days: int = Field(30, ge=7, le=3650)
    """Days after which the embedded Prefect server removes ended runs with their tasks and logs, and cellar removes the
    results of tasks. The history of archives stays.
    """
    inbox_url: str | None = Field(None, repr=False)
    """Location of the inbox: a folder or an `s3://…` URL. Default: `inbox` in the data folder."""
    store_url: str | None = Field(None, repr=False)
    """Location of the store: a folder or an `s3://…` URL. Default: `store` in the data folder."""
    store_lock_days: int | None = Field(None, ge=1, le=36500)
    """Days for which a bucket with Object Lock (`COMPLIANCE`) keeps file contents, version inventories and anchors from
    being removed by anybody. Default: not locked.
    """
    database_url: str | None = Field(None, repr=False)
    """SQLAlchemy URL of the metadata database. Default: SQLite in the data folder."""
    migration_database_url: str | None = Field(None, repr=False)
    """The same database for `cellar migrate` alone, as the Postgres user who owns its tables. The user of
    `CELLAR_DATABASE_URL` then changes no table, nor the triggers of the access log. Default: the same.
    """
    worker_connections: int = Field(32, ge=4, le=1000)
    """Maximum database connections per worker or command, and twice those of a receiver process; see docs/scale.md."""
    public_url: str = ""
    """Base URL of the links that cellar gives out. Default: made of host and port."""
    webhook_secrets: CommaSeparated = Field((), repr=False)
    """Secrets that the sender may use, each of at least 16 characters; several during a rotation. Default: one,
    generated at the first start.
    """
    webhook_addresses: Annotated[Networks, NoDecode] = ()
    """Networks from which senders may send, like `192.0.2.7,198.51.100.0/24`. Default: any."""
    api_tokens: CommaSeparated = Field((), repr=False)
    """Tokens for JSON API, metrics and console, each of at least 32 characters. They open everything; `cellar tokens`
    makes others with a role. Default: one, generated at the first start.
    """
    oidc_issuer: str = ""
    """URL of the OpenID Connect provider by which people sign in to the console; see docs/access.md. Default: local
    users, see `cellar users`.
    """
    oidc_client_id: str = ""
    """Id of cellar as a client of that provider."""
    oidc_client_secret: str = Field("", repr=False)
    """Secret of cellar as a client of that provider."""
    oidc_roles: CommaSeparated = ()
    """Role of each group of the provider, as `GROUP=ROLE`, or `GROUP=clerk@SCOPE`; the first that fits a person counts.
    """
    idle_minutes: int = Field(30, ge=5, le=720)
    """Minutes without a page after which a login to the console ends."""
    link_secret: str = Field("", repr=False)
    """Key of public links and of tokens and signatures of senders, at least 32 characters. Default: generated at the
    first start.
    """
    seal_keys: CommaSeparated = Field((), repr=False)
    """Master keys for sealed values in the store, each 64 bytes in base64. The first key seals; every key opens.
    Default: one, generated at the first start.
    """
    anchor_key: str = Field("", repr=False)
    """Key that signs anchors, 32 bytes in base64, shared by all machines of an installation. Default: generated at the
    first anchor.
    """
    anchor_sha512_from: date | None = None
    """Day, such as `2027-01-01`, from which new anchors are made with SHA-512. Earlier anchors stay as they are.
    Default: never, all with SHA-256.
    """
    witness_url: str | None = Field(None, repr=False)
    """Folder on other storage, or `s3://…` URL of a bucket with Object Lock, that keeps a second copy of anchors; see
    docs/evidence.md. Default: none.
    """
    time_stamp_urls: CommaSeparated = ()
    """URLs of time-stamp authorities (RFC 3161) that date each anchor. Default: none."""
    time_stamp_roots: CommaSeparated = ()
    """PEM files with the root certificates of these authorities. Without them, signatures of time stamps are not
    checked.
    """
    backup_url: str | None = Field(None, repr=False)
    """Folder on other storage, or `s3://…` URL, of the backups that are made each night; see docs/backup.md. Default:
    none.
    """
    backup_keep_days: int = Field(30, ge=1, le=3650)
    """Days after which a backup is removed."""
    backup_password: str = Field("", repr=False)
    """Password of the backups, at least 32 characters, shared by all machines of an installation. Nothing can be
    restored without it. Default: generated at the first backup.
    """
    public_link: Literal["token", "none"] = "token"
    """Whether answers to the sender contain a public link: `token` or `none`."""
    access_kept_days: int = Field(2557, ge=731, le=36500)
    """Days for which the access log is kept: at least the 24 months of the Israeli regulations. Default: seven years.
    """
    access_log_url: str = ""
    """Where the access log is also sent, as JSON lines with names of ECS: `file:///PATH`, or `syslog+tls://HOST:PORT`.
    Default: nowhere.
    """
    tables_personal: CommaSeparated = ("viewer=masked", "data=keyed")
    """What roles get of personal columns of tables, as `ROLE=TREATMENT`: `whole`, `left_out`, `masked`, or `keyed`,
    equal keys in place of equal values; see docs/tables.md. Where it does not name them, viewers get masks, `data` gets
    keys, and other roles get them whole.
    """
    holder: str = ""
    """Name of the institution that holds the archives, shown in exports."""
    public_link_days: int = Field(30, ge=1)
    """Days for which a public link is valid."""
    notify_urls: CommaSeparated = Field((), repr=False)
    """URLs of endpoints that receive messages about archives, discrepancies and damage; see docs/notifications.md."""
    notify_secret: str = Field("", repr=False)
    """Standard Webhooks secret (`whsec_…`) that signs the messages to these endpoints."""
    notify_allow_private: bool = False
    """Whether endpoints may have loopback and private addresses."""
    outgoing_proxy: str | None = Field(None, repr=False)
    """Proxy (`http://[USER:PASSWORD@]HOST:PORT`) that leads to public addresses: endpoints, people, time-stamp
    authorities, revocation servers, the provider of logins. Private addresses, Prefect, buckets and databases are
    reached directly. See docs/deploy.md. Default: none.
    """
    people_urls: Addresses = Field((), repr=False)
    """apprise URLs (mail, Slack, Teams, …) of the people who get alerts about failures, outages and deadlines; see
    docs/people.md. Default: none.
    """
    max_body_bytes: int = Field(2 << 30, ge=1)
    """Maximum size of a body. Larger requests are refused with 413."""
    body_timeout_s: float = Field(60, gt=0)
    """Longest pause that a sender may make within a body. Over twice that time, the mean must be at least 1 KiB a
    second. The headers of a request may take a third of it.
    """
    max_requests_in_flight: int = Field(128, ge=1)
    """Maximum number of requests received at the same time. Further senders get 503 and are asked to retry later."""
    max_bytes_in_flight: int = Field(8 << 30, ge=1)
    """Maximum total size of these requests. Further senders get 503 and are asked to retry later."""
    sweep_interval_s: float = Field(15, gt=0)
    """Seconds between two scans of the inbox for receipts that have no run."""
    run_timeout_s: float = Field(3600, gt=0)
    """Longest time that a run may take for an archive before it fails."""
    trust_roots: CommaSeparated = ()
    """Files of the root certificates that are trusted for signed documents. Without them, `trusted` is null."""
    trust_lists: CommaSeparated = ()
    """Files that list certificate authorities and the tier of their signatures, as TOML or as an EU trusted list (XML).
    Their certificates are trusted like roots. See docs/archives.md.
    """
    fetch_revocation: bool = False
    """Whether to fetch the OCSP answers and CRLs that a signed document lacks when it arrives. They are fetched from
    public addresses only, and only if its certificate leads to a trusted root.
    """
    clamd: str | None = None
    """ClamAV daemon that scans files: `HOST:PORT` or the path of its socket. Default: none."""
    timezone: str = "UTC"
    """Time zone of Cellosign's timestamps, which carry none."""
    search_labels: CommaSeparated = ("*",)
    """Keys of the labels whose values are indexed for search; `*` for all. See docs/search.md."""
    search_fields: CommaSeparated = ()
    """Ids of the form fields whose values are indexed for search; `*` for all. Default: none, since these values are
    personal data. After a change, run `cellar migrate`: workers apply it to existing archives.
    """
    list_columns: Path | None = None
    """TOML file that describes the columns of Cellosign's list of processes; see docs/reconcile.md. Default:
    Cellosign's own headings.
    """
    business_timezone: str | None = None
    """Time zone of the days in the provider's reports, of payment days, and of the current day. A re-run applies a
    change to existing payments. Default: `CELLAR_TIMEZONE`.
    """
    amount_unit: AmountUnit = "minor"
    """Unit of `payments[].amount`: agorot (`minor`) or shekels (`major`)."""
    payment_types: CommaSeparated = ("charge=charged+auth", "verify_credit_card=verified", "hold=held")
    """Standing of a successful payment by its type: `charged`, `held` or `verified`. `+auth` requires an authorisation
    number. Other types are `unknown`.
    """
    payment_results: CommaSeparated = ("result=000",)
    """Values that members of `provider_transaction_result` must have in a successful payment. With another value, the
    payment is `unknown`. A missing member is ignored.
    """
    hold_days: int = Field(7, ge=0, le=3650)
    """Days for which money may be held before a discrepancy opens."""
    settlement_columns: Path | None = None
    """TOML file that describes the format of settlement reports; see docs/settlement.md. Default: none."""
    settlements_url: str | None = Field(None, repr=False)
    """Folder or `s3://…` URL that is watched for settlement reports (`*.csv`). Default: none."""
    lake_url: str | None = Field(None, repr=False)
    """Folder or `s3://…` URL where `publish-tables` keeps tables for data teams as Delta tables; see docs/tables.md.
    Default: none.
    """
    share: bool = False
    """Whether `publish-tables` keeps tables for data teams in the Postgres of `CELLAR_DATABASE_URL`, where the schema
    `cellar_share` shows them; see docs/tables.md.
    """
    worker_metrics_port: int | None = Field(None, ge=1, le=65535)
    """Port on which `cellar worker` serves its metrics and `/healthz`, at `CELLAR_HOST`. Under `cellar up`, the
    receiver serves these metrics too. Default: none.
    """
    erase_approvers: int = Field(2, ge=1, le=2)
    """Number of people that an erasure needs: at 2, another person than the one who planned it confirms it. A login
    younger than a day counts as its maker's."""
    error_http: Literal["mapped", "200"] = "mapped"
    """HTTP status of errors: a fitting status (`mapped`), or always `200`."""

    @model_validator(mode="after")
    def _check(self) -> "Settings":
        check(self)
        return self

    @cached_property  # used for each archive that settlement reports concern
    def report_format(self) -> "ReportFormat | None":
        """The format of settlement reports, None where none is set."""
        from domain.settlements.report import read_format  # noqa: PLC0415 -- few programs read reports

        return read_format(self.settlement_columns.read_text("utf-8-sig")) if self.settlement_columns else None

    @cached_property
    def list_format(self) -> "ListFormat":
        """The format of Cellosign's list of processes."""
        from domain.completeness.list_rows import read_list_format  # noqa: PLC0415 -- few programs read lists

        return read_list_format(self.list_columns.read_text("utf-8-sig") if self.list_columns else "")

    @property
    def settlement_terms(self) -> "SettlementTerms":
        from models.settlements.settlement import SettlementTerms  # noqa: PLC0415 -- few programs read reports

        return self.report_format.terms if self.report_format else SettlementTerms()

    @property
    def settlements_location(self) -> str | None:
        return self._location(self.settlements_url, "") if self.settlements_url else None

    @property
    def lake_location(self) -> str | None:
        return self._location(self.lake_url, "") if self.lake_url else None

    @property
    def witness_location(self) -> str | None:
        return self._location(self.witness_url, "") if self.witness_url else None

    @property
    def backup_location(self) -> str | None:
        return self._location(self.backup_url, "") if self.backup_url else None

    @property
    def backup_dir(self) -> Path:
        """The folder of what backups and drills need on this machine, and no installation."""
        return self.data_dir.absolute() / "backup"

    @cached_property  # read several times for each archive
    def inbox_location(self) -> str:
        return self._location(self.inbox_url, "inbox")

    @cached_property
    def store_location(self) -> str:
        return self._location(self.store_url, "store")

    @property
    def spool_dir(self) -> Path:
        """The folder where files are written before they go into a bucket."""
        return self.data_dir.absolute() / "spool"

    @property
    def check_note(self) -> Path:
        """Where an interrupted `cellar verify` has left how far it came: a key of the store, which has a reference."""
        return self.data_dir.absolute() / "verify.json"

    @property
    def database_location(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'cellar.db'}"

    @property
    def receiver_url(self) -> str:
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"

    def dossier_url(self, reference: str) -> str:
        """Return the address of an archive in the console."""
        return f"{self.receiver_url}/console/archives/{quote(reference, safe='')}"

    @property
    def prefect_url(self) -> str:
        return (self.prefect_api_url or f"http://127.0.0.1:{self.prefect_port}/api").rstrip("/")

    @property
    def prefect_ui_url(self) -> str:
        """The URL of Prefect's UI for people, without the user and password of the API's URL."""
        if self.prefect_site:
            return self.prefect_site.rstrip("/")
        scheme, _, place = self.prefect_url.removesuffix("/api").partition("://")
        return f"{scheme}://{place.rpartition('@')[2]}"

    @property
    def prefect_auth(self) -> tuple[str, str] | None:
        """The user and password of the Prefect server; None if it requires no login."""
        user, colon, password = (self.active_prefect_auth_string() or "").partition(":")
        return (user, password) if user or colon else None

    def active_prefect_auth_string(self) -> str | None:
        """Return `user:password` of the Prefect server. The embedded server always requires a login."""
        if self.prefect_auth_string or self.prefect_api_url is not None:
            return self.prefect_auth_string
        return self._kept_secret("prefect")

    @cached_property
    def payment_terms(self) -> PaymentTerms:
        """The terms that decide the standing of payments."""
        return read_terms({name: getattr(self, name) for name in SETTINGS})

    @cached_property  # asked for each archive
    def source_terms(self) -> SourceTerms:
        """The terms of every source that states none of its own."""
        return SourceTerms(self.timezone, self.amount_unit, addresses=self.webhook_addresses)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone in which people read and write times: in the console and on the command line."""
        return ZoneInfo(self.business_timezone or self.timezone)

    def active_webhook_secrets(self) -> tuple[str, ...]:
        """Return the sender's secrets, newest first."""
        return self.webhook_secrets or (self._kept_secret("webhook"),)

    def active_api_tokens(self) -> tuple[str, ...]:
        return self.api_tokens or (self._kept_secret("api"),)

    def active_link_secret(self) -> str:
        return self.link_secret or self._kept_secret("link")

    def active_seal_keys(self) -> tuple[bytes, ...]:
        """Return the master keys; the first one wraps. A missing key is generated.

        Raises Locked if the generated key is damaged.
        """
        return tuple(map(base64.b64decode, self.seal_keys or (self._kept_secret("seal"),)))

    def active_anchor_key(self) -> str:
        """Return the key that signs anchors, in base64. A missing key is generated.

        Raises Locked if the generated key is damaged.
        """
        return self.anchor_key or self._kept_secret("anchor")

    def active_backup_password(self) -> str:
        return self.backup_password or self._kept_secret("backup")

    def known_seal_keys(self) -> tuple[bytes, ...]:
        """Return `active_seal_keys`, but generate none: a new key does not open existing sealed values."""
        is_there = self.seal_keys or self.secret_path("seal").exists()
        return self.active_seal_keys() if is_there else ()

    def _location(self, made: str | None, default: str) -> str:
        if made and "://" in made:
            return made.rstrip("/")
        return str(Path(made).absolute() if made else self.data_dir.absolute() / default)

    def secret_path(self, name: str) -> Path:
        """Return where a generated secret is kept: `webhook`, `api`, `link`, `seal`, `anchor`, `backup`
        or `prefect`."""
        return self.data_dir.absolute() / "secrets" / name

    def _kept_secret(self, name: str) -> str:
        return kept_secret(self.secret_path(name))


def variable_of(name: str) -> str:
    """Return the environment variable of a setting."""
    alias = Settings.model_fields[name].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"CELLAR_{name.upper()}"


@lru_cache
def settings() -> Settings:
    """Return the settings of this process, read once.

    Raises:
        WrongUse: a variable or a file of a secret begins like a setting and is none, or there is no folder of secrets.
        ValidationError: the value of a setting is wrong.
    """
    known = [variable_of(name) for name in Settings.model_fields]
    check_names(os.environ, Path(_ENV_FILE), known)
    folder = secrets_folder(os.environ, Path(_ENV_FILE))
    check_file_names(folder, known)
    return Settings(_secrets_dir=folder)

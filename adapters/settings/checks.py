"""The forms that values of settings must have, and checks beyond their types."""

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from adapters.settings.database_urls import database_url_fault
from adapters.settings.kept_secrets import LEAST_CHARACTERS, is_key, is_long
from domain.access import read_group_roles, read_treatments
from domain.payments.terms import read_results, read_types
from models.errors import Refused
from models.sources import is_zone, split_at_commas

CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_at_commas)]


def _split_addresses(value: object) -> object:
    """Split where a comma precedes the next scheme: addresses of apprise may have commas in them."""
    parts = re.split(r",\s*(?=[a-zA-Z][a-zA-Z0-9+.-]*://)", value) if isinstance(value, str) else None
    return value if parts is None else [part.strip() for part in parts if part.strip()]


Addresses = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_addresses)]

_LEAST_BYTES = 24  # of Standard Webhooks


def is_signing_secret(text: str) -> bool:
    key = text.removeprefix("whsec_")
    try:
        return key != text and len(base64.b64decode(key, validate=True)) >= _LEAST_BYTES
    except ValueError:
        return False


def is_location(text: str) -> bool:
    """Check for a folder or a bucket. `s3:/typo` and `file:x` would be folders of these names."""
    is_bucket = re.fullmatch(r"s3://[a-zA-Z0-9][a-zA-Z0-9._-]*(/.*)?", text) is not None
    return is_bucket or re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:|.*://", text) is None


def is_http_url(text: str) -> bool:
    try:
        port = urlsplit(text).port
    except ValueError:  # a bracket is not closed, or the port is no number
        return False
    return port != 0 and re.match(r"https?://[^/?#\s]+", text) is not None


def is_certificate(path: Path) -> bool:
    """Check for a certificate in PEM or DER: a wrong path would delay every archive that has a signed document."""
    try:
        text = path.read_bytes()
    except OSError:
        return False
    return b"-----BEGIN CERTIFICATE-----" in text or text.startswith(b"\x30")  # DER begins with a sequence


def is_host_and_port(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and re.fullmatch(r"[0-9]{1,5}", port) is not None and 0 < int(port) < 1 << 16


def is_address(text: str) -> bool:
    """Check for an address of apprise, as far as its form shows. `cellar people test` checks the rest."""
    return re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://\S", text) is not None


if TYPE_CHECKING:
    from adapters.settings.settings import Settings


def check(made: "Settings") -> None:
    """Check all values.

    Raises ValueError if a value is wrong. The text names the variable and what is expected, and repeats no value.
    """
    _check_secrets(made)
    _check_files(made)
    _check_terms(made)
    _check_formats(made)
    _check_urls(made)
    _check_provider(made)


def _check_secrets(made: "Settings") -> None:
    for kept, name, texts in (
        ("webhook", "webhook_secrets", made.webhook_secrets),
        ("api", "api_tokens", made.api_tokens),
        ("link", "link_secret", (made.link_secret,) if made.link_secret else ()),
        ("backup", "backup_password", (made.backup_password,) if made.backup_password else ()),
    ):
        if not all(is_long(kept, each) for each in texts):
            expected = f"expected at least {LEAST_CHARACTERS[kept]} characters in each"
            raise ValueError(f"{_variable(name)}: {expected}, as from `openssl rand -hex 32`")
    if (made.notify_urls or made.notify_secret) and not is_signing_secret(made.notify_secret):
        raise ValueError(
            "CELLAR_NOTIFY_SECRET: expected whsec_ and a key of at least 24 bytes in base64, as from "
            "`openssl rand -base64 32`; CELLAR_NOTIFY_URLS requires it"
        )
    if not all(is_key("seal", key) for key in made.seal_keys):
        raise ValueError(
            "CELLAR_SEAL_KEYS: expected keys of 64 bytes in base64, as from `openssl rand -base64 64 | tr -d '\\n'`"
        )
    if made.anchor_key and not is_key("anchor", made.anchor_key):
        raise ValueError("CELLAR_ANCHOR_KEY: expected 32 bytes in base64, as from `openssl rand -base64 32`")


def _check_files(made: "Settings") -> None:
    if not all(is_certificate(Path(root)) for root in made.trust_roots):
        raise ValueError("CELLAR_TRUST_ROOTS: expected files of certificates, PEM or DER")
    if not all(Path(each).is_file() for each in made.trust_lists):
        raise ValueError("CELLAR_TRUST_LISTS: expected files that exist, TOML or XML; see docs/archives.md")
    xml = [each for each in made.trust_lists if Path(each).read_bytes().lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"<"]
    if not all(is_certificate(Path(f"{each}.pem")) for each in xml):
        raise ValueError(
            "CELLAR_TRUST_LISTS: expected the certificate of each XML list beside it; see docs/archives.md"
        )
    if not all(is_certificate(Path(root)) for root in made.time_stamp_roots):
        raise ValueError("CELLAR_TIME_STAMP_ROOTS: expected files of certificates, PEM")


def _check_terms(made: "Settings") -> None:
    for name in ("timezone", "business_timezone"):
        if not is_zone(getattr(made, name) or made.timezone):
            raise ValueError(f"{_variable(name)}: expected a time zone such as Asia/Jerusalem")
    read_types(made.payment_types)
    read_results(made.payment_results)


def _check_formats(made: "Settings") -> None:
    for name, format_ in (("settlement_columns", "report_format"), ("list_columns", "list_format")):
        try:
            if getattr(made, name):
                getattr(made, format_)  # reads the file
        except (OSError, UnicodeDecodeError, Refused) as error:
            raise ValueError(f"{_variable(name)}: {error}") from error


def _check_urls(made: "Settings") -> None:
    for name in ("inbox_url", "store_url", "settlements_url", "lake_url", "witness_url", "backup_url"):
        if not is_location(getattr(made, name) or ""):
            raise ValueError(
                f"{_variable(name)}: expected a folder, or s3://BUCKET/PREFIX without credentials; cellar knows no "
                "other kinds of storage"
            )
    places = {"CELLAR_PUBLIC_URL": made.public_url, "PREFECT_API_URL": made.prefect_api_url}
    for name, url in {**places, "PREFECT_UI_URL": made.prefect_site}.items():
        if url and not is_http_url(url):
            raise ValueError(f"{name}: expected a URL like http://HOST:PORT or https://HOST")
    for name in ("notify_urls", "time_stamp_urls"):
        if not all(map(is_http_url, getattr(made, name))):
            raise ValueError(f"{_variable(name)}: expected URLs like http://HOST:PORT or https://HOST, between commas")
    if made.outgoing_proxy and not is_http_url(made.outgoing_proxy):
        raise ValueError("CELLAR_OUTGOING_PROXY: expected a URL like http://HOST:PORT")
    if not all(map(is_address, made.people_urls)):
        raise ValueError("CELLAR_PEOPLE_URLS: expected addresses of apprise such as mailto://…, between commas")
    if not re.fullmatch(r"(file:///[^/].*|syslog\+tls://[^/?#@\s]+:[0-9]{1,5})?", made.access_log_url):
        raise ValueError("CELLAR_ACCESS_LOG_URL: expected file:///PATH or syslog+tls://HOST:PORT")
    if made.clamd and not (made.clamd.startswith("/") or is_host_and_port(made.clamd)):
        raise ValueError(f"CELLAR_CLAMD: expected HOST:PORT, or the absolute path of a socket, got {made.clamd!r}")
    _check_databases(made)


def _check_databases(made: "Settings") -> None:
    for name in ("database_url", "migration_database_url"):
        if (url := getattr(made, name)) and (fault := database_url_fault(url)):
            raise ValueError(f"{_variable(name)}: {fault}")
    if made.migration_database_url and (made.database_url or "sqlite").startswith("sqlite"):
        raise ValueError("CELLAR_MIGRATION_DATABASE_URL: only a Postgres of CELLAR_DATABASE_URL has two users")
    if made.share and (made.database_url or "sqlite").startswith("sqlite"):
        raise ValueError("CELLAR_SHARE: only a Postgres of CELLAR_DATABASE_URL has a place for the tables")


def _check_provider(made: "Settings") -> None:
    """Check what signs people in, and what roles get of tables.

    A provider without TLS could be anybody: only tests have one, on this machine.
    """
    url, named = urlsplit(made.oidc_issuer), (made.oidc_client_id, made.oidc_client_secret, made.oidc_roles)
    is_safe = url.scheme == "https" or url.hostname in ("127.0.0.1", "localhost")
    if made.oidc_issuer and not (is_http_url(made.oidc_issuer) and is_safe and all(named)):
        raise ValueError(
            "CELLAR_OIDC_ISSUER: expected a URL like https://HOST, and CELLAR_OIDC_CLIENT_ID, "
            "CELLAR_OIDC_CLIENT_SECRET and CELLAR_OIDC_ROLES beside it"
        )
    for name, read in (("oidc_roles", read_group_roles), ("tables_personal", read_treatments)):
        try:
            read(getattr(made, name))
        except ValueError as error:
            raise ValueError(f"{_variable(name)}: {error}") from error


def _variable(name: str) -> str:
    return f"CELLAR_{name.upper()}"

"""Checks the values of settings beyond their types."""

from pathlib import Path
from typing import TYPE_CHECKING

from adapters.settings.database_urls import database_url_fault
from adapters.settings.forms import (
    is_address,
    is_certificate,
    is_host_and_port,
    is_http_url,
    is_location,
    is_signing_secret,
)
from adapters.settings.kept_secrets import LEAST_CHARACTERS, is_key, is_long
from domain.payments.terms import read_results, read_statuses, read_types
from models.errors import Refused
from models.sources import is_zone

if TYPE_CHECKING:
    from adapters.settings.settings import Settings


def check(made: "Settings") -> None:
    """Check all values.

    Raises:
        ValueError: a value is wrong. The text names the variable and what is expected, and repeats no value.
    """
    _check_secrets(made)
    _check_files(made)
    _check_terms(made)
    _check_formats(made)
    _check_urls(made)


def _check_secrets(made: "Settings") -> None:
    given = (made.link_secret,) if made.link_secret else ()
    for kept, name, texts in (
        ("webhook", "webhook_secrets", made.webhook_secrets),
        ("api", "api_tokens", made.api_tokens),
        ("link", "link_secret", given),
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
    if not all(is_certificate(Path(root)) for root in made.time_stamp_roots):
        raise ValueError("CELLAR_TIME_STAMP_ROOTS: expected files of certificates, PEM")


def _check_terms(made: "Settings") -> None:
    for name in ("timezone", "business_timezone"):
        if not is_zone(getattr(made, name) or made.timezone):
            raise ValueError(f"{_variable(name)}: expected a time zone such as Asia/Jerusalem")
    if read_statuses(made.payment_successes) & read_statuses(made.payment_failures):
        raise ValueError("CELLAR_PAYMENT_FAILURES: expected no status that is also in CELLAR_PAYMENT_SUCCESSES")
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
    for name in ("inbox_url", "store_url", "settlements_url", "witness_url"):
        if not is_location(getattr(made, name) or ""):
            raise ValueError(
                f"{_variable(name)}: expected a folder, or s3://BUCKET/PREFIX without credentials; cellar knows no "
                "other kinds of storage"
            )
    for name, url in (("CELLAR_PUBLIC_URL", made.public_url), ("PREFECT_API_URL", made.prefect_api_url)):
        if url and not is_http_url(url):
            raise ValueError(f"{name}: expected a URL that begins with http:// or https://")
    for name in ("notify_urls", "time_stamp_urls"):
        if not all(map(is_http_url, getattr(made, name))):
            raise ValueError(f"{_variable(name)}: expected URLs that begin with http:// or https://, between commas")
    if not all(map(is_address, made.people_urls)):
        raise ValueError("CELLAR_PEOPLE_URLS: expected addresses of apprise such as mailto://…, between commas")
    if made.clamd and not (made.clamd.startswith("/") or is_host_and_port(made.clamd)):
        raise ValueError(f"CELLAR_CLAMD: expected HOST:PORT, or the absolute path of a socket, got {made.clamd!r}")
    if made.database_url and (fault := database_url_fault(made.database_url)):
        raise ValueError(f"CELLAR_DATABASE_URL: {fault}")


def _variable(name: str) -> str:
    return f"CELLAR_{name.upper()}"

"""The forms that values of settings must have."""

import base64
import re
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import NoDecode


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


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
    return re.match(r"https?://[^/?#\s]+", text) is not None


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

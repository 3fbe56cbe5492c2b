"""What a signer's certificate says of itself."""

import re
from datetime import datetime
from typing import Any

from models.archive.verdict import SignerCertificate

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_LONGEST_TEXT = 256


def described(certificate: Any) -> SignerCertificate:
    """Return what a certificate of asn1crypto says, with unreadable parts as None."""
    fields = certificate["tbs_certificate"]
    return SignerCertificate(
        subject=common_name(certificate.subject),
        issuer=common_name(certificate.issuer),
        serial=format(abs(fields["serial_number"].native), "x"),
        sha256=str(certificate.sha256.hex()),
        valid_from=_time(fields["validity"]["not_before"]),
        valid_until=_time(fields["validity"]["not_after"]),
    )


def common_name(name: Any) -> str | None:
    """Return the common name, or else the organization. Some authorities have no common name."""
    parts = name.native
    return text(parts.get("common_name")) or text(parts.get("organization_name"))


def text(value: object) -> str | None:
    """Return text that every database accepts. A certificate may contain a name more than once; join the names."""
    parts = [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, str)]
    return storable(", ".join(parts)) if parts else None


def storable(name: str) -> str:
    return _UNSTORABLE.sub("\ufffd", name)[:_LONGEST_TEXT]


def _time(moment: Any) -> datetime | None:
    try:
        found = moment.native
    except ValueError:
        return None
    return found if isinstance(found, datetime) else None

"""Public links, and the tokens of senders: both are signed, so no database is needed to make or to check one."""

import base64
import hmac
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256

from itsdangerous import SignatureExpired, Signer, TimestampSigner
from itsdangerous.encoding import base64_encode, int_to_bytes, want_bytes

from adapters.settings.settings import settings


class _ExactSigner(TimestampSigner):
    """A signer that accepts a token only as issued. Base64 decodes added padding and other spare bits at the end."""

    def verify_signature(self, value: str | bytes, sig: str | bytes) -> bool:
        return hmac.compare_digest(want_bytes(sig), self.get_signature(value))

    def opened(self, token: str, lasts: timedelta) -> bytes:
        """Return what a token was made for. The clock of the receiver that made it may be ahead of ours.

        Raises:
            SignatureExpired: its time is over.
            BadSignature: it is no token.
        """
        name, made_at = self.unsign(token, return_timestamp=True)
        if datetime.now(UTC) - made_at > lasts:
            raise SignatureExpired("too old")
        return name


def link_of(receipt_id: str, made_at: datetime) -> str:
    """Return the link that is made at a time, from which on it is valid for its days."""
    name = base64.urlsafe_b64encode(bytes.fromhex(receipt_id)).rstrip(b"=")
    stamped = name + b"." + base64_encode(int_to_bytes(int(made_at.timestamp())))
    return f"{settings().receiver_url}/d/{Signer.sign(signer(), stamped).decode()}"


@lru_cache
def signer() -> _ExactSigner:
    return _ExactSigner(settings().active_link_secret(), salt="public-link")


@lru_cache
def senders_signer() -> _ExactSigner:
    return _ExactSigner(settings().active_link_secret(), salt="sender", digest_method=sha256)

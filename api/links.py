"""Public links, and the tokens of senders: both are signed, so no database is needed to make or to check one."""

import base64
import hmac
from functools import lru_cache
from hashlib import sha256

from itsdangerous import TimestampSigner
from itsdangerous.encoding import want_bytes

from adapters.settings.settings import settings


class _ExactSigner(TimestampSigner):
    """A signer that accepts a token only as issued. Base64 decodes added padding and other spare bits at the end."""

    def verify_signature(self, value: str | bytes, sig: str | bytes) -> bool:
        return hmac.compare_digest(want_bytes(sig), self.get_signature(value))


def link_of(receipt_id: str) -> str:
    name = base64.urlsafe_b64encode(bytes.fromhex(receipt_id)).rstrip(b"=")
    return f"{settings().receiver_url}/d/{signer().sign(name).decode()}"


@lru_cache
def signer() -> _ExactSigner:
    return _ExactSigner(settings().active_link_secret(), salt="public-link")


@lru_cache
def senders_signer() -> _ExactSigner:
    return _ExactSigner(settings().active_link_secret(), salt="sender", digest_method=sha256)

"""Public links: their tokens are made from a receipt id alone, so no database is needed to make one."""

import base64
import hmac
from functools import lru_cache

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

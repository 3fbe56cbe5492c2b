"""Signs messages by the Standard Webhooks specification: `v1` is HMAC-SHA256, `v1a` is ed25519.

Source: Standard Webhooks, "Signature scheme" and "Webhook secrets". Its own library knows `v1` and one key alone, so it
is used by the tests only.
"""

import base64
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models.messages.notification import Signature

_PREFIXES = {Signature.HMAC: "whsec_", Signature.ED25519: "whsk_"}
_PUBLIC_PREFIX = "whpk_"
_VERSIONS = {Signature.HMAC: "v1", Signature.ED25519: "v1a"}
_SEED_BYTES = 32
_FEWEST_BYTES, _MOST_BYTES = 24, 64


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """A key that signs messages: the key of HMAC, or the seed of an ed25519 key."""

    signature: Signature
    secret: bytes

    @property
    def text(self) -> str:
        """The secret, as a person hands it to the endpoint (`whsec_…`) or keeps it (`whsk_…`)."""
        return _PREFIXES[self.signature] + base64.b64encode(self.secret).decode()

    @property
    def public_text(self) -> str | None:
        """The public key of an ed25519 key (`whpk_…`), which verifies its signatures. None for HMAC."""
        if self.signature is Signature.HMAC:
            return None
        return _PUBLIC_PREFIX + base64.b64encode(_private(self).public_key().public_bytes_raw()).decode()


def key_of(text: str) -> SigningKey:
    """Return the key that a text names: `whsec_` and 24 to 64 bytes in base64, or `whsk_` and a seed of 32 bytes. A
    key of 64 bytes after `whsk_` is a seed with its public key. Pure.

    Raises ValueError if it is no such text. The message repeats nothing of it.
    """
    for signature, prefix in _PREFIXES.items():
        if text.startswith(prefix):
            return SigningKey(signature, _secret(signature, text.removeprefix(prefix)))
    raise ValueError("expected whsec_ and a key in base64 for HMAC, or whsk_ and a key in base64 for ed25519")


def signatures_of(keys: Iterable[SigningKey], message_id: str, timestamp_s: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: one signature by each key, in the order of the keys. Pure."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return " ".join(f"{_VERSIONS[key.signature]},{_signature(key, signed)}" for key in keys)


def _signature(key: SigningKey, signed: bytes) -> str:
    if key.signature is Signature.HMAC:
        return base64.b64encode(hmac.digest(key.secret, signed, "sha256")).decode()
    return base64.b64encode(_private(key).sign(signed)).decode()


def _private(key: SigningKey) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(key.secret)


def _secret(signature: Signature, text: str) -> bytes:
    try:
        secret = base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError(f"expected base64 after {_PREFIXES[signature]}") from None
    if signature is Signature.HMAC:
        if not _FEWEST_BYTES <= len(secret) <= _MOST_BYTES:
            raise ValueError(f"expected 24 to 64 bytes in base64 after whsec_, got {len(secret)}")
        return secret
    if len(secret) not in (_SEED_BYTES, 2 * _SEED_BYTES):
        raise ValueError(f"expected 32 bytes in base64 after whsk_, got {len(secret)}")
    seed = SigningKey(signature, secret[:_SEED_BYTES])
    if len(secret) != _SEED_BYTES and _private(seed).public_key().public_bytes_raw() != secret[_SEED_BYTES:]:
        raise ValueError("the second half of the key after whsk_ is not the public key of its first half")
    return seed.secret

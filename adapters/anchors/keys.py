"""The key that signs anchors: ed25519, outside the store, so that an insider of the store cannot sign."""

import base64
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from adapters.settings.settings import settings


def signed(text: bytes) -> tuple[bytes, bytes]:
    """Return the signature of a text, and the public key that proves it, as PEM. A missing key is generated.

    Raises:
        Locked: the generated key is damaged.
    """
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(settings().active_anchor_key()))
    return key.sign(text), key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def known_public_key() -> bytes | None:
    """Return the public key of this installation, as PEM; None if it has no key yet. Generates none.

    Raises:
        Locked: the generated key is damaged.
    """
    is_there = settings().anchor_key or settings().secret_path("anchor").exists()
    return signed(b"")[1] if is_there else None


def is_signed(text: bytes, signature: bytes, public_key: bytes) -> bool:
    """Return whether a public key, as PEM, proves the signature of a text."""
    try:
        key = load_pem_public_key(public_key)
        if not isinstance(key, Ed25519PublicKey):
            return False
        key.verify(signature, text)
    except (ValueError, InvalidSignature):
        return False
    return True


def fingerprint(public_key: bytes) -> str:
    """Return the SHA-256 of a public key in DER, as `openssl pkey -pubin -outform DER | sha256sum` does.

    Raises:
        ValueError: the text is no public key.
    """
    key = load_pem_public_key(public_key)
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()

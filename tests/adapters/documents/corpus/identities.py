# mypy: disable-error-code="no-untyped-call"
"""The signers of the corpus. Their keys were generated once (`keys/`), are worthless, and sign nothing else."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from asn1crypto import keys, pem, x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pyhanko.sign.signers import SimpleSigner
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from tests.adapters.documents.corpus.clock import STAMPED_AT

KEYS = Path(__file__).with_name("keys")


@dataclass(frozen=True)
class Signer:
    """A certificate of asn1crypto, with its private key as pyHanko and as cryptography take it."""

    certificate: x509.Certificate
    key_info: keys.PrivateKeyInfo
    private_key: Any


@cache
def signer(name: str) -> Signer:
    """Return the signer of `keys/NAME.pem`: `root`, `ec`, `rsa`, `ed25519`, `negative`, `stranger`, `time`."""
    text = (KEYS / f"{name}.pem").read_bytes()
    parts = {kind: content for kind, _, content in pem.unarmor(text, multiple=True)}
    key_pem = text[text.index(b"-----BEGIN PRIVATE") :]
    return Signer(
        x509.Certificate.load(parts["CERTIFICATE"]),
        keys.PrivateKeyInfo.load(parts["PRIVATE KEY"]),
        load_pem_private_key(key_pem, None),
    )


@cache
def pyhanko_signer(name: str, *, is_pss: bool = False) -> SimpleSigner:
    owner, store = signer(name), SimpleCertificateStore()
    store.register_multiple([owner.certificate, signer("root").certificate])
    return SimpleSigner(owner.certificate, owner.key_info, store, prefer_pss=is_pss)


def time_stamper() -> DummyTimeStamper:
    """Return a time-stamping authority in this process, whose clock stands still."""
    owner, store = signer("time"), SimpleCertificateStore()
    store.register_multiple([owner.certificate, signer("root").certificate])
    return DummyTimeStamper(owner.certificate, owner.key_info, store, fixed_dt=STAMPED_AT)

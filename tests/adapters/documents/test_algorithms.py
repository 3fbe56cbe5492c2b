# mypy: disable-error-code="no-untyped-call"
"""Signatures of unusual algorithms and spellings are judged rightly, or not judged and said to be so."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from adapters.documents.trust.algorithms import Algorithm
from models.archive.verdict import Outcome, SignatureVerdict, Strength, TimeSource, Verdict
from tests import pdfs, signers

NOW = pdfs.NOW
RSA_SHA3 = {"sha3_256": "2.16.840.1.101.3.4.3.14", "sha3_384": "2.16.840.1.101.3.4.3.15"}
HASHES = {"sha3_256": hashes.SHA3_256(), "sha3_384": hashes.SHA3_384(), "sha256": hashes.SHA256()}
P256 = ec.SECP256R1()


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(P256)


def by_rsa(digest: str, key: rsa.RSAPrivateKey | None = None) -> signers.Sign:
    return lambda data: (key or rsa_key()).sign(data, padding.PKCS1v15(), HASHES[digest])


def by_pss(data: bytes) -> bytes:
    return rsa_key().sign(data, padding.PSS(padding.MGF1(hashes.SHA384()), 20), hashes.SHA256())


def joined(data: bytes) -> bytes:
    r, s = decode_dss_signature(ec_key().sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def negative(data: bytes) -> bytes:
    """Return an ECDSA value of which both numbers lack their leading zero byte."""
    while True:
        r, s = decode_dss_signature(ec_key().sign(data, ec.ECDSA(hashes.SHA256())))
        if r >> 255 and s >> 255:
            return b"\x30\x44" + b"".join(b"\x02\x20" + number.to_bytes(32, "big") for number in (r, s))


PSS_PARAMETERS = {
    "hash_algorithm": {"algorithm": "sha256"},
    "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": "sha384"}},
    "salt_length": 20,
}


def signed(key: Any, identifier: str, sign: signers.Sign, *, digest: str = "sha256", **parameters: Any) -> bytes:
    certificate = signers.certificate_of(key)
    return signers.signed(pdfs.form(), certificate, signers.mechanism(identifier, **parameters), sign, digest=digest)


def negative_modulus() -> bytes:
    certificate = signers.without_leading_zero(signers.certificate_of(rsa_key()))
    return signers.signed(pdfs.form(), certificate, signers.mechanism("sha256_rsa"), by_rsa("sha256"))


def edwards(key: Any, identifier: str, digest: str) -> bytes:
    return signed(key, identifier, key.sign, digest=digest)


ECDSA_SHA256 = "sha256_ecdsa"
COMPUTED: dict[str, tuple[Callable[[], bytes], str]] = {
    "RSA, SHA3-256": (
        lambda: signed(rsa_key(), RSA_SHA3["sha3_256"], by_rsa("sha3_256"), digest="sha3_256"),
        "rsa-2048 sha3_256",
    ),
    "RSA, digest SHA3-384, named in the digest alone": (
        lambda: signed(rsa_key(), "rsassa_pkcs1v15", by_rsa("sha3_384"), digest="sha3_384"),
        "rsa-2048 sha3_384",
    ),
    "RSA, modulus negative": (negative_modulus, "rsa-2048 sha256"),
    "RSA-PSS, another digest in the mask": (
        lambda: signed(rsa_key(), "rsassa_pss", by_pss, parameters=PSS_PARAMETERS),
        "rsa-pss-2048 sha256",
    ),
    "ECDSA, numbers joined": (lambda: signed(ec_key(), ECDSA_SHA256, joined), "ecdsa-256 sha256"),
    "ECDSA, BSI's identifier": (lambda: signed(ec_key(), "0.4.0.127.0.7.1.1.4.1.3", joined), "ecdsa-256 sha256"),
    "ECDSA, numbers negative": (lambda: signed(ec_key(), ECDSA_SHA256, negative), "ecdsa-256 sha256"),
    "ECDSA, only the digest is named": (
        lambda: signed(ec_key(), "2.16.840.1.101.3.4.2.1", lambda data: ec_key().sign(data, ec.ECDSA(hashes.SHA256()))),
        "ecdsa-256 sha256",
    ),
    "Ed25519": (lambda: edwards(ed25519.Ed25519PrivateKey.generate(), "ed25519", "sha512"), "ed25519 sha512"),
    "Ed448": (lambda: edwards(ed448.Ed448PrivateKey.generate(), "ed448", "shake256"), "ed448 shake256"),
}


Judge = Callable[..., Verdict]


def only(verdict: Verdict) -> SignatureVerdict:
    (signature,) = verdict.signatures
    return signature


@pytest.mark.parametrize(("document", "algorithm"), COMPUTED.values(), ids=COMPUTED)
def test_signature_is_sound_trusted_and_names_its_algorithm(
    judge: Judge, document: Callable[[], bytes], algorithm: str
) -> None:
    verdict = judge(document(), [pdfs.authority()])

    assert (verdict.outcome, verdict.intact, verdict.valid) == (Outcome.SOUND, True, True)
    assert (only(verdict).algorithm, only(verdict).reason) == (algorithm, None)
    assert (verdict.trusted, only(verdict).trust_reason) == (True, None)


@pytest.mark.parametrize(("document", "_algorithm"), COMPUTED.values(), ids=COMPUTED)
def test_changed_byte_breaks_the_same_signature(judge: Judge, document: Callable[[], bytes], _algorithm: str) -> None:
    changed = document().replace(b"I owe you 100", b"I owe you 900")

    verdict = judge(changed)

    assert (verdict.outcome, verdict.intact) == (Outcome.BROKEN, False)


FORGED = {
    "RSA, SHA3-256": lambda: signed(
        rsa_key(), RSA_SHA3["sha3_256"], by_rsa("sha3_256", rsa_key(2304)), digest="sha3_256"
    ),
    "ECDSA, numbers joined": lambda: signed(ec_key(), ECDSA_SHA256, lambda data: joined(data + b".")),
    "ECDSA, no numbers": lambda: signed(ec_key(), ECDSA_SHA256, lambda _data: b"\x30\x02\x05\x00"),
    "Ed25519": lambda: signed(
        ed25519.Ed25519PrivateKey.generate(), "ed25519", ed25519.Ed25519PrivateKey.generate().sign, digest="sha512"
    ),
}


@pytest.mark.parametrize("document", FORGED.values(), ids=FORGED)
def test_signature_by_another_key_or_over_other_data_is_broken(judge: Judge, document: Callable[[], bytes]) -> None:
    verdict = judge(document(), [pdfs.authority()])

    assert (verdict.outcome, verdict.valid, verdict.trusted) == (Outcome.BROKEN, False, False)


UNCOMPUTED = {
    "signature algorithm": (
        lambda: signed(rsa_key(), "1.2.643.7.1.1.3.2", by_rsa("sha256")),
        "the signature algorithm 1.2.643.7.1.1.3.2 is not known here",
    ),
    "key of another kind": (
        lambda: signed(ec_key(), "sha256_rsa", by_rsa("sha256")),
        "the certificate's key is not for signatures of the kind rsassa_pkcs1v15",
    ),
}


@pytest.mark.parametrize(("document", "reason"), UNCOMPUTED.values(), ids=UNCOMPUTED)
def test_signature_that_cannot_be_computed_is_unreadable_with_a_reason_and_never_broken(
    judge: Judge, document: Callable[[], bytes], reason: str
) -> None:
    verdict = judge(document(), [pdfs.authority()])

    assert (verdict.outcome, verdict.intact, verdict.valid) == (Outcome.UNREADABLE, True, None)
    assert only(verdict).reason == reason
    assert only(verdict).signer_name == pdfs.SIGNER_NAME


def test_certificate_of_an_algorithm_that_cannot_be_computed_is_not_trusted(judge: Judge) -> None:
    made = signers.certificate_of(ec_key())
    made["signature_algorithm"] = {"algorithm": "1.2.643.7.1.1.3.2"}
    made["tbs_certificate"]["signature"] = {"algorithm": "1.2.643.7.1.1.3.2"}
    pdf = signers.signed(
        pdfs.form(), made, signers.mechanism(ECDSA_SHA256), lambda data: ec_key().sign(data, ec.ECDSA(hashes.SHA256()))
    )

    verdict = judge(pdf, [pdfs.authority()])

    assert (verdict.outcome, verdict.valid, verdict.trusted) == (Outcome.SOUND, True, False)


@pytest.mark.parametrize("kind", [b"/Type /Sig", b""], ids=["/Sig", "no type"])
def test_time_stamp_of_any_type_is_known_by_its_subfilter(judge: Judge, kind: bytes) -> None:
    pdf = signers.stamped_again(pdfs.time_stamped(pdfs.signed(pdfs.form())), b"/Type /DocTimeStamp", kind)

    verdict = judge(pdf, [pdfs.authority()])

    assert [each.is_document_time_stamp for each in verdict.signatures] == [False, True]
    assert (verdict.outcome, verdict.valid, verdict.trusted) == (Outcome.SOUND, True, True)


def test_signature_describes_its_certificate_and_time(judge: Judge) -> None:
    pdf = pdfs.signed(pdfs.form())
    certificate = pdfs.identity().certificate

    signature = only(judge(pdf))

    found = signature.certificate
    assert found
    assert (found.subject, found.issuer) == (pdfs.SIGNER_NAME, "Test root")
    assert found.serial == format(certificate.serial_number, "x")
    assert found.sha256 == certificate.fingerprint(hashes.SHA256()).hex()
    assert (found.valid_from, found.valid_until) == (
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )
    assert (signature.time_source, signature.strength) == (TimeSource.SIGNER, Strength.STRONG)


@pytest.mark.parametrize(
    ("algorithm", "year", "strength"),
    [
        (Algorithm("rsa", 2048, "sha256"), 2026, Strength.STRONG),
        (Algorithm("rsa", 1024, "sha256"), 2026, Strength.WEAK),
        (Algorithm("rsa", 1024, "sha1"), 2012, Strength.STRONG),
        (Algorithm("ecdsa", 256, "sha1"), 2014, Strength.WEAK),
        (Algorithm("rsa", 2048, "md5"), 2005, Strength.WEAK),
        (Algorithm("ecdsa", 192, "sha256"), 2026, Strength.WEAK),
        (Algorithm("ed25519", None, "sha512"), 2026, Strength.STRONG),
    ],
    ids=str,
)
def test_strength_follows_the_recommendations_of_its_time(algorithm: Algorithm, year: int, strength: Strength) -> None:
    assert algorithm.strength(datetime(year, 6, 1, tzinfo=UTC)) is strength


def test_weak_signature_without_a_time_stamp_is_weak_whenever_its_signer_says_it_was_made(judge: Judge) -> None:
    signature = only(judge(pdfs.signed_over(pdfs.form(), "sha1")))

    assert (signature.valid, signature.strength) == (True, Strength.WEAK)


def test_dsa_signature_with_sha384_is_computed(judge: Judge) -> None:
    key = dsa.generate_private_key(2048)
    pdf = signed(key, "2.16.840.1.101.3.4.3.3", lambda data: key.sign(data, hashes.SHA384()), digest="sha384")

    assert judge(pdf).outcome is Outcome.SOUND

# mypy: disable-error-code="no-untyped-call"
"""Generates the keys and certificates of `keys/` anew: `python -m tests.adapters.documents.corpus.generate_keys`."""

from datetime import UTC, datetime
from typing import Any

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.adapters.documents.corpus.identities import KEYS, armored

_BEGINS, _ENDS = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)


def main() -> None:
    KEYS.mkdir(exist_ok=True)
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = certificate("Corpus root", root_key, None, root_key, is_root=True)
    stranger_key = ec.generate_private_key(ec.SECP256R1())
    _write("root", root.public_bytes(Encoding.DER), root_key)
    _write("stranger", _issued("Stranger", stranger_key, None, stranger_key), stranger_key)
    ed_key, ec_key = ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
    for name, key in {"ec": ec_key, "ed25519": ed_key, "rsa": _rsa()}.items():
        _write(name, _issued(f"Signer {name}", key, root, root_key), key)
    time_key, negative_key = _rsa(), _rsa()
    _write("time", _issued("Corpus time", time_key, root, root_key, is_time=True), time_key)
    own = certificate("Signer negative", negative_key, None, negative_key)
    _write("negative", _with_negative_modulus(own.public_bytes(Encoding.DER), negative_key), negative_key)


def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _issued(name: str, key: Any, issuer: x509.Certificate | None, issuer_key: Any, *, is_time: bool = False) -> bytes:
    return certificate(name, key, issuer, issuer_key, is_time=is_time).public_bytes(Encoding.DER)


def certificate(
    name: str,
    key: Any,
    issuer: x509.Certificate | None,
    issuer_key: Any,
    *,
    is_root: bool = False,
    is_time: bool = False,
) -> x509.Certificate:
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, name), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example Ltd")]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGINS)
        .not_valid_after(_ENDS)
        .add_extension(_usages(is_root=is_root), critical=True)
    )
    if is_root:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if is_time:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return builder.sign(issuer_key, hashes.SHA256())


def _usages(*, is_root: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_root,
        content_commitment=not is_root,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_root,
        crl_sign=is_root,
        encipher_only=False,
        decipher_only=False,
    )


def _with_negative_modulus(der: bytes, key: rsa.RSAPrivateKey) -> bytes:
    """Return the certificate with its modulus as some old software encodes it: without the zero byte for the sign."""
    loaded = asn1.Certificate.load(der)
    body = loaded["tbs_certificate"]
    modulus = key.public_key().public_numbers().n.to_bytes(256)
    numbers = b"\x02\x82\x01\x00" + modulus + b"\x02\x03\x01\x00\x01"
    public = b"\x30\x82" + len(numbers).to_bytes(2) + numbers
    old = body["subject_public_key_info"]["public_key"].parsed.dump()
    content = body.dump()[4:].replace(b"\x03\x82\x01\x0f\x00" + old, b"\x03\x82\x01\x0e\x00" + public)
    # the lengths of the two sequences around the bits
    content = content.replace(b"\x30\x82\x01\x22\x30\x0d", b"\x30\x82\x01\x21\x30\x0d")
    tbs: bytes = b"\x30\x82" + len(content).to_bytes(2) + content
    signature = key.sign(tbs, padding.PKCS1v15(), hashes.SHA256())
    rest: bytes = loaded["signature_algorithm"].dump() + b"\x03\x82\x01\x01\x00" + signature
    return b"\x30\x82" + len(tbs + rest).to_bytes(2) + tbs + rest


def _write(name: str, certificate: bytes, key: Any) -> None:
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (KEYS / f"{name}.pem").write_bytes(armored("CERTIFICATE", certificate) + text)


if __name__ == "__main__":
    main()

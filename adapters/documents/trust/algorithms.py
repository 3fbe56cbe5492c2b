"""Computes signatures, also those that pyHanko refuses, and names algorithms and their strength.

A signature that cannot be computed here is neither valid nor broken: `CannotCompute` says why.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asn1crypto import algos, keys
from asn1crypto.core import Sequence
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from pyhanko_certvalidator import sig_validate
from pyhanko_certvalidator.policy_decl import AlgorithmUsageConstraint, DisallowWeakAlgorithmsPolicy

from models.archive.verdict import Strength
from models.said import Sentence, Value

_NIST = "2.16.840.1.101.3.4.3"
_PLAIN_ECDSA = "0.4.0.127.0.7.1.1.4.1"  # BSI TR-03111, 5.2.1
_SCHEMES: dict[str, tuple[str, str | None]] = {  # those that asn1crypto does not name
    f"{_NIST}.3": ("dsa", "sha384"),
    f"{_NIST}.4": ("dsa", "sha512"),
    **{f"{_NIST}.{5 + place}": ("dsa", f"sha3_{bits}") for place, bits in enumerate((224, 256, 384, 512))},
    **{f"{_NIST}.{9 + place}": ("ecdsa", f"sha3_{bits}") for place, bits in enumerate((224, 256, 384, 512))},
    **{f"{_NIST}.{13 + place}": ("rsassa_pkcs1v15", f"sha3_{bits}") for place, bits in enumerate((224, 256, 384, 512))},
    **{f"{_PLAIN_ECDSA}.{1 + place}": ("ecdsa", f"sha{bits}") for place, bits in enumerate((1, 224, 256, 384, 512))},
    "1.2.840.10045.2.1": ("ecdsa", None),
}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    each.name.replace("-", "_"): each
    for each in (
        hashes.MD5(),  # noqa: S303 -- to verify what others signed
        hashes.SHA1(),  # noqa: S303
        hashes.SHA224(),
        hashes.SHA256(),
        hashes.SHA384(),
        hashes.SHA512(),
        hashes.SHA512_224(),
        hashes.SHA512_256(),
        hashes.SHA3_224(),
        hashes.SHA3_256(),
        hashes.SHA3_384(),
        hashes.SHA3_512(),
        hashes.SHAKE256(64),
    )
}
_HASHES["shake256_len"] = _HASHES["shake256"]  # RFC 8419, 2.3: the length is 64 bytes in CMS
_BY_KEY = {"rsa": "rsassa_pkcs1v15", "rsassa_pss": "rsassa_pss", "ec": "ecdsa", "dsa": "dsa"}
_LEAST_RSA_BITS = 2048
_LEAST_EC_BITS = 224
_SHA1_UNTIL = datetime(2014, 1, 1, tzinfo=UTC)
"""NIST SP 800-131A, 3 and 9: SHA-1, RSA and DSA below 2048 bits, and curves below 224 bits are not for signatures
after 2013. ETSI TS 119 312, the European catalogue, recommends none of them either.
"""


class CannotCompute(ValueError):
    """The signature is of a kind that cannot be computed here; `why` says which."""

    def __init__(self, sentence: Sentence, **values: Value) -> None:
        super().__init__(sentence.name)
        self.why = sentence(**values)


@dataclass(frozen=True, slots=True)
class Algorithm:
    """The algorithm of a signature. `key` as `rsa`, `rsa-pss`, `ecdsa`, `dsa`, `ed25519`; `bits` None if unknown."""

    key: str
    bits: int | None
    digest: str

    def __str__(self) -> str:
        return f"{self.key}-{self.bits} {self.digest}" if self.bits else f"{self.key} {self.digest}"

    def strength(self, at: datetime) -> Strength:
        """Return whether the algorithm was recommended at a time."""
        if self.digest in {"md2", "md5"}:
            return Strength.WEAK
        if at < _SHA1_UNTIL:
            return Strength.STRONG
        least = _LEAST_EC_BITS if self.key == "ecdsa" else _LEAST_RSA_BITS
        is_small = self.bits is not None and self.key in {"rsa", "rsa-pss", "dsa", "ecdsa"} and self.bits < least
        return Strength.WEAK if is_small or self.digest == "sha1" else Strength.STRONG


def algorithm_of(signature_algorithm: Any, key: keys.PublicKeyInfo, digest: str) -> Algorithm:
    """Return the algorithm of a signature that was made with `key`. `digest` is the digest of what it covers."""
    kind, own = _scheme(signature_algorithm, key, digest)
    name = {"rsassa_pkcs1v15": "rsa", "rsassa_pss": "rsa-pss"}.get(kind, kind)
    return Algorithm(name, _bits(key), own or digest)


class Validator(sig_validate.SignatureValidator):
    """Computes signatures: of a signer, a certificate, a time stamp, an OCSP answer or a CRL.

    Beyond pyHanko's own it knows SHA-3 with RSA and DSA, keys whose modulus lacks its leading zero byte, and ECDSA
    values that are not DER. Each of these is the same mathematics, written differently.
    """

    def validate_signature(
        self,
        signature: bytes,
        signed_data: bytes,
        public_key_info: keys.PublicKeyInfo,
        signature_algorithm: algos.SignedDigestAlgorithm,
        context: sig_validate.SignatureValidationContext = sig_validate.DEFAULT_VALIDATION_CONTEXT,
    ) -> None:
        """Compute a signature.

        Raises:
            InvalidSignature: it was computed, and does not belong to key and data.
            CannotCompute: the algorithm or the key is not known here.
        """
        kind, digest = _scheme(signature_algorithm, public_key_info, context.contextual_md_algorithm)
        try:
            key = _loaded(public_key_info)
            if kind in {"ed25519", "ed448"}:
                _verify_edwards(key, kind, signature, signed_data, is_hashed=context.prehashed)
                return
            hashed: Any = hash_named(digest)
            if context.prehashed:
                hashed = Prehashed(hashed)
            if isinstance(key, rsa.RSAPublicKey) and kind.startswith("rsassa"):
                _verify_rsa(key, _padding(kind, signature_algorithm), signature, signed_data, hashed)
            elif isinstance(key, ec.EllipticCurvePublicKey) and kind == "ecdsa":
                _verify_pair(lambda value: key.verify(value, signed_data, ec.ECDSA(hashed)), signature, key.key_size)
            elif isinstance(key, dsa.DSAPublicKey) and kind == "dsa":
                _verify_pair(lambda value: key.verify(value, signed_data, hashed), signature, key.key_size)
            else:
                raise CannotCompute(Sentence.key_of_other_kind, kind=kind)
        except UnsupportedAlgorithm as error:
            raise CannotCompute(Sentence.kind_not_computed, kind=kind, digest=digest) from error


class Policy(DisallowWeakAlgorithmsPolicy):
    """The algorithms of certificates that lead to trust: pyHanko's, with the length of each RSA key as it is meant."""

    def signature_algorithm_allowed(
        self, algo: algos.SignedDigestAlgorithm, moment: datetime | None, public_key: keys.PublicKeyInfo | None
    ) -> AlgorithmUsageConstraint:
        if public_key is not None and public_key.algorithm in {"rsa", "rsassa_pss"}:
            if (_bits(public_key) or 0) < _LEAST_RSA_BITS:
                return AlgorithmUsageConstraint(allowed=False, failure_reason="the RSA key is too short")
            public_key = None
        return super().signature_algorithm_allowed(algo, moment, public_key)


def hash_named(name: str | None) -> hashes.HashAlgorithm:
    """Return a digest algorithm by its name in asn1crypto. Raises CannotCompute if it is not known here."""
    found = _HASHES.get(name or "")
    if found is None:
        raise CannotCompute(Sentence.digest_unknown, name=name) if name else CannotCompute(Sentence.digest_not_named)
    return found


def _scheme(algorithm: Any, key: keys.PublicKeyInfo, digest: str | None) -> tuple[str, str | None]:
    """Return the kind of a signature and its digest. Some signers name only the digest; the key has the kind then."""
    identifier = algorithm["algorithm"].dotted
    if identifier in _SCHEMES:
        kind, own = _SCHEMES[identifier]
        return kind, own or digest
    try:
        kind = algorithm.signature_algo
    except ValueError as error:
        own = algos.DigestAlgorithmId(identifier).native
        if own in _HASHES and key.algorithm in _BY_KEY:
            return _BY_KEY[key.algorithm], own
        raise CannotCompute(Sentence.algorithm_unknown, name=identifier) from error
    if kind == "rsassa_pss" and not isinstance(algorithm["parameters"], algos.RSASSAPSSParams):
        raise CannotCompute(Sentence.no_pss_parameters)
    try:
        return kind, algorithm.hash_algo
    except ValueError:
        return kind, digest


def _bits(key: keys.PublicKeyInfo) -> int | None:
    if key.algorithm in {"rsa", "rsassa_pss"}:
        return _modulus(key).bit_length()
    try:
        return None if key.algorithm in {"ed25519", "ed448"} else int(_loaded(key).key_size)
    except (CannotCompute, AttributeError):
        return None


def _modulus(key: keys.PublicKeyInfo) -> int:
    """Return the modulus as its bytes say, unsigned: some signers forget the zero byte in front of a high bit."""
    return int.from_bytes(key["public_key"].parsed["modulus"].contents, "big")


def _loaded(key: keys.PublicKeyInfo) -> Any:
    try:
        if key.algorithm in {"rsa", "rsassa_pss"}:
            exponent = int(key["public_key"].parsed["public_exponent"].native)
            return rsa.RSAPublicNumbers(exponent, _modulus(key)).public_key()
        return serialization.load_der_public_key(key.dump())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CannotCompute(Sentence.key_unusable) from error


def _padding(kind: str, algorithm: algos.SignedDigestAlgorithm) -> Any:
    if kind == "rsassa_pkcs1v15":
        return padding.PKCS1v15()
    parameters = algorithm["parameters"]
    generation = parameters["mask_gen_algorithm"]
    if generation["algorithm"].native != "mgf1":
        raise CannotCompute(Sentence.not_mgf1)
    mask = hash_named(generation["parameters"]["algorithm"].native)
    return padding.PSS(mgf=padding.MGF1(mask), salt_length=int(parameters["salt_length"].native))


def _verify_rsa(key: rsa.RSAPublicKey, pad: Any, signature: bytes, data: bytes, hashed: Any) -> None:
    """Verify a value of any length: some signers drop its leading zeros."""
    try:
        key.verify(signature.rjust((key.key_size + 7) // 8, b"\0"), data, pad, hashed)
    except ValueError as error:  # a digest longer than the key
        raise CannotCompute(Sentence.key_too_short) from error


def _verify_edwards(key: Any, kind: str, signature: bytes, data: bytes, *, is_hashed: bool) -> None:
    if is_hashed or not isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        raise CannotCompute(Sentence.kind_needs_attributes, kind=kind)
    key.verify(signature, data)


def _verify_pair(verify: Any, signature: bytes, bits: int) -> None:
    """Verify a pair of numbers, as DER or as other signers write it: negative for lack of a zero byte, or joined."""
    for value in (signature, *_spelled(signature, bits)):
        try:
            verify(value)
        except (InvalidSignature, ValueError):
            continue
        return
    raise InvalidSignature


def _spelled(signature: bytes, bits: int) -> list[bytes]:
    values = []
    half = len(signature) // 2
    if len(signature) % 2 == 0 and half <= (bits + 7) // 8:
        values.append((signature[:half], signature[half:]))
    try:
        pair = Sequence.load(signature)
        values.append((bytes(pair[0].contents), bytes(pair[1].contents)))
    except (ValueError, TypeError, KeyError, IndexError):
        pass
    return [encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big")) for r, s in values]

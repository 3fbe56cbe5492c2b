"""Reads lists of authorities whose certificates confer a tier: TOML of our own, and XML trusted lists of the EU.

A list of our own is what the operator wrote. An XML list comes from elsewhere, so it must be signed with a certificate
of a file beside it, and only what was signed is read.
"""

import base64
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from asn1crypto import core, pem, x509
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificates

from models.archive.verdict import Tier

_TSL = "{http://uri.etsi.org/02231/v2#}"
_QUALIFIED_CA = "http://uri.etsi.org/TrstSvc/Svctype/CA/QC"
_STATUSES = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
_GRANTED = {_STATUSES + status for status in ("granted", "undersupervision", "supervisionincessation", "accredited")}
"""ETSI TS 119 612, 5.5.4. The last three are statuses of the time before eIDAS, July 2016."""
_OLD_STATUSES = "http://uri.etsi.org/TrstSvc/eSigDir-1999-93-EC-TrustedList/Svcstatus/"
_QC_COMPLIANCE = "0.4.0.1862.1.1"  # ETSI EN 319 412-5, 4.2.1: it is a qualified certificate
_QC_DEVICE = "0.4.0.1862.1.4"  # 4.2.2: its key is in a qualified device for signatures
_STATEMENTS = "1.3.6.1.5.5.7.1.3"
_TIERS = {str(each) for each in (Tier.SECURE, Tier.CERTIFIED, Tier.ADVANCED, Tier.QUALIFIED)}
_ALWAYS = datetime(1, 1, 1, tzinfo=UTC)
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
_BEST_FIRST = (Tier.CERTIFIED, Tier.QUALIFIED, Tier.SECURE, Tier.ADVANCED)


class BadList(ValueError):
    """A file is no trust list. The text says what was expected."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An authority of a list, in one period. `tier` None: its certificates say themselves whether they are qualified.

    `policies`: only certificates with one of these policies have the tier; empty for all certificates.
    """

    certificate: x509.Certificate
    tier: Tier | None
    begins: datetime
    ends: datetime
    policies: frozenset[str] = frozenset()

    def is_active(self, at: datetime) -> bool:
        return self.begins <= at < self.ends

    def confers(self, certificate: x509.Certificate) -> Tier | None:
        """Return the tier of a certificate that this authority issued, None if it has none."""
        if self.policies and not self.policies & _policies(certificate):
            return None
        return self.tier or _qualification(certificate)


def best(tiers: Sequence[Tier | None]) -> Tier:
    """Return the highest of some tiers; plain if there is none."""
    return next((tier for tier in _BEST_FIRST if tier in tiers), Tier.PLAIN)


def read_lists(paths: Sequence[str]) -> tuple[Listed, ...]:
    """Return the authorities of these files. Unchanged files are read once in a process.

    Raises:
        BadList: a file is no trust list, or is not signed with a certificate beside it.
        OSError: a file cannot be read.
    """
    return tuple(each for path in paths for each in _read(path, _changed_at(path), _changed_at(f"{path}.pem")))


def _changed_at(path: str) -> int | None:
    return Path(path).stat().st_mtime_ns if Path(path).exists() else None


@lru_cache(maxsize=64)
def _read(path: str, *_changed_at: int | None) -> tuple[Listed, ...]:
    data = Path(path).read_bytes()
    try:
        is_xml = data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")
        found = tuple(_of_xml(_signed(data, Path(f"{path}.pem"))) if is_xml else _of_toml(data))
    except (ValueError, TypeError, KeyError, AttributeError, ElementTree.ParseError) as error:
        raise BadList(f"{path} is no trust list: {error}") from error
    if not found:
        raise BadList(f"{path} lists no authority; expected [[authority]] in TOML, or granted CA/QC services in XML")
    return found


def _of_toml(data: bytes) -> Iterator[Listed]:
    for authority in tomllib.loads(data.decode())["authority"]:
        tier = authority["tier"]
        if tier not in _TIERS:
            raise ValueError(f"tier: expected one of {', '.join(sorted(_TIERS))}")
        begins, ends = _moment(authority.get("from"), _ALWAYS), _moment(authority.get("until"), _NEVER)
        certificate = _certificate(pem.unarmor(authority["certificate"].encode())[2])
        policies = authority.get("policies", [])
        if not isinstance(policies, list) or not all(isinstance(each, str) for each in policies):
            raise ValueError('policies: expected a list as ["1.2.3"]')
        yield Listed(certificate, Tier(tier), begins, ends, frozenset(policies))


def _moment(value: Any, default: datetime) -> datetime:
    """Return a date or time of TOML as a moment; without a zone, UTC."""
    if value is None:
        return default
    if not isinstance(value, date):
        raise ValueError("from, until: expected a date as 2026-01-31")
    found = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001
    return found.replace(tzinfo=found.tzinfo or UTC)


def _of_xml(data: bytes) -> Iterator[Listed]:
    for service in _root(data).iter(f"{_TSL}TSPService"):
        current = service.find(f"{_TSL}ServiceInformation")
        if current is None:
            continue
        history = list(service.iterfind(f"{_TSL}ServiceHistory/{_TSL}ServiceHistoryInstance"))
        certificates = _certificates(current)
        ends = _NEVER
        for instance in sorted((current, *history), key=_begins, reverse=True):
            if _says(instance, "ServiceTypeIdentifier") == _QUALIFIED_CA and _is_granted(instance):
                for certificate in _certificates(instance) or certificates:
                    yield Listed(certificate, None, _begins(instance), ends)
            ends = _begins(instance)


def _signed(data: bytes, signers: Path) -> bytes:
    """Return what was signed of an XML list (ETSI TS 119 612, 5.7) with a certificate of a file, expired or not.

    Raises ValueError if it was signed with none of them.
    """
    from lxml.etree import LxmlError  # noqa: PLC0415 -- with signxml 25 MB, for XML lists alone
    from signxml.exceptions import SignXMLException  # noqa: PLC0415
    from signxml.xades.xades import XAdESSignatureConfiguration, XAdESVerifier  # noqa: PLC0415

    _root(data)
    held = signers.read_bytes() if signers.is_file() else b""
    known = load_pem_x509_certificates(held) if pem.detect(held) else [load_der_x509_certificate(held)] if held else ()
    for signer in known:
        config = XAdESSignatureConfiguration(expect_references=True, verification_time=signer.not_valid_before_utc)
        with suppress(SignXMLException, LxmlError):
            for found in XAdESVerifier().verify(data, x509_cert=signer, expect_config=config):
                if found.signed_xml is not None and found.signed_xml.tag == f"{_TSL}TrustServiceStatusList":
                    return bytes(found.signed_data)
    raise ValueError(f"it is not signed with a certificate of {signers}")


def _root(data: bytes) -> ElementTree.Element:
    """Parse XML without a document type, so without entities. As text, no declared encoding can hide one."""
    text = data.decode("utf-8-sig")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("the XML has a document type")
    return ElementTree.fromstring(text)  # noqa: S314


def _is_granted(instance: ElementTree.Element) -> bool:
    return _says(instance, "ServiceStatus").replace(_OLD_STATUSES, _STATUSES) in _GRANTED


def _begins(instance: ElementTree.Element) -> datetime:
    found = datetime.fromisoformat(_says(instance, "StatusStartingTime"))
    return found.replace(tzinfo=found.tzinfo or UTC)


def _says(instance: ElementTree.Element, name: str) -> str:
    return (instance.findtext(_TSL + name) or "").strip()


def _certificates(instance: ElementTree.Element) -> list[x509.Certificate]:
    path = f"{_TSL}ServiceDigitalIdentity/{_TSL}DigitalId/{_TSL}X509Certificate"
    return [_certificate(base64.b64decode(found.text or "")) for found in instance.iterfind(path)]


def _certificate(data: bytes) -> x509.Certificate:
    found = x509.Certificate.load(data)
    found.native  # noqa: B018 -- asn1crypto parses lazily
    return found


def _policies(certificate: x509.Certificate) -> set[str]:
    stated = certificate.certificate_policies_value
    return {each["policy_identifier"].dotted for each in stated} if stated else set()


def _qualification(certificate: x509.Certificate) -> Tier | None:
    statements = _statements(certificate)
    if _QC_COMPLIANCE not in statements:
        return None
    return Tier.QUALIFIED if _QC_DEVICE in statements else Tier.ADVANCED


def _statements(certificate: x509.Certificate) -> set[str]:
    """Return the identifiers of the statements of a qualified certificate. Source: RFC 3739, 3.2.6."""
    for extension in certificate["tbs_certificate"]["extensions"]:
        if extension["extn_id"].dotted == _STATEMENTS:
            return {
                each[0].dotted for each in core.SequenceOf.load(extension["extn_value"].contents, spec=core.Sequence)
            }
    return set()

"""Writes the validation report of a document, ETSI TS 119 102-2, from the verdict that is kept on it.

It is written without the bindings of pyHanko, which take 0.7 s and 25 MB to import. The tests read it by these.
"""

import re
from base64 import b64encode
from datetime import datetime
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from domain.archive.indications import Indication, indications
from models.archive.verdict import SignatureVerdict, TimeSource, Verdict

_VR = "http://uri.etsi.org/19102/v1.2.1#"
_XADES = "http://uri.etsi.org/01903/v1.3.2#"
_DS = "http://www.w3.org/2000/09/xmldsig#"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_URN = "urn:etsi:019102"
_NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
for _prefix, _namespace in (("vr", _VR), ("xades", _XADES), ("ds", _DS)):
    ElementTree.register_namespace(_prefix, _namespace)


def validation_report(verdict: Verdict, sha256: str, at: datetime, arrived_at: datetime) -> bytes | None:
    """Return the report on a verdict, None on an unsigned document. The same arguments give the same bytes. Pure.

    A document that is changed or unreadable and has no signature has one report, of no signature.

    Args:
        verdict: the verdict that was made.
        sha256: the digest of the document, as hexadecimal.
        at: when the verdict was made.
        arrived_at: when the document arrived, so that its signatures are known to have existed.
    """
    found = indications(verdict)
    if not found:
        return None
    report = Element(f"{{{_VR}}}ValidationReport")
    for number, (signature, indication) in enumerate(found, 1):
        its = _put(report, "SignatureValidationReport")
        if signature:
            _identify(its, signature, number)
        _put_times(its, signature, at, arrived_at)
        _put_digest(_put(its, "SignersDocument"), sha256)
        if signature and signature.certificate:
            signer = _put(its, "SignerInformation")
            _put(signer, "SignerCertificate", VOReference=_id(signature.certificate.sha256))
            if signature.signer_name:
                _put(signer, "Signer", signature.signer_name)
        _put_status(its, verdict, signature, indication)
    certificates = sorted({each.certificate.sha256 for each in verdict.signatures if each.certificate})
    objects = _put(report, "SignatureValidationObjects") if certificates else report
    for each in certificates:
        certificate = _put(objects, "ValidationObject", id=_id(each))
        _put(certificate, "ObjectType", f"{_URN}:validationObject:certificate")
        _put_digest(_put(certificate, "ValidationObjectRepresentation"), each)
    return ElementTree.tostring(report, "utf-8", xml_declaration=True) + b"\n"


def _identify(report: Element, signature: SignatureVerdict, number: int) -> None:
    identifier = _put(report, "SignatureIdentifier", id=f"signature-{number}")
    _put(identifier, "HashOnly", "false")
    _put(identifier, "DocHashOnly", "false")
    _put(identifier, "DAIdentifier", signature.field)


def _put_times(report: Element, signature: SignatureVerdict | None, at: datetime, arrived_at: datetime) -> None:
    times = _put(report, "ValidationTimeInfo")
    _put(times, "ValidationTime", at.isoformat())
    best = _put(times, "BestSignatureTime")
    stamped = signature and signature.time_source is TimeSource.TIME_STAMP and signature.signed_at
    _put(best, "POETime", (stamped or arrived_at).isoformat())
    _put(best, "TypeOfProof", f"{_URN}:poetype:{'validation' if stamped else 'provided'}")


def _put_status(report: Element, verdict: Verdict, signature: SignatureVerdict | None, indication: Indication) -> None:
    status = _put(report, "SignatureValidationStatus")
    _put(status, "MainIndication", f"{_URN}:mainindication:{indication.main.lower()}")
    if indication.sub:
        _put(status, "SubIndication", f"{_URN}:subindication:{indication.sub}")
    data = _put(status, "AssociatedValidationReportData")
    revoked_at = signature and signature.revocation and signature.revocation.revoked_at
    if signature and signature.certificate and revoked_at:
        revoked = _put(data, "RevocationStatusInformation")
        _put(revoked, "ValidationObjectId", VOReference=_id(signature.certificate.sha256))
        _put(revoked, "RevocationTime", revoked_at.isoformat())
    facts = {"outcome-of-document": verdict.outcome, "reason-of-document": verdict.reason}
    if signature:
        facts |= {"reason": signature.reason, "trust-reason": signature.trust_reason, "tier": signature.tier}
    more = _put(data, "AdditionalValidationReportData")
    for name, value in facts.items():
        if value:
            fact = _put(more, "ReportData")
            _put(fact, "Type", f"urn:cellosign:cellar:{name}")
            _put(fact, "Value", value)


def _put_digest(parent: Element, sha256: str) -> None:
    digest = _put(parent, "DigestAlgAndValue")
    SubElement(digest, f"{{{_DS}}}DigestMethod", Algorithm=_SHA256)
    SubElement(digest, f"{{{_DS}}}DigestValue").text = b64encode(bytes.fromhex(sha256)).decode()


def _put(parent: Element, name: str, text: str | None = None, **attributes: str) -> Element:
    element = SubElement(parent, f"{{{_VR}}}{name}", attributes)
    element.text = None if text is None else _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
    return element


def _id(sha256: str) -> str:
    return f"certificate-{sha256}"

"""OCSP answers, CRLs and certificates that lie in a PDF, or were fetched for it when it arrived."""

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asn1crypto.pdf  # noqa: F401 -- teaches asn1crypto the attribute with Adobe's revocation data
from asn1crypto import cms, crl, ocsp, x509
from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, StreamObject
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko_certvalidator.revinfo.archival import CRLContainer, OCSPContainer

_MOST_PIECES = 500
"""A document with long-term validation has about ten; each costs time."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found, as objects of asn1crypto and pyHanko."""

    certificates: tuple[x509.Certificate, ...] = ()
    answers: tuple[OCSPContainer, ...] = ()
    crls: tuple[CRLContainer, ...] = ()

    def __add__(self, other: "Evidence") -> "Evidence":
        return Evidence(self.certificates + other.certificates, self.answers + other.answers, self.crls + other.crls)


NO_EVIDENCE = Evidence()


def in_document(reader: PdfFileReader) -> Evidence:
    """Return the evidence in the document security store. Unreadable pieces are left out.

    Source: ISO 32000-2, 12.8.4.3.
    """
    store = _dictionary(reader.root, "/DSS")
    groups = [(store, "s")]
    entries = _dictionary(store, "/VRI")
    groups += [(_dictionary(entries, name), "") for name in list(entries)[:_MOST_PIECES]]
    pieces: dict[str, set[bytes]] = {"/Cert": set(), "/OCSP": set(), "/CRL": set()}
    for group, plural in groups:
        for name, found in pieces.items():
            for data in _streams(group, name + plural):
                if sum(map(len, pieces.values())) < _MOST_PIECES:
                    found.add(data)
    return parsed(*(sorted(pieces[name]) for name in ("/Cert", "/OCSP", "/CRL")))


def kept(path: Path) -> Evidence:
    """Return the evidence that was fetched for a document, from the file that keeps it."""
    found = json.loads(path.read_text())
    answers, crls = ([base64.b64decode(each) for each in found[name]] for name in ("ocsp", "crl"))
    return parsed((), answers[:_MOST_PIECES], crls[:_MOST_PIECES])


def in_signature(signed_data: cms.SignedData, signer_info: cms.SignerInfo) -> Evidence:
    """Return the evidence in a signature: in Adobe's attribute, and beside the certificates of CMS."""
    answers: list[bytes] = []
    crls: list[bytes] = []
    for attribute in (*_attributes(signer_info, "signed_attrs"), *_attributes(signer_info, "unsigned_attrs")):
        with suppress(ValueError, TypeError, KeyError):
            if attribute["type"].native == "adobe_revocation_info_archival":
                for value in attribute["values"]:
                    answers += [each.dump() for each in value["ocsp"]]
                    crls += [each.dump() for each in value["crl"]]
    with suppress(ValueError, TypeError, KeyError):
        for choice in signed_data["crls"]:
            if choice.name == "crl":
                crls.append(choice.chosen.dump())
            elif choice.chosen["other_rev_info_format"].native == "ocsp_response":
                answers.append(choice.chosen["other_rev_info"].dump())
    return parsed((), answers[:_MOST_PIECES], crls[:_MOST_PIECES])


def parsed(certificates: Sequence[bytes], answers: Sequence[bytes], crls: Sequence[bytes]) -> Evidence:
    """Return evidence from DER. Unreadable pieces are left out."""
    return Evidence(
        tuple(_readable(certificates, _certificate)),
        tuple(each for several in _readable(answers, _answers) for each in several),
        tuple(_readable(crls, _crl)),
    )


def _certificate(data: bytes) -> x509.Certificate:
    found = x509.Certificate.load(data)
    found.subject.native, found.issuer_serial  # noqa: B018 -- asn1crypto parses lazily
    return found


def _answers(data: bytes) -> list[OCSPContainer]:
    found: list[OCSPContainer] = OCSPContainer.load_multi(ocsp.OCSPResponse.load(data))
    for each in found:
        each.issuance_date  # noqa: B018
    return found


def _crl(data: bytes) -> CRLContainer:
    found = CRLContainer(crl.CertificateList.load(data))
    found.crl_data.issuer.native, found.issuance_date  # noqa: B018
    return found


def _readable(pieces: Sequence[bytes], parse: Any) -> Iterator[Any]:
    for piece in pieces:
        with suppress(ValueError, TypeError, KeyError, AttributeError, IndexError):
            yield parse(piece)


def _attributes(signer_info: cms.SignerInfo, name: str) -> list[Any]:
    with suppress(ValueError, TypeError, KeyError):
        return list(signer_info[name])
    return []


def _dictionary(above: Any, key: str) -> Any:
    """Return a dictionary below another, an empty one if it is missing or damaged."""
    with suppress(Exception):
        found = above[key]
        if isinstance(found, DictionaryObject):
            return found
    return DictionaryObject()  # type: ignore[no-untyped-call]


def _streams(group: Any, key: str) -> Iterator[bytes]:
    found: Any = None
    with suppress(Exception):
        found = group[key]
    for place in range(min(len(found), _MOST_PIECES) if isinstance(found, ArrayObject) else 0):
        with suppress(Exception):
            stream = found[place]
            if isinstance(stream, StreamObject):
                yield stream.data

"""What a signed document lacks is fetched at its arrival, from public addresses only, and kept."""

import gzip
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import core, ocsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from adapters.documents.examination import examine
from models.archive.verdict import Outcome, Revocation, RevocationStatus, Verdict
from services.processing.examining import examined
from tests import authorities, pdfs, signers
from tests.conftest import Configure

NOW = pdfs.NOW.replace(microsecond=0)
REVOKED_AT = NOW - timedelta(days=2)
KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def roots(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_bytes(pdfs.authority().pem)
    configure(trust_roots=str(tmp_path / "root.pem"), fetch_revocation="true")


def extensions(ocsp: str | None, crl: str | None) -> tuple[x509.ExtensionType, ...]:
    found: list[x509.ExtensionType] = []
    if ocsp:
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp))
        found.append(x509.AuthorityInformationAccess([access]))
    if crl:
        names = [x509.UniformResourceIdentifier(crl)]
        found.append(x509.CRLDistributionPoints([x509.DistributionPoint(names, None, None, None)]))
    return tuple(found)


class Arrival:
    """A document whose certificate names servers."""

    def __init__(self, folder: Path, *, ocsp: str | None = None, crl: str | None = None) -> None:
        made = signers.certificate_of(KEY, extensions=extensions(ocsp, crl))
        loaded = x509.load_der_x509_certificate(made.dump())
        self.owner = pdfs.Identity(loaded, KEY, pdfs.authority().certificate)
        self.path, self.kept = folder / "signed.pdf", folder / "revocation.json"
        sign: Any = lambda data: KEY.sign(data, ec.ECDSA(hashes.SHA256()))  # noqa: E731
        self.path.write_bytes(signers.signed(pdfs.form(), made, signers.mechanism("sha256_ecdsa"), sign))

    def judged(self, *, is_private_allowed: bool = True) -> Verdict:
        if is_private_allowed:
            return examined(self.path, self.kept, may_call=lambda _address: True).verdict
        return examined(self.path, self.kept).verdict


def revocation(verdict: Verdict) -> Revocation:
    (signature,) = verdict.signatures
    assert signature.revocation
    return signature.revocation


@pytest.mark.usefixtures("roots")
@pytest.mark.parametrize("revoked_at", [None, REVOKED_AT], ids=["good", "revoked"])
def test_ocsp_answer_is_fetched_judged_and_kept(httpserver: HTTPServer, tmp_path: Path, revoked_at: Any) -> None:
    arrival = Arrival(tmp_path, ocsp=httpserver.url_for("/ocsp"))
    answer = authorities.answer(arrival.owner, NOW, revoked_at=revoked_at)
    httpserver.expect_request("/ocsp", method="POST").respond_with_data(answer)

    verdict = arrival.judged()

    found = revocation(verdict)
    expected = RevocationStatus.REVOKED if revoked_at else RevocationStatus.GOOD
    assert (found.status, found.source, found.said_at) == (expected, "ocsp", NOW)
    assert verdict.trusted is (revoked_at is None)
    request = httpserver.log[0][0]
    assert request.headers["content-type"] == "application/ocsp-request"
    asked = x509.ocsp.load_der_ocsp_request(request.data)
    assert asked.serial_number == arrival.owner.certificate.serial_number
    again = examine(arrival.path, [tmp_path / "root.pem"], now=NOW + timedelta(minutes=1), fetched=arrival.kept)
    assert revocation(again).status is expected


@pytest.mark.usefixtures("roots")
def test_crl_is_fetched(httpserver: HTTPServer, tmp_path: Path) -> None:
    arrival = Arrival(tmp_path, crl=httpserver.url_for("/list.crl"))
    crl = authorities.crl(NOW, [(arrival.owner, REVOKED_AT)])
    httpserver.expect_request("/list.crl", method="GET").respond_with_data(crl)

    verdict = arrival.judged()

    assert (revocation(verdict).status, revocation(verdict).source) == (RevocationStatus.REVOKED, "crl")


@pytest.mark.usefixtures("roots")
def test_private_address_is_never_called(httpserver: HTTPServer, tmp_path: Path) -> None:
    arrival = Arrival(tmp_path, ocsp=httpserver.url_for("/ocsp"), crl=httpserver.url_for("/list.crl"))

    verdict = arrival.judged(is_private_allowed=False)

    assert (revocation(verdict).status, httpserver.log) == (RevocationStatus.UNKNOWN, [])
    assert not arrival.kept.exists()


@pytest.mark.usefixtures("roots")
def test_redirect_is_not_followed(httpserver: HTTPServer, tmp_path: Path) -> None:
    arrival = Arrival(tmp_path, crl=httpserver.url_for("/list.crl"))
    moved = Response(status=302, headers={"location": httpserver.url_for("/elsewhere")})
    httpserver.expect_request("/list.crl").respond_with_response(moved)

    verdict = arrival.judged()

    assert revocation(verdict).status is RevocationStatus.UNKNOWN
    assert [request.path for request, _ in httpserver.log] == ["/list.crl"]


@pytest.mark.usefixtures("roots")
@pytest.mark.parametrize("url", ["file:///etc/passwd", "ldap://127.0.0.1/", "http://", "http://nowhere.invalid/"])
def test_address_of_another_kind_leaves_revocation_unknown(tmp_path: Path, url: str) -> None:
    verdict = Arrival(tmp_path, crl=url).judged()

    assert (revocation(verdict).status, verdict.trusted) == (RevocationStatus.UNKNOWN, True)


@pytest.mark.usefixtures("roots")
def test_answer_that_is_no_ocsp_answer_leaves_revocation_unknown(httpserver: HTTPServer, tmp_path: Path) -> None:
    httpserver.expect_request("/ocsp").respond_with_data(b"<html>")

    verdict = Arrival(tmp_path, ocsp=httpserver.url_for("/ocsp")).judged()

    assert (revocation(verdict).status, verdict.trusted) == (RevocationStatus.UNKNOWN, True)


@pytest.mark.usefixtures("roots")
def test_endless_answer_is_left_out(httpserver: HTTPServer, tmp_path: Path) -> None:
    def gush(_request: Request) -> Response:
        return Response(bytes(1 << 20) for _ in range(40))

    httpserver.expect_request("/list.crl").respond_with_handler(gush)
    arrival = Arrival(tmp_path, crl=httpserver.url_for("/list.crl"))

    assert revocation(arrival.judged()).status is RevocationStatus.UNKNOWN
    assert not arrival.kept.exists()


@pytest.mark.faults
@pytest.mark.usefixtures("roots")
def test_answer_that_costs_more_than_a_judgement_may_leaves_the_document_readable(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    arrival = Arrival(tmp_path, ocsp=httpserver.url_for("/ocsp"))
    httpserver.expect_request("/ocsp").respond_with_data(_of_many_parts(authorities.answer(arrival.owner, NOW)))

    verdict = arrival.judged()

    assert (verdict.outcome, revocation(verdict).status) == (Outcome.SOUND, RevocationStatus.UNKNOWN)
    assert not arrival.kept.exists()


def _of_many_parts(answer: bytes) -> bytes:
    """Return an OCSP answer about millions of certificates, which say nothing."""
    parsed = ocsp.OCSPResponse.load(answer)
    basic = parsed["response_bytes"]["response"].parsed
    data = basic["tbs_response_data"]
    parts = core.Sequence(contents=b"\x30\x00" * 5_000_000).dump()
    many = core.Sequence(contents=data["responder_id"].dump() + data["produced_at"].dump() + parts)
    rest = basic["signature_algorithm"].dump() + basic["signature"].dump()
    parsed["response_bytes"]["response"] = core.ParsableOctetString(core.Sequence(contents=many.dump() + rest).dump())
    return bytes(parsed.dump())


@pytest.mark.usefixtures("roots")
def test_packed_answer_is_not_unpacked(httpserver: HTTPServer, tmp_path: Path) -> None:
    arrival = Arrival(tmp_path, crl=httpserver.url_for("/list.crl"))
    packed = Response(gzip.compress(authorities.crl(NOW)), headers={"content-encoding": "gzip"})
    httpserver.expect_request("/list.crl").respond_with_response(packed)

    assert revocation(arrival.judged()).status is RevocationStatus.UNKNOWN
    assert httpserver.log[0][0].headers["accept-encoding"] == "identity"


def test_nothing_is_fetched_by_default(configure: Configure, httpserver: HTTPServer, tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_bytes(pdfs.authority().pem)
    configure(trust_roots=str(tmp_path / "root.pem"))

    Arrival(tmp_path, ocsp=httpserver.url_for("/ocsp")).judged()

    assert httpserver.log == []


def test_document_without_a_trusted_root_chooses_no_address(
    configure: Configure, httpserver: HTTPServer, tmp_path: Path
) -> None:
    (tmp_path / "root.pem").write_bytes(pdfs.authority("Another root").pem)
    configure(trust_roots=str(tmp_path / "root.pem"), fetch_revocation="true")

    Arrival(tmp_path, ocsp=httpserver.url_for("/ocsp")).judged()

    assert httpserver.log == []

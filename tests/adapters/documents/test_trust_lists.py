# mypy: disable-error-code="no-untyped-call"
"""Trust lists give a tier to the signatures of the authorities that they list, in their period."""

import base64
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import SignatureMethod
from signxml.xades.xades import XAdESSigner

from adapters.documents.examination import examine
from adapters.documents.trust.trust_lists import BadList, read_lists
from models.archive.verdict import SignatureVerdict, Tier
from models.errors import Transient
from tests import authorities, pdfs, signers
from tests.adapters.documents.conftest import Judge

DAY = timedelta(days=1)
COMPLIANT = bytes.fromhex("3008060604008e460101")  # QcCompliance
DEVICE = bytes.fromhex("3008060604008e460104")  # QcSSCD
JudgeBy = Callable[[bytes, str], SignatureVerdict]


def toml(tier: str = "certified", root: str = "Test root", **more: str) -> str:
    lines = [f'tier = "{tier}"', *(f"{name} = {value}" for name, value in more.items())]
    return "\n".join(["[[authority]]", *lines, f'certificate = """\n{pdfs.authority(root).pem.decode()}"""\n'])


def xml(
    status: str = "granted", since: str = "2016-07-01T00:00:00Z", history: str = "", root: str = "Test root"
) -> str:
    certificate = base64.b64encode(pdfs.authority(root).certificate.public_bytes(Encoding.DER)).decode()
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<TrustServiceStatusList xmlns="http://uri.etsi.org/02231/v2#"><TrustServiceProviderList><TrustServiceProvider>
<TSPServices><TSPService><ServiceInformation>
{service(status, since)}
<ServiceDigitalIdentity><DigitalId><X509Certificate>{certificate}</X509Certificate></DigitalId></ServiceDigitalIdentity>
</ServiceInformation><ServiceHistory>{history}</ServiceHistory></TSPService></TSPServices>
</TrustServiceProvider></TrustServiceProviderList></TrustServiceStatusList>"""


def signed(text: str, by: str = "Operator of lists") -> str:
    """Return an XML list with the signature of an operator of lists."""
    identity = pdfs.authority(by)
    signer = XAdESSigner(signature_algorithm=SignatureMethod.ECDSA_SHA256)
    root = signer.sign(etree.fromstring(text.encode()), key=identity.private_key, cert=[identity.certificate])
    return str(etree.tostring(root, encoding="unicode"))


def service(status: str, since: str) -> str:
    return f"""<ServiceTypeIdentifier>http://uri.etsi.org/TrstSvc/Svctype/CA/QC</ServiceTypeIdentifier>
<ServiceStatus>http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/{status}</ServiceStatus>
<StatusStartingTime>{since}</StatusStartingTime>"""


def earlier(status: str, since: str) -> str:
    return f"<ServiceHistoryInstance>{service(status, since)}</ServiceHistoryInstance>"


def qualified(*statements: bytes) -> bytes:
    """Return a document signed with a certificate that makes these statements."""
    key = ec.generate_private_key(ec.SECP256R1())
    content = b"".join(statements)
    extension = x509.UnrecognizedExtension(
        x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3"), b"\x30" + bytes([len(content)]) + content
    )
    certificate = signers.certificate_of(key, extensions=(extension,))
    sign: signers.Sign = lambda data: key.sign(data, ec.ECDSA(hashes.SHA256()))  # noqa: E731
    return signers.signed(pdfs.form(), certificate, signers.mechanism("sha256_ecdsa"), sign)


@pytest.fixture
def judge_by(judge: Judge) -> JudgeBy:
    return lambda pdf, text: judge(pdf, trusted=text).signatures[0]


@pytest.mark.parametrize("tier", ["secure", "certified"])
def test_listed_authority_gives_its_tier_and_is_trusted(judge_by: JudgeBy, tier: str) -> None:
    signature = judge_by(pdfs.signed(pdfs.form()), toml(tier))

    assert (signature.tier, signature.trusted) == (Tier(tier), True)


def test_authority_of_two_lists_gives_the_higher_tier(judge_by: JudgeBy) -> None:
    assert judge_by(pdfs.signed(pdfs.form()), toml("secure") + toml("certified")).tier is Tier.CERTIFIED


def test_unlisted_authority_is_plain_and_not_trusted(judge_by: JudgeBy) -> None:
    signature = judge_by(pdfs.signed(pdfs.form()), toml(root="Another root"))

    assert (signature.tier, signature.trusted) == (Tier.PLAIN, False)


@pytest.mark.parametrize(
    ("period", "tier"),
    [
        ({"from": "2020-01-01"}, Tier.CERTIFIED),
        ({"until": "2099-01-01T00:00:00Z"}, Tier.CERTIFIED),
        ({"from": "2099-01-01"}, Tier.PLAIN),
        ({"until": "2020-01-01"}, Tier.PLAIN),
    ],
    ids=str,
)
def test_authority_counts_in_its_period(judge_by: JudgeBy, period: dict[str, str], tier: Tier) -> None:
    assert judge_by(pdfs.signed(pdfs.form()), toml(**period)).tier is tier


def test_authority_with_policies_gives_its_tier_only_to_certificates_that_have_one(judge_by: JudgeBy) -> None:
    signature = judge_by(pdfs.signed(pdfs.form()), toml(policies='["1.2.376.1"]'))

    assert (signature.tier, signature.trusted) == (Tier.PLAIN, True)


def test_revoked_certificate_of_a_listed_authority_is_plain(judge_by: JudgeBy) -> None:
    revoked = authorities.answer(pdfs.identity(), pdfs.NOW, revoked_at=pdfs.NOW.replace(microsecond=0) - DAY)

    signature = judge_by(authorities.with_evidence(pdfs.signed(pdfs.form()), answers=[revoked]), toml())

    assert (signature.tier, signature.trusted) == (Tier.PLAIN, False)


def test_without_a_list_the_tier_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "signed.pdf").write_bytes(pdfs.signed(pdfs.form()))

    assert examine(tmp_path / "signed.pdf", [], now=pdfs.NOW).signatures[0].tier is None


@pytest.mark.parametrize(
    ("document", "tier"),
    [
        (lambda: qualified(COMPLIANT, DEVICE), Tier.QUALIFIED),
        (lambda: qualified(COMPLIANT), Tier.ADVANCED),
        (lambda: qualified(DEVICE), Tier.PLAIN),
        (lambda: pdfs.signed(pdfs.form()), Tier.PLAIN),
    ],
    ids=["qualified, with device", "qualified", "device", "nothing said"],
)
def test_certificate_of_a_granted_service_says_itself_whether_it_is_qualified(
    judge_by: JudgeBy, document: Callable[[], bytes], tier: Tier
) -> None:
    assert judge_by(document(), signed(xml())).tier is tier


@pytest.mark.parametrize(
    ("listed", "tier"),
    [
        (lambda: xml("withdrawn"), Tier.PLAIN),
        (lambda: xml("granted", since="2099-01-01T00:00:00Z"), Tier.PLAIN),
        (
            lambda: xml("withdrawn", since="2099-01-01T00:00:00Z", history=earlier("granted", "2016-07-01T00:00:00Z")),
            Tier.QUALIFIED,
        ),
        (lambda: xml("withdrawn", "2020-01-01T00:00:00Z", earlier("granted", "2016-07-01T00:00:00Z")), Tier.PLAIN),
    ],
    ids=["withdrawn", "granted later", "withdrawn later", "withdrawn before"],
)
def test_status_at_the_time_of_signing_counts(judge_by: JudgeBy, listed: Callable[[], str], tier: Tier) -> None:
    # A list without any granted service is an error, so another authority is granted in each.
    other = xml(root="Another root").split("<TrustServiceProviderList>")[1].split("</TrustServiceProviderList>")[0]
    text = listed().replace("</TrustServiceProviderList>", f"{other}</TrustServiceProviderList>")

    assert judge_by(qualified(COMPLIANT, DEVICE), signed(text)).tier is tier


BAD = {
    "empty": "",
    "no certificate": '[[authority]]\ntier = "certified"',
    "unknown tier": toml("golden"),
    "policies that are no list": toml(policies='"1.2.3"'),
    "a time without a date": toml(**{"from": "10:00:00"}),
    "a certificate that is no text": '[[authority]]\ntier = "certified"\ncertificate = 7',
    "damaged certificate": toml().replace("MII", "MIX"),
    "XML with a document type": xml().replace("?>\n", '?>\n<!DOCTYPE a [<!ENTITY b "c">]>\n'),
    "XML of something else": signed("<html/>"),
    "XML without a signature": xml(),
    "XML signed by somebody else": signed(xml(), by="Somebody"),
    "XML changed after it was signed": signed(xml("withdrawn")).replace("Svcstatus/withdrawn", "Svcstatus/granted"),
    "XML around a list that was signed": xml().replace(
        "</TrustServiceStatusList>", signed(xml("withdrawn")) + "</TrustServiceStatusList>"
    ),
    "broken XML": xml()[:-5],
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_bad_list_is_refused_and_stops_the_examination(judge_by: JudgeBy, tmp_path: Path, text: str) -> None:
    (tmp_path / "bad").write_text(text)
    (tmp_path / "bad.pem").write_bytes(pdfs.authority("Operator of lists").pem)

    with pytest.raises(BadList, match=r"trust list|lists no authority"):
        read_lists([str(tmp_path / "bad")])
    with pytest.raises(Transient, match="CELLAR_TRUST_LISTS"):
        judge_by(pdfs.signed(pdfs.form()), text)


def test_list_counts_no_longer_once_the_certificate_of_its_signer_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "list").write_text(signed(xml()))
    (tmp_path / "list.pem").write_bytes(pdfs.authority("Operator of lists").certificate.public_bytes(Encoding.DER))
    assert len(read_lists([str(tmp_path / "list")])) == 1

    (tmp_path / "list.pem").write_bytes(pdfs.authority("Somebody").pem)

    with pytest.raises(BadList, match="not signed"):
        read_lists([str(tmp_path / "list")])

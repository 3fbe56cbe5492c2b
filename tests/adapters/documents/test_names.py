# mypy: disable-error-code="no-untyped-call"
"""Names in certificates: in Hebrew, and written in more than one way."""

from asn1crypto import algos, tsp, x509
from pyhanko.sign.general import check_ess_certid

from adapters.documents.trust.names import read_names_of_any_writer
from models.archive.verdict import Outcome
from tests import pdfs
from tests.adapters.documents.conftest import Judge
from tests.adapters.documents.corpus.identities import signer

_COMPANY, _AUTHORITY = 'דוגמה בע"מ 2020', "רשות מאשרת - ABC"


def test_signer_with_a_hebrew_name_that_has_numbers_and_latin_words_is_trusted(judge: Judge) -> None:
    read_names_of_any_writer()  # also pyHanko's signer compares names
    verdict = judge(pdfs.signed(pdfs.form(), by=pdfs.identity(_COMPANY, root=_AUTHORITY)), [pdfs.authority(_AUTHORITY)])

    assert (verdict.outcome, verdict.trusted, verdict.signatures[0].signer_name) == (Outcome.SOUND, True, _COMPANY)


def test_name_is_the_same_in_another_encoding_and_another_in_other_letters() -> None:
    read_names_of_any_writer()
    printable, utf8, other = (
        x509.Name.build({"common_name": name}, use_printable=is_printable)
        for name, is_printable in (("Signing  Authority 1", True), ("signing authority 1", False), ("Signing 1", True))
    )

    assert printable.dump() != utf8.dump()
    assert (printable == utf8, printable.hashable == utf8.hashable, printable == other) == (True, True, False)


def test_digest_names_the_certificate_of_a_signer_however_its_issuer_is_written() -> None:
    read_names_of_any_writer()
    certificate = signer("ec").certificate

    def named(number: int) -> tsp.ESSCertIDv2:
        issuer = [x509.GeneralName("directory_name", x509.Name.build({"common_name": "Corpus Root, otherwise"}))]
        return tsp.ESSCertIDv2(
            {
                "hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
                "cert_hash": certificate.sha256,
                "issuer_serial": {"issuer": issuer, "serial_number": number},
            }
        )

    assert check_ess_certid(certificate, named(certificate.serial_number))
    assert not check_ess_certid(certificate, named(certificate.serial_number + 1))

"""OCSP answers and CRLs in a document are judged at the time of signing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.documents.examination import examine
from models.archive.verdict import Outcome, RevocationStatus, SignatureVerdict, TimeSource
from tests import authorities, pdfs
from tests.adapters.documents.conftest import Judge

DAY = timedelta(days=1)
NOW = pdfs.NOW.replace(microsecond=0)
SIGNED = NOW - 10 * DAY
BEFORE, AFTER = SIGNED - DAY, SIGNED + DAY

SignatureOf = Callable[..., SignatureVerdict]


@pytest.fixture
def signature_of(judge: Judge) -> SignatureOf:
    return lambda pdf, root="Test root": judge(pdf, [pdfs.authority(root)]).signatures[0]


def stamped() -> bytes:
    """Return a document that a trusted time stamp proves to be signed at `SIGNED`."""
    return pdfs.signed(pdfs.form(), stamper=pdfs.time_stamper(SIGNED))


def unstamped() -> bytes:
    return pdfs.signed(pdfs.form())


@pytest.mark.parametrize("source", ["ocsp", "crl"])
def test_good_certificate_is_trusted_and_names_its_source(signature_of: SignatureOf, source: str) -> None:
    evidence = {
        "ocsp": {"answers": [authorities.answer(pdfs.identity(), AFTER)]},
        "crl": {"crls": [authorities.crl(AFTER)]},
    }

    signature = signature_of(authorities.with_evidence(stamped(), **evidence[source]))

    assert signature.revocation
    assert (signature.revocation.status, signature.revocation.source) == (RevocationStatus.GOOD, source)
    assert signature.revocation.said_at == AFTER
    assert (signature.trusted, signature.time_source) == (True, TimeSource.TIME_STAMP)


@pytest.mark.parametrize("source", ["ocsp", "crl"])
def test_certificate_revoked_before_signing_is_not_trusted_and_not_broken(judge: Judge, source: str) -> None:
    evidence = {
        "ocsp": {"answers": [authorities.answer(pdfs.identity(), AFTER, revoked_at=BEFORE)]},
        "crl": {"crls": [authorities.crl(AFTER, [(pdfs.identity(), BEFORE)])]},
    }

    verdict = judge(authorities.with_evidence(stamped(), **evidence[source]), [pdfs.authority()])

    (signature,) = verdict.signatures
    assert signature.revocation
    assert (signature.revocation.status, signature.revocation.revoked_at) == (RevocationStatus.REVOKED, BEFORE)
    assert (verdict.outcome, verdict.trusted) == (Outcome.SOUND, False)
    assert signature.trust_reason == "its certificate was revoked before it signed"


def test_revocation_after_the_proven_time_of_signing_does_not_count(signature_of: SignatureOf) -> None:
    later = authorities.answer(pdfs.identity(), NOW - DAY, revoked_at=AFTER)

    signature = signature_of(authorities.with_evidence(stamped(), answers=[later]))

    assert signature.revocation
    assert (signature.revocation.status, signature.revocation.revoked_at) == (RevocationStatus.GOOD, AFTER)
    assert signature.trusted is True


def test_certificate_revoked_before_arrival_may_have_signed_later_than_its_signer_says(
    tmp_path: Path,
) -> None:
    (tmp_path / "root.pem").write_bytes(pdfs.authority().pem)
    arrives = datetime.now(UTC) + 5 * DAY
    revoked = authorities.answer(pdfs.identity(), arrives - DAY, revoked_at=arrives - 2 * DAY)
    (tmp_path / "signed.pdf").write_bytes(authorities.with_evidence(unstamped(), answers=[revoked]))

    (signature,) = examine(tmp_path / "signed.pdf", [tmp_path / "root.pem"], now=arrives).signatures

    assert signature.revocation
    assert (signature.trusted, signature.revocation.status) == (None, RevocationStatus.REVOKED)
    assert signature.trust_reason == (
        "its certificate was revoked, and no trusted time stamp proves that it signed before"
    )


UNUSABLE = {
    "none": {},
    "older than the signature": {"crls": [authorities.crl(SIGNED - 30 * DAY)]},
    "of another authority": {"answers": [authorities.answer(pdfs.identity(), AFTER, by="Another root")]},
    "about another certificate": {"answers": [authorities.answer(pdfs.identity("Somebody else"), AFTER)]},
}


@pytest.mark.parametrize("evidence", UNUSABLE.values(), ids=UNUSABLE)
def test_without_a_usable_answer_revocation_is_unknown_and_trust_remains(
    signature_of: SignatureOf, evidence: dict[str, list[bytes]]
) -> None:
    signature = signature_of(authorities.with_evidence(stamped(), **evidence))

    assert signature.revocation
    assert signature.revocation.status is RevocationStatus.UNKNOWN
    assert signature.revocation.reason
    assert signature.trusted is True


def test_damaged_evidence_harms_no_verdict(signature_of: SignatureOf) -> None:
    whole = authorities.answer(pdfs.identity(), AFTER)
    pdf = authorities.with_evidence(stamped(), answers=[whole])
    place = pdf.rindex(whole)

    for damaged in (
        whole[:40] + b"\xff" * (len(whole) - 40),
        bytes(len(whole)),
        whole[: len(whole) // 2].ljust(len(whole)),
    ):
        signature = signature_of(pdf[:place] + damaged + pdf[place + len(whole) :])
        assert signature.revocation
        assert (signature.trusted, signature.revocation.status) == (True, RevocationStatus.UNKNOWN)


def test_evidence_in_adobes_attribute_is_used(signature_of: SignatureOf) -> None:
    revoked_at = NOW - DAY
    pdf = authorities.signed_with_archival(
        pdfs.form(), pdfs._signer(pdfs.identity()), [], [authorities.crl(NOW, [(pdfs.identity(), revoked_at)])]
    )

    signature = signature_of(pdf)

    assert signature.revocation
    assert (signature.trusted, signature.revocation.source) == (False, "crl")


def test_time_stamp_of_a_revoked_authority_proves_nothing(signature_of: SignatureOf) -> None:
    authority = pdfs._time_stamping_identity("Test root", pdfs._years()[0], 7300)
    revoked = authorities.answer(authority, AFTER, revoked_at=BEFORE)

    signature = signature_of(authorities.with_evidence(stamped(), answers=[revoked]))

    assert signature.time_source is TimeSource.SIGNER


def test_without_a_trusted_root_revocation_is_unknown(tmp_path: Path) -> None:
    revoked = authorities.answer(pdfs.identity(), AFTER, revoked_at=BEFORE)
    (tmp_path / "signed.pdf").write_bytes(authorities.with_evidence(stamped(), answers=[revoked]))

    (signature,) = examine(tmp_path / "signed.pdf", [], now=datetime.now(UTC)).signatures

    assert signature.revocation
    assert (signature.trusted, signature.revocation.status) == (None, RevocationStatus.UNKNOWN)


def test_document_time_stamp_proves_that_a_signature_was_made_before_its_certificate_expired(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_bytes(pdfs.authority().pem)
    short_lived = pdfs.identity("Short-lived", valid_from=pdfs.NOW - DAY, valid_days=2)
    signed = pdfs.signed(pdfs.form(), by=short_lived)

    def trusted(pdf: bytes) -> bool | None:
        (tmp_path / "signed.pdf").write_bytes(pdf)
        return examine(tmp_path / "signed.pdf", [tmp_path / "root.pem"], now=pdfs.NOW + 30 * DAY).trusted

    assert (trusted(signed), trusted(pdfs.time_stamped(signed))) == (None, True)

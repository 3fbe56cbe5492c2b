"""What is kept about a signed document, and the words of a verdict about it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from domain.archive.signed_document import with_verdict
from domain.archive.verdict_text import certificate_texts, document_text, field_change_texts, signature_texts
from models.archive.verdict import (
    UNREADABLE,
    Coverage,
    FieldChange,
    LaterChange,
    Outcome,
    Revocation,
    RevocationStatus,
    SignatureVerdict,
    SignerCertificate,
    Strength,
    Tier,
    TimeSource,
    Verdict,
)
from tests.domain.payloads import read
from tests.samples import sample_document

ARCHIVE = read(sample_document())
SIGNED_AT = max(each.signed_at for each in ARCHIVE.signatures if each.signed_at)
SIGNATURE = SignatureVerdict(
    field="Signature",
    is_document_time_stamp=False,
    intact=True,
    valid=True,
    coverage=Coverage.FILE,
    change=LaterChange.NONE,
    change_permitted=True,
    locks=True,
    signer_name="Cellosign",
    signer_organization=None,
    signed_at=SIGNED_AT + timedelta(minutes=1),
    trusted=None,
    digest="sha256",
)
SOUND = Verdict(Outcome.SOUND, True, True, True, True, False, None, (SIGNATURE,))


def codes(verdict: Verdict) -> list[str]:
    judged = with_verdict(ARCHIVE, verdict)
    assert judged.signed_document_verdict is verdict
    return [warning.code for warning in judged.warnings]


def sealed_at(moment: datetime) -> Verdict:
    return replace(SOUND, signatures=(replace(SIGNATURE, signed_at=moment),))


def digested_by(algorithm: str | None) -> Verdict:
    return replace(SOUND, signatures=(replace(SIGNATURE, digest=algorithm),))


def said_of_its_certificate(status: RevocationStatus) -> Verdict:
    return replace(SOUND, signatures=(replace(SIGNATURE, revocation=Revocation(status)),))


def test_warning_about_trust_gives_the_reason() -> None:
    signature = replace(SIGNATURE, trusted=False, trust_reason="its certificate was revoked before it signed")

    (warning,) = with_verdict(ARCHIVE, replace(SOUND, trusted=False, signatures=(signature,))).warnings

    assert warning.detail == "a signature is not trusted: its certificate was revoked before it signed"


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (replace(SOUND, outcome=Outcome.CHANGED), "SIGNED_DOCUMENT_CHANGED"),
        (replace(SOUND, outcome=Outcome.BROKEN), "SIGNED_DOCUMENT_BROKEN"),
        (replace(SOUND, outcome=Outcome.FIELDS_CHANGED), "SIGNED_DOCUMENT_FIELDS_CHANGED"),
        (UNREADABLE, "SIGNED_DOCUMENT_UNREADABLE"),
        (replace(SOUND, outcome=Outcome.UNSIGNED, signatures=()), "SIGNED_DOCUMENT_UNSIGNED"),
        (replace(SOUND, trusted=False), "SIGNED_DOCUMENT_NOT_TRUSTED"),
        (sealed_at(SIGNED_AT - timedelta(days=2)), "SIGNED_DOCUMENT_TOO_OLD"),
        (digested_by("sha1"), "SIGNED_DOCUMENT_WEAK_DIGEST"),
        (digested_by("md5"), "SIGNED_DOCUMENT_WEAK_DIGEST"),
        (said_of_its_certificate(RevocationStatus.REVOKED), "SIGNED_DOCUMENT_REVOKED"),
    ],
)
def test_bad_verdict_is_a_warning(verdict: Verdict, code: str) -> None:
    assert codes(verdict) == [code]


def test_warning_of_changed_fields_counts_fields_and_signers_and_names_none() -> None:
    changes = (FieldChange("Payee", "A", "B", ("One", "Two")), FieldChange("Payee", "C", "B", ("Three",)))
    verdict = replace(SOUND, outcome=Outcome.FIELDS_CHANGED, field_changes=changes)

    (warning,) = with_verdict(ARCHIVE, verdict).warnings

    assert warning.detail == "form fields filled again after a signature: 1; signers who did not see that: 3"


@pytest.mark.parametrize(
    "verdict",
    [
        SOUND,
        replace(SOUND, trusted=True),
        sealed_at(SIGNED_AT),
        digested_by("sha512"),
        said_of_its_certificate(RevocationStatus.GOOD),
        said_of_its_certificate(RevocationStatus.UNKNOWN),
        digested_by(None),
        sealed_at(SIGNED_AT - timedelta(hours=23)),
        sealed_at(datetime(2100, 1, 1, tzinfo=UTC)),
        replace(SOUND, signatures=(SIGNATURE, replace(SIGNATURE, signed_at=SIGNED_AT - timedelta(days=9)))),
    ],
)
def test_sound_document_brings_no_warning(verdict: Verdict) -> None:
    assert codes(verdict) == []


def test_unsigned_document_without_listed_signatures_brings_no_warning() -> None:
    unsigned = replace(SOUND, outcome=Outcome.UNSIGNED, signatures=())

    assert with_verdict(replace(ARCHIVE, signatures=()), unsigned).warnings == ()


def signature_text(signature: SignatureVerdict) -> dict[str, str | None]:
    (text,) = signature_texts(replace(SOUND, signatures=(signature,)))
    return text


@pytest.mark.parametrize(
    ("verdict", "trusted"),
    [
        (replace(SOUND, trusted=True), "yes"),
        (replace(SOUND, trusted=False), "no"),
        (SOUND, "not judged: no trusted roots were configured"),
        (UNREADABLE, "unknown"),
    ],
)
def test_trust_text_says_whether_trust_was_judged(verdict: Verdict, trusted: str) -> None:
    assert document_text(verdict)["trusted"] == trusted


def test_every_outcome_and_change_has_its_own_words() -> None:
    outcomes = {document_text(replace(SOUND, outcome=each))["outcome"] for each in Outcome}
    changes = {signature_text(replace(SIGNATURE, change=each))["changes after it"] for each in (*LaterChange, None)}

    assert (len(outcomes), len(changes)) == (6, 6)


@pytest.mark.parametrize(
    ("change", "permitted", "text"),
    [
        (LaterChange.NONE, True, "none"),
        (LaterChange.FORM_FILLING, True, "form fields or further signatures, permitted"),
        (LaterChange.FORM_FILLING, False, "form fields or further signatures, not permitted"),
        (LaterChange.OTHER, False, "other changes, not permitted"),
        (None, None, "unknown"),
    ],
)
def test_change_text_says_whether_the_signature_permits_it(
    change: LaterChange | None, permitted: bool | None, text: str
) -> None:
    signature = replace(SIGNATURE, change=change, change_permitted=permitted)

    assert signature_text(signature)["changes after it"] == text


def test_reason_completes_the_outcome() -> None:
    text = document_text(replace(UNREADABLE, reason="it opens with a password only"))["outcome"]

    assert text.endswith("cannot be judged, because it opens with a password only.")


def test_field_change_names_the_signer_who_did_not_see_it() -> None:
    change = FieldChange("Payee", "World Health Organisation", "Attacker", ("Signature", "Gone"))

    assert field_change_texts(replace(SOUND, field_changes=(change,))) == [
        {
            "field": "Payee",
            "before": "World Health Organisation",
            "after": "Attacker",
            "not seen by": "Cellosign (Signature), Gone",
        }
    ]


def test_missing_judgement_is_called_unknown() -> None:
    unknown = replace(SIGNATURE, intact=None, valid=None, signed_at=None)

    text = signature_text(unknown)

    assert (text["intact"], text["valid"], text["signed at"]) == ("unknown", "unknown", None)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02 03:04:05 UTC"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))), "2026-01-02 01:04:05 UTC"),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2))), "0001-01-01T00:00:00+02:00"),
    ],
)
def test_time_is_in_utc_where_utc_can_express_it(moment: datetime, text: str) -> None:
    assert signature_text(replace(SIGNATURE, signed_at=moment))["signed at"] == text


CERTIFICATE = SignerCertificate("Dana", "Test root", "1f", "00", None, datetime(2027, 1, 1, tzinfo=UTC))
SAID_AT = datetime(2026, 1, 2, tzinfo=UTC)
EARLIER = datetime(2026, 1, 1, tzinfo=UTC)


def certificate_text(**said: object) -> dict[str, str | None]:
    (text,) = certificate_texts(replace(SOUND, signatures=(replace(SIGNATURE, **said),)))  # type: ignore[arg-type]
    return text


def test_certificate_and_algorithm_are_named() -> None:
    text = certificate_text(certificate=CERTIFICATE, algorithm="rsa-1024 sha256", strength=Strength.WEAK)

    assert (text["certificate"], text["valid until"]) == ("1f of Test root", "2027-01-01 00:00:00 UTC")
    assert text["algorithm"] == "rsa-1024 sha256, weak"


def test_verdict_of_an_earlier_build_has_unknown_details() -> None:
    text = certificate_text()

    assert (text["certificate"], text["revoked"], text["tier"], text["time from"]) == (
        None,
        "unknown",
        "not judged",
        "unknown",
    )


@pytest.mark.parametrize(
    ("revocation", "text"),
    [
        (Revocation(RevocationStatus.UNKNOWN, reason="nothing was found"), "unknown: nothing was found"),
        (
            Revocation(RevocationStatus.GOOD, "ocsp", SAID_AT),
            "no, by an OCSP answer of 2026-01-02 00:00:00 UTC",
        ),
        (
            Revocation(RevocationStatus.GOOD, "crl", SAID_AT, EARLIER),
            "no, by a CRL of 2026-01-02 00:00:00 UTC; revoked later, at 2026-01-01 00:00:00 UTC",
        ),
        (
            Revocation(RevocationStatus.REVOKED, "crl", SAID_AT, EARLIER),
            "yes, at 2026-01-01 00:00:00 UTC, by a CRL of 2026-01-02 00:00:00 UTC",
        ),
    ],
)
def test_revocation_text_names_its_source(revocation: Revocation, text: str) -> None:
    assert certificate_text(revocation=revocation)["revoked"] == text


def test_trust_text_gives_the_reason() -> None:
    signature = replace(SIGNATURE, trusted=False, trust_reason="its certificate was revoked before it signed")
    verdict = replace(SOUND, trusted=False, signatures=(signature,))

    assert document_text(verdict)["trusted"] == "no: its certificate was revoked before it signed"


def test_every_tier_and_time_source_has_its_own_words() -> None:
    tiers = {certificate_text(tier=each)["tier"] for each in (*Tier, None)}
    sources = {certificate_text(time_source=each)["time from"] for each in (*TimeSource, None)}

    assert (len(tiers), len(sources)) == (6, 4)

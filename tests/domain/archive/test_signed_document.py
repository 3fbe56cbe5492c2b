"""Warnings, words, indications and the validation report that follow from the verdict on a signed document."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from domain.archive.indications import sub_indications
from domain.archive.signed_document import signature_outcome, signers, standing, with_verdict
from domain.archive.validation_report import validation_report
from domain.archive.verdict_text import (
    certificate_texts,
    covered_word_texts,
    document_text,
    field_change_texts,
    signature_texts,
)
from domain.words.catalogue import warned, word
from models.archive.verdict import (
    UNREADABLE,
    Coverage,
    CoveredWords,
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
from models.said import Said, Sentence, because, verbatim
from models.views.archives.archives import ArchiveView, ConditionView
from tests.domain.payloads import read
from tests.samples import sample_document
from tests.validation_reports import read as indications_in

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
UNSIGNED = replace(SOUND, outcome=Outcome.UNSIGNED, signatures=())
REVOKED = because(trust_reason=Sentence.revoked_before())


def signed(**members: Any) -> Verdict:
    """Return a sound verdict with other members of its one signature."""
    return replace(SOUND, signatures=(replace(SIGNATURE, **members),))


@pytest.mark.parametrize(
    ("verdict", "codes"),
    [
        (replace(SOUND, outcome=Outcome.CHANGED), ["SIGNED_DOCUMENT_CHANGED"]),
        (replace(SOUND, outcome=Outcome.BROKEN), ["SIGNED_DOCUMENT_BROKEN"]),
        (replace(SOUND, outcome=Outcome.FIELDS_CHANGED), ["SIGNED_DOCUMENT_FIELDS_CHANGED"]),
        (UNREADABLE, ["SIGNED_DOCUMENT_UNREADABLE"]),
        (UNSIGNED, ["SIGNED_DOCUMENT_UNSIGNED"]),
        (replace(SOUND, trusted=False), ["SIGNED_DOCUMENT_NOT_TRUSTED"]),
        (signed(signed_at=SIGNED_AT - timedelta(days=2)), ["SIGNED_DOCUMENT_TOO_OLD"]),
        (signed(digest="sha1"), ["SIGNED_DOCUMENT_WEAK_DIGEST"]),
        (signed(digest="md5"), ["SIGNED_DOCUMENT_WEAK_DIGEST"]),
        (signed(revocation=Revocation(RevocationStatus.REVOKED)), ["SIGNED_DOCUMENT_REVOKED"]),
        (SOUND, []),
        (replace(SOUND, trusted=True), []),
        (signed(digest="sha512"), []),
        (signed(digest=None), []),
        (signed(revocation=Revocation(RevocationStatus.UNKNOWN)), []),
        (signed(signed_at=SIGNED_AT - timedelta(hours=23)), []),
        (signed(signed_at=datetime.max.replace(tzinfo=UTC)), []),
        (replace(SOUND, signatures=(SIGNATURE, replace(SIGNATURE, signed_at=SIGNED_AT - timedelta(days=9)))), []),
    ],
)
def test_bad_verdict_alone_is_a_warning(verdict: Verdict, codes: list[str]) -> None:
    judged = with_verdict(ARCHIVE, verdict)

    assert judged.signed_document_verdict is verdict
    assert [warning.code for warning in judged.warnings] == codes


def test_warnings_give_the_reason_and_count_fields_and_signers_without_names() -> None:
    changes = (FieldChange("Payee", "A", "B", ("One", "Two")), FieldChange("Payee", "C", "B", ("Three",)))
    untrusted = replace(signed(trusted=False, **REVOKED), trusted=False)

    (changed,) = with_verdict(ARCHIVE, replace(SOUND, outcome=Outcome.FIELDS_CHANGED, field_changes=changes)).warnings
    (warning,) = with_verdict(ARCHIVE, untrusted).warnings

    assert changed.values == {"fields": 1, "signers": 3}
    assert word(warned(warning.code, warning.values)) == (
        "a signature is not trusted: its certificate was revoked before it signed"
    )
    assert with_verdict(replace(ARCHIVE, signatures=()), UNSIGNED).warnings == ()


CHECKED = datetime(2026, 11, 28, tzinfo=UTC)
DAMAGED = ConditionView.model_construct(**dict[str, Any](code="FILE_DAMAGED"))


def archive(state: str = "completed", checked: datetime | None = CHECKED, *conditions: ConditionView) -> ArchiveView:
    facts: dict[str, Any] = {"state": state, "checked_at": checked, "completed_at": CHECKED, "conditions": conditions}
    return ArchiveView.model_construct(**facts)


@pytest.mark.parametrize(
    ("its", "verdict", "said"),
    [
        (archive(), SOUND, "unaltered"),
        (archive("completed", None), SOUND, "unaltered_at_arrival"),
        (archive("completed", CHECKED - timedelta(days=1)), SOUND, "unaltered_at_arrival"),
        (archive(), None, "no_verdict"),
        (archive("failed"), SOUND, "failed"),
        (archive("completed", CHECKED, DAMAGED), SOUND, "FILE_DAMAGED"),
        (archive("failed", None, DAMAGED), None, "FILE_DAMAGED"),
        *((archive(), replace(SOUND, outcome=each), each) for each in Outcome if each is not Outcome.SOUND),
    ],
)
def test_only_a_checked_archive_with_a_sound_document_and_nothing_open_is_unaltered(
    its: ArchiveView, verdict: Verdict | None, said: str
) -> None:
    assert standing(its, verdict) == [said]


def test_signers_are_those_of_intact_signatures_with_the_highest_tier() -> None:
    qualified = replace(SIGNATURE, signer_name="Dana", tier=Tier.QUALIFIED)
    plain = replace(SIGNATURE, field="Other", tier=Tier.PLAIN)
    forged = replace(qualified, signer_name="Ron", intact=False)
    stamped = replace(SIGNATURE, field="Time", is_document_time_stamp=True)

    count, who, tier, number = signers(replace(SOUND, signatures=(qualified, plain, forged, stamped)), ["client"])

    assert (count, who and word(who), tier and tier.code, number) == (2, "Dana, Cellosign", "tier_qualified", 1)
    assert signers(UNSIGNED, ["client"]) == (0, None, None, 0)


@pytest.mark.parametrize(
    ("people", "said"),
    [
        ([], "Cellosign"),
        (["Dana", None, "Dana", "Ron"], "Dana, Ron (as Cellosign says), sealed by Cellosign"),
        (["1", "2", "3", "4"], "1, 2, 3, … (as Cellosign says), sealed by Cellosign"),
        (["Dana", "Cellosign"], "Cellosign"),
    ],
)
def test_people_who_signed_are_named_and_the_service_that_sealed(people: list[str | None], said: str) -> None:
    who = signers(SOUND, people)[1]

    assert who
    assert word(who) == said


FILLED = replace(SOUND, field_changes=(FieldChange("Remarks", "1", "2", ("Signature",)),))
COVERED = replace(SOUND, covered=(CoveredWords(1, "100", "Second", ("Signature",)),))


@pytest.mark.parametrize(
    ("verdict", "members", "outcome"),
    [
        (SOUND, {}, Outcome.SOUND),
        (replace(SOUND, outcome=Outcome.CHANGED), {}, None),
        (replace(SOUND, outcome=Outcome.CHANGED), {"change_permitted": False}, Outcome.CHANGED),
        (replace(SOUND, outcome=Outcome.CHANGED), {"valid": False}, Outcome.BROKEN),
        (replace(SOUND, outcome=Outcome.CHANGED), {"valid": None}, Outcome.UNREADABLE),
        (FILLED, {}, Outcome.FIELDS_CHANGED),
        (COVERED, {}, Outcome.COVERED),
    ],
)
def test_intact_signature_is_sound_only_in_a_sound_document(
    verdict: Verdict, members: dict[str, Any], outcome: Outcome | None
) -> None:
    assert signature_outcome(verdict, replace(SIGNATURE, **members)) is outcome


# --- words -----------------------------------------------------------------------------------------------------------


def document(verdict: Verdict, label: str) -> str | None:
    said = document_text(verdict)[label]
    return word(said) if said else None


def signature_text(label: str, **members: Any) -> str | None:
    """Return what is said of a signature and of its certificate under a label."""
    (of_signature,) = signature_texts(signed(**members))
    (of_certificate,) = certificate_texts(signed(**members))
    said = {**of_signature, **of_certificate}[label]
    return word(said) if said else None


@pytest.mark.parametrize(
    ("verdict", "outcome", "trusted"),
    [
        (
            SOUND,
            "Unchanged since it was signed. Who signed is not proved.",
            "not judged: no trusted roots were configured",
        ),
        (
            replace(signed(trusted=False, **REVOKED), trusted=False),
            "Unchanged since it was signed. Who signed is not proved.",
            "no: its certificate was revoked before it signed",
        ),
        (
            replace(SOUND, trusted=True),
            "Unchanged since it was signed. Who signed is proved. When is not: only the signer says so.",
            "yes",
        ),
        (
            replace(signed(trusted=True, time_source=TimeSource.TIME_STAMP), trusted=True),
            "Sound: unchanged since it was signed. Who signed is proved, and when.",
            "yes",
        ),
        (UNSIGNED, "Unsigned: the document has no digital signature.", "unknown"),
        (
            replace(UNREADABLE, **because(reason=Sentence.password_needed())),
            "Unreadable: the signatures of the document cannot be judged, because it opens with a password only.",
            "unknown",
        ),
    ],
)
def test_headline_leads_with_the_weakest_of_integrity_trust_and_time(
    verdict: Verdict, outcome: str, trusted: str
) -> None:
    assert (document(verdict, "outcome"), document(verdict, "trusted")) == (outcome, trusted)


def test_every_value_has_its_own_words() -> None:
    words: list[tuple[int, set[str | None]]] = [
        (7, {document(replace(SOUND, outcome=each), "outcome") for each in Outcome}),
        (6, {signature_text("changes after it", change=each) for each in (*LaterChange, None)}),
        (6, {signature_text("tier", tier=each) for each in (*Tier, None)}),
        (4, {signature_text("time from", time_source=each) for each in (*TimeSource, None)}),
    ]

    for count, said in words:
        assert len(said) == count, said


LEAST = "electronic signature (Electronic Signature Law, 5761-2001)"
UNKNOWN = f"{LEAST}, not known whether secure or certified"
CERTIFICATE = SignerCertificate("Dana\x00 Levi", "A CA", "1f", "ab" * 32, None, datetime(2027, 1, 1, tzinfo=UTC))
EARLIER, SAID_AT = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
IN_ISRAEL = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("label", "members", "text"),
    [
        ("changes after it", {}, "none"),
        (
            "changes after it",
            {"change": LaterChange.FORM_FILLING},
            "form fields or further signatures, permitted",
        ),
        (
            "changes after it",
            {"change": LaterChange.FORM_FILLING, "change_permitted": False},
            "form fields or further signatures, not permitted",
        ),
        ("changes after it", {"change": None, "change_permitted": None}, "unknown"),
        ("intact", {"intact": None}, "unknown"),
        ("valid", {"valid": None}, "unknown"),
        ("signed at", {"signed_at": None}, None),
        ("signed at", {"signed_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=IN_ISRAEL)}, "2026-01-02 01:04:05 UTC"),
        ("signed at", {"signed_at": datetime(1, 1, 1, tzinfo=IN_ISRAEL)}, "0001-01-01T00:00:00+02:00"),
        ("certified by", {}, "unknown"),
        ("certified by", {"certificate": CERTIFICATE}, "A CA (certificate 1f)"),
        ("valid until", {"certificate": CERTIFICATE}, "2027-01-01 00:00:00 UTC"),
        (
            "algorithm",
            {"algorithm": "rsa-1024 sha256", "strength": Strength.WEAK},
            "rsa-1024 sha256, weak",
        ),
        ("tier", {"trusted": True}, f"{UNKNOWN}: no trust list was given"),
        ("tier", because(trust_reason=Sentence.no_roots()), f"{UNKNOWN}: no trusted roots were configured"),
        ("tier", {"tier": Tier.PLAIN}, f"{LEAST}; no trust list says secure or certified"),
        ("tier", {"tier": Tier.CERTIFIED}, f"certified {LEAST}, by the trust list"),
        ("tier", {"is_document_time_stamp": True}, None),
        ("tier", {"tier": Tier.PLAIN, "valid": False}, None),
        ("revoked", {}, "unknown"),
        (
            "revoked",
            {"revocation": Revocation(RevocationStatus.UNKNOWN, **because(reason=verbatim("nothing was found")))},
            "unknown: nothing was found",
        ),
        (
            "revoked",
            {"revocation": Revocation(RevocationStatus.GOOD, "ocsp", SAID_AT)},
            "no, by an OCSP answer of 2026-01-02 00:00:00 UTC",
        ),
        (
            "revoked",
            {"revocation": Revocation(RevocationStatus.GOOD, "crl", SAID_AT, EARLIER)},
            "no, by a CRL of 2026-01-02 00:00:00 UTC; revoked later, at 2026-01-01 00:00:00 UTC",
        ),
        (
            "revoked",
            {"revocation": Revocation(RevocationStatus.REVOKED, "crl", SAID_AT, EARLIER)},
            "yes, at 2026-01-01 00:00:00 UTC, by a CRL of 2026-01-02 00:00:00 UTC",
        ),
    ],
)
def test_signature_and_certificate_are_said_with_reason_and_source(
    label: str, members: dict[str, Any], text: str | None
) -> None:
    assert signature_text(label, **members) == text


def test_changed_fields_and_covered_words_name_the_signers_who_did_not_see_them() -> None:
    change = FieldChange("Payee", "World Health Organisation", "Attacker", ("Signature", "Gone"))
    covered = CoveredWords(2, "I owe you 100", "Signature", ("First",))

    assert field_change_texts(replace(SOUND, field_changes=(change,))) == [
        {
            "field": "Payee",
            "before": "World Health Organisation",
            "after": "Attacker",
            "not seen by": "Cellosign (Signature), Gone",
        }
    ]
    assert covered_word_texts(replace(SOUND, covered=(covered,))) == [
        {
            "page": "2",
            "words": "I owe you 100",
            "below the stamp of": "Cellosign (Signature)",
            "seen uncovered by": "First",
        }
    ]


# --- the indications of EN 319 102-1, and the report that says them ---------------------------------------------------

ARRIVED_AT, JUDGED_AT = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "trusted": True,
    "strength": Strength.STRONG,
    "revocation": Revocation(RevocationStatus.GOOD, "ocsp"),
}
UNTRUSTED: dict[str, Any] = GOOD | {"trusted": False}
STAMPED: dict[str, Any] = {"time_source": TimeSource.TIME_STAMP}


def verdict_of(outcome: Outcome = Outcome.SOUND, why: Said | None = None, **signature: Any) -> Verdict:
    return replace(signed(**because(trust_reason=why) | signature), outcome=outcome)


NO_CHAIN, NO_POE = "INDETERMINATE, NO_CERTIFICATE_CHAIN_FOUND", "INDETERMINATE, OUT_OF_BOUNDS_NO_POE"
CHANGED, GENERIC = "INDETERMINATE, SIG_CONSTRAINTS_FAILURE", "INDETERMINATE, GENERIC"
CASES: list[tuple[Verdict, str]] = [
    (verdict_of(**GOOD), "TOTAL-PASSED"),
    (replace(verdict_of(Outcome.COVERED, **GOOD), covered=COVERED.covered), "TOTAL-PASSED"),
    (replace(verdict_of(Outcome.FIELDS_CHANGED, **GOOD), field_changes=FILLED.field_changes), "TOTAL-PASSED"),
    (verdict_of(**GOOD | {"revocation": Revocation(RevocationStatus.UNKNOWN)}), "INDETERMINATE, TRY_LATER"),
    (verdict_of(**GOOD | {"revocation": None}), "INDETERMINATE, TRY_LATER"),
    (verdict_of(**GOOD | {"strength": Strength.WEAK}), "INDETERMINATE, CRYPTO_CONSTRAINTS_FAILURE_NO_POE"),
    (verdict_of(**GOOD | STAMPED | {"strength": Strength.WEAK}), "INDETERMINATE, CRYPTO_CONSTRAINTS_FAILURE"),
    (verdict_of(why=Sentence.no_roots(), trusted=None), NO_CHAIN),
    (verdict_of(why=Sentence.untrusted_root(), **UNTRUSTED), NO_CHAIN),
    (verdict_of(why=Sentence.invalid_then(), **UNTRUSTED), NO_POE),
    (verdict_of(why=Sentence.expired_then(), **UNTRUSTED), NO_POE),
    (verdict_of(why=Sentence.expired_unproven(), **UNTRUSTED | {"trusted": None}), NO_POE),
    (verdict_of(why=Sentence.not_valid_yet(), **UNTRUSTED), "INDETERMINATE, NOT_YET_VALID"),
    (verdict_of(why=Sentence.weak_algorithm(), **UNTRUSTED), "INDETERMINATE, CRYPTO_CONSTRAINTS_FAILURE"),
    (verdict_of(why=Sentence.not_for_this_use(), **UNTRUSTED), "INDETERMINATE, CHAIN_CONSTRAINTS_FAILURE"),
    (verdict_of(why=Sentence.issuer_revoked(), **UNTRUSTED), "INDETERMINATE, REVOKED_CA_NO_POE"),
    (verdict_of(why=Sentence.revoked_before(), **UNTRUSTED | STAMPED), "INDETERMINATE, REVOKED_NO_POE"),
    (verdict_of(why=Sentence.revoked_unproven(), **UNTRUSTED | {"trusted": None}), "INDETERMINATE, REVOKED_NO_POE"),
    (verdict_of(**UNTRUSTED), "INDETERMINATE, CERTIFICATE_CHAIN_GENERAL_FAILURE"),
    (verdict_of(Outcome.BROKEN, **GOOD | {"intact": False, "valid": False}), "TOTAL-FAILED, HASH_FAILURE"),
    (verdict_of(Outcome.BROKEN, why=Sentence.not_valid(), valid=False), "TOTAL-FAILED, SIG_CRYPTO_FAILURE"),
    (
        verdict_of(Outcome.CHANGED, **GOOD | {"coverage": Coverage.UNCLEAR, "change_permitted": False}),
        "TOTAL-FAILED, FORMAT_FAILURE",
    ),
    (verdict_of(Outcome.CHANGED, **GOOD | {"change_permitted": False}), CHANGED),
    (verdict_of(Outcome.CHANGED, **GOOD), CHANGED),  # a signature was removed
    (replace(SOUND, outcome=Outcome.CHANGED, signatures=()), CHANGED),
    (verdict_of(Outcome.UNREADABLE, intact=None, valid=None, trusted=False), GENERIC),
    (verdict_of(Outcome.UNREADABLE, **GOOD), GENERIC),  # it has a signature that no field leads to
    (UNREADABLE, GENERIC),
]


@pytest.mark.parametrize(("verdict", "expected"), CASES)
def test_indication_follows_from_outcome_and_trust_and_is_read_back_from_the_report(
    verdict: Verdict, expected: str
) -> None:
    [main, *sub] = expected.split(", ")
    report = validation_report(verdict, "0c" * 32, JUDGED_AT, ARRIVED_AT)

    assert [each for _, each in sub_indications(verdict)] == [sub[0] if sub else None]
    assert report is not None
    assert indications_in(report) == [(main.lower(), sub[0] if sub else None)]


def test_signature_over_a_changed_document_keeps_its_own_indication_and_an_unsigned_document_has_no_report() -> None:
    first, second = (verdict_of(**GOOD, change_permitted=each).signatures[0] for each in (False, True))

    found = sub_indications(replace(SOUND, outcome=Outcome.CHANGED, signatures=(first, second)))

    assert [each for _, each in found] == ["SIG_CONSTRAINTS_FAILURE", None]
    assert validation_report(UNSIGNED, "0c" * 32, JUDGED_AT, ARRIVED_AT) is None


def test_report_names_times_certificate_and_revocation_and_is_the_same_each_time() -> None:
    its: dict[str, Any] = {
        "revocation": Revocation(RevocationStatus.REVOKED, "crl", JUDGED_AT, ARRIVED_AT),
        "certificate": CERTIFICATE,
        "signer_name": CERTIFICATE.subject,
        "tier": Tier.PLAIN,
    }
    one = verdict_of(why=Sentence.revoked_before(), **UNTRUSTED | STAMPED | its)
    stamp = replace(verdict_of(**GOOD | STAMPED).signatures[0], is_document_time_stamp=True)
    both = replace(one, signatures=(*one.signatures, stamp))

    report = validation_report(both, "0c" * 32, JUDGED_AT, ARRIVED_AT)

    assert report is not None
    assert report == validation_report(both, "0c" * 32, JUDGED_AT, ARRIVED_AT)
    assert indications_in(report) == [("indeterminate", "REVOKED_NO_POE"), ("passed", None)]
    for text in ("2026-02-03T04:05:06.000789", "Dana\ufffd Levi", "2026-01-02T00:00:00", "its certificate was revoked"):
        assert text in report.decode()

"""Warnings from the verdict on a signed document: each code has a case, and there are near misses."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.archive.signed_document import signature_outcome, signers, standing, with_verdict
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
    Tier,
    Verdict,
)
from models.said import Sentence, because
from models.views.archives.archives import ArchiveView, ConditionView
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
    signature = replace(SIGNATURE, trusted=False, **because(trust_reason=Sentence.revoked_before()))

    (warning,) = with_verdict(ARCHIVE, replace(SOUND, trusted=False, signatures=(signature,))).warnings

    assert word(warned(warning.code, warning.values)) == (
        "a signature is not trusted: its certificate was revoked before it signed"
    )


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

    assert warning.values == {"fields": 1, "signers": 3}


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
        sealed_at(datetime.max.replace(tzinfo=UTC)),
        replace(SOUND, signatures=(SIGNATURE, replace(SIGNATURE, signed_at=SIGNED_AT - timedelta(days=9)))),
    ],
)
def test_sound_document_brings_no_warning(verdict: Verdict) -> None:
    assert codes(verdict) == []


def test_unsigned_document_without_listed_signatures_brings_no_warning() -> None:
    unsigned = replace(SOUND, outcome=Outcome.UNSIGNED, signatures=())

    assert with_verdict(replace(ARCHIVE, signatures=()), unsigned).warnings == ()


CHECKED = datetime(2026, 11, 28, tzinfo=UTC)
ONE: dict[str, Any] = {"code": "FILE_DAMAGED"}
DAMAGED = ConditionView.model_construct(**ONE)


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
    assert signers(replace(SOUND, signatures=()), ["client"]) == (0, None, None, 0)


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


def test_intact_signature_is_sound_only_in_a_sound_document() -> None:
    changed = replace(SOUND, outcome=Outcome.CHANGED)
    filled = FieldChange("Remarks", "1", "2", ("Signature",))

    assert signature_outcome(SOUND, SIGNATURE) is Outcome.SOUND
    assert signature_outcome(changed, SIGNATURE) is None
    assert signature_outcome(changed, replace(SIGNATURE, change_permitted=False)) is Outcome.CHANGED
    assert signature_outcome(changed, replace(SIGNATURE, valid=False)) is Outcome.BROKEN
    assert signature_outcome(changed, replace(SIGNATURE, valid=None)) is Outcome.UNREADABLE
    assert signature_outcome(replace(SOUND, field_changes=(filled,)), SIGNATURE) is Outcome.FIELDS_CHANGED
    covered = CoveredWords(1, "100", "Second", ("Signature",))
    assert signature_outcome(replace(SOUND, covered=(covered,)), SIGNATURE) is Outcome.COVERED

"""The indications of EN 319 102-1 that follow from a verdict, and the report that says them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.archive.indications import sub_indications
from domain.archive.validation_report import validation_report
from models.archive.verdict import (
    UNREADABLE,
    Coverage,
    CoveredWords,
    FieldChange,
    Outcome,
    Revocation,
    RevocationStatus,
    SignerCertificate,
    Strength,
    Tier,
    TimeSource,
    Verdict,
)
from models.said import Said, Sentence, because
from tests.domain.archive.test_signed_document import SIGNATURE, SOUND
from tests.validation_reports import read

ARRIVED_AT, JUDGED_AT = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "trusted": True,
    "strength": Strength.STRONG,
    "revocation": Revocation(RevocationStatus.GOOD, "ocsp"),
}
UNTRUSTED: dict[str, Any] = GOOD | {"trusted": False}
STAMPED: dict[str, Any] = {"time_source": TimeSource.TIME_STAMP}
CERTIFICATE = SignerCertificate("Dana\x00 Levi", "A CA", "1f", "ab" * 32, None, None)


def verdict(outcome: Outcome = Outcome.SOUND, why: Said | None = None, **signature: Any) -> Verdict:
    its = because(trust_reason=why) | signature
    return replace(SOUND, outcome=outcome, signatures=(replace(SIGNATURE, **its),))


NO_CHAIN, NO_POE = "INDETERMINATE, NO_CERTIFICATE_CHAIN_FOUND", "INDETERMINATE, OUT_OF_BOUNDS_NO_POE"
CHANGED, UNKNOWN = "INDETERMINATE, SIG_CONSTRAINTS_FAILURE", "INDETERMINATE, GENERIC"
CASES: list[tuple[Verdict, str]] = [
    (verdict(**GOOD), "TOTAL-PASSED"),
    (replace(verdict(Outcome.COVERED, **GOOD), covered=(CoveredWords(1, "100", "B", ("Signature",)),)), "TOTAL-PASSED"),
    (
        replace(verdict(Outcome.FIELDS_CHANGED, **GOOD), field_changes=(FieldChange("a", "1", "2", ("Signature",)),)),
        "TOTAL-PASSED",
    ),
    (verdict(**GOOD | {"revocation": Revocation(RevocationStatus.UNKNOWN)}), "INDETERMINATE, TRY_LATER"),
    (verdict(**GOOD | {"revocation": None}), "INDETERMINATE, TRY_LATER"),
    (verdict(**GOOD | {"strength": Strength.WEAK}), "INDETERMINATE, CRYPTO_CONSTRAINTS_FAILURE_NO_POE"),
    (verdict(**GOOD | STAMPED | {"strength": Strength.WEAK}), "INDETERMINATE, CRYPTO_CONSTRAINTS_FAILURE"),
    (verdict(why=Sentence.no_roots(), trusted=None), NO_CHAIN),
    (verdict(why=Sentence.untrusted_root(), **UNTRUSTED), NO_CHAIN),
    (verdict(why=Sentence.invalid_then(), **UNTRUSTED), NO_POE),
    (verdict(why=Sentence.expired_then(), **UNTRUSTED), NO_POE),
    (verdict(why=Sentence.expired_unproven(), **UNTRUSTED | {"trusted": None}), NO_POE),
    (verdict(why=Sentence.not_valid_yet(), **UNTRUSTED), "INDETERMINATE, NOT_YET_VALID"),
    (verdict(why=Sentence.weak_algorithm(), **UNTRUSTED), "INDETERMINATE, CRYPTO_CONSTRAINTS_FAILURE"),
    (verdict(why=Sentence.not_for_this_use(), **UNTRUSTED), "INDETERMINATE, CHAIN_CONSTRAINTS_FAILURE"),
    (verdict(why=Sentence.issuer_revoked(), **UNTRUSTED), "INDETERMINATE, REVOKED_CA_NO_POE"),
    (verdict(why=Sentence.revoked_before(), **UNTRUSTED | STAMPED), "INDETERMINATE, REVOKED_NO_POE"),
    (verdict(why=Sentence.revoked_unproven(), **UNTRUSTED | {"trusted": None}), "INDETERMINATE, REVOKED_NO_POE"),
    (verdict(**UNTRUSTED), "INDETERMINATE, CERTIFICATE_CHAIN_GENERAL_FAILURE"),
    (verdict(Outcome.BROKEN, **GOOD | {"intact": False, "valid": False}), "TOTAL-FAILED, HASH_FAILURE"),
    (verdict(Outcome.BROKEN, why=Sentence.not_valid(), valid=False), "TOTAL-FAILED, SIG_CRYPTO_FAILURE"),
    (
        verdict(Outcome.CHANGED, **GOOD | {"coverage": Coverage.UNCLEAR, "change_permitted": False}),
        "TOTAL-FAILED, FORMAT_FAILURE",
    ),
    (verdict(Outcome.CHANGED, **GOOD | {"change_permitted": False}), CHANGED),
    (verdict(Outcome.CHANGED, **GOOD), CHANGED),  # a signature was removed
    (replace(SOUND, outcome=Outcome.CHANGED, signatures=()), CHANGED),
    (verdict(Outcome.UNREADABLE, intact=None, valid=None, trusted=False), UNKNOWN),
    (verdict(Outcome.UNREADABLE, **GOOD), UNKNOWN),  # it has a signature that no field leads to
    (UNREADABLE, UNKNOWN),
]


@pytest.mark.parametrize(("verdict", "expected"), CASES)
def test_indication_follows_from_outcome_and_trust_and_is_read_back_from_the_report(
    verdict: Verdict, expected: str
) -> None:
    [main, *sub] = expected.split(", ")
    report = validation_report(verdict, "0c" * 32, JUDGED_AT, ARRIVED_AT)

    assert [each for _, each in sub_indications(verdict)] == [sub[0] if sub else None]
    assert report is not None
    assert read(report) == [(main.lower(), sub[0] if sub else None)]


def test_signature_over_a_changed_document_keeps_its_own_indication() -> None:
    first, second = (verdict(**GOOD, change_permitted=each).signatures[0] for each in (False, True))

    found = sub_indications(replace(SOUND, outcome=Outcome.CHANGED, signatures=(first, second)))

    assert [each for _, each in found] == ["SIG_CONSTRAINTS_FAILURE", None]


def test_report_names_times_certificate_and_revocation_and_is_the_same_each_time() -> None:
    revoked = Revocation(RevocationStatus.REVOKED, "crl", JUDGED_AT, ARRIVED_AT)
    its: dict[str, Any] = {
        "revocation": revoked,
        "certificate": CERTIFICATE,
        "signer_name": CERTIFICATE.subject,
        "tier": Tier.PLAIN,
    }
    one = verdict(why=Sentence.revoked_before(), **UNTRUSTED | STAMPED | its)
    stamp = replace(verdict(**GOOD | STAMPED).signatures[0], is_document_time_stamp=True)
    both = replace(one, signatures=(*one.signatures, stamp))

    report = validation_report(both, "0c" * 32, JUDGED_AT, ARRIVED_AT)

    assert report is not None
    assert report == validation_report(both, "0c" * 32, JUDGED_AT, ARRIVED_AT)
    assert read(report) == [("indeterminate", "REVOKED_NO_POE"), ("passed", None)]
    for text in ("2026-02-03T04:05:06.000789", "Dana\ufffd Levi", "2026-01-02T00:00:00", "its certificate was revoked"):
        assert text in report.decode()


def test_unsigned_document_has_no_report() -> None:
    unsigned = replace(SOUND, outcome=Outcome.UNSIGNED, signatures=())

    assert validation_report(unsigned, "0c" * 32, JUDGED_AT, ARRIVED_AT) is None

"""The verdict on a signed document in words, for every value it may have."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from domain.archive.verdict_text import (
    Judgements,
    certificate_texts,
    covered_word_texts,
    document_text,
    field_change_texts,
    signature_texts,
)
from domain.words.catalogue import word
from models.archive.verdict import (
    UNREADABLE,
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
from models.said import Sentence, because, verbatim
from tests.domain.archive.test_signed_document import SIGNATURE, SOUND


def in_english(judgements: Judgements) -> dict[str, str | None]:
    return {label: word(each) if each else None for label, each in judgements.items()}


def document(verdict: Verdict) -> dict[str, str | None]:
    return in_english(document_text(verdict))


def signature_text(signature: SignatureVerdict) -> dict[str, str | None]:
    (found,) = signature_texts(replace(SOUND, signatures=(signature,)))
    return in_english(found)


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
    assert document(verdict)["trusted"] == trusted


STAMPED = replace(SIGNATURE, trusted=True, time_source=TimeSource.TIME_STAMP)


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (SOUND, "Unchanged since it was signed. Who signed is not proved."),
        (replace(SOUND, trusted=False), "Unchanged since it was signed. Who signed is not proved."),
        (
            replace(SOUND, trusted=True),
            "Unchanged since it was signed. Who signed is proved. When is not: only the signer says so.",
        ),
        (
            replace(SOUND, trusted=True, signatures=(STAMPED,)),
            "Sound: unchanged since it was signed. Who signed is proved, and when.",
        ),
        (replace(SOUND, outcome=Outcome.UNSIGNED), "Unsigned: the document has no digital signature."),
    ],
)
def test_headline_leads_with_the_weakest_of_integrity_trust_and_time(verdict: Verdict, said: str) -> None:
    assert document(verdict)["outcome"] == said


def test_every_outcome_and_change_has_its_own_words() -> None:
    outcomes = {document(replace(SOUND, outcome=each))["outcome"] for each in Outcome}
    changes = {signature_text(replace(SIGNATURE, change=each))["changes after it"] for each in (*LaterChange, None)}

    assert (len(outcomes), len(changes)) == (7, 6)


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
    text = document(replace(UNREADABLE, **because(reason=Sentence.password_needed())))["outcome"]

    assert text is not None
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


def test_covered_words_name_the_later_signer_and_who_saw_them() -> None:
    covered = CoveredWords(2, "I owe you 100", "Signature", ("First",))

    assert covered_word_texts(replace(SOUND, covered=(covered,))) == [
        {
            "page": "2",
            "words": "I owe you 100",
            "below the stamp of": "Cellosign (Signature)",
            "seen uncovered by": "First",
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


def certificate_text(**members: object) -> dict[str, str | None]:
    (found,) = certificate_texts(replace(SOUND, signatures=(replace(SIGNATURE, **members),)))  # type: ignore[arg-type]
    return in_english(found)


def test_certificate_and_algorithm_are_named() -> None:
    text = certificate_text(certificate=CERTIFICATE, algorithm="rsa-1024 sha256", strength=Strength.WEAK)

    assert (text["certified by"], text["valid until"]) == ("Test root (certificate 1f)", "2027-01-01 00:00:00 UTC")
    assert text["algorithm"] == "rsa-1024 sha256, weak"


def test_verdict_of_an_earlier_build_has_unknown_details() -> None:
    text = certificate_text()

    assert {text[label] for label in ("certified by", "revoked", "time from")} == {"unknown"}
    assert text["tier"] == UNKNOWN


LEAST = "electronic signature (Electronic Signature Law, 5761-2001)"
UNKNOWN = f"{LEAST}, not known whether secure or certified"


@pytest.mark.parametrize(
    ("members", "tier"),
    [
        ({"trusted": True}, f"{UNKNOWN}: no trust list was given"),
        (
            {"trusted": None, **because(trust_reason=Sentence.no_roots())},
            f"{UNKNOWN}: no trusted roots were configured",
        ),
        ({"tier": Tier.PLAIN}, f"{LEAST}; no trust list says secure or certified"),
        ({"tier": Tier.CERTIFIED}, f"certified {LEAST}, by the trust list"),
        ({"is_document_time_stamp": True}, None),
        ({"tier": Tier.PLAIN, "valid": False}, None),
    ],
)
def test_rank_of_a_signature_is_said_with_the_reason_if_it_is_unknown(
    members: dict[str, object], tier: str | None
) -> None:
    assert certificate_text(**members)["tier"] == tier


@pytest.mark.parametrize(
    ("revocation", "text"),
    [
        (
            Revocation(RevocationStatus.UNKNOWN, **because(reason=verbatim("nothing was found"))),
            "unknown: nothing was found",
        ),
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
    signature = replace(SIGNATURE, trusted=False, **because(trust_reason=Sentence.revoked_before()))
    verdict = replace(SOUND, trusted=False, signatures=(signature,))

    assert document(verdict)["trusted"] == "no: its certificate was revoked before it signed"


def test_every_tier_and_time_source_has_its_own_words() -> None:
    tiers = {certificate_text(tier=each)["tier"] for each in (*Tier, None)}
    sources = {certificate_text(time_source=each)["time from"] for each in (*TimeSource, None)}

    assert (len(tiers), len(sources)) == (6, 4)

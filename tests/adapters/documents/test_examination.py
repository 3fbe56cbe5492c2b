"""The verdict on a signed document: real PDFs, real signatures, a real child process."""

import json
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyhanko.sign.fields import MDPPerm

from adapters.documents import examination
from adapters.documents.examination import examine
from models.archive.verdict import Coverage, LaterChange, Outcome, Verdict, verdict_as_json
from models.errors import Transient
from tests import pdfs
from tests.adapters.documents.conftest import Judge
from tests.adapters.documents.corpus.identities import signer
from tests.adapters.documents.corpus.recipes import made

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


# Signed, and untouched


def test_document_signed_once_is_sound_and_wholly_covered(judge: Judge) -> None:
    verdict = judge(pdfs.signed(pdfs.form()))

    assert replace(verdict, signatures=()) == Verdict(
        outcome=Outcome.SOUND,
        intact=True,
        valid=True,
        locked=False,
        covers_whole_file=True,
        changed_after_signing=False,
        trusted=None,
        signatures=(),
    )


def test_signature_names_its_field_signer_and_time(judge: Judge) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    verdict = judge(pdfs.signed(pdfs.form()))

    (signature,) = verdict.signatures
    assert (signature.field, signature.is_document_time_stamp) == ("First", False)
    assert (signature.signer_name, signature.signer_organization) == (pdfs.SIGNER_NAME, pdfs.SIGNER_ORGANIZATION)
    assert (signature.coverage, signature.change, signature.change_permitted) == (Coverage.FILE, LaterChange.NONE, True)
    assert signature.signed_at
    assert before <= signature.signed_at <= datetime.now(UTC)


def test_time_of_signing_comes_from_the_time_stamp(judge: Judge) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    verdict = judge(pdfs.signed(pdfs.form(), stamper=pdfs.time_stamper(at)), [pdfs.authority()])

    assert (verdict.outcome, [signature.signed_at for signature in verdict.signatures]) == (Outcome.SOUND, [at])


@pytest.mark.parametrize("digest", ["sha1", "sha512"])
def test_signature_reports_its_digest_algorithm(judge: Judge, digest: str) -> None:
    verdict = judge(pdfs.signed_over(pdfs.form(), digest))

    assert (verdict.outcome, [signature.digest for signature in verdict.signatures]) == (Outcome.SOUND, [digest])


def test_verdict_is_json(judge: Judge) -> None:
    verdict = judge(pdfs.signed(pdfs.form()))

    shown = json.loads(json.dumps(verdict_as_json(verdict)))

    assert (shown["outcome"], shown["covers_whole_file"], shown["trusted"]) == ("sound", True, None)
    assert datetime.fromisoformat(shown["signatures"][0]["signed_at"]) == verdict.signatures[0].signed_at


@pytest.mark.parametrize(("permitted", "locked"), [(MDPPerm.NO_CHANGES, True), (MDPPerm.FILL_FORMS, False)])
def test_document_whose_author_allows_no_changes_is_locked(judge: Judge, permitted: MDPPerm, locked: bool) -> None:
    verdict = judge(pdfs.signed(pdfs.form(), certify=permitted))

    assert (verdict.outcome, verdict.locked) == (Outcome.SOUND, locked)


def test_encrypted_document_with_a_mac_that_opens_without_a_password_is_judged(judge: Judge) -> None:
    pdf = pdfs.encrypted_for_all()

    assert judge(pdf).outcome is Outcome.UNSIGNED
    assert judge(pdfs.filled(pdf)).outcome is Outcome.UNSIGNED
    assert judge(pdfs.signed(pdf)).outcome is Outcome.SOUND
    assert judge(pdfs.signed(pdfs.signed(pdf), "Second")).outcome is Outcome.SOUND
    assert judge(pdfs.filled(pdfs.signed(pdf))).outcome is Outcome.SOUND
    assert judge(pdfs.edited(pdfs.signed(pdf))).outcome is Outcome.CHANGED


# Permitted updates


def test_several_signatures_are_sound(judge: Judge) -> None:
    first = pdfs.signed(pdfs.form(), "First")

    verdict = judge(pdfs.signed(pdfs.signed(first, "Second"), "Third", by=pdfs.identity("Third person")))

    assert (verdict.outcome, verdict.covers_whole_file) == (Outcome.SOUND, True)
    assert [(one.field, one.coverage, one.change) for one in verdict.signatures] == [
        ("First", Coverage.REVISION, LaterChange.FORM_FILLING),
        ("Second", Coverage.REVISION, LaterChange.FORM_FILLING),
        ("Third", Coverage.FILE, LaterChange.NONE),
    ]


def test_document_time_stamp_is_distinguished_from_a_signature(judge: Judge) -> None:
    verdict = judge(pdfs.time_stamped(pdfs.signed(pdfs.form())))

    assert [(one.is_document_time_stamp, one.change) for one in verdict.signatures] == [
        (False, LaterChange.ARCHIVAL),
        (True, LaterChange.NONE),
    ]
    assert verdict.covers_whole_file


def test_update_after_the_last_signature_is_not_covered(judge: Judge) -> None:
    verdict = judge(pdfs.with_validation_data(pdfs.signed(pdfs.form())))

    assert (verdict.outcome, verdict.covers_whole_file) == (Outcome.SOUND, False)


# Changed after signing


OVERLOOKED = (
    "comment appended",
    "old end appended",
    "update that the chain leaves out",
    "wrapped around another document",
)


@pytest.mark.parametrize("change", OVERLOOKED)
def test_change_that_pyhanko_alone_overlooks_is_detected(judge: Judge, change: str) -> None:
    pdf = made(f"form + signed + {change}")
    verdict = judge(pdf)

    assert pdfs.bottom_line(pdf, signer("root").certificate)
    assert (verdict.outcome, verdict.changed_after_signing) == (Outcome.CHANGED, True)
    assert (verdict.intact, verdict.valid) == (True, True)


def test_replaced_signature_is_a_change(judge: Judge) -> None:
    stranger = pdfs.identity("Stranger", root="Another root")

    verdict = judge(pdfs.signed(pdfs.edited(pdfs.without_signature(pdfs.signed(pdfs.form()))), by=stranger))

    assert [each.signer_name for each in verdict.signatures] == ["Stranger"]
    assert (verdict.outcome, verdict.changed_after_signing) == (Outcome.CHANGED, True)
    assert (verdict.intact, verdict.valid) == (True, True)


# Broken


@pytest.mark.parametrize("place", [0.001, 0.01, 0.95, 0.99])
@pytest.mark.parametrize("mask", [0x01, 0xFF])
def test_damaged_signature_value_is_broken_or_cannot_be_judged(judge: Judge, place: float, mask: int) -> None:
    signed = pdfs.signed(pdfs.form())
    start, end = pdfs.value_range(signed)
    used, pdf = len(signed[start:end].rstrip(b"0")), bytearray(signed)
    pdf[start + int(place * used)] ^= mask

    verdict = judge(bytes(pdf))

    assert (verdict.outcome, verdict.valid) in ((Outcome.BROKEN, False), (Outcome.UNREADABLE, None))
    assert bool(verdict.reason) == (verdict.outcome is Outcome.UNREADABLE)


def test_one_broken_signature_of_two_makes_the_document_broken(judge: Judge) -> None:
    pdf = pdfs.signed(pdfs.signed(pdfs.form()), "Second")

    verdict = judge(pdf.replace(b"/T (Second)", b"/T (Sekond)"))

    assert verdict.outcome is Outcome.BROKEN
    assert [one.intact for one in verdict.signatures] == [True, False]


@pytest.mark.parametrize("roots", [[], [pdfs.authority()]], ids=["no roots", "a root"])
def test_time_stamp_of_other_data_is_broken(judge: Judge, roots: Sequence[pdfs.Identity]) -> None:
    stamper = pdfs.time_stamper(LONG_AGO)
    pdf = pdfs.with_time_stamp_put_in(pdfs.signed(pdfs.form()), stamper, stamped=b"something else")

    verdict = judge(pdf, roots)

    assert (verdict.outcome, verdict.intact, verdict.valid) == (Outcome.BROKEN, True, False)
    assert not verdict.trusted
    assert verdict.signatures[0].signed_at != LONG_AGO


def test_damaged_time_stamp_is_broken(judge: Judge) -> None:
    pdf = bytearray(pdfs.signed(pdfs.form(), stamper=pdfs.time_stamper()))
    start, end = pdfs.value_range(bytes(pdf))
    place = start + len(pdf[start:end].rstrip(b"0")) - 100  # the token ends with its own signature
    pdf[place] = ord("1" if pdf[place] == ord("0") else "0")

    verdict = judge(bytes(pdf))

    assert (verdict.outcome, verdict.valid) == (Outcome.BROKEN, False)


# Unsigned, unreadable


def test_document_without_signatures_is_unsigned(judge: Judge) -> None:
    assert judge(pdfs.form()) == Verdict(
        outcome=Outcome.UNSIGNED,
        intact=None,
        valid=None,
        locked=False,
        covers_whole_file=False,
        changed_after_signing=False,
        trusted=None,
        signatures=(),
    )


UNREADABLES = {
    "empty": lambda: b"",
    "one byte": lambda: b"%",
    "no PDF": lambda: b"<html>not a PDF</html>" * 100,
    "header only": lambda: b"%PDF-1.7\n",
    "password not known": pdfs.encrypted,
    "no catalogue": lambda: pdfs.document([b"null"]),
    "way to the signature damaged": lambda: pdfs.signed(pdfs.form()).replace(b"/AcroForm", b"/AcroGorm"),
    "kind of signature not known": lambda: pdfs.signed(pdfs.form()).replace(
        b"/SubFilter /adbe.pkcs7.detached", b"/SubFilter /adbe.x509.rsa_sha1"
    ),
}


@pytest.mark.parametrize("document", UNREADABLES.values(), ids=UNREADABLES)
def test_document_that_cannot_be_judged_is_unreadable(judge: Judge, document: Callable[[], bytes]) -> None:
    verdict = judge(document())

    assert (verdict.outcome, verdict.intact, verdict.valid) == (Outcome.UNREADABLE, None, None)
    assert verdict.reason


def test_signature_outside_of_any_field_makes_the_document_unreadable(judge: Judge) -> None:
    hidden = pdfs.skipping(pdfs.form(), pdfs.signed(pdfs.form()))

    verdict = judge(pdfs.signed(hidden, "Second", by=pdfs.identity("Second person")))

    assert (verdict.outcome, [one.signer_name for one in verdict.signatures]) == (Outcome.UNREADABLE, ["Second person"])


HARMLESS = {
    "in a text": lambda: pdfs.with_attachment(pdfs.form(), b"/ByteRange [0 10 20 30] is how a signature covers"),
    "in an attached document that is signed": lambda: pdfs.with_attachment(pdfs.form(), pdfs.signed(pdfs.form())),
}


@pytest.mark.parametrize("document", HARMLESS.values(), ids=HARMLESS)
def test_byte_range_outside_of_a_signature_is_harmless(judge: Judge, document: Callable[[], bytes]) -> None:
    pdf = document()

    assert pdf.count(b"/ByteRange") == 1
    assert judge(pdf).outcome is Outcome.UNSIGNED
    assert judge(pdfs.signed(pdf)).outcome is Outcome.SOUND


def test_usage_rights_are_not_taken_for_a_signature_outside_of_any_field(judge: Judge) -> None:
    pdf = pdfs.with_usage_rights()

    assert judge(pdf).outcome is Outcome.UNSIGNED
    assert judge(pdfs.signed(pdf)).outcome is Outcome.SOUND


# Trust


def test_signer_below_a_trusted_root_is_trusted(judge: Judge) -> None:
    pdf = pdfs.signed(pdfs.form())

    assert judge(pdf, [pdfs.authority()]).trusted is True
    assert judge(pdf, [pdfs.authority("Another root"), pdfs.authority()]).trusted is True


def test_signer_below_another_root_is_sound_and_not_trusted(judge: Judge) -> None:
    verdict = judge(pdfs.signed(pdfs.form()), [pdfs.authority("Another root")])

    assert (verdict.outcome, verdict.trusted) == (Outcome.SOUND, False)
    assert (verdict.intact, verdict.valid) == (True, True)


def test_document_is_trusted_when_all_its_signers_are(judge: Judge) -> None:
    stranger = pdfs.identity("Stranger", root="Another root")
    pdf = pdfs.signed(pdfs.signed(pdfs.form()), "Second", by=stranger)

    verdict = judge(pdf, [pdfs.authority()])

    assert (verdict.trusted, [one.trusted for one in verdict.signatures]) == (False, [True, False])


@pytest.mark.parametrize("is_stamped", [True, False], ids=["time stamp", "no time stamp"])
def test_certificate_that_has_expired_is_trusted_if_a_time_stamp_proves_that_it_signed_before(
    judge: Judge, is_stamped: bool
) -> None:
    short_lived = pdfs.identity("Short-lived", valid_from=pdfs.NOW - timedelta(days=1), valid_days=2)
    pdf = pdfs.signed(pdfs.form(), by=short_lived, stamper=pdfs.time_stamper() if is_stamped else None)

    verdict = judge(pdf, [pdfs.authority()], now=pdfs.NOW + timedelta(days=30))

    assert (verdict.outcome, verdict.trusted) == (Outcome.SOUND, True if is_stamped else None)
    expired = "its certificate has expired, and no trusted time stamp proves that it signed before"
    assert verdict.signatures[0].trust_reason == (None if is_stamped else expired)


def test_certificate_that_expired_before_signing_is_not_trusted(judge: Judge) -> None:
    expired = pdfs.identity("Expired", valid_from=pdfs.NOW - timedelta(days=20), valid_days=2)

    verdict = judge(pdfs.signed(pdfs.form(), by=expired), [pdfs.authority()])

    assert (verdict.outcome, verdict.valid, verdict.trusted) == (Outcome.SOUND, True, False)


@pytest.mark.parametrize("roots", [[], [pdfs.authority()]], ids=["no roots", "a root"])
def test_time_stamp_of_an_unknown_authority_is_ignored(judge: Judge, roots: Sequence[pdfs.Identity]) -> None:
    signed = pdfs.signed(pdfs.form())
    stranger = pdfs.time_stamper(LONG_AGO, root="Another root")

    assert judge(pdfs.with_time_stamp_put_in(signed, stranger), roots) == judge(signed, roots)


def test_time_stamp_of_an_unknown_authority_does_not_make_an_expired_certificate_trusted(judge: Judge) -> None:
    expired = pdfs.identity("Expired", valid_from=LONG_AGO - timedelta(days=1), valid_days=2)
    signed = pdfs.signed(pdfs.form(), by=expired)
    stranger = pdfs.time_stamper(LONG_AGO, root="Another root")

    verdict = judge(pdfs.with_time_stamp_put_in(signed, stranger), [pdfs.authority()])

    assert (verdict.outcome, verdict.trusted) == (Outcome.SOUND, False)


def test_time_stamp_is_judged_at_its_own_time(judge: Judge) -> None:
    at = pdfs.NOW.replace(microsecond=0) - timedelta(days=1)
    stamper = pdfs.time_stamper(at, valid_from=at - timedelta(days=1), valid_days=2)

    verdict = judge(pdfs.signed(pdfs.form(), stamper=stamper), [pdfs.authority()], now=pdfs.NOW + timedelta(days=3650))

    assert (verdict.trusted, [signature.signed_at for signature in verdict.signatures]) == (True, [at])


def test_broken_signature_is_not_trusted(judge: Judge) -> None:
    pdf = pdfs.signed(pdfs.form()).replace(b"I owe you 100", b"I owe you 900")

    assert judge(pdf, [pdfs.authority()]).trusted is False


def test_root_without_a_certificate_is_transient(tmp_path: Path) -> None:
    (tmp_path / "signed.pdf").write_bytes(pdfs.signed(pdfs.form()))
    (tmp_path / "root.pem").write_text("no certificate")

    with pytest.raises(Transient, match="CELLAR_TRUST_ROOTS contains no certificate"):
        examine(tmp_path / "signed.pdf", [tmp_path / "root.pem"], now=pdfs.NOW)


# Hostile documents


BOMB_BYTES = 4 << 30


HOSTILE = {
    "deep nesting": lambda: pdfs.document([pdfs.CATALOGUE, pdfs.PAGES, b"[" * 1_000_000 + b"]" * 1_000_000]),
    "deep form": lambda: pdfs.document(
        [
            pdfs.CATALOGUE,
            pdfs.PAGES,
            b"<</Fields [4 0 R]>>",
            *(b"<</T (a) /Kids [%d 0 R]>>" % (number + 1) for number in range(4, 25_000)),
        ]
    ),
    "bomb in an object stream": lambda: pdfs.xref_stream_document(
        [pdfs.stream(b"/Type /ObjStm /N 1 /First 4 /Filter /FlateDecode", pdfs.bomb(BOMB_BYTES))],
        [(0, 0, 0), (2, 1, 0)],
        b"",
    ),
    "bomb in a bomb": lambda: pdfs.xref_stream_document(
        [
            pdfs.stream(
                b"/Type /ObjStm /N 1 /First 4 /Filter [/FlateDecode /FlateDecode]",
                zlib.compress(pdfs.bomb(BOMB_BYTES)),
            )
        ],
        [(0, 0, 0), (2, 1, 0)],
        b"",
    ),
    "bomb in an xref stream": lambda: pdfs.xref_stream_document([pdfs.CATALOGUE], [(0, 0, 0)], pdfs.bomb(BOMB_BYTES)),
    "xref stream of half a million objects": lambda: pdfs.many_objects(500_000),
    "circular /Prev": lambda: pdfs.document([pdfs.CATALOGUE, pdfs.PAGES], trailer=b"/Root 1 0 R /Prev 142"),
    "circular form": lambda: pdfs.document([pdfs.CATALOGUE, pdfs.PAGES, b"<</Fields [4 0 R]>>", b"<</Kids [4 0 R]>>"]),
}


def test_huge_file_that_is_not_a_pdf_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "huge.pdf"
    with path.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        file.truncate(2 << 30)
    assert examine(path, [], now=pdfs.NOW).outcome is Outcome.UNREADABLE

    with path.open("ab") as file:
        file.write(b"\nstartxref\n0\n%%EOF\n")
    assert examine(path, [], now=pdfs.NOW).outcome is Outcome.UNREADABLE


def _elapsed_s(size_gib: int) -> float:
    """Return the limit of elapsed time: a document that reaches it has not been ended by its processor time."""
    return examination.TIME_LIMIT_PER_CPU_LIMIT * (examination.CPU_LIMIT_S + examination.CPU_LIMIT_S_PER_GIB * size_gib)


@pytest.mark.faults
def test_time_limit_grows_with_the_size_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "huge.pdf"
    with path.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        file.truncate(1 << 30)
    with path.open("ab") as file:
        file.write(b"\nstartxref\n9\n%%EOF\n")  # pyHanko skips NUL bytes one at a time
    began = time.monotonic()

    assert examine(path, [], now=pdfs.NOW).outcome is Outcome.UNREADABLE

    assert time.monotonic() - began < _elapsed_s(1)


@pytest.mark.parametrize("document", HOSTILE.values(), ids=HOSTILE)
def test_hostile_document_does_no_harm(judge: Judge, document: Callable[[], bytes]) -> None:
    pdf = document()
    began = time.monotonic()

    verdict = judge(pdf)

    assert verdict.outcome in {Outcome.UNREADABLE, Outcome.UNSIGNED}
    assert time.monotonic() - began < _elapsed_s(0)


def test_oversized_verdict_makes_the_document_unreadable(judge: Judge) -> None:
    fields = b"<</Fields [%b]>>" % b" ".join(b"%d 0 R" % number for number in range(4, 10_004))
    field = b"<</FT /Sig /T (%b) /V 1 0 R>>" % (b"x" * 256)

    assert judge(pdfs.document([pdfs.CATALOGUE, pdfs.PAGES, fields, *[field] * 10_000])).outcome is Outcome.UNREADABLE


@pytest.mark.faults
def test_document_that_exceeds_the_memory_limit_is_unreadable(judge: Judge) -> None:
    assert judge(pdfs.many_objects(1_000_000_000)).outcome is Outcome.UNREADABLE


@pytest.mark.faults
def test_document_that_exceeds_the_cpu_limit_is_unreadable(judge: Judge) -> None:
    began = time.monotonic()

    assert judge(pdfs.endless()).outcome is Outcome.UNREADABLE

    assert time.monotonic() - began < _elapsed_s(0)

import base64
import csv
import io
import json
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext

from cli.simulation.payloads.forms import FORMS
from cli.simulation.payloads.scenarios import SCENARIOS, Outcome, SimulatedArchive, simulated_archives
from cli.simulation.payloads.session_events import events_before

NOW = datetime.fromisoformat("2026-11-24T09:30:00.123456")
REFUSED_SCENARIOS = {"truncated", "content-not-base64", "event-type-wrong", "sessions-missing"}
WARNINGS = {
    "ATTACHMENT_EMPTY",
    "INTEGRATION_FAILED",
    "OTP_NOT_SENT",
    "SESSION_NOT_SUBMITTED",
    "SESSION_REFERENCE_MISMATCH",
    "SIGNER_UNKNOWN",
    "TEXT_REPLACED",
    "TIMESTAMP_UNREADABLE",
    "WRONG_TYPE",
}
DISCREPANCIES = {
    "AMOUNT_MISMATCH",
    "FIELD_WITHOUT_PAYMENT",
    "PAYMENT_WITHOUT_FIELD",
    "UNIT_MISMATCH",
    "UNKNOWN_SESSION",
}


@cache
def made() -> list[SimulatedArchive]:
    """Return an archive of each scenario and one more. Made only once, because signing takes long."""
    return list(simulated_archives(21, seed=7, now=NOW))


def twenty() -> dict[str, SimulatedArchive]:
    return {one.scenario: one for one in made()[:20]}


def payload_of(scenario: str) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(twenty()[scenario].body)
    return payload


def files_of(payload: dict[str, Any]) -> list[dict[str, Any]]:
    return [payload["signed_document"], *payload["attachments"]]


def decoded(content: str) -> bytes:
    """Decode base64 in any of the spellings that a receiver must accept."""
    plain = re.sub(r"^data:[^,]*;base64,|\s", "", content).translate(str.maketrans("-_", "+/"))
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


accepted = pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name not in REFUSED_SCENARIOS])


def test_each_scenario_occurs_once_in_twenty() -> None:
    assert list(twenty()) == list(SCENARIOS)
    assert len(SCENARIOS) == 20


def test_scenarios_repeat_after_twenty() -> None:
    first, last = made()[0], made()[20]
    assert first.scenario == last.scenario == "lease-he"
    assert first.reference != last.reference


def test_four_of_twenty_are_refused() -> None:
    refused = {name for name, one in twenty().items() if one.expectation.status == "-1"}
    assert refused == REFUSED_SCENARIOS


def test_same_seed_and_time_give_the_same_archives_except_for_pdfs() -> None:
    again = list(simulated_archives(6, seed=7, now=NOW))
    for one in again:
        first = twenty()[one.scenario]
        assert (one.reference, one.expectation) == (first.reference, first.expectation)
        if one.scenario != "truncated":
            assert without_pdfs(one) == without_pdfs(first)


def without_pdfs(archive: SimulatedArchive) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(archive.body)
    for file in files_of(payload):
        if file["mimetype"] == "application/pdf":
            file["content"] = None
    return payload


def test_references_are_uuid4_and_differ_between_archives_and_seeds() -> None:
    references = [one.reference for seed in range(3) for one in simulated_archives(3, seed=seed, now=NOW)]
    assert len(set(references)) == 9
    assert {UUID(one).version for one in references} == {4}


def test_runs_have_numbers_of_their_own_and_a_label_that_names_them() -> None:
    """Also runs of more than twenty archives, and those of seeds that lie next to each other, or a thousand apart."""
    sessions = {
        seed: [
            session
            for one in simulated_archives(24, seed=seed, now=NOW)
            if one.expectation.status == "0"
            for session in json.loads(one.body)["sessions"]
        ]
        for seed in (1, 2, 1001)
    }
    for name in ("reference", "process_number", "transaction_number"):
        its = [{each[name] for each in of} - {"one hundred"} for of in sessions.values()]
        assert len(set[Any]().union(*its)) == sum(map(len, its)), name
    for seed, of in sessions.items():
        assert {each["labels"]["SIMULATION"] for each in of} == {str(seed)}


def test_expectations_use_all_known_codes_and_no_others() -> None:
    expectations = [one.expectation for one in twenty().values()]
    assert frozenset[str]().union(*(one.warnings for one in expectations)) == WARNINGS
    assert frozenset[str]().union(*(one.discrepancies for one in expectations)) == DISCREPANCIES
    standings = Counter(standing for one in expectations for standing in one.standings)
    assert set(standings) == {"charged", "verified", "held", "failed"}


@accepted
def test_number_of_expected_files_and_standings_matches_the_body(scenario: str) -> None:
    payload, expectation = payload_of(scenario), twenty()[scenario].expectation
    assert (expectation.status, expectation.state) == ("0", "completed")
    assert expectation.files == len(files_of(payload))
    assert len(expectation.standings) == len({each["transaction_id"] for each in payload["payments"]})


@pytest.mark.parametrize("scenario", sorted(REFUSED_SCENARIOS))
def test_nothing_is_expected_of_a_refused_archive(scenario: str) -> None:
    assert twenty()[scenario].expectation == Outcome("-1", "", None, 0, (), (), ())


@accepted
def test_body_is_an_archive_event_with_its_reference(scenario: str) -> None:
    payload = payload_of(scenario)
    assert payload["event"] == {"type": "WHP_ARCHIVE", "timestamp": "2026-11-24T09:30:00.123456"}
    assert payload["reference"] == twenty()[scenario].reference
    assert 1 <= len(payload["sessions"]) <= 3


@accepted
def test_timestamps_carry_no_zone_and_sessions_lie_before_now(scenario: str) -> None:
    payload = payload_of(scenario)
    for session in payload["sessions"]:
        if scenario == "odd-values" or session["submitted_at"] is None:
            continue
        created_at, submitted_at = (datetime.fromisoformat(session[name]) for name in ("created_at", "submitted_at"))
        assert created_at < submitted_at < NOW


@accepted
def test_signers_have_the_ids_of_recipients_as_text_unless_a_scenario_differs(scenario: str) -> None:
    payload = payload_of(scenario)
    recipients = [session["recipient"]["id"] for session in payload["sessions"]]
    signers = {signature["signed_by"]["id"] for signature in payload["signatures"]}
    assert all(isinstance(one, int) for one in recipients)
    assert (signers == {str(one) for one in recipients}) is (scenario != "session-unsubmitted")


@accepted
def test_location_fields_have_coordinates_and_a_hebrew_address(scenario: str) -> None:
    for field in payload_of(scenario)["data"]:
        if field["type"] == "location":
            latitude, longitude = map(float, field["value"].split(","))
            assert 29 < latitude < 34 < longitude < 36
            assert re.search("[א-ת]", field["meta"]["geocoder"])


def test_forms_use_every_type_of_element_and_have_different_ids() -> None:
    types = {field.type for form in FORMS for field in form.fields}
    assert types == {"text", "select", "payment", "location", "checkbox", "date"}
    assert len({form.template_id for form in FORMS}) == len(FORMS) == 6
    assert all(field.page <= form.page_count for form in FORMS for field in form.fields)


def test_card_tokens_pass_the_luhn_check_and_end_like_their_mask() -> None:
    for payment in payload_of("parking-permit")["payments"]:
        result = payment["provider_transaction_result"]
        digits = [int(digit) for digit in reversed(result["card_id"])]
        assert sum(digits[::2] + [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]) % 10 == 0
        assert len(digits) == len(result["card_mask"]) == 16
        assert result["card_id"][-4:] == result["card_mask"][-4:]


def test_two_attempts_of_one_transaction_end_in_success() -> None:
    failed, succeeded = payload_of("parking-permit")["payments"]
    assert failed["transaction_id"] == succeeded["transaction_id"]
    assert (failed["status"], succeeded["status"]) == ("failure", "success")


@pytest.mark.parametrize(
    ("scenario", "spelling"),
    [
        ("lease-en", rb'"content": "data:image/png;base64,'),
        ("account-opening", rb'"content": "[A-Za-z0-9+/]{76}\\r\\n'),
        ("donation", rb'"content": "(?:[A-Za-z0-9+]|\\/)+={0,2}"'),
        ("parking-permit", rb'"content": "[A-Za-z0-9]*[-_][A-Za-z0-9_-]*"'),
        ("emoji-cut-in-two", rb'\\ud83d"'),
        ("lease-he", "צילום תעודת זהות.jpg".encode()),
    ],
)
def test_body_contains_the_spelling_of_its_scenario(scenario: str, spelling: bytes) -> None:
    assert re.search(spelling, twenty()[scenario].body)


def test_large_attachment_has_about_four_megabytes() -> None:
    (attachment,) = payload_of("large-attachment")["attachments"]
    assert 3_500_000 < len(decoded(attachment["content"])) < 4_500_000


@pytest.mark.parametrize("one", made(), ids=lambda one: one.scenario)
def test_events_come_before_every_archive_whose_sessions_state_their_times(one: SimulatedArchive) -> None:
    """Also before a faulty archive: one has a session whose time cannot be read."""
    unstated = REFUSED_SCENARIOS - {"event-type-wrong", "content-not-base64"} | {"odd-values"}
    assert bool(events_before(one.body, left_out=None)) == (one.scenario not in unstated)


def test_truncated_body_is_not_json() -> None:
    with pytest.raises(json.JSONDecodeError):
        payload_of("truncated")


def test_content_of_the_refused_attachment_is_not_base64() -> None:
    with pytest.raises(ValueError, match="Only base64 data is allowed"):
        decoded(payload_of("content-not-base64")["attachments"][0]["content"])


@accepted
def test_every_file_is_valid_in_its_format(scenario: str) -> None:
    for file in files_of(payload_of(scenario)):
        content = decoded(file["content"])
        if content:
            CHECKS[file["mimetype"]](content)


@accepted
def test_signed_document_is_intact_valid_and_locked(scenario: str) -> None:
    reader = PdfFileReader(io.BytesIO(decoded(payload_of(scenario)["signed_document"]["content"])))
    (signature,) = reader.embedded_signatures
    trust = ValidationContext(trust_roots=[signature.signer_cert], allow_fetching=False)
    status = validate_pdf_signature(signature, trust, key_usage_settings=KeyUsageConstraints(key_usage=set()))
    assert status.intact
    assert status.valid
    assert status.bottom_line
    assert signature.docmdp_level == MDPPerm.NO_CHANGES
    assert 1 <= reader.root["/Pages"]["/Count"] <= 3


def check_pdf(content: bytes) -> None:
    reader = PdfFileReader(io.BytesIO(content))
    (first, *_) = reader.root["/Pages"]["/Kids"]
    assert b"Tj" in first.get_object()["/Contents"].data


def check_png(content: bytes) -> None:
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    chunks: list[tuple[bytes, bytes]] = []
    position = 8
    while position < len(content):
        (size,) = struct.unpack_from(">I", content, position)
        kind, body = content[position + 4 : position + 8], content[position + 8 : position + 8 + size]
        assert struct.unpack_from(">I", content, position + 8 + size) == (zlib.crc32(kind + body),)
        chunks.append((kind, body))
        position += 12 + size
    assert [kind for kind, _ in chunks] == [b"IHDR", b"IDAT", b"IEND"]
    width, height = struct.unpack_from(">II", chunks[0][1])
    assert len(zlib.decompress(chunks[1][1])) == height * (1 + 3 * width)


def check_jpeg(content: bytes) -> None:
    """Decode the whole scan. Check that it has as many blocks as the frame declares, each of a valid brightness."""
    segments, scan = jpeg_parts(content)
    height, width = struct.unpack_from(">HH", segments[0xC0][0], 1)
    brightness = jpeg_brightness(scan, jpeg_codes(segments[0xC4][0]), blocks=width * height // 64)
    assert all(-128 <= one <= 127 for one in brightness)


def jpeg_parts(content: bytes) -> tuple[dict[int, list[bytes]], bytes]:
    assert content[:2] == b"\xff\xd8"
    assert content[-2:] == b"\xff\xd9"
    segments: dict[int, list[bytes]] = {}
    position, marker = 2, 0
    while marker != 0xDA:
        start, marker, size = struct.unpack_from(">BBH", content, position)
        assert start == 0xFF
        segments.setdefault(marker, []).append(content[position + 4 : position + 2 + size])
        position += 2 + size
    return segments, content[position:-2].replace(b"\xff\0", b"\xff")


def jpeg_codes(table: bytes) -> dict[str, int]:
    """Return the symbols of a Huffman table by their codes (T.81, annex C)."""
    symbols = iter(table[17:])
    codes: dict[str, int] = {}
    code = 0
    for length, count in enumerate(table[1:17], start=1):
        for _ in range(count):
            codes[f"{code:0{length}b}"] = next(symbols)
            code += 1
        code <<= 1
    return codes


def jpeg_brightness(scan: bytes, codes: dict[str, int], *, blocks: int) -> Sequence[int]:
    bits = "".join(f"{byte:08b}" for byte in scan)
    found: list[int] = []
    position = 0
    for _ in range(blocks):
        end = next(position + n for n in range(1, 17) if bits[position : position + n] in codes)
        size = codes[bits[position:end]]
        magnitude = int(bits[end : end + size] or "0", 2)
        difference = magnitude if not size or bits[end] == "1" else magnitude - (1 << size) + 1
        found.append((found[-1] if found else 0) + difference)
        assert bits[end + size] == "0", "the end of the block"
        position = end + size + 1
    assert set(bits[position:]) <= {"1"}
    assert len(bits) - position < 8
    return found


def check_text(content: bytes) -> None:
    assert content.decode().endswith("\r\n")


def check_csv(content: bytes) -> None:
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert len({len(row) for row in rows}) == 1


def check_zip(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as folder:
        assert folder.testzip() is None
        assert folder.namelist()


def check_docx(content: bytes) -> None:
    check_zip(content)
    with zipfile.ZipFile(io.BytesIO(content)) as folder:
        for name in ("[Content_Types].xml", "_rels/.rels", "word/document.xml"):
            ElementTree.fromstring(folder.read(name))


CHECKS: dict[str, Callable[[bytes], None]] = {
    "application/pdf": check_pdf,
    "image/png": check_png,
    "image/jpeg": check_jpeg,
    "text/plain": check_text,
    "text/csv": check_csv,
    "application/zip": check_zip,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": check_docx,
}


def test_every_kind_of_file_occurs() -> None:
    accepted_payloads = (payload_of(name) for name in SCENARIOS if name not in REFUSED_SCENARIOS)
    assert {file["mimetype"] for payload in accepted_payloads for file in files_of(payload)} == set(CHECKS)

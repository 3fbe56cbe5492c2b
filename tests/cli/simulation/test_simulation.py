import base64
import io
import json
import re
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext

from cli.simulation.payloads.forms import FORMS
from cli.simulation.payloads.scenarios import SCENARIOS, Outcome, SimulatedArchive, simulated_archives
from cli.simulation.payloads.session_events import events_before
from domain.body.media_type import sniffed

NOW = datetime.fromisoformat("2026-11-24T09:30:00.123456")
REFUSED_SCENARIOS = {"truncated"}


@cache
def made() -> list[SimulatedArchive]:
    """Return an archive of each scenario and one more. Made only once, because signing takes long."""
    return list(simulated_archives(7, seed=7, now=NOW))


def six() -> dict[str, SimulatedArchive]:
    return {one.scenario: one for one in made()[:6]}


def payload_of(scenario: str) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(six()[scenario].body)
    return payload


def files_of(payload: dict[str, Any]) -> list[dict[str, Any]]:
    return [payload["signed_document"], *payload["attachments"]]


def decoded(content: str) -> bytes:
    """Decode base64 in any of the spellings that a receiver must accept."""
    plain = re.sub(r"^data:[^,]*;base64,|\s", "", content).translate(str.maketrans("-_", "+/"))
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


accepted = pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name not in REFUSED_SCENARIOS])


def test_each_scenario_occurs_once_in_six() -> None:
    assert list(six()) == list(SCENARIOS)
    assert len(SCENARIOS) == 6


def test_scenarios_repeat_after_six() -> None:
    first, last = made()[0], made()[6]
    assert first.scenario == last.scenario == "lease-he"
    assert first.reference != last.reference


def test_one_of_six_is_refused() -> None:
    refused = {name for name, one in six().items() if one.expectation.status == "-1"}
    assert refused == REFUSED_SCENARIOS


def test_same_seed_and_time_give_the_same_archives_except_for_pdfs() -> None:
    again = list(simulated_archives(6, seed=7, now=NOW))
    for one in again:
        first = six()[one.scenario]
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
    """Also runs of more than six archives, and those of seeds that lie next to each other, or a thousand apart."""
    sessions = {
        seed: [
            session
            for one in simulated_archives(9, seed=seed, now=NOW)
            if one.expectation.status == "0"
            for session in json.loads(one.body)["sessions"]
        ]
        for seed in (1, 2, 1001)
    }
    for name in ("reference", "process_number", "transaction_number"):
        its = [{each[name] for each in of} for of in sessions.values()]
        assert len(set[Any]().union(*its)) == sum(map(len, its)), name
    for seed, of in sessions.items():
        assert {each["labels"]["SIMULATION"] for each in of} == {str(seed)}


def test_expectations_have_a_warning_a_discrepancy_and_every_standing_of_an_honest_payment() -> None:
    expectations = [one.expectation for one in six().values()]
    assert {each for one in expectations for each in one.warnings} == {"OTP_NOT_SENT"}
    assert {each for one in expectations for each in one.discrepancies} == {"AMOUNT_MISMATCH"}
    assert {each for one in expectations for each in one.standings} == {"charged", "verified", "held"}


@accepted
def test_number_of_expected_files_and_standings_matches_the_body(scenario: str) -> None:
    payload, expectation = payload_of(scenario), six()[scenario].expectation
    assert (expectation.status, expectation.state) == ("0", "completed")
    assert expectation.files == len(files_of(payload))
    assert len(expectation.standings) == len({each["transaction_id"] for each in payload["payments"]})


@pytest.mark.parametrize("scenario", sorted(REFUSED_SCENARIOS))
def test_nothing_is_expected_of_a_refused_archive(scenario: str) -> None:
    assert six()[scenario].expectation == Outcome("-1", "", None, 0, (), (), ())


@accepted
def test_body_is_an_archive_event_with_its_reference(scenario: str) -> None:
    payload = payload_of(scenario)
    assert payload["event"] == {"type": "WHP_ARCHIVE", "timestamp": "2026-11-24T09:30:00.123456"}
    assert payload["reference"] == six()[scenario].reference
    assert 1 <= len(payload["sessions"]) <= 3


@accepted
def test_timestamps_carry_no_zone_and_sessions_lie_before_now(scenario: str) -> None:
    payload = payload_of(scenario)
    for session in payload["sessions"]:
        created_at, submitted_at = (datetime.fromisoformat(session[name]) for name in ("created_at", "submitted_at"))
        assert created_at < submitted_at < NOW


@accepted
def test_signers_have_the_ids_of_recipients_as_text(scenario: str) -> None:
    payload = payload_of(scenario)
    recipients = [session["recipient"]["id"] for session in payload["sessions"]]
    signers = {signature["signed_by"]["id"] for signature in payload["signatures"]}
    assert all(isinstance(one, int) for one in recipients)
    assert signers == {str(one) for one in recipients}


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
    assert len({form.template_id for form in FORMS}) == len(FORMS) == 4
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
        ("parking-permit", rb'"content": "[A-Za-z0-9]*[-_][A-Za-z0-9_-]*"'),
        ("lease-he", "צילום תעודת זהות.jpg".encode()),
    ],
)
def test_body_contains_the_spelling_of_its_scenario(scenario: str, spelling: bytes) -> None:
    assert re.search(spelling, six()[scenario].body)


@pytest.mark.parametrize("one", made(), ids=lambda one: one.scenario)
def test_events_come_before_every_archive_whose_sessions_state_their_times(one: SimulatedArchive) -> None:
    assert bool(events_before(one.body, left_out=None)) == (one.scenario not in REFUSED_SCENARIOS)


def test_truncated_body_is_not_json() -> None:
    with pytest.raises(json.JSONDecodeError):
        payload_of("truncated")


@accepted
def test_type_of_every_file_is_what_its_bytes_say(scenario: str) -> None:
    for file in files_of(payload_of(scenario)):
        assert sniffed(decoded(file["content"])[:4096]) == file["mimetype"]


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

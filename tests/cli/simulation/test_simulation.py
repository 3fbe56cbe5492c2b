import base64
import io
import json
import re
from datetime import datetime
from functools import cache
from typing import Any

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext

from cli.simulation.payloads.scenarios import SCENARIOS, SimulatedArchive, simulated_archives
from cli.simulation.payloads.session_events import events_before

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

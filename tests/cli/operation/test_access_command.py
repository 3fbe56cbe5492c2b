"""`cellar access` shows the access log by person, archive, action and time."""

import json

import pytest

from adapters.store import seals
from models.access import Action, Caller, Role
from services.access.log import record
from tests.cli.conftest import Cellar
from tests.records import registered

DANA, RAMI = Caller("Dana", Role.AUDITOR), Caller("Rami", Role.CLERK, "source=haifa", "192.0.2.7")


@pytest.mark.usefixtures("installation")
def test_records_are_found_by_person_archive_action_and_time(cellar: Cellar) -> None:
    seals.fingerprint("")  # makes the key of digests, as workers do
    registered("first")
    record(DANA, Action.LIST_ARCHIVES, detail={"searched": {"q": ["0123456789abcdef"]}})
    record(DANA, Action.READ_ARCHIVE, reference="first")
    record(RAMI, Action.READ_ARCHIVE, reference="first", outcome="denied")

    def _found(*filters: str) -> list[tuple[str, str]]:
        lines = cellar("access", "--json", *filters).output.splitlines()
        found = [json.loads(line) for line in lines]
        return [(each["person"], each["action"]) for each in found if each["person"] in ("Dana", "Rami")]

    assert _found() == [("Rami", "read_archive"), ("Dana", "read_archive"), ("Dana", "list_archives")]
    assert _found("--person", "Dana") == _found()[1:]
    assert _found("--reference", "first") == _found()[:2]
    assert _found("--action", "list_archives") == _found()[2:]
    assert _found("--since", "1d", "--until", "2100-01-01") == _found()
    assert _found("--until", "yesterday") == []
    [line] = cellar("access", "--json", "--person", "Rami").output.splitlines()
    names = {"at", "person", "role", "action", "reference", "reference_digest", "outcome", "address", "detail"}
    assert json.loads(line).keys() == names
    assert (json.loads(line)["outcome"], json.loads(line)["address"]) == ("denied", "192.0.2.7")

    page = cellar("access", "--limit", "1", "--person", "Dana").output
    assert "first" in page
    following = cellar("access", "--person", "Dana", "--cursor", page.split("--cursor ")[1].strip()).output
    assert "searched q" in following
    assert "0123456789abcdef" not in following
    assert cellar("access", "--action", "look").status == 2

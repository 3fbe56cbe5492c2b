"""A viewer reads no personal value by any page or list, and a single one for a reason, which the access log keeps."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.tables import access
from adapters.tables.people import saved_views
from domain.tables.catalogue import SOURCES
from models.access import AccessRow, Action, Caller, Role
from models.people import SavedViewRow
from services.access import tokens
from services.tables import UNFIT_VALUES
from services.views import archive_view
from services.views.unmasking import MOST
from tests.api.conftest import LINK_KEY, PERSON, SECRET, TOKEN, Receiver, contract, earlier_contract, receiving
from tests.api.console.conftest import csrf_of, posted
from tests.installations import archived, installed
from tests.tables import exported

READER = {"authorization": f"Bearer {TOKEN}"}
IN_DECEMBER = "?paid_from=2022-12-01&paid_to=2022-12-31"
TEMPLATE = "9fa70d4ccea84262b1ed2308a07a3fb4"
PAGES = [
    *("/console/archives", f"/console/archives?q={PERSON}", "/console/facets", "/console/", "/console/templates"),
    *(f"/console/archives/contract{each}" for each in ("", "/timeline", "/differences?before=1&after=2")),
    *("/console/discrepancies", "/console/discrepancies?state=explained", "/console/refused", "/console/missing"),
    *("/console/activity", "/console/activity?kind=acted"),
    f"/console/payments{IN_DECEMBER}",
    f"/console/templates/{TEMPLATE}",
]
ANSWERS = [
    *("/api/archives", "/api/archives/contract", "/api/archives/contract/differences?before=1&after=2"),
    *(f"/api/archives/contract/{each}" for each in archive_view.LISTS),
    *("/api/templates", "/api/templates/9fa70d4ccea84262b1ed2308a07a3fb4", "/api/discrepancies", "/api/refused"),
    f"/api/archives?q={PERSON}",
]


@dataclass(frozen=True, slots=True)
class Viewer:
    """A receiver with an archive of a person, and the token of a viewer."""

    receiver: Receiver
    token: str

    def get(self, path: str) -> httpx.Response:
        return self.receiver.client.get(path, headers={"authorization": f"Bearer {self.token}"})

    def unmask(self, place: str, why: str = "the customer calls") -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}"}
        body = {"place": place, "why": why}
        return self.receiver.client.post("/api/archives/contract/unmask", headers=headers, json=body)

    def ask_in_vain(self, times: int) -> None:
        """Record that values were asked for, and none was given."""
        row = AccessRow(
            chain="c", number=0, at=datetime.now(UTC), person="vera", role=Role.VIEWER, action=Action.UNMASK,
            reference="contract", outcome="allowed", address="", detail={"route": "POST"}, digest="",
        )  # fmt: skip
        with installed(self.receiver.log.parent):
            access.add([row.model_dump() | {"number": each, "digest": f"{each}"} for each in range(times)])

    def records(self) -> list[dict[str, object]]:
        """Return what the access log keeps of unmasked values, the first first."""
        found = self.receiver.client.get("/api/access?action=unmask&limit=500", headers=READER).json()["items"]
        return [each["detail"] for each in reversed(found) if "place" in each["detail"]]


def _named(body: bytes) -> bytes:
    made = json.loads(body)
    made["sessions"][0]["labels"] = {"customer": PERSON, "branch": "Haifa"}
    made["data"][0]["value"] += PERSON
    return json.dumps(made).encode()


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    folder: Path = tmp_path_factory.mktemp("masked")
    values: dict[str, Any] = {"webhook_secrets": SECRET, "api_tokens": TOKEN, "link_secret": LINK_KEY}
    with receiving(folder, **values) as receiver:
        with installed(folder, **values):
            archived("contract", _named(earlier_contract()), datetime(2023, 3, 1, tzinfo=UTC))
            archived("contract", _named(contract(event={"type": "WHP_ARCHIVE", "timestamp": "2024-01-01T00:00:00"})))
            now = datetime.now(UTC)
            saved_views.save(
                SavedViewRow(view_id="v", name=PERSON, query="state=failed", saved_by="dana", saved_at=now)
            )
            made = tokens.add("vera", Role.VIEWER, None, None, "a test", now)
        receiver.read(made.token)
        explained = receiver.client.get("/api/archives/contract", headers=READER).json()["discrepancies"][0]
        path = f"/api/discrepancies/{explained['discrepancy_id']}/explanation"
        assert receiver.client.post(path, headers=READER, json={"by": "x", "why": PERSON}).status_code == 200
        held = receiver.client.post("/api/archives/contract/hold", headers=READER, json={"reason": PERSON})
        assert held.status_code == 200
        yield Viewer(receiver, made.token)


def test_no_answer_to_a_viewer_has_a_personal_value(viewer: Viewer) -> None:
    for path in ANSWERS:
        answer = viewer.get(path)
        assert (path, answer.status_code) == (path, 200)
        assert (path, PERSON in answer.text) == (path, False)
    [signature] = viewer.get("/api/archives/contract").json()["signed_document_verdict"]["signatures"]
    assert {signature["certificate"][name] for name in ("subject", "issuer", "serial", "sha256")} == {"•••"}
    everything = "".join(viewer.receiver.client.get(path, headers=READER).text for path in ANSWERS)
    assert everything.count(PERSON) > 10


@pytest.mark.parametrize("language", ["en", "he"])
def test_no_page_of_a_viewer_has_a_personal_value(viewer: Viewer, language: str) -> None:
    with viewer.receiver.visitor() as client:
        assert posted(client, "/console/login", {"token": viewer.token}).status_code == 303
        client.cookies.set("cellar_language", language, path="/console")
        for path in PAGES:
            page = client.get(path, follow_redirects=True)
            assert (path, page.status_code) == (path, 200)
            assert (path, PERSON in page.text.replace(f"{path}", "").replace(f'value="{PERSON}"', "")) == (path, False)
        table = posted(client, "/console/archives/export", {"all": "yes"})
        assert PERSON not in table.text
        assert "•••" in table.text
        payments, of_csv = (client.get(f"/console/payments{each}{IN_DECEMBER}").text for each in ("", ".csv"))
        assert "•••" in payments
        assert "contract" in payments
        assert "contract,0," in of_csv
        assert "4580" not in payments + of_csv
        dossier = client.get("/console/archives/contract").text
        assert "/rerun" not in dossier
        assert "download=true" not in dossier
        assert 'id="pdf"' not in dossier
        assert "/files/" not in dossier
        form = {"place": "sessions[0].recipient.name", "why": f"asked in {language}", "csrf": csrf_of(client)}
        assert PERSON in posted(client, "/console/archives/contract/unmask", form).text
        assert PERSON not in client.get("/console/archives/contract").text
    assert {"place": "sessions[0].recipient.name", "why": f"asked in {language}"} in viewer.records()


def test_no_table_of_a_viewer_has_a_personal_value(viewer: Viewer) -> None:
    paths = {"sessions": "sessions.csv", TEMPLATE: f"form.csv?template={TEMPLATE}"}
    with viewer.receiver.visitor() as client:
        assert posted(client, "/console/login", {"token": viewer.token}).status_code == 303
        sent = {name: client.get(f"/console/tables/{path}").content for name, path in paths.items()}
    vera = Caller("vera", Role.VIEWER)
    with installed(viewer.receiver.log.parent, port=viewer.receiver.port):
        files = {name: exported(name, None, vera, "csv") for name in (*SOURCES, UNFIT_VALUES)}
        files[TEMPLATE] = exported(None, TEMPLATE, vera, "csv")

    assert {name: files[name] for name in sent} == sent
    assert PERSON.encode() not in b"".join(files.values())
    assert all("•••".encode() in files[each] for each in ("sessions", "signatures", "files", TEMPLATE))


def test_single_value_is_read_for_a_reason_that_is_recorded_without_the_value_and_not_too_often(viewer: Viewer) -> None:
    assert viewer.unmask("sessions[0].labels.customer").json() == {
        "place": "sessions[0].labels.customer",
        "value": PERSON,
    }
    assert viewer.records()[-1] == {"place": "sessions[0].labels.customer", "why": "the customer calls"}
    assert viewer.unmask("fields[0].latitude").json() == {"place": "fields[0].latitude", "value": None}
    assert viewer.records()[-1]["place"] == "fields[0].latitude"
    assert viewer.unmask("files[1].filename").json()["value"]
    assert viewer.unmask("fields[4].meta.geocoder").json()["value"] == "Arlozorov St 160, Tel Aviv-Yafo, Israel"
    assert viewer.unmask("sessions[0].recipient.invitations[0].address").json()["value"]
    for place in ("sessions[0].recipient", "sessions[0].recipient.invitations", "fields[4].meta", "sessions[0].labels"):
        assert viewer.unmask(place).json()["error"]["where"] == "place"  # each is several values, also of nobody
        assert viewer.records()[-1]["place"] == place
    for place in ("sessions[9].author", "sessions[0].nothing", "sessions[0].labels.other", "runs[0].url", "x", "\0"):
        assert viewer.unmask(place).json()["error"]["code"] == "BAD_PARAMETER"
    assert viewer.unmask("sessions[0].author", " ").status_code == 422

    while len(viewer.records()) < MOST:
        assert viewer.unmask("sessions[0].author").status_code == 200
    assert all(PERSON not in json.dumps(each) for each in viewer.records())
    assert viewer.unmask("sessions[0].author").json()["error"]["code"] == "TOO_MANY_REQUESTS"
    assert len(viewer.records()) == MOST

    viewer.ask_in_vain(500)  # as many as a page of records has
    for place in ("sessions[0].author", "fields[0].latitude", "sessions[9].author"):
        assert viewer.unmask(place).json()["error"]["code"] == "TOO_MANY_REQUESTS"

"""Endpoints come back from the store, when the database is lost."""

from datetime import UTC, datetime

import pytest

from adapters.database.transactions import writing
from adapters.files.store import store
from adapters.settings.settings import settings
from adapters.store import seals
from adapters.tables.messages import endpoints as rows
from adapters.tables.messages.queues import disable_by_itself
from models.errors import Refused
from models.messages.notification import EndpointRow
from models.said import Sentence
from models.store.fixity import Fault
from models.views.messages import NewEndpoint
from services.custody.rebuilding import rebuild
from services.custody.verifying_records import verify_beside
from services.messages import endpoints
from services.messages.attempts import headers_of
from tests.conftest import Configure, make_tables
from tests.messages import endpoint_of

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("sqlite_installation", "store_kind")


def added(name: str) -> None:
    asked = NewEndpoint(url="https://erp.example/hook", name=name, headers={"X-Token": "hidden"}, sources=["north"])
    endpoints.add(asked, "dana@desk", NOW)


def lose_the_database(configure: Configure) -> None:
    configure(database_url=settings().database_location.replace("cellar.db", "again.db"))
    make_tables()


def test_rebuilt_endpoint_signs_as_before(configure: Configure) -> None:
    added("erp")
    endpoints.disable("erp", "dana@desk", NOW)
    before, signed = endpoints.view("erp"), headers_of(endpoint_of("erp"), "msg_1", b"{}", NOW)
    lose_the_database(configure)

    rebuilt = rebuild([], lambda _: None)

    assert (rebuilt.endpoints, rebuilt.damaged) == (1, ())
    assert endpoints.view("erp") == before
    assert headers_of(endpoint_of("erp"), "msg_1", b"{}", NOW) == signed


def test_endpoint_that_its_answer_has_disabled_is_kept_so_once_and_says_who_did_it(configure: Configure) -> None:
    added("erp")
    with writing() as session:
        disable_by_itself(session, session.get_one(EndpointRow, "erp"), NOW, Sentence.endpoint_gone())

    assert (endpoints.keep_disabled(), endpoints.keep_disabled()) == (["erp"], [])

    lose_the_database(configure)
    rebuild([], lambda _: None)
    row = endpoint_of("erp")
    assert (row.disabled_at, row.disabled_why) == (NOW, "the endpoint answered 410 Gone")
    assert row.actions[-1] == {
        "at": NOW.isoformat(),
        "by": "cellar",
        "what": "disabled: the endpoint answered 410 Gone",
    }


def test_name_of_a_removed_endpoint_stays_taken(configure: Configure) -> None:
    added("erp")
    endpoints.remove("erp", "dana@desk", NOW)
    lose_the_database(configure)

    rebuild([], lambda _: None)

    with pytest.raises(Refused, match="NAME_TAKEN"):
        added("erp")


def test_damaged_definition_is_reported_and_others_are_rebuilt(configure: Configure) -> None:
    for name in ("crm", "dwh", "erp"):
        added(name)
    store().overwrite_bytes(b"{", f"{seals.ENDPOINTS}/crm.json")
    store().overwrite_bytes(store().read_bytes(f"{seals.ENDPOINTS}/erp.json"), f"{seals.ENDPOINTS}/dwh.json")
    lose_the_database(configure)

    rebuilt = rebuild([], lambda _: None)

    assert [key for key, _ in rebuilt.damaged] == ["endpoints/crm.json", "endpoints/dwh.json"]
    assert [each.name for each in rows.known()] == ["erp"]


def test_verify_finds_damaged_and_missing_definitions() -> None:
    for name in ("crm", "erp"):
        added(name)
    before = verify_beside().findings
    store().overwrite_bytes(b"{", f"{seals.ENDPOINTS}/crm.json")
    store().remove(f"{seals.ENDPOINTS}/erp.json")

    found = verify_beside().findings

    assert before == ()
    assert [(each.key, each.fault) for each in found] == [
        ("endpoints/crm.json", Fault.DAMAGED),
        ("endpoints/erp.json", Fault.MISSING),
    ]

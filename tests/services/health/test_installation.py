"""`cellar status --deep` compares the connections that cellar may open with the connections that the server takes."""

from contextlib import ExitStack

import psycopg

from adapters.database import connections
from adapters.database.facts import Connections
from adapters.database.outages import Program, connect_as
from adapters.settings.settings import Settings
from domain.words.catalogue import word
from models.views.health import Check, Grade
from services.health.checks import examined
from services.health.installation import installation_probes, judged
from tests.conftest import Configure, serving_postgres

_EACH = {Program.RECEIVER: 16, Program.WORKER: 32}


def found() -> Check:
    [check] = examined([each for each in installation_probes() if each.name == "connections"], 20)
    return check


def test_defaults_fit_into_a_server_with_its_defaults_beside_a_prefect_server() -> None:
    beside = Connections(100, 3, dict.fromkeys(Program, 1), others=15)

    assert judged(beside, {Program.RECEIVER: 1, Program.WORKER: 1}, _EACH).verdict is Grade.OK


def test_sum_beyond_the_server_is_a_warning_that_names_a_number_that_suffices() -> None:
    many = {Program.RECEIVER: 4, Program.WORKER: 2}

    check = judged(Connections(100, 3, {}, others=45), many, _EACH)

    assert check.verdict is Grade.WARNING
    assert word(check.said) == (
        "receivers may open 4 × 16, workers 2 × 32, commands 4, and other programs have 45 now: 177 of the 97 that the "
        "server takes"
    )
    assert "set max_connections of the server to 200 " in str(check.to_do)
    enough = judged(Connections(200, 3, {}, others=45), many, _EACH)
    assert enough.verdict is Grade.OK


def test_processes_that_are_connected_count_once_however_many_connections_they_have(
    configure: Configure,
) -> None:
    connect_as(Program.COMMAND)  # another test may have run a receiver in this process
    with ExitStack() as stack:
        server = stack.enter_context(serving_postgres())  # receivers of other tests are connected to the server of all
        configure(database_url=server, receiver_processes=2)
        assert "receivers may open 2 × 16, workers 1 × 32," in found().found
        for name in ["cellar receiver 1@a", *["cellar receiver 1@b"] * 3, "cellar receiver 2@b", "cellar worker 9@a"]:
            stack.enter_context(psycopg.connect(server, application_name=name))
        before = found()
        assert "receivers may open 3 × 16, workers 1 × 32," in before.found
        stack.enter_context(psycopg.connect(server, application_name="somebody else"))

        assert others(found()) == others(before) + 1
        connections.engine().dispose()  # before its server ends


def others(check: Check) -> int:
    return int(check.found.partition("other programs have ")[2].partition(" now")[0])


def test_setting_that_asks_for_more_than_the_server_takes_is_found(
    configure: Configure, postgres_installation: str
) -> None:
    configure(database_url=postgres_installation, worker_connections=1000)

    assert (found().verdict, "CELLAR_WORKER_CONNECTIONS" in found().to_do) == (Grade.WARNING, True)


def test_file_has_no_such_check(sqlite_installation: Settings) -> None:
    assert sqlite_installation.database_url is None
    assert "connections" not in [each.name for each in installation_probes()]


def test_encryption_at_rest_is_said_of_each_place(configure: Configure, sqlite_installation: Settings) -> None:
    def said() -> dict[str, str]:
        found = examined([each for each in installation_probes() if each.name.startswith("encryption")], 20)
        assert {each.verdict for each in found} <= {Grade.OK, Grade.OFF}
        return {each.name.removeprefix("encryption of "): each.found for each in found}

    embedded, data = said(), str(sqlite_installation.data_dir.absolute())
    assert [name for name, each in embedded.items() if data in each] == ["store", "inbox", "spool", "database"]
    configure(database_url="postgresql://user:word@db:5432/cellar", store_url="s3://archives/store")
    elsewhere = said()
    assert elsewhere["database"] == "not known: cellar at db:5432 lies on Postgres, which does not say it here"
    assert "the bucket archives" in elsewhere["store"]
    assert f"{data}/spool" in elsewhere["spool"]

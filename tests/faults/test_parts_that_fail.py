"""A part of the installation fails while archives arrive: each is completed once, in every form that has the part.

KILLS=1000 kills each program a thousand times (default: 3), REDELIVERIES=10000 sends ten thousand (default: 300). Redis
needs the packages valkey and nginx, clocks a compiler of C, the vanished server root and iptables.
"""

import os
import random
import sqlite3
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from adapters.database.transactions import reading
from models.errors import Transient
from tests.conftest import Configure, wait_until
from tests.distributed.stack import Stack
from tests.distributed.stack import distributed as whole_stack
from tests.faults.conftest import completed
from tests.faults.installation import SECRET, Installation, distributed
from tests.faults.load import Sent, at_once, under_load
from tests.faults.postgres import follower_of, leader
from tests.faults.way import Fault

pytestmark = [pytest.mark.faults, pytest.mark.timeout(36_000)]

_KILLS = int(os.environ.get("KILLS", "3"))
_REDELIVERIES = int(os.environ.get("REDELIVERIES", "300"))
_SEED = int(os.environ.get("SEED", "20261126"))
_LASTS_S = 15
_AT_ONCE = 50
Happens = Callable[[Installation], None]


def spoiled(part: str, fault: Fault) -> Happens:
    def _happens(made: Installation) -> None:
        time.sleep(2)  # some archives are acknowledged already, and their runs are on their way
        before = made.ways[part].heal()
        made.ways[part].spoil(fault)
        time.sleep(_LASTS_S)
        assert made.ways[part].heal() > before, "nothing passed while the part was away"

    return _happens


def killed(part: str) -> Happens:
    """Kill a program at random moments and start it again, as systemd does."""
    chance = random.Random(f"{_SEED} {part}")

    def _happens(made: Installation) -> None:
        for _ in range(_KILLS):
            time.sleep(chance.uniform(0.1, 3))
            made.parts[part].kill()
            made.parts[part].start()

    return _happens


def terminated(part: str) -> Happens:
    def _happens(made: Installation) -> None:
        for _ in range(2):
            time.sleep(3)
            made.parts[part].terminate()
            made.parts[part].start()

    return _happens


def hung(made: Installation) -> None:
    made.parts["database"].pause()
    time.sleep(_LASTS_S)
    made.parts["database"].resume()


def restarted(made: Installation) -> None:
    time.sleep(2)
    made.parts["database"].interrupt()  # Postgres's "fast" shutdown, since SIGTERM waits until every client has left
    made.parts["database"].start()


def locked(made: Installation) -> None:
    time.sleep(1)
    with sqlite3.connect(made.folder / "data" / "cellar.db", timeout=60) as database:
        database.execute("BEGIN EXCLUSIVE")
        time.sleep(_LASTS_S)
        database.rollback()
    database.close()


_OF_PREFECT = (Fault.CUT, Fault.HUNG, Fault.SLOW, Fault.REPLY_DROPPED)
_OF_THE_BUCKET = (*_OF_PREFECT, Fault.RESET_IN_MID_REQUEST, Fault.STATUS_500, Fault.STATUS_503)
_OWN = ("receiver", "worker", "prefect")
IN_BOTH_FORMS = {
    **{f"{each} killed": killed(each) for each in _OWN},
    **{f"{each} terminated": terminated(each) for each in _OWN},
    **{f"prefect {each}": spoiled("prefect", each) for each in _OF_PREFECT},
}
DISTRIBUTED = {
    **{f"{each} killed": killed(each) for each in ("database", "s3")},
    **{f"bucket {each}": spoiled("s3", each) for each in _OF_THE_BUCKET},
    "database cut": spoiled("database", Fault.CUT),
    "database hung": hung,
    "database restarted": restarted,
}
EMBEDDED = {"database locked by another process": locked}
FAULTS = [
    *(("embedded_parts", *each) for each in (IN_BOTH_FORMS | EMBEDDED).items()),
    *(("distributed_parts", *each) for each in (IN_BOTH_FORMS | DISTRIBUTED).items()),
]


def survives(
    made: Installation | Stack, name: str, fault: Callable[[], None], archives: int = 30, pause_s: float = 0.3
) -> None:
    """Send archives during a fault, and check that all are there, once, after its end."""
    references = [f"{name}-{number}" for number in range(archives)]
    with under_load(made.url, made.secret, references, pause_s) as sent:
        fault()
        ended_s = time.monotonic()
    completed(made, sent, name, ended_s)


@pytest.mark.parametrize(("form", "name", "happens"), FAULTS, ids=[f"{form}-{name}" for form, name, _ in FAULTS])
def test_archives_are_completed_once_when_a_part_fails(
    request: pytest.FixtureRequest, form: str, name: str, happens: Happens
) -> None:
    made: Installation = request.getfixturevalue(form)
    load = (8 * _KILLS, 0.5) if name.endswith("killed") else (30, 0.3)
    survives(made, f"{name} ({form})", lambda: happens(made), *load)


def test_archives_are_completed_once_when_the_database_fails_over(tmp_path: Path) -> None:
    """The second server holds what the first has confirmed. The address leads to it once it is promoted."""
    with distributed(tmp_path) as made:
        first = made.database
        assert first
        with follower_of(first) as second:

            def _fault() -> None:
                time.sleep(4)
                first.part.kill()
                time.sleep(2)
                second.promote()
                made.ways["database"].lead_to(second.port)

            survives(made, "database failed over", _fault)


def test_archives_are_completed_once_when_redis_loses_everything_or_is_killed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with whole_stack(tmp_path_factory.mktemp("redis")) as stack:

        def _flush() -> None:
            with Redis.from_url(stack.redis_url) as server:
                for _ in range(3):
                    time.sleep(2)
                    server.flushall()

        def _kill() -> None:
            time.sleep(2)
            stack["redis"].kill()
            time.sleep(5)
            stack["redis"].start()

        survives(stack, "Redis flushed three times", _flush)
        survives(stack, "Redis killed, 5 s away", _kill)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("clock") / "jumping_clock.so"
    source = Path(__file__).with_name("jumping_clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", made, source, "-ldl"], check=True)
    return made


@pytest.mark.parametrize("name", ["receiver", "worker"])
@pytest.mark.parametrize("by_h", [1, -1, 72, -72])
def test_archives_are_completed_once_when_a_clock_jumps(
    embedded_parts: Installation, library: Path, name: str, by_h: int
) -> None:
    """The jump happens while the program works, and leaves its monotonic clock alone."""
    made = embedded_parts
    offset = made.folder / f"offset of the {name}"
    offset.write_bytes(struct.pack("q", 0))
    jumping = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)}
    made.parts[name].terminate()
    jumped = made.receiver("receiver-jumped", **jumping) if name == "receiver" else made.worker("jumped", **jumping)
    jumped.start()

    def _fault() -> None:
        for by_s, lasts_s in ((by_h * 3600, _LASTS_S), (0, 0)):
            time.sleep(3)
            with offset.open("r+b") as mapped_by_the_program:
                mapped_by_the_program.write(struct.pack("q", by_s))
            time.sleep(lasts_s)

    try:
        survives(made, f"clock of the {name} jumps by {by_h} h", _fault)
    finally:
        jumped.end()
        made.parts[name].start()


def test_identical_requests_fifty_at_a_time_make_one_archive_and_double_nothing(parts: Installation) -> None:
    """At once, and then again and again: some arrive while their archive is processed, and others after it."""
    sent, kind = Sent(), "bucket" if parts.database else "folder"
    assert at_once(_AT_ONCE, lambda: sent.send(parts.url, SECRET, f"fifty at once, {kind}")) == _AT_ONCE
    completed(parts, sent, f"50 identical requests at once ({kind})", time.monotonic())

    sent, chance = Sent(), random.Random(_REDELIVERIES)
    references = [f"redelivered, {kind}, {chance.randrange(20)}" for _ in range(_REDELIVERIES)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda each: sent.send_until_acknowledged(parts.url, SECRET, each), references))
    assert sum(sent.acknowledged.values()) == _REDELIVERIES
    completed(parts, sent, f"{_REDELIVERIES} re-deliveries, 50 at a time ({kind})", time.monotonic())


_SLEEPERS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1000)%' AND pid <> pg_backend_pid()"


def test_a_query_ends_as_transient_when_the_machine_of_the_database_vanishes(configure: Configure) -> None:
    """In the middle of the query: no packet comes back, not even a refusal."""
    with leader() as server, ThreadPoolExecutor(1) as pool:
        configure(database_url=server.url())
        asking = pool.submit(_sleep)
        try:
            with psycopg.connect(server.url(), autocommit=True) as connection:
                wait_until(lambda: connection.execute(_SLEEPERS).fetchone() == (1,), timeout_s=60)
            with _dropped(server.port), pytest.raises(Transient, match="the database does not answer"):
                asking.result(90)
        finally:
            server.part.kill()  # ends a query that still waits


def _sleep() -> None:
    with reading() as session:
        session.connection().exec_driver_sql("SELECT pg_sleep(1000)")


@contextmanager
def _dropped(port: int) -> Iterator[None]:
    """Drop every packet from and to a port."""
    rules = [["OUTPUT", "-o", "lo", "-p", "tcp", side, str(port), "-j", "DROP"] for side in ("--dport", "--sport")]
    try:
        for rule in rules:
            subprocess.run(["iptables", "-I", *rule], check=True)
        yield
    finally:
        for rule in rules:
            subprocess.run(["iptables", "-D", *rule], check=False)

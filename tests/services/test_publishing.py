"""Tables of the lake equal the database row for row, for a reader that knows only files, whatever happens meanwhile."""

import os
import random
import secrets
import shutil
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from subprocess import Popen
from typing import Any
from unittest.mock import Mock

import deltalake
import duckdb
import pytest
from sqlmodel import col, update

from adapters.settings.settings import settings
from adapters.store import seals
from adapters.tables import form_columns
from domain.tables.catalogue import SOURCES
from models.access import CELLAR
from models.changes import ChangeRow
from models.errors import Conflict, Transient, WrongUse
from models.tables import MOST_COLUMNS
from models.templates import Names, PartWords, TemplateWords
from services import publishing, templates
from services.tables import DICTIONARY, UNFIT_VALUES
from tests.conftest import Configure, answers, bucket_at, free_port, running, wait_until
from tests.killed import begun
from tests.lakes import DATA, assert_current, erase, files, lease, shared, texts
from tests.records import NOON, archived, change, document
from tests.tables import table

LEASE = "form_lease"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def places(tmp_path: Path, configure: Configure, postgres_installation: str) -> Path:
    """Return the folder of a lake beside a share."""
    whole = "data=whole"
    configure(lake_url=str(tmp_path / "lake"), share=True, tables_personal=whole, database_url=postgres_installation)
    return tmp_path / "lake"


@pytest.fixture
def lake(tmp_path: Path, configure: Configure, sqlite_installation: None) -> Path:
    configure(lake_url=str(tmp_path / "lake"), tables_personal="data=whole")
    return tmp_path / "lake"


def written() -> dict[str, int | None]:
    """Publish, check each place, and return of how many archives each table was written, which is the same in all."""
    found = defaultdict[str, dict[str, int | None]](dict)
    for each in publishing.publish():
        found[each.place.removesuffix(each.table)][each.table] = each.archives
    assert_current()
    assert publishing.publish() == []
    first, *others = found.values()
    assert all(each == first for each in others)
    return first


@pytest.mark.usefixtures("installation")
def test_only_changed_archives_are_written_until_columns_change(tmp_path: Path, configure: Configure) -> None:
    configure(lake_url=str(tmp_path / "lake"), share=(settings().database_url or "").startswith("postgres"))
    public = {f"field:{each}": PartWords(personal=False) for each in ("RENT", "DAY", "NAME")}
    templates.name({"lease": TemplateWords(parts=public)}, "a test", NOON)
    for number in range(3):
        lease(number, ("RENT", "1,200"), ("DAY", "5/3/2026"), ("NAME", "Dana"))
    assert written() == dict.fromkeys([*SOURCES, UNFIT_VALUES, DICTIONARY, LEASE])

    lease(1, ("RENT", 7), ("CITY", "חיפה"), version=2)  # a new column
    lease(9, ("RENT", 7), template="o'ther")
    every = written()
    assert every.pop(LEASE) == 1
    (other,) = every.keys() - {*SOURCES, UNFIT_VALUES, DICTIONARY}
    assert other.startswith("form_o_ther_")
    assert every.pop(other) is None  # is new
    assert set(every.values()) == {2}
    lease(1, ("RENT", 8), template="o'ther", version=3)  # leaves the table of its template
    assert {*written().values()} == {1}

    lease(2, ("RENT", "much"), ("DAY", "5/3/2026"), version=2)  # one of few: the column is a text now
    assert written()[LEASE] is None
    words = public | {"field:RENT": PartWords(name=Names(en="Rent"), personal=False), "field:NAME": PartWords()}
    templates.name({"lease": TemplateWords(parts=words)}, "a test", NOON)
    lease(0, ("RENT", "5"), ("NAME", "Dana"), version=2)
    assert written()[LEASE] is None
    assert "Dana" not in "".join(texts())


@pytest.mark.usefixtures("sqlite_installation")
def test_published_findings_join_their_payments_and_what_is_personal_alone_is_a_key(
    configure: Configure, tmp_path: Path
) -> None:
    place, number = configure(lake_url=str(tmp_path / "lake")).lake_location, 123_456_789_012_345_678
    its = document("p-1", template={"id": "lease"}, process_number=number)
    its["payments"][0]["amount"] = number
    its["data"] = [
        its["data"][0] | {"id": id_, "value": value} for id_, value in (("NAME", "client"), ("DAY", "1/2/2026"))
    ]
    archived("p-1", payload=its)
    publishing.publish()

    found, paid = (duckdb.read_parquet(files(Path(place or "") / each)) for each in ("discrepancies", "payments"))
    both = found.join(paid.select("transaction_id", "amount_minor"), "transaction_id")
    joined = both.select("code", "expected", "found", "discrepancy_id", "amount_minor").fetchall()
    whole = {each["code"]: each for each in table("discrepancies").to_pylist()}
    names = "code", "expected", "found", "discrepancy_id"
    assert {*joined} == {(*(each[name] for name in names), number) for each in whole.values() if each["transaction_id"]}
    assert "AMOUNT_MISMATCH" in whole
    keyed = dict[str, set[str]]()
    for name, template in [*((each, None) for each in SOURCES), (LEASE, "lease")]:
        shown, own = (table(None if template else name, template, each).to_pylist() for each in (DATA, CELLAR))
        columns = {
            column for one, other in zip(shown, own, strict=True) for column in one if one[column] != other[column]
        }
        keyed |= {name: columns} if columns else {}
    assert keyed == {
        "sessions": {"author", "recipient_id", "recipient_name", "latitude", "longitude"},
        "signatures": {"signer_id", "signer_name"},
        "files": {"filename"},
        LEASE: {"NAME", "DAY"},  # before anybody declares them
    }
    (session,), (form,) = table("sessions", caller=DATA).to_pylist(), table(template="lease", caller=DATA).to_pylist()
    assert session["recipient_name"] == form["NAME"] == seals.fingerprint("table:client")
    assert session["process_number"] == number


ODD = ("select", "_archive", ";drop table", "\"q'", "\u202eevil\u202c", "שם", "RENT", "rent", "RENT")


@pytest.mark.parametrize("width", [len(ODD), pytest.param(MOST_COLUMNS + 1, marks=pytest.mark.faults)])
def test_fields_of_any_name_number_and_source_are_columns_that_stay(lake: Path, width: int) -> None:
    for number in range(8):
        its = ("CITY", ("Haifa", "Jaffa")[number % 2]), *((each, f"{each}'{number}") for each in ODD)
        others = ((f"FIELD_{each}", each) for each in range(width - len(ODD)))
        lease(number, *its, *others, source=("sales", "retail")[number % 2])
    written()
    before = table(template="lease", caller=DATA)
    lease(8, ("CITY", "a village"), ("select", "later"), source="retail")

    assert written()[LEASE] == 1
    assert table(template="lease", caller=DATA).slice(0, 8) == before
    form = deltalake.DeltaTable(lake / LEASE)
    assert len(form.schema().fields) == 5 + min(width + 1, MOST_COLUMNS)
    assert {"_archive'1", None} < {*form.to_pyarrow_table(columns=["archive"])["archive"].to_pylist()}
    sources = deltalake.DeltaTable(lake / "archives").to_pyarrow_table(columns=["source"])["source"].to_pylist()
    assert sorted(sources) == ["retail"] * 5 + ["sales"] * 4
    assert next(each.type for each in form_columns.kept(LEASE) if each.element == "CITY") == "text"


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.usefixtures("lake")
def test_archives_that_get_another_template_or_are_erased_during_a_run_are_right_after_the_next(
    monkeypatch: pytest.MonkeyPatch, is_first: bool
) -> None:
    lease(8, template="other")
    if not is_first:
        publishing.publish()
    for number in (1, 2, 3):
        lease(number, ("NOTE", f"secret-{number}."), version=2)
    write, left = publishing._of_catalogue, [1, 2]

    def after_forms(*arguments: Any) -> publishing.Published | None:
        while left:
            lease(left[-1], ("NOTE", f"secret-{left.pop()}."), template="other", version=3)
            if not left:
                erase("p-3")
        return write(*arguments)

    monkeypatch.setattr(publishing, "_of_catalogue", after_forms)
    publishing.publish()
    erase("p-2")
    publishing.publish()
    assert_current()
    said = "".join(texts())
    assert "secret-1." in said
    assert "secret-2." not in said
    assert "secret-3." not in said


@pytest.mark.usefixtures("lake")
def test_archive_that_is_erased_after_a_kill_of_the_first_run_is_in_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    lease(1, ("NOTE", "secret-1"), template="no other has it")
    with monkeypatch.context() as killed:
        killed.setattr(publishing, "_of_catalogue", Mock(side_effect=InterruptedError))
        with pytest.raises(InterruptedError):
            publishing.publish()
    erase("p-1")
    publishing.publish()
    assert "secret-1" not in "".join(texts())


@pytest.mark.usefixtures("places")
def test_erased_archive_is_in_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        lease(number, ("RENT", number), ("NOTE", f"secret-{number}"))
    publishing.publish()
    lease(1, ("RENT", 7), ("NOTE", "secret-1-later"), template="left", version=2)
    lease(2, ("RENT", 7), ("NOTE", "secret-2"), version=2)
    with monkeypatch.context() as small:
        small.setattr(publishing, "_ARCHIVES_PER_COMMIT", 1)
        written()
    assert any("secret-1-later" in each for each in texts())
    lease(1, template="another", version=3)
    publishing.publish()
    erase("p-1")
    lease(2, ("RENT", 8), version=3)

    assert written()[LEASE] == 2
    assert not [each for each in texts() if "secret-1" in each or "p-1" in each]
    assert any("secret-0" in each for each in texts())


def test_what_another_program_touched_is_written_anew(lake: Path, configure: Configure) -> None:
    lease(1, ("RENT", 1))
    written()
    other = deltalake.DeltaTable(lake / "files")
    other.delete()
    deltalake.DeltaTable(lake / "payments").alter.set_table_name("ours")
    shutil.rmtree(lake / "events")
    for each in (lake / "sessions").glob("*.parquet"):
        each.unlink()
    lease(1, ("RENT", 2), version=2)
    every = written()
    assert {name for name, count in every.items() if count is None} == {"files", "payments", "events", "sessions"}

    for each in (lake / "archives").glob("*.parquet"):
        each.unlink()
    (lake / "runs" / "_delta_log" / "00000000000000099999.json").write_text("{")
    lease(1, ("RENT", 3), version=3)
    with pytest.raises(Conflict, match="remove its folder"):
        publishing.publish()
    shutil.rmtree(lake / "runs")
    assert {*written().values()} == {None}


def test_tables_are_written_anew_in_a_new_epoch_or_manner(lake: Path, configure: Configure) -> None:
    lease(1, ("RENT", 1))
    publishing.publish()
    change(update(ChangeRow).where(col(ChangeRow.position) == 0).values(reference="of.another.server"))
    assert {*written().values()} == {None}
    assert any("'client'" in each for each in texts())

    manners = {publishing._manner()}
    for how, zone in (("left_out", "UTC"), ("left_out", "Asia/Tokyo"), ("keyed", "UTC")):
        configure(lake_url=str(lake), tables_personal=f"data={how}", business_timezone=zone)
        manners.add(publishing._manner())
    assert len(manners) == 4
    assert {*written().values()} == {None}
    assert not any("'client'" in each for each in texts())


def test_without_its_library_the_lake_says_what_is_missing_and_the_share_is_written(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease(1, ("RENT", 7))
    monkeypatch.setitem(sys.modules, "deltalake", None)
    monkeypatch.delitem(sys.modules, "adapters.files.lake", raising=False)
    with pytest.raises(WrongUse, match=r"cellar-lake.*\[lake\]"):
        publishing.publish()
    assert not places.exists()
    with shared() as connection:
        assert len(connection.execute("SELECT * FROM cellar_share.form_lease").fetchall()) == 1


@pytest.mark.usefixtures("places")
def test_widest_rows_and_templates_that_are_called_like_indexes_are_in_the_share() -> None:
    lease(1, *((f"FIELD_{number}", f"{number:020}") for number in range(400)))
    for number, template in enumerate(["x", "x__archive_idx"], 2):
        lease(number, ("CITY", "Haifa"), template=template)
    assert len(publishing.publish()) == 2 * (len(SOURCES) + 2 + 3)
    with shared() as connection:
        assert len(connection.execute("SELECT * FROM cellar_share.form_lease").description or ()) == 380


@pytest.mark.usefixtures("places")
def test_readers_see_all_rows_while_a_table_is_written_anew(configure: Configure) -> None:
    configure(share=True, tables_personal="data=keyed", database_url=settings().database_url)
    rent = TemplateWords(parts={"field:RENT": PartWords(personal=False)})  # stays an integer
    templates.name({"lease": rent}, "a test", NOON)
    for number in range(4):
        lease(number, ("RENT", number), ("NAME", "Dana"), ("CITY", "Haifa"))
    written()
    configure(share=True, tables_personal="data=whole", database_url=settings().database_url)
    ended, counts = threading.Event(), Counter[int]()

    def read() -> None:
        with shared() as connection:
            connection.autocommit = True
            connection.execute("CREATE VIEW ours AS SELECT _archive FROM cellar_share.form_lease")
            while not ended.is_set():
                for name in ("ours", "cellar_share.payments"):
                    counts.update(connection.execute(f"SELECT count(*) FROM {name}".encode()).fetchone() or ())

    with ThreadPoolExecutor(1) as reading:
        found = reading.submit(read)
        wait_until(lambda: bool(counts))
        try:
            assert {each.archives for each in publishing.publish()} == {None}
        finally:
            ended.set()
        found.result()
    assert_current()
    assert {*counts} == {4}

    with shared() as connection:
        connection.execute("SELECT * FROM cellar_share.archives")
        lease(1, ("RENT", 7), ("NAME", "Dana"), ("CITY", "Jaffa"), version=2)
        assert publishing.publish()[-1].archives == 1  # nothing waits for a reader
        connection.commit()
        connection.execute("DROP SCHEMA cellar_share CASCADE")
    assert {*written().values()} == {None}


@pytest.mark.usefixtures("places")
def test_table_is_written_anew_beside_a_reader_who_holds_a_view_of_their_own(configure: Configure) -> None:
    """The publisher locks our table before their view, and they lock it after that."""
    configure(share=True, tables_personal="data=keyed", database_url=settings().database_url)
    lease(1, ("RENT", 7))  # an integer, and text as a key
    publishing.publish()
    configure(share=True, tables_personal="data=whole", database_url=settings().database_url)
    with shared() as reader, shared() as watcher, ThreadPoolExecutor(1) as publisher:
        reader.execute("CREATE VIEW ours AS SELECT _archive FROM cellar_share.form_lease")
        reader.commit()
        reader.execute("COMMENT ON VIEW ours IS 'kept'")
        watcher.autocommit = True
        done = publisher.submit(publishing.publish)
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'ours'::regclass"
        wait_until(lambda: watcher.execute(waits).fetchone() == (1,))
        reader.execute("SELECT count(*) FROM cellar_share.form_lease")
        reader.commit()
        assert {each.archives for each in done.result()} == {None}


class Publisher:
    """Changes archives at random, before and while processes publish them that are killed, or whose bucket goes."""

    def __init__(self, stop: Callable[[ForkServerProcess], None]) -> None:
        self._stop, self._random, self._there, self._made = stop, random.Random(7), dict[int, int](), 0

    def _change(self) -> None:
        for _ in range(self._random.randint(1, 4)):
            number = self._random.choice([self._made, *self._there])
            self._made += number == self._made
            if number in self._there and self._random.random() < 0.3:
                del self._there[number]
                erase(f"p-{number}")
            else:
                version = self._there[number] = self._there.get(number, 0) + 1
                rent = self._random.choice([number, f"{number}.5", "much", None])
                fields = ("RENT", rent), (f"FIELD_{self._random.randint(1, 9)}", f"secret-{number}.")
                lease(number, *fields, template=self._random.choice(["lease", "other"]), version=version)

    def rounds(self, kills: int) -> None:
        """Stop so many publishers before they end."""
        longest_s, stopped = 4.0, 0
        while stopped < kills:
            self._change()
            process = begun(publishing.publish)
            process.join(self._random.uniform(0, longest_s))
            self._change()
            if process.is_alive():
                self._stop(process)
                stopped += 1
            else:
                longest_s *= 0.9
            process.join()
            if self._random.random() < 0.3:
                publishing.publish()
                assert_current()
        publishing.publish()
        assert_current()
        said = "".join(texts())
        assert not [each for each in range(self._made) if each not in self._there and f"secret-{each}." in said]


@pytest.mark.faults
@pytest.mark.usefixtures("installation")
def test_tables_are_right_after_many_kills(tmp_path: Path, configure: Configure) -> None:
    configure(lake_url=str(tmp_path / "lake"), share=(settings().database_url or "").startswith("postgres"))
    Publisher(ForkServerProcess.kill).rounds(50)


def test_share_and_lake_in_a_bucket_are_right_after_kills_and_while_the_bucket_goes(
    tmp_path: Path, configure: Configure, s3_server: str, postgres_installation: str
) -> None:
    port, at = free_port(), f"s3://archives/{secrets.token_hex(8)}"
    configure(lake_url=at, share=True, database_url=postgres_installation, **bucket_at(f"http://127.0.0.1:{port}"))
    relayed = [sys.executable, "-m", "tests.relay", str(port), s3_server.rpartition(":")[2]]

    def relay() -> Popen[bytes]:
        made = running(relayed, dict(os.environ), tmp_path / "relay.log", ROOT).__enter__()
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/healthz"))
        return made

    relays = [relay()]

    def stop(process: ForkServerProcess) -> None:
        if len(relays) % 2:
            relays[-1].kill()
            relays[-1].wait()
            process.join()
            assert process.exitcode == 1
        else:
            process.kill()
        relays.append(relay() if relays[-1].poll() is not None else relays[-1])

    try:
        Publisher(stop).rounds(2)
        relays[-1].kill()
        relays[-1].wait()
        with pytest.raises(Transient, match="the lake does not answer"):
            publishing.publish()
    finally:
        relays[-1].kill()

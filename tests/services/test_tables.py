"""Tables equal the database row for row, keep their columns, and show each role what it may see."""

import csv
import io
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from sqlalchemy import func
from sqlmodel import col, select

from adapters.database.transactions import insert_rows, reading, writing
from adapters.store import seals
from adapters.tables import form_columns
from adapters.tables.archives import archives
from domain.tables.catalogue import SOURCES, columns_of
from domain.tables.values import typed
from models.access import CELLAR, Caller, Role
from models.archive.archive import FormFieldRow, WarningRow
from models.errors import Refused
from models.search import MOST_FACETS
from models.store.happened import NotedRow
from models.tables import ColumnType, FormColumnRow
from models.templates import Names, PartWords, TemplateWords
from services import templates
from services.tables import DICTIONARY, UNFIT_VALUES, listed, opened
from tests.conftest import Configure
from tests.records import NOON, all_of, archived, document
from tests.samples import sample_document
from tests.tables import exported, rows, table

LEASE = "lease"
DATA, VIEWER = Caller("data", Role.DATA), Caller("viewer", Role.VIEWER)
BOTH = pytest.mark.usefixtures("installation")


def lease(number: int, *fields: tuple[str | None, Any], template: str = LEASE, **session: Any) -> None:
    """Load an archive of a template with these fields alone; those named SENT are locations."""
    its = document(f"p-{number}", template={"id": template}, **session)
    made = [its["data"][0] | {"id": id_, "value": value, "type": "text"} for id_, value in fields]
    its["data"] = [each | ({"type": "location"} if each["id"] == "SENT" else {}) for each in made]
    archived(f"p-{number}", minute=number, payload=its)


@BOTH
def test_form_table_has_typed_rows_that_lead_back_and_its_columns_stay() -> None:
    lease(
        1, ("RENT", "1,200"), ("DAY", "5/3/2026"), ("RENT", "7.5"), ("CITY", "חיפה"), ("PAID", True), ("שם", {"a": 1})
    )
    lease(2, ("RENT", 7), ("DAY", "5 במרץ 2026"), ("CITY", "=1+1"), ("SENT", "32.5,34.8"))
    lease(3, ("RENT", "x"), template="another")

    found = table(template=LEASE)

    lead, its = found.column_names[:5], found.to_pylist()
    assert [its[0][each] for each in lead] == [
        *("p-1", 1, archives.get("p-1").current_receipt_id),
        *(datetime(2026, 1, 1, 12, 1, tzinfo=UTC), "http://127.0.0.1:8000/console/archives/p-1"),
    ]
    assert [list(each.values())[5:] for each in its] == [
        [1200, date(2026, 3, 5), Decimal("7.5"), "חיפה", True, '{"a": 1}', None, None],
        [7, date(2026, 3, 5), None, "=1+1", None, None, 32.5, 34.8],
    ]
    assert found.column_names[5:] == [
        "RENT",
        "DAY",
        "RENT_2",
        "CITY",
        "PAID",
        "field",
        "SENT_latitude",
        "SENT_longitude",
    ]
    assert rows(template="another") == [{"RENT": "x"}]

    words = TemplateWords(parts={"field:RENT": PartWords(name=Names(en="Rent", he="שכר דירה"))})
    templates.name({LEASE: words}, "a test", NOON)
    lease(4, ("rent", "2"), ("RENT", "much"))
    later = table(template=LEASE)

    assert later.column_names == [*found.column_names, "rent_3"]
    assert [str(later.schema.field(each).type) for each in ("RENT", "DAY", "PAID")] == ["string", "date32[day]", "bool"]
    assert later.column("RENT").to_pylist() == ["1,200", "7", "much"]
    assert "שכר דירה" in later.schema.field("RENT").metadata[b"description"].decode()
    noted = [(each.row["name"], each.row["type"]) for each in all_of(select(NotedRow)) if each.of == "form_column"]
    assert {("RENT", "integer"), ("RENT", "text"), ("rent_3", "integer")} <= {*noted}  # rebuilt from the store
    assert len(all_of(select(FormColumnRow).where(FormColumnRow.template_id == LEASE))) == 8


@BOTH
def test_numbers_keep_their_digits_and_stay_numbers_in_structures() -> None:
    lease(1, ("A", 123_456_789_012.345_67), ("B", {"a": [1.5, 0.1 + 0.2]}), ("C", 2**60 + 1), ("D", 10**400))

    (its,) = rows(template=LEASE)
    assert (its["A"], its["B"]) == (Decimal("123456789012.34567"), '{"a": [1.5, 0.30000000000000004]}')
    assert (its["C"], its["D"] in ("Infinity", str(10**400))) == (2**60 + 1, True)  # SQLite has no such number


@BOTH
def test_a_stray_value_is_null_and_stands_in_unfit_values_without_its_value() -> None:
    for number in range(100):
        lease(number, ("RENT", "n/a" if number == 7 else str(number)))

    assert [each["RENT"] for each in rows(template=LEASE)].count(None) == 1
    assert str(table(template=LEASE).schema.field("RENT").type) == "int64"
    (unfit,) = table(UNFIT_VALUES).to_pylist()
    assert (unfit["_archive"], unfit["template_id"], unfit["column"], unfit["place"]) == (
        "p-7",
        LEASE,
        "RENT",
        "data[0]",
    )


@BOTH
def test_tables_of_the_catalogue_have_the_rows_of_the_database() -> None:
    for number in range(3):
        lease(number, ("RENT", 1))

    for name, source in SOURCES.items():
        with reading() as session:
            count = session.connection().execute(select(func.count()).select_from(source.of)).scalar_one()
        found = table(name)
        assert found.num_rows == count
        assert found.column_names[5:] == [each.name for each in columns_of(name)]
        if source.is_of_archives:
            assert found.column("_archive").to_pylist() == found.column("reference").to_pylist()
    (of_template,) = rows("templates")
    assert (of_template["template_id"], of_template["archives"]) == (LEASE, 3)
    assert [each["recipient_name"] for each in rows("sessions")] == ["client"] * 3
    assert rows("sessions", "another") == []


@BOTH
def test_form_table_equals_the_fields_of_the_database_cell_by_cell_over_pages_and_versions() -> None:
    drawn = Random(32)
    values = ("1,200", 7, "5/3/2026", "", None, "שלום", ["a"], True, 12.5, "x" * 100, "32.5,34.8", "=1")
    for number in range(50):
        ids = drawn.choices(("A", "a", "B", "SENT", "C D", "", None), k=drawn.randrange(9))
        lease(number, *((id_, drawn.choice(values)) for id_ in ids))
    newer = {"type": "WHP_ARCHIVE", "timestamp": "2025-01-01T00:00:00"}
    archived("p-7", "again", payload=document("p-7", template={"id": LEASE}) | {"event": newer})

    found = {each["_archive"]: each for each in table(template=LEASE).to_pylist()}
    columns = {(each.element, each.occurrence): each for each in form_columns.kept("form_lease")}
    lost = {(each["_archive"], each["place"]) for each in table(UNFIT_VALUES).to_pylist()}

    assert (list(found), found["p-7"]["_version"]) == (sorted(f"p-{number}" for number in range(50)), 2)
    compared = 0
    for reference, row in found.items():
        cells = {name: value for name, value in row.items() if name[0] != "_"}
        seen = Counter[str | None]()
        its = select(FormFieldRow).where(FormFieldRow.reference == reference).order_by(col(FormFieldRow.position))
        for field in all_of(its):
            column = columns[field.id, seen[field.id]]
            seen[field.id] += 1
            if field.latitude is not None:
                degrees = cells.pop(f"{column.name}_latitude"), cells.pop(f"{column.name}_longitude")
                assert degrees == (field.latitude, field.longitude)
            elif column.type is not None and (reference, f"data[{field.position}]") not in lost:
                assert cells.pop(column.name) == typed(field.value, ColumnType(column.type))
            compared += 1
        assert not [value for value in cells.values() if value is not None]
    assert compared == len(all_of(select(FormFieldRow))) > 100


@BOTH
def test_table_of_many_pages_has_each_row_once() -> None:
    lease(1)
    its = [{"reference": "p-1", "position": each, "code": "c", "where": "", "values": {}} for each in range(20_000)]
    with writing() as session:
        insert_rows(session, WarningRow, its)

    assert table("warnings").column("position").to_pylist() == list(range(20_000))


@pytest.mark.usefixtures("sqlite_installation")
def test_personal_columns_are_as_the_role_gets_them_with_equal_keys_in_all_tables(configure: Configure) -> None:
    words = TemplateWords(parts={"field:NAME": PartWords(personal=True), "field:RENT": PartWords(personal=False)})
    for number in range(2):
        its = ("NAME", "client"), ("RENT", 123_456_789), ("NOTE", f"called {'client' if number else 'nobody'}")
        lease(number, *its, ("DAY", "2026-03-05"))
    templates.name({LEASE: words}, "a test", NOON)
    key = seals.fingerprint("table:client")

    assert [each["NAME"] for each in rows(template=LEASE, caller=DATA)] == [key, key]
    assert [each["recipient_name"] for each in rows("sessions", caller=DATA)] == [key, key]
    assert [each["RENT"] for each in rows(template=LEASE, caller=DATA)] == [123_456_789] * 2
    seen = rows(template=LEASE, caller=VIEWER)
    assert [each["NAME"] for each in seen] == ["•••", "•••"]
    assert [each["RENT"] for each in seen] == [123_456_789] * 2
    assert {each[name] for each in seen for name in ("NOTE", "DAY")} == {"•••"}  # of which nobody says
    assert {each["recipient_name"] for each in rows("sessions", caller=VIEWER)} == {"•••"}
    assert rows(UNFIT_VALUES) == rows(UNFIT_VALUES, caller=VIEWER) == []

    configure(tables_personal="data=left_out,auditor=masked")
    assert "NAME" not in rows(template=LEASE, caller=DATA)[0]
    assert rows(template=LEASE, caller=Caller("a", Role.AUDITOR))[0]["NAME"] == "•••"
    assert rows(template=LEASE, caller=VIEWER)[0]["NAME"] == "•••"
    assert rows(template=LEASE, caller=CELLAR)[0]["NAME"] == "client"
    for refused in ("viewer=whole", "viewer=keyed"):
        with pytest.raises(ValueError, match="CELLAR_TABLES_PERSONAL"):
            configure(tables_personal=refused)


@pytest.mark.usefixtures("sqlite_installation")
def test_field_behind_those_that_a_template_is_learned_from_is_personal() -> None:
    lease(1, *((f"F{each}", None) for each in range(MOST_FACETS)), ("NOTE", "Herzl 5"))

    assert rows(template=LEASE)[0]["NOTE"] == "Herzl 5"
    assert rows(template=LEASE, caller=DATA)[0]["NOTE"] == seals.fingerprint("table:Herzl 5")


@pytest.mark.usefixtures("sqlite_installation")
def test_equal_values_have_equal_keys_also_where_the_settings_name_another_role(
    configure: Configure,
) -> None:
    configure(tables_personal="auditor=masked")
    texts = {"A": "2026-03-05", "B": "7.5", "C": "1200", "D": "Dana"}
    words = TemplateWords(parts={f"field:{each}": PartWords(personal=True) for each in texts})
    templates.name({"x": words, "y": words}, "a test", NOON)
    lease(1, *zip(texts, ("2026-03-05", "7.50", 1200, "Dana"), strict=True), template="x")
    lease(2, *zip(texts, ("5/3/2026", "7.5", "1,200.0", "Dana"), strict=True), template="y")

    expected = {id_: seals.fingerprint(f"table:{text}") for id_, text in texts.items()}
    assert [rows(template=each, caller=DATA) for each in "xy"] == [[expected], [expected]]


@BOTH
def test_clerk_gets_rows_of_its_archives_alone() -> None:
    for number, branch in enumerate(("Haifa", "Jaffa", "Haifa")):
        lease(number, ("RENT", number), template=f"lease-{branch}", labels={"branch": branch})
    clerk = Caller("clerk", Role.CLERK, scope="label:branch=Haifa")

    names = {each.name for each in listed(clerk)}
    assert {"form_lease-haifa", "payments"} & names == {"payments"}
    assert [each.template_id for each in listed(clerk) if each.template_id] == ["lease-Haifa"]
    for name, source in SOURCES.items():
        if source.is_of_archives:
            found = table(name, caller=clerk).column("_archive").to_pylist()
            assert {*found} == ({"p-0", "p-2"} if {*table(name).column("_archive").to_pylist()} - {None} else set())
    assert [each["RENT"] for each in rows(template="lease-Haifa", caller=clerk)] == [0, 2]
    for unseen in ("templates", "nothing"):
        with pytest.raises(Refused, match="expected one of"):
            opened(unseen, None, clerk)
    for unseen in ("lease-Jaffa", "nothing"):
        with pytest.raises(Refused, match="no archive has this template"):
            opened(None, unseen, clerk)


@pytest.mark.usefixtures("sqlite_installation")
def test_csv_has_values_as_they_are_and_runs_no_formula() -> None:
    texts = ("=1+1", 'שלום, "x"\n<&>', "\x01\ud83d", "x" * 40_000)
    for number, text in enumerate(texts):
        lease(number, ("RENT", "-1,234.50"), ("NOTE", text), ("DAY", "5/3/2026"), ("BIG", 10**17), ("PAID", "כן"))
    lease(9, ("DAY", "1/1/1850"), ("RENT", f"{10**19}.{1:018}"))

    lines = list(csv.DictReader(io.StringIO(exported(template=LEASE, ending="csv").decode("utf-8-sig"))))

    assert list(lines[0]) == table(template=LEASE).column_names
    shown = {"RENT": "-1234.5", "NOTE": "'=1+1", "DAY": "2026-03-05", "BIG": f"{10**17}", "PAID": "true"}
    assert {each: lines[0][each] for each in shown} == shown
    assert (lines[1]["NOTE"], lines[3]["NOTE"]) == (texts[1], texts[3])
    assert (lines[4]["DAY"], lines[4]["RENT"]) == ("1850-01-01", f"{10**19}.{1:018}")


def found_at(place: str, payload: Any) -> list[Any]:
    """Return what stands at a place of a payload, as columns name it, in all elements of its lists."""
    found = [payload]
    for part in place.split("."):
        name, _, within = part.partition("[")
        its = [each[name] for each in found if name in each]
        listed_ = [element for each in its if isinstance(each, list) for element in each]
        found = [each for each in listed_ if not within.startswith("id=") or each["id"] == within[3:].partition("]")[0]]
        found = found if within else its
    return found


@pytest.mark.usefixtures("sqlite_installation")
def test_columns_have_what_stands_at_their_place_in_the_sample_of_cellosign() -> None:
    payload = sample_document()
    archived(payload["reference"], payload=payload)
    template = payload["sessions"][0]["template"]["id"]
    at = {row["table_name"]: dict[str, str]() for row in rows(DICTIONARY)}
    for row in rows(DICTIONARY):
        at[row["table_name"]][row["column_name"]] = row["place"]

    compared = set()
    for name, places in at.items():
        for column, place in places.items():
            found = table(None if name.startswith("form_") else name, template if name.startswith("form_") else None)
            values = [each for each in found.column(column).to_pylist() if each is not None]
            if place and values:
                sent = [each for part in place.split(", ") for each in found_at(part, payload) if each is not None]
                if "_latitude" in column or "_longitude" in column:
                    sent = [float(each.split(",")["_longitude" in column]) for each in sent]
                spelled = [
                    each.replace(tzinfo=None).isoformat() if isinstance(each, datetime) else each for each in values
                ]
                assert {*map(str, spelled)} == {*map(str, sent)}, (name, column)
                compared.add((name.partition("_")[0], column))
    elements = {each: payload[each][0] for each in ("sessions", "signatures", "payments")}
    for name, element in elements.items():
        assert not [each for each in element if each in at[name] and not at[name][each]]
    without = {"infection", "looks_like", "position", "role", "sha256", "size_bytes"}
    assert {each for each, place in at["files"].items() if not place and each[0] != "_"} == without
    assert ("form", "SOMEFIELD1") in compared
    assert len(compared) > 40


@BOTH
def test_dictionary_describes_each_column_of_each_table_with_the_share_that_is_filled() -> None:
    words = TemplateWords(
        parts={
            "field:RENT": PartWords(name=Names(en="Rent", he="שכר דירה"), personal=False),
            "field:NAME": PartWords(personal=True),
        }
    )
    templates.name({LEASE: words}, "a test", NOON)
    for number, branch in enumerate(("Haifa", "Haifa", "Jaffa", "Jaffa")):
        fields = (
            [("RENT", "7"), ("NOTE", ""), ("NAME", "Dana")] if number < 3 else [("SENT", "32.5,34.8"), ("RENT", "")]
        )
        lease(number, *fields, labels={"branch": branch})

    found = rows(DICTIONARY)
    assert not all_of(select(FormColumnRow))  # whoever looks gives no names for good
    names = {each.name: each.template_id for each in listed(CELLAR)}
    assert list(dict.fromkeys(each["table_name"] for each in found)) == list(names)
    for name, template in names.items():
        its = [each for each in found if each["table_name"] == name]
        columns = table(None if template else name, template)
        assert [each["column_name"] for each in its] == columns.column_names
        arrived = columns.column("_received_at").to_pylist()
        assert all(each["description"] for each in its)
        for each in its:
            values = columns.column(each["column_name"]).to_pylist()
            counts = len(values) if name not in (DICTIONARY, UNFIT_VALUES) and values else None
            assert (each["counted_rows"] or None) == counts
            having = [at for at, value in zip(arrived, values, strict=True) if value not in (None, "")]
            assert each["filled"] == (counts and len(having) / counts)
            times = sorted(filter(None, having if counts else ()))
            assert [each["first_at"], each["last_at"]] == ([times[0], times[-1]] if times else [None, None])

    def lines(caller: Caller) -> dict[str, tuple[Any, ...]]:
        of_form = [each for each in rows(DICTIONARY, caller=caller) if each["table_name"] == "form_lease"][5:]
        return {each["column_name"]: (each["type"], each["filled"], each["counted_rows"]) for each in of_form}

    assert {each["column_name"]: each["name_he"] for each in found if each["name_he"]} == {"Rent": "שכר דירה"}
    place = {each["column_name"]: each["place"] for each in found}
    assert place["Rent"] == "data[id=RENT][0].value"
    assert lines(CELLAR) == {
        "Rent": ("integer", 0.75, 4),
        "NOTE": ("text", 0.0, 4),
        "NAME": ("text", 0.75, 4),
        "SENT_latitude": ("location", 0.25, 4),
        "SENT_longitude": ("location", 0.25, 4),
    }
    assert lines(VIEWER) == lines(CELLAR) | {
        **dict.fromkeys(("NOTE", "NAME"), ("text", None, 4)),
        **{f"SENT_{each}": ("text", None, 4) for each in ("latitude", "longitude")},
    }
    clerk = Caller("clerk", Role.CLERK, scope="label:branch=Haifa")
    assert lines(clerk) == {"Rent": ("integer", 1.0, 2), "NOTE": ("text", 0.0, 2), "NAME": ("text", 1.0, 2)}
    of_clerk = {each["table_name"]: each["counted_rows"] for each in rows(DICTIONARY, caller=clerk)}
    assert (of_clerk["archives"], of_clerk["sessions"], "templates" in of_clerk) == (2, 2, False)


@pytest.mark.usefixtures("sqlite_installation")
def test_dictionary_counts_a_bounded_number_of_rows_the_last_of_the_table() -> None:
    lease(1)
    its: list[dict[str, Any]] = [
        {"reference": "p-1", "position": each, "code": "c", "where": "x" if each >= 4000 else "", "values": {}}
        for each in range(5000)
    ]
    with writing() as session:
        insert_rows(session, WarningRow, its)

    (where,) = (each for each in rows(DICTIONARY) if (each["table_name"], each["column_name"]) == ("warnings", "where"))
    assert (where["filled"], where["counted_rows"]) == (1.0, 1000)

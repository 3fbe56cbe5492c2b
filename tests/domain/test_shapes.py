"""A shape is members with types and no values, and a template drifts once by a change, never by what comes and goes."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as drawn_by
from hypothesis import strategies as st

from domain.shapes import (
    EMPTY,
    GONE,
    LEARNED,
    MOST_IN_ARCHIVE,
    WINDOW,
    Drift,
    Shape,
    changes_of,
    drifts,
    members_of,
    relied_on,
)
from models.shapes import ShapeMemberRow
from models.templates import TemplateWords
from tests.records import NOON, document

MINUTE = timedelta(minutes=1)
BIDI = "\u202enoa\u200f"


def shape(value: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the types of each path, without those of what no case is about."""
    found: dict[str, list[str]] = {}
    for path, type_ in members_of(value, lambda text: f"<{len(text)}>"):
        found.setdefault(path, []).append(type_)
    return {path: sorted(types) for path, types in found.items() if not path.startswith("data[].")}


def field(id_: Any, value: Any = None, type_: Any = "text") -> dict[str, Any]:
    return {"id": id_, "type": type_, "value": value}


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        ({"a": [{"b": 1}, {"b": "x"}]}, {"a": ["list"], "a[]": ["object"], "a[].b": ["number", "text"]}),
        ({"a": None, "b": "", "c": [], "d": False}, {"a": [EMPTY], "b": [EMPTY], "c": [EMPTY], "d": ["flag"]}),
        ({"a.b": 1, "a": {"b": 2}}, {"*": ["number"], "a": ["object"], "a.b": ["number"]}),
        (dict.fromkeys(['"', "\u202e", "\ud800\x00", "n" * 61, "7", "ref-2026", "noa@x.test"], 1), {"*": ["number"]}),
        (
            {"labels": dict.fromkeys(["סניף", "a b", "noa@levi.test", "tel 052-1234567", "n" * 61, "7"], "v")},
            {
                "labels": ["object"],
                **{f"labels.{each}": ["text"] for each in ("סניף", '"a b"', "*", "7")},
            },
        ),
        (
            {"data": [field("RENT", "1,200"), field("RENT", "x"), field("rent", None), "no field"]},
            {
                "data": ["list"], "data[]": ["object", "text"],
                "data[RENT]": ["field text"], "data[RENT].value": ["integer", "text"],
                "data[rent]": ["field text"], "data[rent].value": [EMPTY],
            },
        ),
        (
            {"data": [field(each) for each in ("select", "_archive", ";drop", BIDI, 5, None, {"a": "value"})]},
            {
                "data": ["list"], "data[]": ["object"],
                **{
                    name: types
                    for each in ("select", "_archive", '";drop"', "*", "5", '""')
                    for name, types in ((f"data[{each}]", ["field text"]), (f"data[{each}].value", [EMPTY]))
                },
            },
        ),
        (
            {
                "data": [
                    field("KIND", "flat", "select"), field("WHEN", "2026-01-02", "<b>"), field("X", "x", ["select"]),
                ]
            },
            {
                "data": ["list"], "data[]": ["object"],
                "data[KIND]": ["field select"], "data[KIND].value": ["choice <4>", "text"],
                "data[WHEN]": ["object"], "data[WHEN].value": ["date"],
                "data[X]": ["object"], "data[X].value": ["text"],
            },
        ),
        (
            {"signatures": [{"id": "S", "labels": {"שם": "v"}}]},
            {
                "signatures": ["list"], "signatures[]": ["object"], "signatures[S]": ["object"],
                "signatures[].id": ["text"], "signatures[].labels": ["object"], "signatures[].labels.שם": ["text"],
            },
        ),
    ],
)  # fmt: skip
def test_shape_has_each_member_with_its_types_under_a_name_that_shows(
    payload: Mapping[str, Any], found: Mapping[str, list[str]]
) -> None:
    assert shape(payload) == found


def test_shape_of_a_payload_has_no_value_and_knows_where_each_member_stands() -> None:
    payload = document("r", labels={"BRANCH": "Haifa"})
    found = members_of(payload, lambda _: "0" * 64)

    assert not [each for each in (*found, *found.values()) if any("Haifa" in part for part in each)]
    assert found["data[SOMEFIELD3]", "field select"] == ("data", "data[2]")
    assert found["data[SOMEFIELD3].value", "choice 000000000000"] == ("data[SOMEFIELD3]", "data[2].value")
    assert found["sessions[].labels.BRANCH", "text"] == ("sessions[].labels", "sessions[0].labels.BRANCH")


def test_deep_and_wide_payloads_are_bounded() -> None:
    deep: Any = 1
    for _ in range(60):
        deep = {"n" * 59: deep}

    assert max(len(path) for path, _ in members_of({"a": deep}, str)) < 400
    assert len(members_of({"data": [field(f"F{n}", n) for n in range(5000)]}, str)) == 10_004
    assert len(members_of({"data": [field(f"F{n}", n) for n in range(20_000)]}, str)) == MOST_IN_ARCHIVE


Archive = Mapping[str, Iterable[str]]
"""The paths of an archive, with their types; a path stands for text."""


class Template:
    """A template whose archives are made a minute apart, and the findings after each of them."""

    def __init__(self) -> None:
        self.members: dict[tuple[str, str], ShapeMemberRow] = {}
        self.shapes: list[Shape] = []
        self.found: dict[str, Drift] = {}
        self.opened: list[tuple[str, str]] = []

    def add(self, *paths: str, times: int = 1, minute: int | None = None) -> None:
        """Add archives with members, each a path with its type, as `a.b:integer`."""
        for _ in range(times):
            at = NOON + MINUTE * (len(self.shapes) if minute is None else minute)
            bits = 0
            for path, _, type_ in (each.partition(":") for each in paths):
                parent = path.rpartition(".")[0]
                new = ShapeMemberRow(
                    template=1, number=len(self.members), template_id="t", path=path, parent=parent,
                    type=type_ or "text", place=path, reference=f"{len(self.shapes)}", first_at=at,
                )  # fmt: skip
                row = self.members.setdefault((path, type_ or "text"), new)
                row.first_at = min(row.first_at, at)
                bits |= 1 << row.number
            self.shapes.append(Shape(f"{len(self.shapes)}", at, bits))
            self._judge()

    def _judge(self) -> None:
        newest = sorted(self.shapes, key=lambda each: each.made_at, reverse=True)[:WINDOW]
        rows = [*self.members.values()]
        before, found = self.found, drifts(rows, newest)
        self.found = {f"{rows[number].path}:{rows[number].type}": its for number, its in found.items()}
        self.opened += [(each, str(its.code)) for each, its in self.found.items() if each not in before]
        for number, its in found.items():
            rows[number].code, rows[number].since = its.code, its.since


def codes(template: Template) -> dict[str, str]:
    return {path: str(its.code) for path, its in template.found.items()}


def test_new_template_learns_first_and_what_appears_later_is_found_with_its_first_archive() -> None:
    its = Template()
    its.add("a", times=LEARNED - 1)
    its.add("a", "early")
    assert its.found == {}

    its.add("a", "b", "b.c")

    assert codes(its) == {"b:text": "appeared"}
    assert its.found["b:text"].reference == f"{LEARNED}"
    its.add("a", times=150)
    assert codes(its) == {"b:text": "appeared"}
    its.add("a", times=WINDOW)
    assert (codes(its), its.opened) == ({}, [("b:text", "appeared")])


def test_member_that_nearly_all_had_vanishes_after_twenty_archives_and_returns() -> None:
    its = Template()
    its.add("a", "b", times=LEARNED)
    its.add("a", times=GONE - 1)
    assert its.found == {}

    its.add("a")

    assert codes(its) == {"b:text": "vanished"}
    assert its.found["b:text"].since == NOON + MINUTE * (LEARNED + GONE - 1)
    its.add("a", "b")
    assert its.found == {}


def test_what_vanished_stays_so_until_it_returns() -> None:
    its = Template()
    its.add("a", "b", times=LEARNED)
    its.add("a", times=2 * WINDOW)

    assert codes(its) == {"b:text": "vanished"}
    its.add("a", "b")
    assert its.found == {}


def test_members_of_an_optional_object_are_compared_where_it_is() -> None:
    its = Template()
    for _ in range(40):
        its.add("a", times=3)
        its.add("a", "pay", "pay.sum")
    assert its.opened == []

    its.add("a", "pay", times=GONE)

    assert codes(its) == {"pay.sum:text": "vanished"}


@pytest.mark.parametrize(
    ("known", "new", "found"),
    [
        ("v:integer", "v:text", "retyped"),
        ("v:text", "v:integer", None),
        ("v:decimal", "v:integer", None),
        ("v:integer", "v:decimal", "retyped"),
        ("v:number", "v:text", "retyped"),
        ("v:text", "v:flag", "retyped"),
        ("v:text", "v:empty", None),
        ("v:empty", "v:text", None),
        ("v:field select", "v:field text", "retyped"),
        ("v:choice a", "v:choice b", "choice_added"),
        ("v:text", "v:choice b", None),
    ],
)
def test_another_type_and_another_choice_are_found_unless_a_known_type_takes_it(
    known: str, new: str, found: str | None
) -> None:
    its = Template()
    its.add("a", known, times=LEARNED)
    its.add("a", new)

    assert codes(its) == ({new: found} if found else {})


def test_late_archive_is_compared_where_it_was_made() -> None:
    its = Template()
    its.add("a", "new", times=60)
    for number in range(LEARNED - 1):
        its.add("a", "new", "old", minute=-1 - number)

    assert its.opened == [], "what only earlier archives had is not new"
    its.add("a", "new", "newest", minute=200)
    assert codes(its) == {"newest:text": "appeared"}


@drawn_by(max_examples=drawn_by().max_examples // 5)  # an example takes a third of a second
@given(
    st.lists(st.integers(0, GONE - 2), min_size=20, max_size=60),
    st.lists(st.integers(0, LEARNED - 1), min_size=3, max_size=3),
)
def test_optional_members_are_never_found_however_they_come_and_go(gaps: list[int], first: list[int]) -> None:
    """Each is among the first archives, and never away for twenty archives in a row."""
    its, due = Template(), [*first]
    for number in range(300):
        present = [f"m{each}" for each, at in enumerate(due) if at == number]
        its.add("a", *present)
        due = [at + 1 + gaps[(at + each) % len(gaps)] if at == number else at for each, at in enumerate(due)]

    assert its.opened == []


def test_relied_on_is_what_titles_facets_retention_and_payments_are_read_from() -> None:
    words = TemplateWords(
        title=["person", "field:UNIT 5"], facets=["label:סניף"], retention="erase after 7 years from END"
    )
    paid = ShapeMemberRow(
        template=1, number=0, template_id="t", path="data[PAY]", parent="data", type="field payment", place="data[0]",
        reference="r", first_at=NOON,
    )  # fmt: skip

    found = relied_on(words, [paid])

    assert {'data["UNIT 5"]', 'data["UNIT 5"].value', "data[END]", "data[PAY].value", "sessions[].labels.סניף"} <= found
    assert {"payments", "payments[].amount", "sessions[].recipient.name", "data", "sessions[].labels"} <= found
    assert not {"data[OTHER]", "event", "reference"} & found


def test_changes_are_numbered_as_versions_of_the_shape() -> None:
    def member(number: int, minute: int | None) -> ShapeMemberRow:
        since: Any = {"code": "appeared", "since": NOON + MINUTE * minute} if minute is not None else {}
        return ShapeMemberRow(
            template=1, number=number, template_id="t", path=f"m{number}", parent="", type="text", place="",
            reference="r", first_at=NOON, **since,
        )  # fmt: skip

    found: Sequence[Any] = changes_of([member(0, None), member(1, 5), member(2, 9), member(3, 5)])

    assert [(each.path, each.version) for each in found] == [("m2", 3), ("m1", 2), ("m3", 2)]

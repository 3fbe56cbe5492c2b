"""Archives are found by values of labels and fields as far as the settings say."""

from hypothesis import given
from hypothesis import strategies as st

from domain.search.facets import Rows, facet, field_text, payload_facets, text_of
from models.archive.archive import ArchiveRow, FormFieldRow
from models.archive.session import LabelRow
from models.search.entry import MOST_FACETS, Kind, Searchable
from tests.records import NOON

ROWS: Rows = {
    LabelRow: [{"key": "branch", "value": "Haifa"}, {"key": "secret", "value": "hidden"}],
    FormFieldRow: [{"id": "plan", "value": "Gold"}, {"id": "accepted", "value": True}, {"id": None, "value": "x"}],
}
ARCHIVE = ArchiveRow(reference="r", state="completed", received_at=NOON)


def searchable(labels: str, fields: str) -> Searchable:
    return Searchable(frozenset(labels.split()), frozenset(fields.split()))


def test_only_named_labels_and_fields_are_found_and_a_star_names_all() -> None:
    few = payload_facets(ROWS, searchable("branch", "accepted"))
    all_of_them = payload_facets(ROWS, searchable("*", "*"))

    assert few[Kind.LABEL] == {facet(Kind.LABEL, "Haifa", "branch")}
    assert few[Kind.FIELD] == {facet(Kind.FIELD, "true", "accepted")}
    assert [len(all_of_them[kind]) for kind in (Kind.LABEL, Kind.FIELD)] == [2, 2]
    assert payload_facets(ROWS, searchable("", ""))[Kind.FIELD] == frozenset()


def test_the_text_has_no_value_that_is_not_to_be_found() -> None:
    assert "hidden" not in text_of(ARCHIVE, ROWS, searchable("branch", ""))
    assert "gold" not in text_of(ARCHIVE, ROWS, searchable("*", ""))
    assert "gold" in text_of(ARCHIVE, ROWS, searchable("", "plan"))


def test_values_of_fields_are_compared_as_text() -> None:
    assert [field_text(each) for each in ("חיפה ", 5, True, ["a"], None)] == ["חיפה", "5", "true", '["a"]', "null"]


def test_an_archive_of_too_many_values_is_found_by_the_first() -> None:
    rows: Rows = {LabelRow: [{"key": "k", "value": str(number)} for number in range(MOST_FACETS + 9)]}

    assert len(payload_facets(rows, searchable("*", ""))[Kind.LABEL]) == MOST_FACETS


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_facets_of_different_names_and_values_differ(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (facet(Kind.LABEL, *one) == facet(Kind.LABEL, *other)) is (one == other)
    assert -(1 << 63) <= facet(Kind.LABEL, *one) < 1 << 63

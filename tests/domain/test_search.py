"""Archives are found by values as the settings say, and by texts without case and marks. Ids of entries follow time."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice

from hypothesis import example, given
from hypothesis import strategies as st

from domain.archive.rows import Rows
from domain.search import (
    TRIGRAM,
    facet,
    facet_values,
    field_text,
    first_id_after,
    first_id_at,
    fts_query,
    ids_for,
    like_pattern,
    normalised,
    payload_facets,
    searched_text,
    terms_of,
    text_of,
    trigrams_of,
)
from models.archive.archive import ArchiveRow, FormFieldRow
from models.archive.session import LabelRow
from models.search import MOST_FACETS, Kind, Searchable
from models.templates import TemplateWords
from tests.records import NOON

ROWS: Rows = {
    LabelRow: [{"key": "branch", "value": "Haifa"}, {"key": "secret", "value": "hidden"}],
    FormFieldRow: [{"id": "plan", "value": "Gold"}, {"id": "accepted", "value": True}, {"id": None, "value": "x"}],
}
ARCHIVE = ArchiveRow(reference="r", state="completed", received_at=NOON)


def searchable(labels: str, fields: str) -> Searchable:
    return Searchable(frozenset(labels.split()), frozenset(fields.split()))


def test_values_that_are_counted_are_those_that_their_shown_text_finds() -> None:
    labels = [{"key": "branch", "value": each} for each in ("Haifa  port", "", "x" * 81)]
    fields = [{"id": "plan", "value": each} for each in ("Gold\t card", None, "y " * 60, 7)]
    found = facet_values({LabelRow: labels, FormFieldRow: fields}, ["label:branch", "field:plan"])

    assert {number: each["value"] for number, each in found.items()} == {
        facet(Kind.LABEL, "Haifa  port", "branch"): "Haifa  port",
        facet(Kind.FIELD, field_text("Gold card"), "plan"): "Gold\t card",
        facet(Kind.FIELD, field_text("7"), "plan"): "7",
    }


def test_only_named_labels_and_fields_are_found_and_a_star_names_all() -> None:
    few = payload_facets(ROWS, searchable("branch", "accepted"))
    all_of_them = payload_facets(ROWS, searchable("*", "*"))

    assert few[Kind.LABEL] == {facet(Kind.LABEL, "Haifa", "branch")}
    assert few[Kind.FIELD] == {facet(Kind.FIELD, "true", "accepted")}
    assert [len(all_of_them[kind]) for kind in (Kind.LABEL, Kind.FIELD)] == [2, 2]
    assert payload_facets(ROWS, searchable("", ""))[Kind.FIELD] == frozenset()


def test_the_text_has_no_value_that_is_not_to_be_found() -> None:
    assert "hidden" not in text_of(ARCHIVE, ROWS, searchable("branch", ""), TemplateWords())
    assert "gold" not in text_of(ARCHIVE, ROWS, searchable("*", ""), TemplateWords())
    assert "gold" in text_of(ARCHIVE, ROWS, searchable("", "plan"), TemplateWords())


def test_values_of_fields_are_compared_as_text() -> None:
    assert [field_text(each) for each in ("חיפה ", 5, True, ["a"], None)] == ["חיפה", "5", "true", '["a"]', "null"]


def test_an_archive_of_too_many_values_is_found_by_the_first() -> None:
    rows: Rows = {LabelRow: [{"key": "k", "value": str(number)} for number in range(MOST_FACETS + 9)]}

    assert len(payload_facets(rows, searchable("*", ""))[Kind.LABEL]) == MOST_FACETS


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_facets_of_different_names_and_values_differ(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (facet(Kind.LABEL, *one) == facet(Kind.LABEL, *other)) is (one == other)
    assert -(1 << 63) <= facet(Kind.LABEL, *one) < 1 << 63


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


def found(value: str, q: str) -> bool:
    """Return whether q finds a value, by the plain meaning of its terms."""
    return all(each.pattern in searched_text([value]) for each in terms_of(q))


def test_hebrew_is_found_by_parts_of_words_with_and_without_vowel_points() -> None:
    assert found("דָּנָה לֵוִי", "דנה")
    assert found("דנה לוי", "דָּנָה")
    assert found("חוזה שכירות.pdf", "כירות")
    assert found("צה״ל", 'צה"ל')
    assert found("עו״ד דנה לוי", '"עו״ד דנה"')
    assert not found("עו״ד רון לוי, דנה", '"עו״ד דנה"')
    assert found("תל־אביב", "תל-אביב")
    assert found("תל-אביב", "תל־אביב")
    assert found("2025–2026", "2025-2026")
    assert found("\u202bחיפה\u202c", "חיפה")


@given(TEXTS)
@example("ﷺ" * 40)
@example("İ")
@example("ΑΣ")
@example("ǅ\u0345")
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@given(TEXTS, st.data())
def test_every_part_of_three_characters_is_found(text: str, data: st.DataObject) -> None:
    value = normalised(text)
    begin = data.draw(st.integers(0, max(0, len(value) - TRIGRAM)))
    part = value[begin : data.draw(st.integers(begin + TRIGRAM, max(begin + TRIGRAM, len(value))))]
    if len(part) >= TRIGRAM and '" ' not in part and part == part.strip():  # such a mark ends what is quoted
        assert found(value, f'"{part}"')


@given(TEXTS)
@example('"')
@example('"" AND NOT * ^ : ( ) {x} NEAR/3 -')
@example("a\"b'c\\d%e_f")
def test_no_q_is_an_error_of_the_text_index_and_none_finds_what_it_does_not_name(q: str) -> None:
    terms = terms_of(q)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE t USING fts5(text, tokenize='trigram', detail='none')")
        texts = [searched_text([each]) for each in (q, "something else", "100%_זהות")]
        connection.executemany("INSERT INTO t (rowid, text) VALUES (?, ?)", list(enumerate(texts)))
        if terms:
            maybe = {
                row
                for (row,) in connection.execute("SELECT rowid FROM t WHERE t MATCH ?", [fts_query(trigrams_of(terms))])
            }
            assert maybe >= {row for row, text in enumerate(texts) if all(each.pattern in text for each in terms)}
        for each in terms:
            like = "SELECT ? LIKE ? ESCAPE '\\'"
            for text in texts:
                [(is_like,)] = connection.execute(like, [text, like_pattern(each)])
                assert is_like >= (each.pattern in text)


def test_long_values_and_long_searches_are_bounded() -> None:
    assert len(searched_text(str(each) * 200 for each in range(500))) == 8_000
    assert len(terms_of(" ".join(str(each) for each in range(1000)))) == 16
    assert len(fts_query(trigrams_of(terms_of("".join(map(str, range(500)))))).split(" AND ")) <= 64


SINCE = datetime(1990, 1, 1, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=2_900_000)).map(lambda passed: SINCE + passed)


@given(MOMENTS, st.timedeltas(timedelta(microseconds=4), timedelta(days=10_000)))
def test_a_later_archive_has_no_smaller_id(at: datetime, later: timedelta) -> None:
    assert next(ids_for("a", at)) <= next(ids_for("b", min(at + later, datetime.max.replace(tzinfo=UTC))))


@given(MOMENTS, st.text(max_size=5))
def test_an_id_lies_within_its_millisecond_and_fits_into_64_bits(at: datetime, reference: str) -> None:
    assert first_id_at(at) <= next(ids_for(reference, at)) < first_id_after(at) < 1 << 63


@given(MOMENTS, st.text(max_size=5))
def test_taken_ids_are_followed_by_others(at: datetime, reference: str) -> None:
    first = list(islice(ids_for(reference, at), 100))

    assert first == sorted(set(first))

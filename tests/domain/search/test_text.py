"""Texts are compared without case, vowel points and marks of direction, and every q has terms that name its words."""

import sqlite3
from contextlib import closing

from hypothesis import example, given
from hypothesis import strategies as st

from domain.search.text import TRIGRAM, fts_query, like_pattern, normalised, searched_text, terms_of, trigrams_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


def found(value: str, q: str) -> bool:
    """Return whether q finds a value, by the plain meaning of its terms."""
    return all(each.pattern in searched_text([value]) for each in terms_of(q))


def test_hebrew_is_found_by_parts_of_words_with_and_without_vowel_points() -> None:
    assert found("דָּנָה לֵוִי", "דנה")
    assert found("דנה לוי", "דָּנָה")
    assert found("חוזה שכירות.pdf", "כירות")
    assert found("צה״ל", 'צה"ל')
    assert found("תל־אביב", "תל-אביב")
    assert found("תל-אביב", "תל־אביב")
    assert found("2025–2026", "2025-2026")
    assert found("\u202bחיפה\u202c", "חיפה")


def test_words_are_found_in_any_order_and_quoted_words_only_as_they_stand() -> None:
    assert found("Dana Levi", "levi DANA")
    assert found("Dana Levi", '"dana levi"')
    assert not found("Dana Levi", '"levi dana"')
    assert not found("Dana Levi", "dana nobody")


def test_short_terms_begin_a_word_or_a_value() -> None:
    assert found("Dana Levi", "le")
    assert not found("Dana Levi", "ev")
    assert found("contract_לוי.pdf", "לו")
    assert found("Dana Levi", "d")
    assert not found("Dana Levi", "l")


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
    if len(part) >= TRIGRAM and '"' not in part and part == part.strip():
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

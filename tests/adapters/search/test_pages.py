"""Of the trigrams of a search, those that nearly all texts have are left out, and what is found stays the same."""

import pytest
from sqlalchemy import insert, select
from sqlmodel import SQLModel

from adapters.database.transactions import reading, writing
from adapters.search.pages import Wanted, may_match, newest
from domain.search import terms_of

COUNT = 1500
ENTRY = SQLModel.metadata.tables["search_entry"]
SEARCHES = ("template", "template-1", "template-17", "template-3 lev", "lev template", "rare", "template-3 rare", "zzz")


def text(number: int) -> str:
    """Return a text: all have `template`, every tenth one `levi`, and two are `rare`."""
    levi = "  levi" if number % 10 == 0 else ""
    rare = "  rare" if number in (3, 133) else ""
    return f"  p-{number}  template-{number % 40}{levi}{rare}"


def fill() -> None:
    rows = [{"id": number * 1000, "reference": f"p-{number}", "text": text(number)} for number in range(1, COUNT + 1)]
    with writing() as session:
        session.connection().execute(insert(ENTRY), rows)


@pytest.mark.usefixtures("installation")
@pytest.mark.parametrize("q", SEARCHES)
def test_texts_with_all_terms_are_found_newest_first(q: str) -> None:
    fill()
    terms = terms_of(q)
    expected = [number * 1000 for number in range(COUNT, 0, -1) if all(each.pattern in text(number) for each in terms)]

    with reading() as session:
        assert newest(session, Wanted(terms=terms), COUNT) == expected


@pytest.mark.usefixtures("sqlite_installation")
@pytest.mark.parametrize(
    ("q", "asked"),
    [
        ("levi template", '"lev" AND "evi"'),
        ("template-17", '"e-1" AND "-17"'),
        ("rare template", '"rar" AND "are"'),
        ("levi", '"lev" AND "evi"'),
        ("p-", '" p-"'),
    ],
)
def test_trigrams_that_most_texts_have_are_not_asked_for(q: str, asked: str) -> None:
    fill()
    with reading() as session:
        query = select(may_match(session, terms_of(q)))

    assert list(query.compile().params.values()) == [asked]

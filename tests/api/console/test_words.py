"""The words of pages: dates, sizes and money of a language; values of people; what the services say."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.settings.settings import Settings
from api.console.frame.rendering import environment
from api.console.pages.lists import asked
from api.console.words import formats, languages, telling
from domain.words.parts import PARTS
from models.errors import System
from models.said import Sentence, verbatim
from models.views.archives.archives import ArchiveQuery
from services.health.systems import system_probes

MOMENT = datetime(2026, 7, 1, 22, 30, 5, tzinfo=UTC)


@pytest.mark.parametrize(("language", "text"), [("en", "2 Jul 2026, 01:30:05"), ("he", "2 ביולי 2026, 1:30:05")])
def test_moment_is_in_the_installations_zone(configure: Callable[..., Settings], language: str, text: str) -> None:
    configure(timezone="UTC", business_timezone="Asia/Jerusalem")

    with languages.speaking("he" if language == "he" else "en"):
        assert formats.moment_text(MOMENT) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1 KB"), (2_140_000, "2.1 MB"), (10**15, "1,000 TB")]
)
def test_size_reads_from_the_left_in_its_largest_unit(size_bytes: int, text: str) -> None:
    assert formats.size_text(size_bytes) == f"\u2066{text}\u2069"


@pytest.mark.parametrize(
    ("amount_minor", "currency", "text"),
    [
        (2100, "ILS", "₪21.00"),
        (-5, "USD", "-US$0.05"),
        (7, "JPY", "JP¥7"),
        (1_234_567, "KWD", "KWD1,234.567"),
        (12_34, "IDR", "IDR12.34"),
        ((1 << 63) - 1, "ILS", "₪92,233,720,368,547,758.07"),
        (7, "XXZ", "7 (smallest unit, currency unknown)"),
        (None, "ILS", "–"),
    ],
)
def test_money_is_exact(amount_minor: int | None, currency: str, text: str) -> None:
    assert formats.money_text(amount_minor, currency) == text


@pytest.mark.parametrize(
    ("said", "english", "hebrew"),
    [
        ("'denied'|code('outcome')", "Denied", "נדחתה הגישה"),
        ("'checkbox'|code('type')", "Checkbox", "תיבת סימון"),
        ("'unheard-of'|code('type')", "unheard-of", "unheard-of"),
        ("false|value", "No", "לא"),
        ("2100|money(none)", "2100 (smallest unit, currency unknown)", "2100 (ביחידה הקטנה, מטבע לא ידוע)"),
    ],
)
def test_words_of_a_constant_are_in_the_language_of_each_page(said: str, english: str, hebrew: str) -> None:
    page = environment().from_string(f"{{{{ {said} }}}}")

    with languages.speaking("en"):
        assert page.render() == english
    with languages.speaking("he"):
        assert page.render() == hebrew


REVERSING = set("\u202a\u202b\u202d\u202e\u2066\u2067\0")


@given(st.text())
def test_value_is_isolated_is_text_and_reverses_nothing_alone_and_within_a_sentence(text: str) -> None:
    shown = str(telling.shown(text))
    with languages.speaking("he"):
        within = str(telling.told(Sentence.endpoint_disabled(why=verbatim(text)).as_json()))

    assert shown == "–" or (shown.startswith(("<bdi>", '<bdi class="long">')) and shown.endswith("</bdi>"))
    inner = within.removeprefix("<bdi>").removesuffix("</bdi>").replace("\u2068", "").replace("\u2069", "")
    assert "<" not in inner
    assert not REVERSING & set(shown + inner)


def test_day_and_age_in_a_link_are_read_in_the_installations_zone(configure: Callable[..., Settings]) -> None:
    configure(business_timezone="Asia/Jerusalem")

    found = asked(ArchiveQuery, [("received_after", "2026-11-24"), ("received_before", "7d")])

    assert found.query
    assert found.query.received_after == datetime(2026, 11, 23, 22, tzinfo=UTC)
    assert found.query.received_before
    assert {each.values for each in found.fields if each.kind == "moment"} == {("2026-11-24",), ("7d",)}
    assert found.url("/") == "/?received_after=2026-11-24&received_before=7d"


@given(st.lists(st.tuples(st.sampled_from([*ArchiveQuery.model_fields, "other"]), st.text())))
def test_filters_of_any_link_are_read_or_marked(pairs: list[tuple[str, str]]) -> None:
    found = asked(ArchiveQuery, pairs)

    is_marked = any(each.is_wrong for each in found.fields) or {"cursor", "limit"} & dict(pairs).keys()
    assert found.query is not None or is_marked
    assert found.url("/x").startswith("/x")


def test_every_wait_and_every_part_of_the_system_has_words_and_a_code_without_words_shows_itself(
    configure: Callable[..., Settings],
) -> None:
    configure()
    names = {each.name for each in system_probes()} | {"disk of inbox", "disk of store"}

    assert [each for each in System if not (found := telling.wait_meaning(each)) or not found.to_do] == []
    assert [each for each in sorted(names) if each not in PARTS] == []
    named = sorted(names - {"Prefect", "ClamAV"})
    assert [each for each in named if telling.code_text(each, "part") == each] == []
    assert (telling.code_text("BRAND_NEW"), telling.filter_name("brand_new")) == ("BRAND_NEW", "Brand new")
    assert [telling.meaning("BRAND_NEW"), telling.meaning(None), telling.answer_meaning("BRAND_NEW")] == [None] * 3


def test_text_of_others_is_marked_as_english_unless_it_is_not() -> None:
    with languages.speaking("he"):
        assert str(telling.told(verbatim("a brand-new text"))) == '<bdi lang="en" dir="ltr">a brand-new text</bdi>'
        assert str(telling.told(verbatim("דנה wrote this"))) == "<bdi>דנה wrote this</bdi>"
        assert str(telling.told(None)) == "–"

"""Which endpoint hears an event and under which id, and how its URL is shown."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.messages.endpoints import message_id_of, shown_url, why_skipped
from domain.words.catalogue import in_words, word
from models.messages.notification import EndpointRow, Event, EventType
from models.said import verbatim

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
NAMES = st.sampled_from(["north", "south", "east"])
SOURCES = st.none() | NAMES
TYPES = st.sampled_from(list(EventType))

events = st.builds(lambda type_, source: Event(type_, "receipt-1", NOW, b"{}", "process-1", source), TYPES, SOURCES)


def endpoint(**filters: Any) -> EndpointRow:
    return EndpointRow(name="erp", url="https://erp.example", created_at=NOW, **filters)


@given(events, st.lists(TYPES), st.lists(NAMES))
def test_endpoint_hears_what_passes_each_of_its_filters(
    event: Event, types: list[EventType], sources: list[str]
) -> None:
    passes = {
        "event": not types or event.type in types,
        "source": not sources or event.source in sources,
    }

    skipped = why_skipped(endpoint(events=types, sources=sources), event)

    assert (skipped is None) == all(passes.values())
    assert skipped is None or not passes[skipped.code.removeprefix("unwanted_")]


@given(events)
def test_disabled_endpoint_hears_nothing(event: Event) -> None:
    disabled = endpoint(disabled_at=NOW, **in_words(disabled_why=verbatim("by dana@desk")))

    skipped = why_skipped(disabled, event)

    assert skipped is not None
    assert word(skipped) == "the endpoint is disabled: by dana@desk"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://erp.example", "https://erp.example"),
        ("https://erp.example:8443/hooks/cellar-messages/v2", "https://erp.example:8443/hooks/cellar-messages/v2"),
        ("http://[::1]:9/hook", "http://[::1]:9/hook"),
        ("https://user:pass@erp.example/hook", "https://…@erp.example/hook"),
        ("https://erp.example/hook?token=abc&x=1", "https://erp.example/hook?token=…&x=…"),
        ("https://hooks.example/services/T024BE7LD/B024/xyzXYZ", "https://hooks.example/services/…/…/…"),
        ("https://erp.example/hook#abc", "https://erp.example/hook"),
        ("no URL", "…"),
        ("https://[half", "…"),
    ],
)
def test_shown_url_masks_what_may_be_a_token(url: str, shown: str) -> None:
    assert shown_url(url) == shown


TOKENS = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789-_.~", min_size=16).filter(lambda text: text.strip("."))


@given(TOKENS.filter(lambda text: not text.replace("-", "").replace("_", "").replace(".", "").islower()), TOKENS)
def test_no_token_is_in_a_shown_url(in_path: str, elsewhere: str) -> None:
    secret = f"{elsewhere}-9"
    url = f"https://{secret}:{secret}@erp.example/hooks/{quote(in_path)}/x?key={secret}&{secret}={secret}#{secret}"

    shown = shown_url(url)

    assert secret not in shown
    assert f"/{in_path}" not in shown
    assert shown.startswith("https://…@erp.example/hooks/")


def test_message_id_differs_by_receipt_and_endpoint_and_never_changes() -> None:
    """Receivers store these ids, so no release may compute them in another way."""
    urls = ("https://erp.example/hook", "https://b.example")
    ids = [message_id_of(receipt, url) for receipt in ("ab" * 32, "b" * 64) for url in urls]

    assert ids[0] == "msg_56145031949ff64e91f16a84743d2392"
    assert len(set(ids)) == 4

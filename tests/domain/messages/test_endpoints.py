"""Which endpoint hears an event and under which id, and how its URL is shown."""

import base64
import re
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from domain.messages.endpoints import message_id_of, shown_url, why_skipped
from domain.messages.signatures import SigningKey, key_of, signatures_of
from domain.words.catalogue import in_words, word
from models.messages.notification import EndpointRow, Event, EventType, Signature
from models.said import verbatim

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
NAMES = st.sampled_from(["north", "south", "east"])
SOURCES = st.none() | NAMES
TYPES = st.sampled_from(list(EventType))
events = st.builds(lambda type_, source: Event(type_, "receipt-1", NOW, b"{}", "process-1", source), TYPES, SOURCES)


@given(events, st.lists(TYPES), st.lists(NAMES))
def test_endpoint_hears_what_passes_each_of_its_filters_and_nothing_once_it_is_disabled(
    event: Event, types: list[EventType], sources: list[str]
) -> None:
    passes = {"event": not types or event.type in types, "source": not sources or event.source in sources}
    its = EndpointRow(name="erp", url="https://erp.example", created_at=NOW, events=[*types], sources=sources)

    skipped = why_skipped(its, event)

    assert (skipped is None) == all(passes.values())
    assert skipped is None or not passes[skipped.code.removeprefix("unwanted_")]
    its.disabled_at, its.values = NOW, in_words(disabled_why=verbatim("by dana@desk"))["values"]
    disabled = why_skipped(its, event)
    assert disabled
    assert word(disabled) == "the endpoint is disabled: by dana@desk"


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


SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_signature_is_that_of_the_specifications_example_and_each_key_signs_in_its_order() -> None:
    its = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    seed = SigningKey(Signature.ED25519, bytes(32))
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    assert signatures_of([key_of(SECRET)], *its) == expected
    assert re.fullmatch(rf"v1a,[\w+/]{{86}}== {re.escape(expected)}", signatures_of([seed, key_of(SECRET)], *its))


@given(
    st.one_of(
        st.builds(SigningKey, st.just(Signature.HMAC), st.binary(min_size=24, max_size=64)),
        st.builds(SigningKey, st.just(Signature.ED25519), st.binary(min_size=32, max_size=32)),
    )
)
def test_key_is_read_back_from_its_text(key: SigningKey) -> None:
    assert key_of(key.text) == key


@given(st.binary(min_size=24, max_size=64), st.text())
def test_library_verifies_what_an_hmac_key_signs(secret: bytes, body: str) -> None:
    now = int(datetime.now(UTC).timestamp())
    sent = body.encode(errors="replace")
    signed = signatures_of([SigningKey(Signature.HMAC, secret)], "msg_1", now, sent)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(now), "webhook-signature": signed}

    Webhook(secret).verify(sent, headers, json_parse=False)


@given(st.binary(min_size=32, max_size=32), st.binary())
def test_public_key_verifies_what_an_ed25519_key_signs(seed: bytes, body: bytes) -> None:
    key = SigningKey(Signature.ED25519, seed)

    signed = signatures_of([key], "msg_1", 1, body)

    assert key.public_text
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.public_text.removeprefix("whpk_")))
    public.verify(base64.b64decode(signed.removeprefix("v1a,")), b"msg_1.1." + body)


@pytest.mark.parametrize(
    "text",
    ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_no base64!", "whsec_c2hvcnQ=", "whsk_c2hvcnQ=", "whpk_x"],
)
def test_text_that_is_no_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="expected") as refused:
        key_of(text)

    assert len(text) < 8 or text not in str(refused.value)


def test_private_key_with_the_public_key_of_another_is_refused() -> None:
    seed, other = (SigningKey(Signature.ED25519, bytes([each]) * 32) for each in (1, 2))
    own, wrong = (
        f"whsk_{base64.b64encode(seed.secret + base64.b64decode(str(each.public_text).removeprefix('whpk_'))).decode()}"
        for each in (seed, other)
    )

    assert key_of(own) == seed
    with pytest.raises(ValueError, match="public key"):
        key_of(wrong)


def test_a_key_is_not_shown_by_its_representation() -> None:
    shown = repr(SigningKey(Signature.HMAC, b"x" * 32))

    assert base64.b64encode(b"x" * 32).decode() not in shown
    assert "xxxx" not in shown

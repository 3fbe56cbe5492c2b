"""What an endpoint may be: names and headers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.views.messages import NewEndpoint


def asked(**members: Any) -> NewEndpoint:
    return NewEndpoint.model_validate({"url": "https://erp.example", "name": "erp"} | members)


@pytest.mark.parametrize("name", ["erp", "e", "erp-2", "0", "a" * 64])
def test_slug_is_a_name(name: str) -> None:
    assert asked(name=name).name == name


@pytest.mark.parametrize(
    "name", ["", "ERP", "erp_2", "-erp", "erp-", "a" * 65, "erp.json", "../erp", "e/p", "erp\n", "תשלום", "settings-1"]
)
def test_other_text_is_no_name(name: str) -> None:
    with pytest.raises(ValidationError):
        asked(name=name)


@pytest.mark.parametrize(
    "header",
    [
        *("host", "Host", "Content-Length", "content-type", "Transfer-Encoding", "connection", "Webhook-Id", "cookie"),
        *("webhook-signature", "webhook-timestamp", "svix-id", "user-agent", "proxy-authorization", "expect"),
    ],
)
def test_header_that_frames_or_signs_the_message_is_refused(header: str) -> None:
    with pytest.raises(ValidationError, match=header):
        asked(headers={header: "x"})


@pytest.mark.parametrize("header", ["", "a b", "a:b", "a\r\nb", "é", "a" * 101])
def test_text_that_is_no_header_name_is_refused(header: str) -> None:
    with pytest.raises(ValidationError):
        asked(headers={header: "x"})


@given(st.text())
def test_value_of_a_header_is_printable_ascii_or_refused_without_being_repeated(value: str) -> None:
    is_fine = 0 < len(value) <= 4000 and value.isascii() and value.isprintable() and value.strip(" ") == value
    if is_fine:
        assert asked(headers={"X-Token": value}).headers == {"X-Token": value}
    else:
        with pytest.raises(ValidationError) as refused:
            asked(headers={"X-Token": value})
        assert len(value) < 12 or value not in str(refused.value)


def test_header_that_differs_in_case_alone_is_refused() -> None:
    with pytest.raises(ValidationError, match="each once"):
        asked(headers={"X-Token": "a", "x-token": "b"})


def test_secrets_are_in_no_representation() -> None:
    made = asked(url="https://hidden@erp.example", secret="whsec_hidden", headers={"X-Token": "hidden"})

    assert "hidden" not in repr(made)

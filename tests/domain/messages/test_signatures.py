"""Signatures of messages, by the specification's own example and by the libraries that verify them."""

import base64
import re
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from domain.messages.signatures import SigningKey, key_of, signatures_of
from models.messages.notification import Signature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_signature_is_that_of_the_specifications_example() -> None:
    signed = signatures_of([key_of(SECRET)], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_key_signs_in_its_order() -> None:
    seed = SigningKey(Signature.ED25519, bytes(32))

    signed = signatures_of([seed, key_of(SECRET)], "msg_1", 1, b"{}")

    assert re.fullmatch(r"v1a,[\w+/]{86}== v1,[\w+/]{43}=", signed)


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
    assert seed.public_text
    assert other.public_text
    own, wrong = (
        "whsk_" + base64.b64encode(seed.secret + base64.b64decode(each.public_text.removeprefix("whpk_"))).decode()
        for each in (seed, other)
        if each.public_text
    )

    assert key_of(own) == seed
    with pytest.raises(ValueError, match="public key"):
        key_of(wrong)


def test_a_key_is_not_shown_by_its_representation() -> None:
    assert base64.b64encode(b"x" * 32).decode() not in repr(SigningKey(Signature.HMAC, b"x" * 32))
    assert "xxxx" not in repr(SigningKey(Signature.HMAC, b"x" * 32))

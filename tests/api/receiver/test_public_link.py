"""`/d/{token}`: the public link, which ends up in the sender's logs."""

import base64
import hashlib
import re
import string
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import httpx
from itsdangerous import TimestampSigner
from itsdangerous.encoding import base64_decode

from adapters.files.store import store
from adapters.inbox import inbox
from adapters.store.revoked_links import RECORDS
from adapters.tables.runs import receipts
from models.archive.archive import State
from models.store.fixity import Fault
from models.views.access import LinkQuery, LinkView
from services.access.links import revoke
from services.custody.verifying_records import verify_beside
from services.views import link_list
from tests.api.conftest import LINK_KEY, PERSON, Library, Receiver, contract, earlier_contract
from tests.conftest import wait_until
from tests.end_to_end.browser import needs_chromium
from tests.end_to_end.browser import page as browser_page
from tests.installations import installed
from tests.samples import PDF, PNG, sample_body

NEWEST = contract(event={"type": "WHP_ARCHIVE", "timestamp": "2024-01-01T00:00:00"})
"""The current version of the archive `contract`."""
_LETTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


class LongAgo(TimestampSigner):
    """A signer whose clock is two days slow."""

    def get_timestamp(self) -> int:
        return super().get_timestamp() - 2 * 86_400


class Ahead(TimestampSigner):
    """A signer of a receiver whose clock is a minute fast."""

    def get_timestamp(self) -> int:
        return super().get_timestamp() + 60


def token_of(body: bytes, signer: type[TimestampSigner] = TimestampSigner, key: str = LINK_KEY) -> str:
    name = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=")
    return signer(key, salt="public-link").sign(name).decode()


def followed(receiver: Receiver, token: str) -> httpx.Response:
    """Open a public link, without credentials."""
    return receiver.client.get(f"/d/{token}")


def test_link_shows_the_state_of_its_archive_and_its_digests_and_no_personal_data(library: Library) -> None:
    fresh = library.receiver.post(sample_body("fresh", note=PERSON)).json()["document"]["public_link"]
    unregistered = followed(library.receiver, token_of(b"not yet registered"))
    for page in (library.receiver.client.get(urlsplit(fresh).path), unregistered):
        assert (page.status_code, "still processing" in page.text) == (202, True)

    failing = sample_body("failing")
    receipt_id = registered(library, failing)
    with installed(library.folder, **library.settings):
        receipts.set_state(receipt_id, State.FAILED, datetime.now(UTC))
    page = followed(library.receiver, token_of(failing))
    assert (page.status_code, "The archive is failed." in page.text) == (200, True)

    page = followed(library.receiver, token_of(NEWEST))
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "The archive is completed." in page.text
    digests = [hashlib.sha256(each).hexdigest() for each in (NEWEST, PNG, PDF)]
    assert [each for each in digests if each not in page.text] == []
    assert [text for text in (PERSON, "contract", "SIGNEDDOCUMENT", "example.com", "2101") if text in page.text] == []


def test_links_of_an_earlier_version_and_of_a_receiver_whose_clock_is_ahead_work(library: Library) -> None:
    for token in (token_of(earlier_contract()), token_of(NEWEST, Ahead)):
        assert followed(library.receiver, token).status_code == 200


def test_forged_token_is_not_found(library: Library, receiver: Receiver) -> None:
    """Neither is a link of another installation. Base64 decodes each spelling of a signature to the same bytes."""
    token = token_of(NEWEST)
    place = _LETTERS.index(token[-1])
    same = [*(token[:-1] + _LETTERS[place ^ spare] for spare in (1, 2, 3)), token + "=", token + "==="]
    same += [token + " " * 4, f"{token[:-5]}!!!!{token[-5:]}"]
    signature = base64_decode(token.rpartition(".")[2])
    assert {base64_decode(each.rpartition(".")[2]) for each in same} == {signature}
    elsewhere = urlsplit(receiver.post(NEWEST).json()["document"]["public_link"]).path
    assert receiver.client.get(elsewhere).status_code == 202

    for each in (
        *("x", "...", "a.b.c", "%00", "%FF", "%D7%90", "a%2Fb", "." * 300, "x" * 5000),
        *(token[:-1], token + "x", token.swapcase(), token.partition(".")[0], "A" + token[1:], *map(quote, same)),
        token_of(NEWEST, key="the key of another installation"),
        TimestampSigner(LINK_KEY).sign("another purpose").decode(),
        elsewhere.rpartition("/")[2],
    ):
        page = followed(library.receiver, each)
        assert (each, page.status_code) == (each, 404)
        assert hashlib.sha256(PNG).hexdigest() not in page.text
    assert followed(library.receiver, token).status_code == 200


def registered(library: Library, body: bytes) -> str:
    """Send an archive and register it, without Prefect. Return its receipt id."""
    with installed(library.folder, **library.settings):
        receipt_id: str = library.receiver.post(body).json()["document"]["reference"]
        for delivery in library.receiver.deliveries_of(receipt_id):
            receipts.register_all([delivery])
    return receipt_id


def links(library: Library, reference: str) -> list[LinkView]:
    with installed(library.folder, **library.settings):
        return link_list.page(LinkQuery(reference=reference)).items


def test_visits_of_a_link_are_counted_and_others_are_not(library: Library) -> None:
    body = sample_body("visited")
    receipt_id = registered(library, body)
    for token in (*[token_of(body)] * 3, token_of(body, LongAgo), token_of(body) + "x"):
        followed(library.receiver, token)

    wait_until(lambda: links(library, "visited")[0].visits >= 3)  # the receiver writes visits in groups

    [found] = links(library, "visited")
    assert (found.receipt_id, found.visits, found.revoked) == (receipt_id, 3, None)
    assert found.expires_at - found.made_at == timedelta(days=1)
    assert found.last_visit_at
    assert found.last_visit_at >= found.made_at


def test_link_that_is_revoked_opens_nothing_also_after_the_body_comes_again(library: Library) -> None:
    body = sample_body("revoked", note=PERSON)
    receipt_id = registered(library, body)
    with installed(library.folder, **library.settings):
        for why in ("sent to the wrong address", "again"):
            assert revoke(receipt_id, "Dana", why, datetime.now(UTC)).why == "sent to the wrong address"
    library.receiver.post(body)

    page = followed(library.receiver, token_of(body))

    assert (page.status_code, "This link was revoked." in page.text) == (410, True)
    [found] = links(library, "revoked")
    assert found.revoked
    assert (found.revoked.revoked_by, found.visits) == ("Dana", 0)
    assert (library.folder / "data" / "store" / "links" / f"{receipt_id}.json").exists()
    with installed(library.folder, **library.settings):
        store().overwrite_bytes(b"{", RECORDS.key_of(receipt_id))
        damaged = [each for each in verify_beside().findings if each.key == RECORDS.key_of(receipt_id)]
    assert followed(library.receiver, token_of(body)).status_code == 410
    assert [each.fault for each in damaged] == [Fault.DAMAGED]

    disk = library.folder / "data" / "store"
    aside = disk.rename(disk.with_name("aside"))
    disk.mkdir()
    try:
        assert followed(library.receiver, token_of(body)).status_code == 503
    finally:
        disk.rmdir()
        aside.rename(disk)


def test_no_page_is_cached_or_indexed_and_each_allows_only_its_own_style(
    library: Library, without_database: Receiver
) -> None:
    tokens = [token_of(NEWEST), token_of(b"unknown"), token_of(NEWEST, LongAgo), "forged"]
    pages = [followed(library.receiver, token) for token in tokens]
    pages.append(followed(without_database, token_of(NEWEST)))
    nonces = [re.findall(r'<style nonce="([\w-]{22})">', page.text) for page in pages]

    assert [page.status_code for page in pages] == [200, 202, 410, 404, 503]
    assert [hashlib.sha256(PNG).hexdigest() in page.text for page in pages] == [True, False, False, False, False]
    assert len({nonce for (nonce,) in nonces}) == len(pages)
    for page, (nonce,) in zip(pages, nonces, strict=True):
        assert page.headers["content-type"].startswith("text/html")
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-robots-tag"] == "noindex"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers.get_list("content-security-policy") == [
            f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none';"
            " frame-ancestors 'none'"
        ]
        assert page.headers.get_list("x-content-type-options") == ["nosniff"]


@needs_chromium
def test_page_has_its_style_in_a_browser(library: Library) -> None:
    with browser_page() as browser:
        violations: list[str] = []
        browser.on("console", lambda message: violations.append(message.text))

        browser.goto(f"{library.receiver.url}/d/{token_of(NEWEST)}")

        assert browser.evaluate("getComputedStyle(document.body).margin") == "0px"
        assert [each for each in violations if "Content Security Policy" in each] == []


def test_new_delivery_of_a_completed_archive_is_recorded_and_leaves_the_inbox(library: Library) -> None:
    body = sample_body("with space")
    with installed(library.folder, **library.settings):
        # Prefect does not answer, and a sweep stops at the first delivery that needs Prefect.
        for each in list(inbox.deliveries()):
            inbox.remove([each.delivery_id])

    link = library.receiver.post(body).json()["document"]["public_link"]

    wait_until(lambda: not library.receiver.deliveries_of(hashlib.sha256(body).hexdigest()))
    assert library.receiver.client.get(urlsplit(link).path).status_code == 200
    deliveries = library.get("/api/archives/with%20space").json()["deliveries"]
    assert [each["outcome"] for each in deliveries] == ["new", "duplicate"]

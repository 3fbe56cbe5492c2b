"""The page of an export: shows a whole archive, and payloads cannot inject markup."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

from adapters.words.languages import texts
from domain.archive.signed_document import with_verdict
from domain.payments.reconciliation import reconcile
from domain.summary_page import ExportedFile, Proof, Shown, summary_page
from domain.words.wording import Language
from models.archive.archive import Archive
from models.archive.verdict import UNREADABLE, Judgement, LaterChange, Outcome, Revocation, RevocationStatus, TimeSource
from models.said import Sentence, because
from models.store.anchor import AnchorProof, Inclusion, Leaf, Statement
from models.store.fixity import Fault, FixityFinding
from models.views.archives.archives import DeliveryView, VersionView
from tests.domain.archive.test_signed_document import SIGNATURE, SOUND
from tests.domain.payloads import TERMS, changed, read
from tests.samples import sample_document

RECEIPT = "a" * 64
RECEIVED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
VERSIONS = [VersionView(version=2, receipt_id=RECEIPT, received_at=RECEIVED_AT)]
DELIVERIES = [DeliveryView(receipt_id=RECEIPT, received_at=RECEIVED_AT, outcome="changed", source="default")]
PROOF = Proof(
    RECEIVED_AT, "עיריית דוגמה", RECEIPT, RECEIVED_AT, is_in_clear=True, is_locked=False, findings=(), anchored=None
)
STATEMENT = Statement(7, RECEIVED_AT + timedelta(days=1), 1, "ab" * 32, None, "cd" * 32)
LISTED = replace(PROOF, anchored=AnchorProof(Inclusion(Leaf("k", 1, "", (), ()), 0, (), STATEMENT), b"", b"", {}))
HOSTILE = "\"'><script>alert('שלום')</script><img src=x onerror=alert(1)>&amp;{{ 7 * 7 }}"

ELEMENTS = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "a", "bdi", "dl", "dt", "dd"} | {
    *("table", "thead", "tbody", "tr", "th", "td", "ol", "li", "code")
}


ATTRIBUTES = {"lang", "hreflang", "dir", "href", "class"}


class Read(HTMLParser):
    """The elements, attributes and texts that a browser finds on a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(
    archive: Archive,
    paths: Sequence[str] = ("files/signed.pdf", "files/scan.png"),
    language: Language = "en",
    proof: Proof = PROOF,
) -> str:
    found = reconcile(archive, TERMS)
    stored = [content for content in archive.contents if content.stored]
    files = [ExportedFile(path, content) for path, content in zip(paths, stored, strict=False)]
    return summary_page(Shown(archive, files, found, 2, VERSIONS, DELIVERIES), proof, TERMS, language, texts(language))


def cells(page: str) -> list[str]:
    """Return the non-empty texts of a page."""
    return [text for text in Read(page).texts if text.strip()]


def texts_replaced(value: Any, text: str) -> Any:
    """Return the document with `text` in place of each text that the archive may lack."""
    if isinstance(value, dict):
        kept = {"content", "timestamp", "created_at", "submitted_at", "executed_at", "signed_at", "event"}
        return {name: each if name in kept else texts_replaced(each, text) for name, each in value.items()}
    if isinstance(value, list):
        return [texts_replaced(each, text) for each in value]
    return text if isinstance(value, str) else value


def test_page_shows_the_values_of_the_sample() -> None:
    archive = read(changed("payments.0.amount", 2500))

    texts = "\n".join(Read(page_of(archive)).texts)

    for expected in (
        "Archive f51c66ba-d33a-4c59-b63a-aa270383fb9e, version 2",
        "2022-12-21 22:29:17 UTC",
        "9fa70d4ccea84262b1ed2308a07a3fb4",
        "files/signed.pdf",
        "SIGNEDDOCUMENT.pdf",
        "11.0 kB",
        *(each.stored.sha256 for each in archive.contents if each.stored),
        "wSYqmI4xsE",
        "john@example.com",
        "client@example.com",
        "Best browser ever",
        "CUSTOMER_VALUE",
        "EF_CLIENT_LOGGED_IN",
        "SIGNATURE1",
        "SOME_TAG: SOME_VALUE",
        "SOMEVALUE1",
        "geocoder: Arlozorov St 160, Tel Aviv-Yafo, Israel",
        "25.00 ILS",
        "Visa 458045******4580",
        "Verified",
        "The amount of the payment differs from the amount that the provider states",
        "2026-01-02 03:04:05 UTC",
        RECEIPT,
    ):
        assert expected in texts


def test_verdict_on_the_signed_document_is_shown_in_words() -> None:
    signature = replace(
        SIGNATURE,
        signer_name="דנה כהן (1)",
        signer_organization="Example Ltd",
        signed_at=datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
        change=LaterChange.OTHER,
        change_permitted=False,
    )
    verdict = replace(SOUND, outcome=Outcome.CHANGED, signatures=(signature,), covers_whole_file=False)

    page = page_of(replace(read(sample_document()), signed_document_verdict=verdict))

    texts = "\n".join(Read(page).texts)
    for expected in (
        "Changed: the document was changed after it was signed. No signature is known to be broken.",
        "Locked\nyes\n",
        "Covers the whole file\nno\n",
        "not judged: no trusted roots were configured",
        "other changes, not permitted",
        "Example Ltd",
        "2026-02-03 04:05:06 UTC",
    ):
        assert expected in texts
    assert "<td><bdi>דנה כהן (1)</bdi></td>" in page


def test_verdict_without_signatures_has_no_signature_rows() -> None:
    page = page_of(replace(read(sample_document()), signed_document_verdict=UNREADABLE))

    assert "Unreadable: the signatures of the document cannot be judged." in page
    assert "<h3>Digital signatures</h3>\n<p>None.</p>" in page


def test_detected_type_and_scan_result_stand_beside_the_declared_type() -> None:
    archive = read(sample_document())
    signed, attached = archive.contents
    assert signed.stored
    assert attached.stored
    contents = (
        replace(signed, stored=replace(signed.stored, looks_like="text/html", infection="Eicar-Test-Signature")),
        replace(attached, stored=replace(attached.stored, looks_like=None, is_scanned=False)),
    )

    page = page_of(replace(archive, contents=contents))

    infected, skipped = (page[page.index(name) :] for name in ("SIGNEDDOCUMENT.pdf", "SOMEFILENAME1.png"))
    assert cells(infected)[3:6] == ["application/pdf", "text/html", "Eicar-Test-Signature"]
    assert cells(skipped)[3:6] == ["image/png", "–", "not scanned"]


def test_card_secrets_are_not_on_the_page() -> None:
    secrets = sample_document()["payments"][0]["provider_transaction_result"]

    page = page_of(read(sample_document()))

    for name in ("card_id", "auth_number", "card_expiration", "session_cd", "cguid", "internal_transaction_id"):
        assert f">{secrets[name]}<" not in page


def test_payload_text_never_becomes_markup() -> None:
    document = texts_replaced(sample_document(), HOSTILE)
    document["sessions"][0]["labels"] = {HOSTILE: HOSTILE}
    document["data"][0]["value"] = {HOSTILE: [HOSTILE]}

    signature = replace(SIGNATURE, signer_name=HOSTILE, signer_organization=HOSTILE)
    archive = replace(read(document), signed_document_verdict=replace(SOUND, signatures=(signature,)))

    page = page_of(archive, paths=[f"files/{HOSTILE}", f"files/2{HOSTILE}"])
    read_page = Read(page)

    assert "<script" not in page
    assert "<img" not in page
    assert "{{ 7 * 7 }}" in page
    assert {tag for tag, _ in read_page.elements} <= ELEMENTS
    assert {name for tag, each in read_page.elements if tag != "meta" for name in each} <= ATTRIBUTES
    assert sum(HOSTILE in text for text in read_page.texts) > 40


def test_page_loads_no_external_resources() -> None:
    document = texts_replaced(sample_document(), "javascript:alert(1)//https://example.com/x.png")

    read_page = Read(page_of(read(document), paths=["javascript:alert(1)", "files/שלום #1?.pdf"]))

    assert [each["href"] for each in read_page.named("a")] == [
        "summary.he.html",
        "javascript%3Aalert%281%29",
        "files/%D7%A9%D7%9C%D7%95%D7%9D%20%231%3F.pdf",
    ]
    assert {"http-equiv": "Content-Security-Policy", "content": "default-src 'none'; style-src 'unsafe-inline'"} in (
        read_page.named("meta")
    )
    assert not {"script", "link", "img", "iframe", "base", "form"} & {tag for tag, _ in read_page.elements}
    assert "url(" not in page_of(read(sample_document()))


def test_right_to_left_text_is_isolated() -> None:
    page = page_of(read(changed("data.0.value", "שלום, עולם (1)")))

    assert "<td><bdi>שלום, עולם (1)</bdi></td>" in page


def test_empty_archive_has_a_page() -> None:
    archive = read({"event": {"type": "WHP_ARCHIVE"}, "reference": "r", "sessions": []})

    page = summary_page(Shown(archive, [], [], 1, [], []), PROOF, TERMS)

    assert page.startswith("<!doctype html>\n")
    assert page.count("<p>None.</p>") == 9
    assert page.count("<p>No signed document was judged.</p>") == 1


def test_value_that_is_not_text_is_shown_as_json() -> None:
    archive = read(changed("data.0.value", {"ok": True, "n": [1, None]}))

    assert '{"ok": true, "n": [1, null]}' in "".join(Read(page_of(archive)).texts)


def test_file_without_content_is_not_listed() -> None:
    archive = read(changed("attachments.0.content", None))

    assert len(Read(page_of(archive, paths=["files/signed.pdf"])).named("a")[1:]) == 1


def test_page_says_who_holds_the_archive_and_what_was_checked_when() -> None:
    texts = "\n".join(Read(page_of(read(sample_document()))).texts)

    for expected in ("עיריית דוגמה", "2026-01-02 03:04:05 UTC", RECEIPT, "python3 check.py"):
        assert expected in texts
    assert "Only its holder says so" in texts
    assert "not yet in a list that this installation has signed" in texts
    assert "DAMAGED" not in texts


def test_page_says_from_when_a_change_is_noticed_and_by_which_witness() -> None:
    witnessed = replace(LISTED, witness="s3://witness", compared_at=RECEIVED_AT + timedelta(days=2))
    for proof, said in (
        (LISTED, "No witness outside the store"),
        (witnessed, "The witness \u2068s3://witness\u2069 has"),
    ):
        page = page_of(read(sample_document()), proof=proof)

        assert said in page
        assert "as it was when it arrived, at \u20682026-01-02 03:04:05 UTC\u2069" in page
        assert "what was kept at \u20682026-01-03 03:04:05 UTC\u2069. From then on, a change is noticed" in page
        assert "The time of that list is its holder&#39;s own." in page


def test_parties_payment_and_signer_come_before_digests_and_links() -> None:
    page = page_of(with_verdict(read(sample_document()), SOUND))

    first = [
        "Parties",
        "Payments",
        "21.00 ILS Verified",
        "Signed by",
        "client (as Cellosign says), sealed by Cellosign",
    ]
    places = [page.index(each) for each in (*first, "What was checked", RECEIPT, "files/signed.pdf")]
    assert places == sorted(places)


def test_damage_stands_on_the_page_in_large_words() -> None:
    finding = FixityFinding("archives/a/v1/content/files/b", Fault.MISSING, "the signed document", "nothing")
    proof = replace(PROOF, findings=(finding,))

    for shown in (None, Shown(read(sample_document()), [], [], 2, [], [])):
        page = summary_page(shown, proof, TERMS)
        assert '<p class="result damaged">DAMAGED. Do not rely on this copy.</p>' in page
        assert finding.key in page
        assert "Whole and unchanged" not in page
        assert "none yet" not in page  # a damaged archive is not looked up in the anchors


def test_head_leads_with_the_weakest_and_is_green_only_over_a_sound_document() -> None:
    stamped = replace(SIGNATURE, trusted=True, time_source=TimeSource.TIME_STAMP)
    proved = replace(SOUND, trusted=True, signatures=(stamped,))
    mended = Judgement(RECEIPT, 1, RECEIVED_AT, "", "", "", proved)
    heads = [
        (proved, "whole", "Sound: unchanged since it was signed. Who signed is proved, and when."),
        (SOUND, "locked", "Unchanged since it was signed. Who signed is not proved."),
        (replace(SOUND, trusted=False), "locked", "Unchanged since it was signed. Who signed is not proved."),
        (replace(SOUND, trusted=True), "locked", "Unchanged since it was signed. Who signed is proved. When is not"),
        (replace(SOUND, outcome=Outcome.CHANGED), "damaged", "Changed: "),
        (replace(SOUND, outcome=Outcome.BROKEN), "damaged", "Broken: "),
        (replace(SOUND, outcome=Outcome.FIELDS_CHANGED), "locked", "Fields changed: "),
        (replace(SOUND, outcome=Outcome.UNREADABLE), "locked", "Unreadable: "),
        (replace(SOUND, outcome=Outcome.UNSIGNED), "", "Unsigned: "),
    ]
    for verdict, tone, head in heads:
        archive = replace(read(sample_document()), signed_document_verdict=verdict)
        page = page_of(archive, proof=LISTED)
        assert f'<p class="result {tone}">The signed document: {head}' in page
        of_archive = "whole" if tone == "whole" else ""
        assert f'<p class="result {of_archive}">The archive is unchanged since it arrived here, at ' in page
        assert "result whole" in page_of(replace(archive, judgements=(mended,)))
        assert "result whole" not in page_of(archive).partition("The archive is unchanged")[0] or tone == "whole"
    assert '<p class="result ">The archive is unchanged' in page_of(replace(archive, judgements=(mended,)))


def test_hebrew_page_runs_from_right_to_left_and_has_no_english_of_ours() -> None:
    document = changed("payments.0.amount", 2500)
    signature = replace(SIGNATURE, change=LaterChange.OTHER, change_permitted=False)
    verdict = replace(SOUND, outcome=Outcome.CHANGED, signatures=(signature,))
    page = page_of(with_verdict(read(document), verdict), language="he")

    assert '<html lang="he" dir="rtl">' in page
    assert set(re.findall(r"<(?:th|h1|h2|h3|dt|li|p)[^>]*>([A-Za-z][^<]*)", page)) <= {"SHA-256"}
    of_the_payload = str(document) + "files/signed.pdf files/scan.png href Cellosign signed_document Example Ltd"
    words = set(re.findall(r"[A-Za-z]{4,}", " ".join(re.findall(r"<td>(.*?)</td>", page))))
    assert {each for each in words if each not in of_the_payload and not re.fullmatch("[0-9a-f]+", each)} == set()
    finding = FixityFinding("archives/a", Fault.MISSING, "a file", "nothing")
    damaged = summary_page(None, replace(PROOF, findings=(finding,)), TERMS, "he", texts("he"))
    assert not {"a file", "nothing"} & set(Read(damaged).texts)
    assert summary_page(None, PROOF, TERMS, "he", texts("he")).count("Cellosign") == 2


def test_hebrew_page_words_an_answer_and_its_reason() -> None:
    unknown = "without a trusted root, OCSP answers and CRLs cannot be checked"
    signature = replace(
        SIGNATURE,
        trusted=None,
        **because(trust_reason=Sentence.no_roots()),
        revocation=Revocation(RevocationStatus.UNKNOWN, **because(reason=Sentence.no_roots_for_revocation())),
    )
    verdict = replace(SOUND, signatures=(signature,))
    page = page_of(replace(read(sample_document()), signed_document_verdict=verdict), language="he")

    assert "<bdi>לא ידוע: לא הוגדרו תעודות שורש מהימנות</bdi>" in page
    assert "<bdi>לא ידוע: בלי תעודת שורש מהימנה אי אפשר לבדוק" in page
    assert unknown not in page


def test_payload_text_is_not_translated() -> None:
    page = page_of(read(changed("data.0.value", "yes")), language="he")

    assert "<td><bdi>yes</bdi></td>" in page

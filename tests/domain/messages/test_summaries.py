"""Summaries show what a data team needs, and payloads cannot inject markup into Prefect's UI."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from domain.messages.summaries import open_discrepancies_summary, summary, undelivered_text
from domain.payments.amounts import amount_text
from domain.payments.discrepancies import sentence
from domain.payments.reconciliation import reconcile
from models.archive.archive import Archive
from models.discrepancies import Discrepancy, DiscrepancyCode
from models.messages.notification import NotificationRow, NotificationState
from models.payments import Payment
from models.views.archives.payments import DiscrepancyView, ListedDiscrepancy
from tests.domain.payloads import TERMS, changed, read
from tests.samples import sample_document

URL = "https://cellar.example/console/archives/r"
MEANS = (
    "The amount of the payment differs from the amount that the provider states. "
    "Expected\\: 21.00 ILS. Found\\: 25.00 ILS."
)
NOTIFICATION = NotificationRow(
    message_id="msg_1", reference="r", receipt_id="a", endpoint="https://erp.example/hook?token=SECRET",
    event="archive.completed", state="pending", planned_at=datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip


def written(archive: Archive) -> str:
    found = [shown(each) for each in reconcile(archive, TERMS)]
    return summary(
        archive, found, [NOTIFICATION], discrepancies_in_all=len(found), version=2, archive_url=URL, terms=TERMS
    )


def shown(found: Discrepancy) -> DiscrepancyView:
    return DiscrepancyView(
        discrepancy_id="d", code=found.code, transaction_id=found.transaction_id, expected=found.expected,
        found=found.found, sentence=sentence(found.code, found.expected, found.found), state="open",
        opened_at=datetime(2026, 1, 1, 2, 30, tzinfo=UTC), explanation=None, closed_at=None,
    )  # fmt: skip


def rendered(markdown: str) -> list[Token]:
    """Return the tokens of a renderer with tables, inner tokens included."""
    return list(_flat(MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)))


def _flat(tokens: Iterable[Token]) -> Iterable[Token]:
    for token in tokens:
        yield token
        yield from _flat(token.children or ())


def test_summary_of_the_sample() -> None:
    archive = read(changed("payments.0.amount", 2500))
    signed, attached = (each.stored.sha256 for each in archive.contents if each.stored)

    assert (
        written(archive)
        == f"""\
# Archive f51c66ba-d33a-4c59-b63a-aa270383fb9e, version 2

Process 100, template 9fa70d4ccea84262b1ed2308a07a3fb4, sessions: 1, signatures: 1, fields: 5.

## Payments

| standing | amount | card | type |
| --- | --- | --- | --- |
| verified | 25.00 ILS | Visa | verify\\_credit\\_card |

## Discrepancies

| code | state | what it means | transaction |
| --- | --- | --- | --- |
| AMOUNT\\_MISMATCH | open | {MEANS} | 4a45b2df-f7bd-48bf-a2b4-b8405eb51194 |

## Warnings

None.

## Files

| role | element | type | size | file |
| --- | --- | --- | --- | --- |
| signed\\_document | – | application/pdf | 11.0 kB | [{signed[:12]}…]({URL}/files/{signed}/view) |
| attachment | ATTACHMENT\\_FIELD\\_ID | image/png | 1.0 kB | [{attached[:12]}…]({URL}/files/{attached}/view) |

## Notifications

| event | message | state |
| --- | --- | --- |
| archive.completed | msg\\_1 | pending |

[The whole archive]({URL})
"""
    )


def test_summary_of_open_discrepancies() -> None:
    (found,) = reconcile(read(changed("payments.0.amount", 2500)), TERMS)
    of_none = ListedDiscrepancy(reference=None, **shown(found).model_dump())
    hostile = ListedDiscrepancy(reference="a | [b]", **shown(found).model_dump())

    assert (
        open_discrepancies_summary([of_none, hostile], {"AMOUNT_MISMATCH": 7, "REFUNDED": 1})
        == f"""\
# Open discrepancies: 8

## By code

| code | open |
| --- | --- |
| AMOUNT\\_MISMATCH | 7 |
| REFUNDED | 1 |

## Newest

| code | what it means | archive | transaction | opened |
| --- | --- | --- | --- | --- |
| AMOUNT\\_MISMATCH | {MEANS} | – | 4a45b2df-f7bd-48bf-a2b4-b8405eb51194 | 2026-01-01 02\\:30 |
| AMOUNT\\_MISMATCH | {MEANS} | a \\| \\[b\\] | 4a45b2df-f7bd-48bf-a2b4-b8405eb51194 | 2026-01-01 02\\:30 |
"""
    )
    assert open_discrepancies_summary([], {}).startswith("# Open discrepancies: 0\n\n## By code\n\nNone.")


def test_values_of_payment_fields_digits_of_cards_and_odd_media_types_never_appear_in_summaries() -> None:
    typed = Discrepancy(DiscrepancyCode.FIELD_WITHOUT_PAYMENT, "Dana Levi", "a payment", "none")
    card = Discrepancy(DiscrepancyCode.CARD_CONFLICT, "t", "a card that ends in 4580", "a card that ends in 9371")
    listed = [ListedDiscrepancy(reference="r", **shown(each).model_dump()) for each in (typed, card)]

    archive = read(changed("attachments.0.mimetype", "image/png; name=Dana"))
    of_archive = summary(archive, listed, [], discrepancies_in_all=2, version=1, archive_url=URL, terms=TERMS)

    assert "FIELD\\_WITHOUT\\_PAYMENT" in of_archive
    for value in ("Dana", "4580", "9371"):
        assert value not in of_archive + open_discrepancies_summary(listed, {})


def test_summary_has_no_personal_data_and_no_card_secrets() -> None:
    sample = sample_document()
    result = sample["payments"][0]["provider_transaction_result"]
    hidden = [result[name] for name in ("card_id", "session_cd", "auth_number", "cguid")]
    hidden += ["john@example.com", "client@", "Dana", "33.196944", "Arlozorov", "127.0.0.1"]
    hidden += ["SOMEFILENAME1", "SIGNEDDOCUMENT", "SOMEVALUE1", "CUSTOMER", "SECRET"]

    document = changed("sessions.0.submitted_at", None)
    document["sessions"][0]["recipient"]["name"] = document["signatures"][0]["signed_by"]["name"] = "Dana Levi"
    text = written(read(document))

    assert [each for each in hidden if each in text] == []


HOSTILE = [
    "a | b | c",
    "`code`",
    "**bold** _it_ ~~gone~~",
    "[link](https://evil.example)",
    "[x…](https://evil.example)",
    "![image](https://evil.example/x.png)",
    "<script>alert(1)</script>",
    "<https://evil.example>",
    "&lt;b&gt; &#124;",
    "line\n\n# heading\n| --- |\r\n",
    "\\| \\",
    "\u2028# x\x0b\x85",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_id_stays_text_in_its_cell(hostile: str) -> None:
    document = changed("attachments.0.id", hostile)
    document["payments"][0] |= {"transaction_id": hostile, "type": hostile}
    document["sessions"][0]["template"]["id"] = hostile
    document["reference"] = hostile

    tokens = rendered(written(read(document)))

    assert _shape(tokens) == _shape(rendered(written(_like_the_sample())))
    texts = {each.content for each in tokens if each.type == "inline"}
    assert " ".join(hostile.split()) in {_as_shown(each) for each in texts}


def _like_the_sample() -> Archive:
    return read(changed("payments.0.transaction_id", "x") | {"reference": "r"})


def _shape(tokens: Iterable[Token]) -> list[tuple[str, str]]:
    """Return the markup: every element, and the targets of links."""
    return [
        (each.type, str(each.attrs.get("href", "")))
        for each in tokens
        if each.type not in {"text", "text_special", "inline", "softbreak"}
    ]


def _as_shown(inline: str) -> str:
    parsed = MarkdownIt("commonmark").parseInline(inline)
    return "".join(each.content for each in parsed[0].children or ())


@pytest.mark.parametrize("bare", ["https://evil.example", "www.evil.example", "WWW.evil.example", "a@evil.example"])
def test_bare_address_does_not_become_a_link(bare: str) -> None:
    """Prefect's UI renders GitHub's flavour, which makes links of unescaped addresses."""
    text = written(read(changed("attachments.0.id", bare)))

    assert bare not in text
    assert bare in {_as_shown(each.content) for each in rendered(text) if each.type == "inline"}


@given(st.text(min_size=1, max_size=40))
def test_any_id_stays_in_its_cell(text: str) -> None:
    archive = read(sample_document())
    (attempt,) = archive.payments[0].attempts
    hostile = replace(archive, payments=(Payment((replace(attempt, type=text),)),))

    assert _shape(rendered(written(hostile))) == _shape(rendered(written(archive)))


def test_long_section_counts_the_rows_that_it_omits() -> None:
    archive = read(sample_document())

    assert "150 more are in the archive." in written(replace(archive, payments=archive.payments * 250))


@pytest.mark.parametrize(
    ("amount_minor", "currency", "exponent", "text"),
    [
        (2100, "ILS", 2, "21.00 ILS"),
        (5, "ILS", 2, "0.05 ILS"),
        (-5, "ILS", 2, "-0.05 ILS"),
        (2100, "JPY", 0, "2100 JPY"),
        (21005, "KWD", 3, "21.005 KWD"),
        (2100, None, None, "2100 minor units"),
        (None, "ILS", 2, "–"),
    ],
)
def test_amount_is_shown_in_major_units_with_its_currency(
    amount_minor: int | None, currency: str | None, exponent: int | None, text: str
) -> None:
    assert amount_text(amount_minor, currency, exponent) == text


LAST = datetime(2026, 11, 29, 18, 47, tzinfo=UTC)
TRIED = "not confirmed yet; cellar tries until 2026-11-29 18:47 UTC."
PENDING, DELIVERED, DEAD = NotificationState.PENDING, NotificationState.DELIVERED, NotificationState.DEAD


@pytest.mark.parametrize(
    ("states", "text"),
    [
        ([], None),
        ([DELIVERED, NotificationState.SKIPPED], None),
        ([PENDING], f"1 of 1 message is {TRIED}"),
        ([DELIVERED, PENDING, PENDING], f"2 of 3 messages are {TRIED}"),
        ([DELIVERED, DEAD], "1 of 2 messages is given up."),
        ([PENDING, DEAD, DEAD], f"1 of 3 messages is {TRIED} 2 of 3 messages are given up."),
    ],
)
def test_end_of_a_run_says_how_many_messages_wait_and_until_when(
    states: list[NotificationState], text: str | None
) -> None:
    said = undelivered_text([message(each) for each in states])

    assert said == (text and f"The archive is complete. {text} Retry delivers now.")


def message(state: NotificationState) -> NotificationRow:
    return NotificationRow(
        message_id=f"msg_{state}", reference="r", receipt_id="1", endpoint="https://erp.example", endpoint_name="erp",
        event="archive.completed", state=state, planned_at=LAST, expires_at=LAST,
    )  # fmt: skip

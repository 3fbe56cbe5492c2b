"""An archive full of card secrets, and the places of an installation that might show them."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

from sqlmodel import SQLModel

from adapters.database import transactions
from adapters.files.store import store
from adapters.settings.settings import settings
from tests.samples import PDF, sample_document
from tests.settlements import line

VISA, AMEX, MASTERCARD, NUMBER = "4580458045804580", "378282246310005", "5555 5555-5555 4444", "4000000000024580"
OTHER_VISA = "4000000000034589"
SPACED_VISA = "4580  4580\u20114580\u200e4580"
CLEAR = [
    *("tok-91827364", "sess-cd-555666", "auth-777888", "guid-424242", "deep-auth-31337", "in-a-list-60606"),
    *("escaped-token-8080", "first-of-two-1212", "second-of-two-3434", "xml-secret-2020"),
    *(VISA, AMEX, MASTERCARD, MASTERCARD.replace(" ", "").replace("-", ""), NUMBER, OTHER_VISA),
    rb"\u0034580458045804580".decode(),
    *("xml-member-5656", "camel-token-7878", "beside-result-9090", SPACED_VISA, json.dumps(SPACED_VISA).strip('"')),
]
"""All secrets, and their spellings."""
ITS_ROW = line("guid-424242", auth="auth-777888", card=VISA, paid="2022-12-21", settled="2022-12-23")
OF_NOBODY = line("first-of-two-1212", auth="deep-auth-31337", card=MASTERCARD)
"""Rows of a settlement report."""


def body(timestamp: str = "2026-01-01T00:00:00Z", *, card: str = VISA, content: bytes | None = None) -> bytes:
    """Return an archive with each kind of secret, in provider results and in the form."""
    document = sample_document()
    document["reference"] = document["sessions"][0]["reference"] = "process-1"
    document["sessions"][0]["process_id"] = "process-1"
    document["event"]["timestamp"] = timestamp
    payment = document["payments"][0]
    payment["provider_transaction_result"] |= {
        "card_id": "tok-91827364",
        "session_cd": ["sess-cd-555666"],
        "auth_number": {"value": "auth-777888"},
        "cguid": "guid-424242",
        "remark": f"paid with {MASTERCARD}",
        "attempts": [{"auth_number": "deep-auth-31337", "cguid": ["in-a-list-60606"]}],
        "card_brand": VISA,
        "currency": VISA,
        "total": VISA,
        "numberOfPayments": "3",
        "firstPayment": VISA,
        "periodical_payment": int(VISA),
        "card_mask": SPACED_VISA,
        "raw": "<result><authNumber>xml-member-5656</authNumber></result>",
        "cardId": "camel-token-7878",
    }
    payment["auth_number"] = "beside-result-9090"
    result = '{"card\\u005fid": "escaped-token-8080", "cguid": "first-of-two-1212", "cguid" : "second-of-two-3434"}'
    values = [card, f"my Amex is {AMEX}, thanks", {"cards": [int(NUMBER), VISA], VISA: 1}, VISA, float(NUMBER)]
    for number, value in enumerate(values):
        document["data"][number]["value"] = value
    document["payments"] += [{"transaction_id": "x", "provider_transaction_result": "xml-secret-2020"}]
    text = json.dumps(document)
    text = text[:-1] + ', "payments": [' + json.dumps(payment) + ', {"provider_transaction_result": ' + result + "}]}"
    text = text.replace(f'"{VISA}", "top"', r'"\u0034580458045804580", "top"', 1)
    if content is not None:
        text = text.replace(b64encode(PDF).decode(), content.decode())
    return text.encode()


def found_in(output: bytes | str) -> list[str]:
    text = output if isinstance(output, bytes) else output.encode(errors="surrogatepass")
    return [each for each in CLEAR if each.encode() in text]


def rows() -> str:
    """Return every value in the database as text."""
    with transactions.reading() as session:
        tables = (session.connection().execute(table.select()) for table in SQLModel.metadata.tables.values())
        return "\n".join(str(value) for table in tables for row in table for value in row)


def stored(*folders: str) -> Iterator[tuple[str, bytes]]:
    """Yield keys and contents of these folders of the store."""
    for folder in folders:
        found = [(key, store().read_bytes(key)) for key, _ in store().listed(folder)]
        assert found, folder
        yield from found


def files_of_the_installation() -> list[Path]:
    """Return the files of the data folder: database, spool folders and all others."""
    return [each for each in settings().data_dir.rglob("*") if each.is_file()]

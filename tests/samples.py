"""Makes payloads for tests from the sample on Cellosign's page."""

import base64
import json
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
PDF = (Path(__file__).parent / "sample-signed.pdf").read_bytes()
"""A sound document with one signature, made by `tests.pdfs`: `signed(form())`."""


def sample_document() -> dict[str, Any]:
    """Return the vendor's sample, with real base64 in place of the words "BASE64 file content"."""
    document: dict[str, Any] = json.loads((Path(__file__).parent / "sample-archive.json").read_bytes())
    document["attachments"][0]["content"] = base64.b64encode(PNG).decode()
    document["signed_document"]["content"] = base64.b64encode(PDF).decode()
    return document


def sample_body(reference: str = "process-1", **members: Any) -> bytes:
    """Return the sample as the body of a process, with its own transactions, and members of the root replaced."""
    document = sample_document()
    payment = document["payments"][0]
    if reference != "process-1":
        own = uuid5(NAMESPACE_URL, ascii(reference))
        payment["provider_transaction_result"]["cguid"] = str(own.int)[:8]
        document = json.loads(json.dumps(document).replace(payment["transaction_id"], str(own)))
    document |= {"reference": reference} | members
    for session in document["sessions"]:
        session["reference"] = session["process_id"] = reference
    return json.dumps(document).encode()

"""An archive that tries to break the pages: scripts in every text, signs that reverse it, long names, many fields."""

import json
from base64 import b64encode
from typing import Any

from tests.samples import sample_document

SCRIPT = "<script>document.title='broken'</script><img src=x onerror=alert(1)>\"'>{{7*7}}"
REVERSING = "\u202egpj.exe\u2066\u2067חוזה"
LONG = "W" * 300
HOSTILE_REFERENCE = ("<script>alert('ref')</script>/\u202eecnerefer?a=b#c&" + "R" * 300)[:250]
FIELDS = 600
TEMPLATE = "hostile"
_KEPT = {
    "type",
    "timestamp",
    "content",
    "mimetype",
    "created_at",
    "submitted_at",
    "signed_at",
    "reference",
    "process_id",
}
_KEPT |= {"amount", "currency", "status", "transaction_id", "session_id", "id"}


def hostile_body() -> bytes:
    document = _spoiled(sample_document())
    document |= {"reference": HOSTILE_REFERENCE}
    for session in document["sessions"]:
        session |= {"reference": HOSTILE_REFERENCE, "process_id": HOSTILE_REFERENCE, "template": {"id": TEMPLATE}}
        session["labels"] = {f"{SCRIPT}{number}": value for number, value in enumerate((SCRIPT, REVERSING, LONG))}
    document["data"] = [_field(number) for number in range(FIELDS)]
    names = (SCRIPT, REVERSING, LONG, "../../etc/passwd")
    document["signed_document"]["content"] = b64encode(f"%PDF-1.7 {SCRIPT}".encode()).decode()
    document["attachments"] = [
        {"id": f"A{number}", "filename": name, "mimetype": "text/html", "content": b64encode(SCRIPT.encode()).decode()}
        for number, name in enumerate(names)
    ]
    return json.dumps(document).encode()


def _field(number: int) -> dict[str, Any]:
    value = (SCRIPT, REVERSING, LONG, "שלום עולם")[number % 4]
    left = -5.0 if number % 7 else 1e9
    place = {"page": 1, "top": float(number % 1000), "left": left, "width": 120.0, "height": 14.0}
    name = f"{number} {LONG if number % 50 == 0 else SCRIPT}"
    return {"id": name, "value": value, "type": "text", "visible": True} | place


def _spoiled(value: Any, name: str = "") -> Any:
    """Return a document with a script in every text that no rule of an archive needs."""
    if isinstance(value, dict):
        return {key: _spoiled(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_spoiled(each, name) for each in value]
    return SCRIPT + REVERSING if isinstance(value, str) and name not in _KEPT else value

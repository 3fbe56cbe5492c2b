"""Makes the bodies that are sent for a process: one, or several with another time, other data or other files."""

import base64
import json
import random
from collections.abc import Iterator
from typing import Any

from tests.samples import sample_body


def bodies_of(reference: str, chance: random.Random, *, payer: int | None) -> Iterator[bytes]:
    """Yield the bodies of a process, each in one of the ways in which senders write JSON.

    Processes with the same `payer` name the same transaction. Most bodies have no signed document, because examining
    its signatures takes longer than all the rest.
    """
    document = json.loads(sample_body(reference))
    if chance.random() < 0.8:
        del document["signed_document"]
    if payer is not None:
        document["payments"][0]["transaction_id"] = f"of-payer-{payer}"
    for again in range(chance.choice([1, 1, 1, 2, 3, 5])):
        document["event"]["timestamp"] = f"2026-{1 + chance.randrange(12):02}-01T00:00:00Z"
        if again and chance.random() < 0.4:
            document["data"] = document["data"][: chance.randrange(len(document["data"]) + 1)]
        if chance.random() < 0.3:
            content = base64.b64encode(chance.randbytes(chance.randrange(2000))).decode()
            document["attachments"] = [{"id": "a", "filename": "a.bin", "content": content}]
        yield _spelled(document, chance)


def _spelled(document: dict[str, Any], chance: random.Random) -> bytes:
    text = json.dumps(document, ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, None, 1]))
    return (text.replace("/", r"\/") if chance.random() < 0.3 else text).encode()

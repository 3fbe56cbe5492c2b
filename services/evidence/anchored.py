"""Returns the proof of an archive in an anchor, and its files in a bag."""

import json
from collections.abc import Iterator

from adapters.files.bag import BagFile
from adapters.store.requests import StoredRequest
from domain.anchors.texts import leaf_text, statement_text
from models.store.anchor import AnchorProof
from services.evidence.parts import of_bytes


def anchor_proof(request: StoredRequest) -> AnchorProof | None:
    """Return the proof in the newest anchor that covers the object as it is; None if there is no such anchor."""
    return None


def proof_files(proof: AnchorProof | None) -> Iterator[BagFile]:
    """Yield the files of a proof. Each is what was hashed, signed or stamped, byte for byte."""
    if proof is None:
        return
    included = proof.inclusion
    place = json.dumps({"index": included.index, "path": included.path})
    yield of_bytes("proof/leaf.json", leaf_text(included.leaf))
    yield of_bytes("proof/path.json", place.encode())
    yield of_bytes("proof/statement.json", statement_text(included.statement))
    yield of_bytes("proof/statement.sig", proof.signature)
    yield of_bytes("proof/key.pem", proof.public_key)
    for number, (_, token) in enumerate(sorted(proof.tokens.items()), 1):
        yield of_bytes(f"proof/time-stamp-{number}.tsr", token)

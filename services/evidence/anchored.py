"""Makes the files of a bag that prove an archive by an anchor."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from adapters.files.bag import BagFile
from domain.anchors.texts import leaf_text, statement_text
from models.store.anchor import AnchorProof
from services.evidence.parts import of_bytes


def proof_files(proof: AnchorProof | None, roots: Sequence[Path]) -> Iterator[BagFile]:
    """Yield the files of a proof. Leaf and statement are what was hashed, signed and stamped, byte for byte.

    Args:
        proof: the proof, if there is one.
        roots: the files of the root certificates of time-stamp authorities, as PEM.
    """
    if proof is None:
        return
    included = proof.inclusion
    yield of_bytes("proof/leaf.json", leaf_text(included.leaf))
    yield of_bytes("proof/path.json", json.dumps({"index": included.index, "path": included.path}).encode())
    yield of_bytes("proof/statement.json", statement_text(included.statement))
    yield of_bytes("proof/statement.sig", proof.signature)
    yield of_bytes("proof/key.pem", proof.public_key)
    for number, (_, token) in enumerate(sorted(proof.tokens.items()), 1):
        yield of_bytes(f"proof/time-stamp-{number}.tsr", token)
    if proof.tokens and roots:
        yield of_bytes("proof/authorities.pem", b"\n".join(each.read_bytes() for each in roots))

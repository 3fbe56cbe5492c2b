"""Lists the anchors of the store for auditors, as they are there."""

import base64
from contextlib import suppress

from adapters.anchors import anchors
from adapters.files.store import store
from domain.anchors import anchor_root
from models.errors import Conflict
from models.views.health import AnchorPage, AnchorView

_MOST = 100


def page(after: int) -> AnchorPage:
    """Return the anchors after a number, the oldest first."""
    numbers = [each for each, names in anchors.listed(store()).items() if each > after and anchors.STATEMENT in names]
    return AnchorPage(
        items=[_view(each) for each in numbers[:_MOST]], next=numbers[_MOST - 1] if numbers[_MOST:] else None
    )


def _view(number: int) -> AnchorView:
    text, proofs = store().read_bytes(anchors.statement_key(number)), dict[str, bytes | None]()
    with suppress(Conflict):  # a damaged statement has no proofs: its root is another
        root = anchor_root(anchors.parsed(text, number))
        proofs = {name: store().found_bytes(anchors.key_of(number, root, name)) for name in ("signature", "pem")}
    return AnchorView(
        number=number,
        statement=text.decode(errors="replace"),
        signature=base64.b64encode(proofs.get("signature") or b"").decode(),
        key=(proofs.get("pem") or b"").decode(errors="replace"),
    )

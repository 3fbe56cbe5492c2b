"""Heads of the access log's chains in the store, where anchors hold them; what is wrong by them; and old rows leave.

A file `access/SHA256.jsonl` has the heads of the chains that have grown, and the last row of each chain that is older
than the log is kept. Once an anchor has the file, the rows up to those leave.
"""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from adapters.anchors import anchors
from adapters.files.store import store
from adapters.settings.settings import settings
from adapters.store import happened
from adapters.tables import access
from domain.access_log import KEY, heads_text, read_heads, wrong_rows
from models.access import AccessHead
from models.errors import Conflict
from models.store.anchor import Leaf
from models.store.fixity import Fault, FixityFinding

OVERLAP = timedelta(days=1)
"""How much later than its time a row may be committed, or another machine's clock may be behind."""


def keep(since: datetime | None, now: datetime) -> tuple[list[Leaf], list[AccessHead]]:
    """Keep the heads of the chains that have grown since an anchor, or of all, for the next anchor.

    Returns the leaves for the anchor, and the heads up to which rows may leave once it is made.
    """
    kept_since = now - timedelta(days=settings().access_kept_days) - OVERLAP
    old = access.heads_before(kept_since)
    found = {*access.heads(since and since - OVERLAP), *old}
    keys = [] if since else [key for key, _ in store().listed(KEY)]
    if found:
        text = heads_text(found, kept_since)
        key = f"{KEY}/{hashlib.sha256(text).hexdigest()}.jsonl"
        store().keep_first(text, key)
        keys.append(key)
    return [Leaf(key, 0, store().digest_of(key) or "", (), ()) for key in sorted(set(keys))], old


def wrong_access() -> Iterator[FixityFinding]:
    """Find rows of the access log that were changed, removed, exchanged or put in, as far as chains and anchors show.

    What came after the newest anchor is held by its chain, whose last row the store has minutes later.
    """
    findings: list[FixityFinding] = []
    heads: dict[str, dict[int, AccessHead]] = {}
    last_kept_since = anchored_until = datetime.min.replace(tzinfo=UTC)
    for at, text in _anchored(findings.append):
        anchored_until = max(anchored_until, at - OVERLAP)
        its, kept_since = read_heads(text)
        last_kept_since = max(last_kept_since, kept_since)
        for each in its:
            heads.setdefault(each.chain, {})[each.number] = each
    for each in happened.last_access(anchored_until):
        heads.setdefault(each.chain, {})[each.number] = each
    yield from findings
    yield from wrong_rows(access.every(), heads, last_kept_since, anchored_until)


def _anchored(on_finding: Callable[[FixityFinding], None]) -> Iterator[tuple[datetime, bytes]]:
    """Yield the files of heads that anchors have, each once, with the time of the first anchor that has it. An anchor
    that is damaged is found elsewhere.
    """
    seen = set[str]()
    for number, names in anchors.listed(store()).items():
        try:
            if (anchor := anchors.anchor_at(store(), number, names)) is None:
                continue
            leaves = anchors.leaves_of(store(), anchor)
            ours = list(takewhile(lambda leaf: leaf.key.startswith(f"{KEY}/"), leaves))
        except Conflict:
            continue
        for leaf in ours:
            if leaf.key in seen:
                continue
            seen.add(leaf.key)
            text = store().found_bytes(leaf.key)
            found = None if text is None else hashlib.sha256(text).hexdigest()
            if text is not None and found == leaf.inventory_sha256:
                yield anchor.statement.at, text
            else:
                fault = Fault.DAMAGED if found else Fault.MISSING
                expected = f"{leaf.inventory_sha256}, as in anchor {number}"
                on_finding(FixityFinding(leaf.key, fault, expected, found or "nothing"))

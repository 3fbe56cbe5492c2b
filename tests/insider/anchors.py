"""Rewrites of anchors, by a forger without the key that signs them, or with it."""

import base64
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.anchors import anchors
from adapters.anchors.anchors import Anchor
from adapters.anchors.leaves import leaf_beside, leaf_of, object_at
from adapters.anchors.leaves_file import written
from adapters.anchors.witness import note
from adapters.files.store import store
from adapters.settings.settings import settings
from domain.anchors import leaf_text
from models.store.anchor import Leaf
from services.anchors import dating
from services.anchors.making import OVERLAP, make

NOTE = "last-anchor.json"


def anchor() -> str:
    """Anchor the store, and return the root. By its time, the next anchor has only what changes from now on."""
    return make(datetime.now(UTC) + OVERLAP).anchor.root


def remove_anchors() -> None:
    shutil.rmtree(_folder())


def remove_newest_anchor() -> None:
    shutil.rmtree(max(_folder().iterdir()))


def forge_leaves() -> None:
    """Make all anchors again from the store as it is now. The statements have other roots, and the old signatures."""
    old = {each.statement.number: each for each in anchors.anchors(store())}
    names = ("signature", "pem")
    proofs = {number: [store().read_bytes(each.key(name)) for name in names] for number, each in old.items()}
    for made in _again(old[1].statement.key):
        for name, data in zip(names, proofs[made.statement.number], strict=True):
            store().overwrite_bytes(data, made.key(name))


def sign_again() -> None:
    """Make all anchors again from the store as it is now, signed by a key of the forger."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELLAR_ANCHOR_KEY", base64.b64encode(secrets.token_bytes(32)).decode())
        settings.cache_clear()
        sign_with_the_key()
    settings.cache_clear()


def sign_with_the_key() -> None:
    """Make all anchors again from the store as it is now, signed by the key of the installation."""
    list(_again(anchors.fingerprint(anchors.signed(b"")[1])))


def note_newest() -> None:
    """Let the note of this machine name the newest anchor."""
    newest = anchors.newest(store())
    if newest:
        note(newest)
    else:
        (settings().data_dir / NOTE).unlink()


def _again(key: str) -> Iterator[Anchor]:
    """Make all anchors again, with the leaves that the same objects and files have now, and yield each."""
    old = [(each.statement, list(anchors.leaves_of(store(), each))) for each in anchors.anchors(store())]
    store().remove_folder(anchors.FOLDER)
    root = None
    for statement, leaves in reversed(old):
        now = [*filter(None, map(_now, leaves)), *dating.leaves_of_proofs()]
        with written(leaf_text(each) for each in sorted(now, key=lambda leaf: leaf.key)) as file:
            its = replace(statement, leaves=file.leaves, root=file.root, before=root, key=key, digest=file.digest)
            made = anchors.keep(store(), its, file)
        root = made.root
        yield made


def _now(leaf: Leaf) -> Leaf | None:
    """Return the leaf of the same object or file as it is now; None for a proof of an anchor, which is made again."""
    if leaf.version:
        return leaf_of(store(), object_at(store(), leaf.key))
    return None if leaf.key.startswith(anchors.FOLDER) else leaf_beside(store(), leaf.key)


def _folder() -> Path:
    return Path(settings().store_location) / anchors.FOLDER

"""Rewrites of anchors, by a forger without the key that signs them."""

import base64
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.anchors import anchors
from adapters.anchors.anchors import Anchor
from adapters.anchors.leaves import leaf_of, object_at
from adapters.anchors.leaves_file import written
from adapters.files.store import store
from adapters.settings.settings import settings
from domain.anchors import leaf_text
from services.anchors.making import OVERLAP, make


def anchor() -> str:
    """Anchor the store, and return the root. By its time, the next anchor has only what changes from now on."""
    return make(datetime.now(UTC) + OVERLAP).anchor.root


def remove_anchors() -> None:
    shutil.rmtree(_folder())


def remove_newest_anchor() -> None:
    shutil.rmtree(max(_folder().iterdir()))


def forge_leaves() -> None:
    """Make all anchors again from the store as it is now. The statements have other roots, and the old signatures."""
    for each in _all():
        signature, public_key = (store().read_bytes(each.key(name)) for name in ("signature", "pem"))
        made = _again(each)
        for name, data in (("signature", signature), ("pem", public_key)):
            store().overwrite_bytes(data, made.key(name))


def sign_again() -> None:
    """Make all anchors again from the store as it is now, signed by a key of the forger."""
    for each in _all():
        _again(each)


def _all() -> list[Anchor]:
    return sorted(anchors.anchors(store()), key=lambda each: each.statement.number)


def _again(old: Anchor) -> Anchor:
    """Make an anchor again, with the leaves that the same objects and files have now, after the anchor before it."""
    leaves = [
        leaf_of(store(), object_at(store(), each.key)) if each.version else each
        for each in anchors.leaves_of(store(), old)
    ]
    store().remove_folder(f"{anchors.FOLDER}/{old.statement.number:06}")
    before = anchors.newest(store())
    with written(leaf_text(each) for each in leaves if each) as file, _another_key():
        statement = replace(old.statement, leaves=file.leaves, root=file.root, before=before.root if before else None)
        return anchors.keep(store(), statement, file)


@contextmanager
def _another_key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELLAR_ANCHOR_KEY", base64.b64encode(secrets.token_bytes(32)).decode())
        settings.cache_clear()
        yield
    settings.cache_clear()


def _folder() -> Path:
    return Path(settings().store_location) / anchors.FOLDER

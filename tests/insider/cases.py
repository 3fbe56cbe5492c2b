"""Carries rewrites out in a copy of an installation."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from adapters.database import connections
from tests.insider import beside
from tests.insider.anchors import NOTE, forge_leaves, remove_anchors, remove_newest_anchor, sign_again
from tests.insider.beside import BESIDE
from tests.insider.database import adapt_rows, rebuild_database
from tests.insider.objects import opened, put
from tests.insider.rewrites import REWRITES, Rewrite, Unsuited
from tests.insider.stores import place_of, put_object_back, put_store_back, remove_object
from tests.installations import installed

SEED = 14


@dataclass(frozen=True, slots=True)
class Copies:
    """Copies of an installation's data folder: now and a week earlier; its witness; a migrated database without rows;
    the references of its archives; the root of its newest anchor.
    """

    now: Path
    earlier: Path
    witness: Path
    migrated: Path
    references: Sequence[str]
    root: str


@contextmanager
def copied(copies: Copies, folder: Path) -> Iterator[None]:
    """Give this process an installation in `folder` that is a copy of the present one. Its files are links."""
    folder.mkdir()
    shutil.copytree(copies.now, folder / "data", copy_function=_linked)
    note = json.loads((folder / "data" / NOTE).read_bytes())
    put(folder / "data" / NOTE, json.dumps(note | {"store": str(folder / "data" / "store")}).encode())
    with installed(folder):
        yield
    shutil.rmtree(folder)


def _linked(source: str, target: str) -> None:
    if source.endswith(".db"):
        shutil.copyfile(source, target)
    else:
        os.link(source, target)


def carry_out(kind: str, copies: Copies) -> str:
    """Carry a rewrite out in the installation of this process, and return the archive that it is about.

    The rows follow it: by a rebuild of the database for half of the kinds, otherwise by those of the archive alone.
    """
    reference = KINDS[kind](copies, Random(f"{SEED} {kind}"))
    if kind in FOLDERS or [*KINDS].index(kind) % 2:
        rebuild_database(copies.migrated.read_bytes())
    elif kind not in WHOLE_STORE:
        adapt_rows(reference)
    connections.engine().dispose()
    return reference


def _rewritten(rewrite: Rewrite, copies: Copies, chance: Random) -> str:
    for reference in chance.sample(copies.references, len(copies.references)):
        its = opened(place_of(reference))
        try:
            changed = rewrite(its, chance)
        except Unsuited:
            continue
        for request in changed:
            request.tell_size()
            request.rename()
        its.write()
        return reference
    raise Unsuited(rewrite.__name__)


def _removed(copies: Copies, chance: Random) -> str:
    reference = chance.choice(copies.references)
    remove_object(reference)
    return reference


def _object_put_back(copies: Copies, chance: Random) -> str:
    changed = [each for each in copies.references if (place_of(each) / "v2").exists()]
    reference = chance.choice([each for each in changed if place_of(each, copies.earlier).exists()])
    put_object_back(reference, copies.earlier)
    return reference


def _store_put_back(copies: Copies, chance: Random) -> str:
    put_store_back(copies.earlier)
    return chance.choice([each for each in copies.references if place_of(each).exists()])


def _with_anchors(forge: Callable[[], None], copies: Copies, chance: Random) -> str:
    """Rewrite an object, and then the anchors."""
    reference = _rewritten(chance.choice(REWRITES), copies, chance)
    forge()
    return reference


def _anchor_removed(copies: Copies, chance: Random) -> str:
    """Put an object back as it was in an earlier week, and remove the anchor that was made since."""
    reference = _object_put_back(copies, chance)
    remove_newest_anchor()
    return reference


def _beside(rewrite: beside.Rewrite, copies: Copies, chance: Random) -> str:
    """Rewrite a file beside the archives. It is about no archive."""
    rewrite(chance)
    return chance.choice(copies.references)


Kind = Callable[[Copies, Random], str]
OF_ANCHORS: Mapping[str, Kind] = {
    "anchors_removed": partial(_with_anchors, remove_anchors),
    "anchors_forged": partial(_with_anchors, forge_leaves),
    "anchors_signed_again": partial(_with_anchors, sign_again),
    "newest_anchor_removed": _anchor_removed,
}
WHOLE_STORE = {"store_put_back": _store_put_back}
WITHOUT_ANCHOR = {*OF_ANCHORS, *WHOLE_STORE}
"""The kinds after which the store does not have the anchor with the noted root."""
FOLDERS = {rewrite.__name__: folders for rewrite, folders in BESIDE.items()}
"""The kinds that rewrite files beside the archives, each with the folders of these files."""
KINDS: Mapping[str, Kind] = {
    **{rewrite.__name__: partial(_rewritten, rewrite) for rewrite in REWRITES},
    "removed": _removed,
    "object_put_back": _object_put_back,
    **WHOLE_STORE,
    **OF_ANCHORS,
    **{rewrite.__name__: partial(_beside, rewrite) for rewrite in BESIDE},
}

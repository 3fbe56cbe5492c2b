"""Rewrites of one object: its amounts, files, logs, verdicts and times, a roll-back.

Each returns the requests whose bytes it changed, and raises `Unsuited` where the object has nothing of its kind.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from adapters.store.ocfl import SKELETON, VERDICT
from tests.insider.objects import OpenedObject
from tests.insider.requests import Request, deliveries, requests
from tests.samples import PNG

Rewrite = Callable[[OpenedObject, Random], list[Request]]


class Unsuited(Exception):
    """The object has nothing that this rewrite changes."""


def amount(its: OpenedObject, chance: Random) -> list[Request]:
    """Change the amount of a payment, in every request that has it."""
    drawn = chance.choice(list(requests(its)))
    paid = json.loads(drawn.read(SKELETON))["payments"][0]["amount"]
    return _put(its, b'"amount": %d' % paid, b'"amount": %d' % chance.choice([1, 990, paid + 100, paid * 1000]))


def attachment(its: OpenedObject, chance: Random) -> list[Request]:
    return _put_file(its, its.files(PNG[:4])[0], PNG + b"forged %d" % chance.randrange(1000))


def verdict(its: OpenedObject, chance: Random) -> list[Request]:
    """Call a document sound that was called broken, changed or unsigned."""
    if not _tell_sound(its):
        raise Unsuited
    return []


def judgement(its: OpenedObject, chance: Random) -> list[Request]:
    """Call a document and its signer trusted in a later judgement, or remove that judgement."""
    paths = its.judgements()
    if not paths:
        raise Unsuited
    if chance.random() < 0.5:
        del its.logs[paths[-1]]
    else:
        told: dict[str, Any] = its.rows(paths[-1])
        told["verdict"] |= {"outcome": "sound", "trusted": not told["verdict"]["trusted"]}
        its.write_rows(paths[-1], told)
    return []


def arrival(its: OpenedObject, chance: Random) -> list[Request]:
    """Move the time of a version: of its receipt, its deliveries and their ids, and `created` in every inventory."""
    number, by = chance.randint(1, len(its.versions)), timedelta(minutes=chance.choice([-50, -5, 7, 700]))
    request = list(requests(its))[number - 1]
    rows = its.rows(request.history)
    for row in (*rows["receipt"], *rows["delivery"]):
        row["received_at"] = _moved(row["received_at"], by)
    for row in rows["delivery"]:
        row["delivery_id"] = f"{datetime.fromisoformat(row['received_at']):%Y%m%dT%H%M%S.%fZ}-{row['delivery_id'][-8:]}"
    its.write_rows(request.history, rows)
    its.change(number, created_at=its.versions[number - 1].created_at + by)
    return []


def delivery_forged(its: OpenedObject, chance: Random) -> list[Request]:
    """Let a delivery repeat another version than it did."""
    found = [request for request in deliveries(its) if len(its.versions) > 1]
    if not found:
        raise Unsuited
    found[0].of_version = 1 if found[0].of_version > 1 else 2
    found[0].write_record()
    return []


def rolled_back(its: OpenedObject, chance: Random) -> list[Request]:
    """Remove the later versions, with all records of them and of their deliveries."""
    if len(its.versions) < 2:
        raise Unsuited
    last = chance.randrange(1, len(its.versions))
    for request in list(requests(its)):
        if request.of_version > last:
            request.remove()
    del its.versions[last:]
    return []


def _put(its: OpenedObject, old: bytes, new: bytes) -> list[Request]:
    if old == new:
        raise Unsuited
    return [request for request in requests(its) if request.put(old, new)]


def _put_file(its: OpenedObject, old: str, data: bytes) -> list[Request]:
    new = its.replace_file(old, data)
    return [request for request in requests(its) if request.put_file(old, new)]


def _tell_sound(its: OpenedObject) -> bool:
    """Call the signed document sound in each version. Return whether it was called anything else."""
    told: Sequence[str] = [version.state[VERDICT] for version in its.versions]
    for request in list(requests(its))[: len(its.versions)]:
        found = json.loads(request.read(VERDICT))
        for signature in found["signatures"]:
            signature |= {"intact": True, "valid": True, "coverage": "file", "change": "none", "change_permitted": True}
        sound = {
            "outcome": "sound",
            "intact": True,
            "valid": True,
            "covers_whole_file": True,
            "changed_after_signing": False,
        }
        request.write(VERDICT, json.dumps(found | sound | {"reason": None, "field_changes": []}).encode())
    return told != [version.state[VERDICT] for version in its.versions]


def _moved(text: str, by: timedelta) -> str:
    return (datetime.fromisoformat(text) + by).isoformat().replace("+00:00", "Z")


REWRITES: Sequence[Rewrite] = (*(amount, attachment, verdict, judgement, arrival, delivery_forged, rolled_back),)

"""Rewrites of one object: its values, amounts, files, logs, verdicts and times, a roll-back.

Each returns the requests whose bytes it changed, and raises `Unsuited` where the object has nothing of its kind.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from adapters.store.ocfl import SCANS, SKELETON, VERDICT
from tests.insider.objects import OpenedObject
from tests.insider.requests import Request, deliveries, requests
from tests.pdfs import form, signed
from tests.samples import PNG

Rewrite = Callable[[OpenedObject, Random], list[Request]]


class Unsuited(Exception):
    """The object has nothing that this rewrite changes."""


def amount(its: OpenedObject, chance: Random) -> list[Request]:
    """Change the amount of a payment, in every request that has it."""
    drawn = chance.choice(list(requests(its)))
    paid = json.loads(drawn.read(SKELETON))["payments"][0]["amount"]
    return _put(its, b'"amount": %d' % paid, b'"amount": %d' % chance.choice([1, 990, paid + 100, paid * 1000]))


def value(its: OpenedObject, chance: Random) -> list[Request]:
    """Change the value of a form field, in every request that has it."""
    drawn = chance.choice(list(requests(its)))
    found = json.loads(drawn.read(SKELETON))["data"][chance.randrange(2)]["value"]
    return _put(its, f'"{found}"'.encode(), f'"{chance.choice(["", "Attacker", found[::-1], found * 9])}"'.encode())


def attachment(its: OpenedObject, chance: Random) -> list[Request]:
    return _put_file(its, its.files(PNG[:4])[0], PNG + b"forged %d" % chance.randrange(1000))


def signed_document(its: OpenedObject, chance: Random) -> list[Request]:
    """Replace the signed document by another sound document, and the verdict by that of a sound document."""
    _tell_sound(its)
    return _put_file(its, its.files(b"%PDF")[0], signed(form(filler_bytes=chance.choice([8, 64, 512]))))


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


def scan(its: OpenedObject, chance: Random) -> list[Request]:
    """Change ClamAV's answer on each file."""
    for request in requests(its):
        if request.number:
            seen = json.loads(request.read(SCANS))
            for found in seen["files"].values():
                found["is_scanned"] = not found["is_scanned"]
            request.write(SCANS, json.dumps(seen, indent=1, sort_keys=True).encode())
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


def completion(its: OpenedObject, chance: Random) -> list[Request]:
    """Move the time at which a receipt was complete."""
    path = chance.choice(its.histories())
    rows = its.rows(path)
    rows["receipt"][0]["completed_at"] = _moved(
        rows["receipt"][0]["completed_at"], timedelta(days=-chance.randint(1, 9))
    )
    its.write_rows(path, rows)
    return []


def explanation(its: OpenedObject, chance: Random) -> list[Request]:
    """Change who explained a discrepancy, or the words."""
    change = chance.choice([{"by": "Somebody"}, {"why": "The manager agreed."}])
    is_any = False
    for path in its.logs_of_discrepancies():
        rows = its.rows(path)
        explained = [event for event in rows["discrepancy_event"] if event["state"] == "explained"]
        is_any |= bool(explained)
        for event in explained:
            event.update(change)
        its.write_rows(path, rows)
    if not is_any:
        raise Unsuited
    return []


def event_removed(its: OpenedObject, chance: Random) -> list[Request]:
    """Remove the explanation of a discrepancy: it is open again."""
    is_any = False
    for path in its.logs_of_discrepancies():
        rows = its.rows(path)
        explained = {event["discrepancy_id"] for event in rows["discrepancy_event"] if event["state"] == "explained"}
        is_any |= bool(explained)
        rows["discrepancy_event"] = [event for event in rows["discrepancy_event"] if event["state"] != "explained"]
        for row in rows["discrepancy"]:
            row["state"] = "open" if row["discrepancy_id"] in explained else row["state"]
        its.write_rows(path, rows)
    if not is_any:
        raise Unsuited
    return []


def discrepancies_removed(its: OpenedObject, chance: Random) -> list[Request]:
    """Remove all that was ever said of the discrepancies."""
    paths = its.logs_of_discrepancies()
    if not paths:
        raise Unsuited
    for path in paths:
        del its.logs[path]
    return []


def run(its: OpenedObject, chance: Random) -> list[Request]:
    """Remove an attempt that failed, or call it Completed."""
    for path in its.histories():
        rows = its.rows(path)
        failed = [row for row in rows.get("run", []) if row["state"] == "Failed"]
        if failed and chance.random() < 0.5:
            failed[0]["state"] = "Completed"
        elif failed:
            rows["run"].remove(failed[0])
        if failed:
            its.write_rows(path, rows)
            return []
    raise Unsuited


def message(its: OpenedObject, chance: Random) -> list[Request]:
    """Change the record of a message: its endpoint, or the answer to an attempt."""
    paths = [path for path in its.histories() if "notification" in its.rows(path)]
    path = chance.choice(paths)
    rows = its.rows(path)
    if chance.random() < 0.5:
        rows["notification"][0]["endpoint"] = "https://elsewhere.example.com/hook"
    else:
        attempt = rows["notification_attempt"][0]
        attempt["status_code"] = 503 if attempt["status_code"] == 200 else 200
    its.write_rows(path, rows)
    return []


def sender(its: OpenedObject, chance: Random) -> list[Request]:
    """Change the headers with which a delivery came."""
    path = chance.choice(its.histories())
    rows = its.rows(path)
    rows["delivery"][0]["headers"] = {"content-type": "application/json; charset=utf-8"}
    its.write_rows(path, rows)
    return []


def delivery_forged(its: OpenedObject, chance: Random) -> list[Request]:
    """Let a delivery repeat another version than it did."""
    found = [request for request in deliveries(its) if len(its.versions) > 1]
    if not found:
        raise Unsuited
    found[0].of_version = 1 if found[0].of_version > 1 else 2
    found[0].write_record()
    return []


def delivery_removed(its: OpenedObject, chance: Random) -> list[Request]:
    """Remove a delivery that said nothing new, with its history."""
    found = list(deliveries(its))
    if not found:
        raise Unsuited
    found[0].remove()
    return []


def arrival_removed(its: OpenedObject, chance: Random) -> list[Request]:
    """Remove one of several deliveries of a body from its history."""
    for path in its.histories():
        rows = its.rows(path)
        if len(rows["delivery"]) > 1:
            rows["delivery"].pop()
            its.write_rows(path, rows)
            return []
    raise Unsuited


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


REWRITES: Sequence[Rewrite] = (
    amount,
    value,
    attachment,
    signed_document,
    verdict,
    judgement,
    scan,
    arrival,
    completion,
    explanation,
    event_removed,
    discrepancies_removed,
    run,
    message,
    sender,
    delivery_forged,
    delivery_removed,
    arrival_removed,
    rolled_back,
)

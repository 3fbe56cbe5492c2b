"""The requests of an object: their parts are changed so that they still fit each other, and receipt ids are renamed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from adapters.store import seals
from adapters.store.ocfl import CUTS, DELIVERIES, LOGS, SCANS, SKELETON
from domain.body.cuts import read_cuts, rebuilt
from domain.secrets.sealing import content_root
from tests.insider.objects import HISTORY, OpenedObject, digest

_RECEIPT = "receipt.json"


@dataclass
class Request:
    """A request of an object: of version `number`; or of a delivery, with the number 0, that repeats `of_version`."""

    its: OpenedObject
    receipt_id: str
    number: int
    of_version: int

    def read(self, name: str) -> bytes:
        if self.number:
            return self.its.contents[self.its.versions[self.number - 1].state[name]]
        return self.its.logs[self._path(name)]

    def write(self, name: str, data: bytes) -> None:
        if self.number:
            self.its.contents[digest(data)] = data
            self.its.change(self.number, state={**self.its.versions[self.number - 1].state, name: digest(data)})
        else:
            self.its.logs[self._path(name)] = data
            self.write_record()

    def write_record(self) -> None:
        """Write the record of a delivery."""
        names = json.loads(self.its.logs[self._path(_RECEIPT)])["kept"]
        kept = {name: digest(self.its.logs[self._path(name)]) for name in names}
        root = content_root(self.read(SKELETON), read_cuts(self.read(CUTS)))
        record = {"receipt_id": self.receipt_id, "version": self.of_version, "kept": kept, "content_root": root}
        record["sha256"] = digest(json.dumps(record).encode())
        self.its.logs[self._path(_RECEIPT)] = json.dumps(record).encode()

    def body(self) -> bytes:
        """Rebuild the request, with the master key that an operator has."""
        opener, cuts = seals.opener(self.its.reference)[0], read_cuts(self.read(CUTS))
        return b"".join(rebuilt(self.read(SKELETON), cuts, lambda sha256: [self.its.contents[sha256]], opener))

    def put(self, old: bytes, new: bytes) -> bool:
        """Replace bytes of the skeleton, and move the cuts behind them. Return whether the bytes were there."""
        skeleton, cuts = self.read(SKELETON), json.loads(self.read(CUTS))
        if (at := skeleton.find(old)) < 0:
            return False
        for cut in cuts["cuts"]:
            cut["offset"] += len(new) - len(old) if cut["offset"] > at else 0
        self.write(SKELETON, skeleton[:at] + new + skeleton[at + len(old) :])
        self.write(CUTS, json.dumps(cuts, indent=1).encode())
        return True

    def put_file(self, old: str, new: str) -> bool:
        """Let cuts and scans name another file. Return whether they named the file in its place."""
        cuts = json.loads(self.read(CUTS))
        its = [cut for cut in cuts["cuts"] if cut.get("sha256") == old]
        for cut in its:
            cut |= {"sha256": new, "size_bytes": len(self.its.contents[new])}
        self.write(CUTS, json.dumps(cuts, indent=1).encode())
        if self.number:
            seen = json.loads(self.read(SCANS))
            seen["files"] = {new if each == old else each: found for each, found in seen["files"].items()}
            self.write(SCANS, json.dumps(seen, indent=1, sort_keys=True).encode())
        return bool(its)

    def tell_size(self) -> None:
        """Let the history tell the size that the request has now."""
        rows = self.its.rows(self.history)
        for row in rows["receipt"]:
            row["size_bytes"] = len(self.body())
        self.its.write_rows(self.history, rows)

    def rename(self) -> None:
        """Give the request the receipt id that its bytes have now, wherever the object names it."""
        its, old, new = self.its, self.receipt_id, digest(self.body())
        told = [self.history, *(path for path in its.judgements() if old in path)]
        renamed = {path: json.loads(json.dumps(its.rows(path)).replace(old, new)) for path in told}
        for path in [path for path in its.logs if old in path]:
            its.logs[path.replace(old, new)] = its.logs.pop(path)
        for path, rows in renamed.items():
            its.write_rows(path.replace(old, new), rows)
        self.receipt_id = new
        if self.number:
            its.change(self.number, message=new)
        else:
            self.write_record()

    def remove(self) -> None:
        """Remove a delivery with its history."""
        for path in [path for path in self.its.logs if self.receipt_id in path]:
            del self.its.logs[path]

    @property
    def history(self) -> str:
        return f"{HISTORY}/{self.receipt_id}.json"

    def _path(self, name: str) -> str:
        return f"{LOGS}/{DELIVERIES}/{self.receipt_id}/{name}"


def requests(its: OpenedObject) -> Iterator[Request]:
    """Yield the requests of an object: of its versions, then of the deliveries that said nothing new."""
    for number, version in enumerate(list(its.versions), 1):
        yield Request(its, version.message, number, number)
    yield from deliveries(its)


def deliveries(its: OpenedObject) -> Iterator[Request]:
    for path in [path for path in its.logs if path.endswith(f"/{_RECEIPT}")]:
        record = json.loads(its.logs[path])
        yield Request(its, record["receipt_id"], 0, record["version"])

"""`make bench-bucket`: counts the requests to the bucket of archives of four files, and times them with 30 ms on each.

Inbox and store lie in the bucket of an S3 server on this machine, the database is embedded. The archives come one after
the other. All requests of the installation between the first and the last archive are counted, those of its sweeps too.
"""

import argparse
import asyncio
import base64
import json
import os
import random
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks import archives, engine_parts, machine
from benchmarks.bucket_requests import counted
from benchmarks.engine import set_up_process
from benchmarks.engine_parts import Taken
from benchmarks.installations import installation
from benchmarks.s3 import BUCKET, s3

MEASURED = Path(__file__).parent / "measured" / "bucket.json"
_LATENCIES_MS = (0, 30)
_WARMING_UP = 2


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of archives with a latency on each request to the bucket."""

    latency_ms: int
    load: float
    """The machine's load average at the end."""
    requests: dict[str, float]
    """Requests of an archive, by method and kind of key."""
    taken: list[Taken]

    def __str__(self) -> str:
        acknowledged_ms = 1000 * median(each.acknowledged_s for each in self.taken)
        completed_s = median(each.completed_s for each in self.taken)
        lines = [f"{number:6.1f}  {kind}" for kind, number in self.requests.items()]
        lines += [
            f"{sum(self.requests.values()):6.1f}  requests of an archive, with {self.latency_ms} ms on each",
            f"p50 of the acknowledgement {acknowledged_ms:.0f} ms, from there to Completed {completed_s:.2f} s",
            f"load average {self.load:.1f}",
        ]
        return "\n".join(lines)


def template() -> bytes:
    """Return an archive of four files, without its reference."""
    archive = json.loads(archives.template())
    scan = base64.b64encode(random.Random(19).randbytes(20_000)).decode()
    archive["attachments"].append(archive["attachments"][0] | {"id": "fourth", "content": scan})
    return json.dumps(archive, ensure_ascii=False).encode()


async def measure(folder: Path, endpoint: str, made: bytes, count: int, latency_ms: int) -> Measured:
    """Take archives through a new installation whose inbox and store are in the bucket."""
    with counted(endpoint, latency_ms / 1000) as bucket:
        os.environ["AWS_ENDPOINT_URL"] = bucket.endpoint
        place = f"s3://{BUCKET}/{latency_ms}-ms"
        urls = {"store_url": f"{place}/store", "inbox_url": f"{place}/inbox"}
        async with installation(folder / f"{latency_ms}-ms", "cellar", None, **urls) as site:
            await engine_parts.idle(site, made, _WARMING_UP)
            before = Counter(bucket.by_kind())
            taken = [await engine_parts.taken(site, made, reference) for reference in archives.references(count)]
            requests = Counter(bucket.by_kind()) - before
    by_kind = {kind: number / count for kind, number in sorted(requests.items())}
    return Measured(latency_ms, os.getloadavg()[0], by_kind, taken)


def main(arguments: argparse.Namespace) -> None:
    set_up_process()
    made, measured = template(), list[Measured]()
    with machine.work_folder() as folder, s3(folder / "s3") as endpoint:
        for latency_ms in _LATENCIES_MS:
            measured.append(asyncio.run(measure(folder, endpoint, made, arguments.count, latency_ms)))
            print(measured[-1])
    if arguments.write:
        document = {"machine": machine.described(), "measured": [asdict(each) for each in measured]}
        MEASURED.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--write", action="store_true", help="write the figures down: only on an idle machine")
    main(parser.parse_args())

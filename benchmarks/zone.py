"""`python -m benchmarks.zone`: archives whose databases and bucket are in another zone, 2 ms away.

The rows lie on Postgres, inbox and store in a bucket, each behind a proxy that delays every request. Prefect's server
reaches its own database, on the same Postgres, without delay. The archives come one after the other. Prints the
seconds from their acknowledgement to Completed, without and with the delay.
"""

import argparse
import asyncio
import json
import os
from pathlib import Path
from statistics import quantiles

from benchmarks import archives, bucket_requests, database_requests, engine_parts, machine
from benchmarks.engine import set_up_process
from benchmarks.installations import installation
from benchmarks.postgres import Postgres, postgres
from benchmarks.s3 import BUCKET, s3

_LATENCIES_MS = (0, 2)
_WARMING_UP = 3


async def measure(folder: Path, endpoint: str, database: Postgres, made: bytes, count: int, latency_ms: int) -> str:
    """Take archives through a new installation, and return its figures as JSON."""
    away_s = latency_ms / 1000
    with (
        bucket_requests.counted(endpoint, away_s) as bucket,
        database_requests.counted(database.url, away_s) as distant,
    ):
        os.environ["AWS_ENDPOINT_URL"] = bucket.endpoint
        place = f"s3://{BUCKET}/zone-{latency_ms}"
        urls = {"store_url": f"{place}/store", "inbox_url": f"{place}/inbox"}
        urls["database_url"] = Postgres(distant.url).new_database("cellar")
        async with installation(folder / f"{latency_ms}-ms", "cellar", database, **urls) as site:
            await engine_parts.idle(site, made, _WARMING_UP)
            seconds = (await engine_parts.idle(site, made, count)).latencies_s
    cuts = quantiles(seconds, n=20, method="inclusive")
    return json.dumps({"latency_ms": latency_ms, "p50_s": round(cuts[9], 2), "p95_s": round(cuts[18], 2)})


def main(count: int) -> None:
    set_up_process()
    made = archives.template()
    with machine.work_folder() as folder, s3(folder / "s3") as endpoint, postgres(folder) as database:
        for latency_ms in _LATENCIES_MS:
            print(asyncio.run(measure(folder, endpoint, database, made, count, latency_ms)), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=30)
    main(parser.parse_args().count)

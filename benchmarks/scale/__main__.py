"""`make bench-scale`: measures the costs of an archive on Postgres, and three figures to hold the simulation against.

    python -m benchmarks.scale --count 50 --minute 200

Only a run without such options is written down; `python -m benchmarks.scale.report` writes docs/scale.md from it.
"""

import argparse
import asyncio
import json
from dataclasses import asdict
from pathlib import Path

from benchmarks import archives, engine, engine_parts, machine
from benchmarks.installations import installation
from benchmarks.postgres import postgres
from benchmarks.scale.measuring import Measured, measure

MEASURED = Path(__file__).parents[1] / "measured" / "scale.json"
_BURST, _MINUTE = 300, 1000


async def _measured(folder: Path, template: bytes, count: int, in_a_minute: int) -> Measured:
    with postgres(folder) as server:
        async with installation(folder / "site", "cellar", server) as site:
            await engine_parts.idle(site, template, 2)
            return await measure(site, server.pid(), template, count, in_a_minute)


def main(arguments: argparse.Namespace) -> None:
    engine.set_up_process()
    count, in_a_minute = arguments.count or _BURST, arguments.minute or _MINUTE
    with machine.work_folder() as folder:
        found = asdict(asyncio.run(_measured(folder, archives.template(), count, in_a_minute)))
    print(json.dumps(found, indent=1))
    if not (arguments.count or arguments.minute):
        MEASURED.write_text(json.dumps({"machine": machine.described(), "rounds": 1} | found, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, help="archives in the burst")
    parser.add_argument("--minute", type=int, help="archives in the minute")
    main(parser.parse_args())

"""`make bench-hanging`: archives with one of three endpoints hanging, beside archives with none, in one run.

Two installations run at once, and get an archive in turn. A time is from the acknowledgement until the run has ended,
as Completed or as Undelivered.
"""

import argparse
import asyncio
import json
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

from benchmarks import archives, engine_parts, machine
from benchmarks.engine import set_up_process
from benchmarks.installations import installation
from benchmarks.message_peers import peers

MEASURED = Path(__file__).parent / "measured" / "hanging.json"
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


async def measure(folder: Path, template: bytes, count: int) -> dict[str, list[float]]:
    """Return the seconds of each archive, by what its installation is called."""
    measured: dict[str, list[float]] = {"none hangs": [], "one hangs": []}
    async with AsyncExitStack() as stack:
        sites = {}
        for name in measured:
            ports = stack.enter_context(peers(3, one_hangs=name == "one hangs"))
            urls = tuple(f"http://127.0.0.1:{port}/hook" for port in ports)
            changed = {"notify_urls": urls, "notify_secret": _SECRET, "notify_allow_private": True}
            sites[name] = await stack.enter_async_context(installation(folder / name, "cellar", None, **changed))
        for _ in range(count):
            for name, site in sites.items():
                measured[name] += (await engine_parts.idle(site, template, 1)).latencies_s
    return measured


def main(arguments: argparse.Namespace) -> None:
    set_up_process()
    template = archives.template()
    with tempfile.TemporaryDirectory(prefix="cellar-benchmark-", dir=Path.cwd(), ignore_cleanup_errors=True) as folder:
        measured = asyncio.run(measure(Path(folder), template, arguments.count))
    none_s, one_s = measured["none hangs"], measured["one hangs"]
    longer = sum(each > max(none_s) for each in one_s)
    print(f"p50: {median(none_s):.2f} s without, {median(one_s):.2f} s with: {median(one_s) / median(none_s):.2f}")
    print(f"longer than the longest without, which took {max(none_s):.2f} s: {longer} of {len(one_s)}")
    MEASURED.write_text(json.dumps({"machine": machine.described(), **measured}, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=60)
    main(parser.parse_args())

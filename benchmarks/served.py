"""Serves the flow by `flow.serve()`, as Prefect's documentation shows it, as the deployment that the receiver triggers.

python -m benchmarks.served RUNS_AT_ONCE
"""

import asyncio
import sys

from prefect.types.entrypoint import EntrypointType

from adapters.peers.prefect_api import DEPLOYMENT
from flows.execution.results import save_block
from flows.process_archive import process_archive

if __name__ == "__main__":
    asyncio.run(save_block())
    process_archive.serve(
        name=DEPLOYMENT.partition("/")[2], limit=int(sys.argv[1]), entrypoint_type=EntrypointType.MODULE_PATH
    )

"""The references of the receiver: FastAPI as its documentation shows it, and streaming without any check.

    uvicorn benchmarks.references:streaming

Each takes `POST /webhooks/cellosign` and answers as documented. `streaming` writes into FOLDER.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

from fastapi import Body, FastAPI, Request
from pydantic import BaseModel, ConfigDict

_FOLDER = Path(os.environ.get("FOLDER", "."))
_BATCH_BYTES = 1 << 20
_THREADS = ThreadPoolExecutor(32)
_ANSWER = {"status": "0", "document": None, "errordesc": ""}


class _Document(BaseModel):
    model_config = ConfigDict(extra="allow")

    filename: str
    content: bytes


class _Archive(BaseModel):
    model_config = ConfigDict(extra="allow")

    reference: str
    attachments: list[_Document]


parameter = FastAPI()
"""A pydantic body parameter. It keeps nothing, so no disk slows it down."""


@parameter.post("/webhooks/cellosign")
async def _parameter(archive: Annotated[_Archive, Body()]) -> dict[str, Any]:
    return _ANSWER | {"document": {"reference": archive.reference}}


whole = FastAPI()
"""`await request.body()`. It keeps nothing."""


@whole.post("/webhooks/cellosign")
async def _whole(request: Request) -> dict[str, Any]:
    body = await request.body()
    return _ANSWER | {"document": {"reference": str(len(body))}}


streaming = FastAPI()
"""Streams to disk with cellar's syncs and renames, and checks nothing: no digest, no JSON, no secret."""


@streaming.post("/webhooks/cellosign")
async def _streaming(request: Request) -> dict[str, Any]:
    path = _FOLDER / f".{secrets.token_hex(16)}.part"
    file = await _threaded(os.open, path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    async for batch in _batches(request):
        await _threaded(os.write, file, batch)
    await _threaded(_keep, file, path)
    return _ANSWER | {"document": {"reference": path.name}}


async def _batches(request: Request) -> AsyncIterator[bytes]:
    batch = bytearray()
    async for chunk in request.stream():
        batch += chunk
        if len(batch) >= _BATCH_BYTES:
            yield bytes(batch)
            batch.clear()
    yield bytes(batch)


def _keep(file: int, path: Path) -> None:
    """Sync body, record and folder, as cellar does."""
    os.fsync(file)
    os.close(file)
    path.rename(path.with_suffix(".body"))
    record = path.with_suffix(".record.part")
    with record.open("wb") as written:
        written.write(b"x" * 300)
        written.flush()
        os.fsync(written.fileno())
    record.rename(path.with_suffix(".json"))
    folder = os.open(_FOLDER, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(folder)
    os.close(folder)


async def _threaded(work: Any, *args: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(_THREADS, work, *args)

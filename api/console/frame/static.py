"""Scripts, styles and icons, under a URL that has the digest of all of them: browsers keep them for good."""

import gzip
import hashlib
from functools import cache, lru_cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from api.access import open_to_anybody
from api.console.frame.cookies import ROOT
from models.errors import Refused

_FOLDER = Path(__file__).parents[1] / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".pfb": "application/octet-stream",
    ".ttf": "font/ttf",
}
_DIGEST_DIGITS = 16
_FOR_GOOD = "public, max-age=31536000, immutable"
router = APIRouter()


def static_url(name: str) -> str:
    """Return the URL of a file in `static/`, or of the folder itself for an empty name."""
    return f"{ROOT}/static/{_digest()}/{name}"


@router.get("/static/{digest}/{name:path}")
@open_to_anybody("the page of the login needs them")
def read_static(request: Request, digest: str, name: str) -> Response:
    path = _files().get(name)
    if path is None or digest != _digest():
        raise Refused("UNKNOWN_PATH", "the console has no such file; load the page again", status=404)
    headers = {"cache-control": _FOR_GOOD, "vary": "accept-encoding"}
    media_type = _TYPES[path.suffix]
    if path.suffix != ".ttf" and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(_zipped(path), media_type=media_type, headers={**headers, "content-encoding": "gzip"})
    return Response(path.read_bytes(), media_type=media_type, headers=headers)


@cache
def _files() -> dict[str, Path]:
    found = (path for path in _FOLDER.rglob("*") if path.suffix in _TYPES)
    return {path.relative_to(_FOLDER).as_posix(): path for path in sorted(found)}


@cache
def _digest() -> str:
    digest = hashlib.sha256()
    for name, path in _files().items():
        digest.update(f"{name} {path.stat().st_size} ".encode() + path.read_bytes())
    return digest.hexdigest()[:_DIGEST_DIGITS]


@lru_cache(maxsize=8)  # the files of a first visit, without the worker of pdf.js for every page
def _zipped(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 6, mtime=0)

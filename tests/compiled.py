"""Shares what libraries compile or parse once for an engine or a client: each test has one of its own.

SQLAlchemy compiles each statement once for an engine: a fifth of the time of the tests that load archives. Databases
of one kind have equal dialects here, so what one engine has compiled serves the next. botocore parses its description
of S3 once for a session: 80 of the 93 ms in which it makes a client. httpx and Prefect read the authorities once for a
client: 5.3 of 5.4 ms, tests that wait ask ten times a second, and each run of a flow makes three clients. Other than by
this, all work as in cellar.
"""

import ssl
from collections import defaultdict
from functools import cache
from typing import Any

import botocore.session
import certifi
from sqlalchemy import Connection, Engine, event
from sqlalchemy.util import LRUCache

_Key = tuple[Any, ...]


class _Compiled(LRUCache[_Key, Any]):
    """Compiled statements by their keys without the dialect, which comes first and differs between engines."""

    def get(self, key: _Key, default: Any = None) -> Any:
        return super().get(key[1:], default)

    def __setitem__(self, key: _Key, compiled: Any) -> None:
        super().__setitem__(key[1:], compiled)


_of_kind: defaultdict[str, _Compiled] = defaultdict(lambda: _Compiled(2000))


def share_compiled_statements() -> None:
    @event.listens_for(Engine, "engine_connect")
    def _share(connection: Connection) -> None:
        connection.engine._compiled_cache = _of_kind[connection.dialect.name]


def share_descriptions_of_services() -> None:
    botocore.session.create_loader = cache(botocore.session.create_loader)


def share_authorities() -> None:
    read, shared = ssl.create_default_context, cache(ssl.create_default_context)

    def _context(*purpose: Any, **files: Any) -> ssl.SSLContext:
        return (shared if files == {"cafile": certifi.where()} else read)(*purpose, **files)

    ssl.create_default_context = _context

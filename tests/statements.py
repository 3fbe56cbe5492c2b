"""Shares compiled statements among the engines of a test process.

Each test has an engine of its own, and SQLAlchemy compiles each statement once for an engine: a fifth of the time of
the tests that load archives. Databases of one kind have equal dialects here, so what one engine has compiled serves
the next. Other than by this, SQLAlchemy works as in cellar.
"""

from collections import defaultdict
from typing import Any

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

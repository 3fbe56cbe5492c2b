"""Reads the URL of the metadata database: checks it, and describes it without user and password."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import URL

_SCHEMES = {"sqlite", "sqlite+pysqlite", "postgres", "postgresql", "postgresql+psycopg"}
_EXPECTED = "expected sqlite:///FILE, sqlite:////ABSOLUTE/FILE or postgresql://USER:PASSWORD@HOST/DATABASE"
_ESCAPES = "write @ / : # and ? in user and password as %40 %2F %3A %23 and %3F"


def database_url_fault(url: str) -> str | None:
    """Return what is wrong with a URL, None if it can be used. The text repeats nothing behind the scheme."""
    scheme, separator, rest = url.partition("://")
    if not separator or not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+_]*", scheme):
        return f"{_EXPECTED}, got no URL"
    if scheme not in _SCHEMES:
        return f"{_EXPECTED}, got {scheme}://, which cellar does not support"
    if scheme.startswith("sqlite"):
        path = rest.partition("?")[0]
        is_file = path.startswith("/") and path not in ("/", "/:memory:")
        return None if is_file else f"{_EXPECTED}, got no file"
    try:
        is_named = _database_of(_parsed(url)) != ""
    except ValueError:  # a part of the password was taken for the port
        return f"{_EXPECTED}; {_ESCAPES}"
    return None if is_named else f"{_EXPECTED}, got no name of a database; {_ESCAPES}"


def database_place(url: str) -> str:
    """Return the file of a SQLite URL, or the database and the host of a Postgres URL."""
    if url.startswith("sqlite"):
        return url.partition(":///")[2].partition("?")[0]
    parsed = _parsed(url)
    host = parsed.host or parsed.query.get("host") or "this machine"
    return f"{_database_of(parsed)} at {host}{f':{parsed.port}' if parsed.port else ''}"


def _parsed(url: str) -> "URL":
    from sqlalchemy import make_url  # noqa: PLC0415 -- slow to import, and not needed with SQLite's default

    return make_url(url)


def _database_of(url: "URL") -> str:
    """Return the name of the database, or of the libpq service that names it."""
    return url.database or str(url.query.get("dbname") or url.query.get("service") or "")

"""An embedded installation with everything that an installation keeps, and other places to bring it to."""

import json
import secrets
from datetime import UTC, datetime
from typing import Any

import psycopg
from sqlalchemy import Row, select
from sqlmodel import SQLModel

from adapters.database.transactions import reading
from adapters.files.store import storage_at
from adapters.inbox.inbox import Intake
from adapters.settings.settings import settings
from adapters.store.tombstones import known_digest
from adapters.tables.people import saved_views
from adapters.tables.runs import receipts
from domain.archive.found_process import FoundProcess
from models.access import CELLAR, SignedInBy
from models.errors import Refused
from models.people import ActionKind, SavedViewRow
from models.runs.receipt import Delivery, Identity
from models.views.messages import NewEndpoint
from services.access import logins
from services.completeness.session_events import take_in_left
from services.messages import endpoints
from services.people.actions import record
from services.triggering.refused import list_all_refused
from tests.conftest import bucket_at, make_tables
from tests.installations import archived
from tests.samples import sample_body
from tests.session_events import body, journaled

WAITING = sample_body("waiting")
LEFT_BEHIND = {"change", "worker", "claim", "lease", "login", "wrong_tokens"}


async def filled() -> None:
    """Fill the installation of this process: archives, versions, events, refused bodies, endpoints, what waits."""
    settings().data_dir.mkdir(mode=0o700, exist_ok=True)
    make_tables()
    settings().active_anchor_key()
    for number in range(1, 4):
        archived(f"process-{number}", sample_body(f"process-{number}"))
    archived("process-1", sample_body("process-1", data=[]))
    journaled([body(reference="process-1")])
    record(["process-1"], ActionKind.EXPORT, "console (Dana)", datetime.now(UTC))
    saved_views.save(
        SavedViewRow(view_id="v", name="Failed", query="state=failed", saved_by="Dana", saved_at=datetime.now(UTC))
    )
    logins.begin(CELLAR, SignedInBy.TOKEN, datetime.now(UTC))
    await take_in_left()
    journaled([body(reference="process-2")])
    refused(b"no JSON")
    await list_all_refused()
    refused(b"no JSON either")
    endpoints.add(NewEndpoint(name="erp", url="https://example.com/hook"), "dana@desk", datetime.now(UTC))
    acknowledged("waiting", WAITING)


def acknowledged(reference: str, content: bytes) -> Delivery:
    return _intake(content).accept(Identity(reference), datetime.now(UTC), {"content-type": "application/json"})


def refused(content: bytes) -> None:
    _intake(content).quarantine(Refused("NOT_JSON", "at byte 0"), datetime.now(UTC), FoundProcess())


def _intake(content: bytes) -> Intake:
    intake = Intake()
    intake.digest(content)
    intake.write([content])
    return intake


def all_rows() -> dict[str, list[str]]:
    """Return all rows but those of processes, by table, in a form that does not depend on the database."""
    with reading() as session:
        return {
            table.name: sorted(map(_text, session.connection().execute(select(table))))
            for table in SQLModel.metadata.sorted_tables
            if table.name not in LEFT_BEHIND
        }


def _text(row: Row[Any]) -> str:
    return json.dumps(list(row), default=str, sort_keys=True)


def all_files() -> dict[str, bytes]:
    """Return the bytes of all files of store and inbox, without temporary files and the mark of a restore."""
    places = {"store": settings().store_location, "inbox": settings().inbox_location}
    return {
        f"{name}/{key}": storage_at(location).read_bytes(key)
        for name, location in places.items()
        for key, _ in storage_at(location).listed("")
        if key != "restore.json" and not key.startswith("spool/")
    }


def delivered_again(reference: str, content: bytes) -> str:
    """Deliver a body to the installation of this process and return what it is: new, changed or duplicate."""
    return receipts.register_all([acknowledged(reference, content)], known_digest(reference))[0].outcome


def distributed(server: str, s3_server: str) -> dict[str, str]:
    """Return the settings of an empty bucket and a new, empty database on a server."""
    name = f"new_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    base, _, query = server.partition("?")
    prefix = f"s3://archives/{secrets.token_hex(8)}"
    return {
        "database_url": f"{base.rpartition('/')[0]}/{name}{'?' + query if query else ''}",
        "store_url": f"{prefix}/store",
        "inbox_url": f"{prefix}/inbox",
        "share": "true",  # which the other installation's SQLite cannot have
        **bucket_at(s3_server),
    }

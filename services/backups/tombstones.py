"""Brings the tombstones of erased archives to the backups, so that no restore brings back what was erased since."""

import json
from datetime import datetime
from typing import Any

import structlog
from sqlmodel import SQLModel, select

from adapters.database.noted import note_rows
from adapters.database.transactions import insert_new, reading, writing
from adapters.files.restic import Repository
from adapters.settings.settings import settings
from adapters.tables import conditions
from adapters.tables.conditions import Found
from adapters.tables.open_conditions import open_conditions
from models.erasures import TombstoneMarkRow, TombstoneRow
from models.errors import CellarError
from models.store.condition import ConditionCode, Subject

log = structlog.get_logger()
_TABLES: tuple[type[SQLModel], ...] = (TombstoneRow, TombstoneMarkRow)
BACKUPS = "backups"
"""The subject of the conditions of backups."""


def send(now: datetime) -> None:
    """Save all tombstones at CELLAR_BACKUP_URL, if it is set. While it is away they wait, which is a condition."""
    location = settings().backup_location
    if location is None:
        return
    place, failure = Repository(location), ""
    try:
        if place.exists():  # before the first backup there is nothing that could come back
            send_to(place)
    except CellarError as error:
        failure = type(error).__name__
        log.warning("the tombstones wait for the place of the backups", why=str(error))
    found = {ConditionCode.TOMBSTONES_UNSENT: Found(1, {}) if failure else None}
    with writing() as session:
        conditions.set_within(session, Subject.SYSTEM, BACKUPS, found, now)


def send_left(now: datetime) -> None:
    """Save the tombstones that wait for the place of the backups."""
    if open_conditions((ConditionCode.TOMBSTONES_UNSENT,)):
        send(now)


def send_to(place: Repository) -> list[str]:
    """Save the tombstones of the database beside the backups, if there are any.

    Returns:
        The ids of the tombstones that were saved before, which the new ones replace.

    Raises:
        Refused: the password does not open the place.
        Transient: the place does not answer, or its disk is full.
    """
    if not any(_rows().values()):
        return []
    before = place.kept_tombstones()  # what another process saves after this may have more
    place.save_tombstones(json.dumps(_rows()).encode())
    return before


def _rows() -> dict[str, list[dict[str, Any]]]:
    with reading() as session:
        return {
            str(table.__tablename__): [each.model_dump(mode="json") for each in session.exec(select(table))]
            for table in _TABLES
        }


def take_from(place: Repository) -> None:
    """Give the database the tombstones that lie beside the backups and that it lacks, and note them for the store."""
    for kept in map(json.loads, place.tombstones()):
        with writing() as session:
            for table in _TABLES:
                rows = [table.model_validate(each).model_dump() for each in kept[str(table.__tablename__)]]
                note_rows(session, table, [each for each in rows if insert_new(session, table, each)])

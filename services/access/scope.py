"""Which archives a caller sees: those with the facet of its scope, which is one more filter of each list."""

import re

from sqlalchemy import ColumnElement
from sqlmodel import col, select

from adapters.database.transactions import read_all, reading
from adapters.search.entries import is_found_by
from adapters.search.pages import Wanted, newest
from adapters.store import ocfl, tombstones
from adapters.store.tombstones import known_digest
from domain.search import facet, named_facet
from models.access import Caller, Role
from models.discrepancies import DUPLICATE_CODES, DiscrepancyRow
from models.errors import Refused
from models.messages.notification import EventType, NotificationRow
from models.runs.receipt import VersionRow
from models.said import Sentence, moment
from models.search import Kind

_SCOPE = re.compile(r"(source)=(.+)|(label|field):([^=]+)=(.*)", re.DOTALL)


def facets_of_scope(caller: Caller) -> tuple[int, ...]:
    """Return the facet that an archive must have for a caller to see it; none if the caller sees all archives.

    Raises Refused if a clerk has no scope, or archives are not found by it, so that the caller sees none.
    """
    if not caller.is_scoped:
        return ()
    if (scope := _SCOPE.fullmatch(caller.scope or "")) is None:
        raise Refused("FORBIDDEN", Sentence.scope_missing(), where="scope", status=403)
    source, named, name, value = scope[2], scope[3], scope[4], scope[5]
    if source is not None:
        return (facet(Kind.SOURCE, source),)
    with reading() as session:
        if is_found_by(session, Kind(named), name):
            return (named_facet(Kind(named), name, value),)
    raise Refused("FORBIDDEN", Sentence.scope_unsearchable(facet=f"{named}:{name}"), where="scope", status=403)


def source_of(caller: Caller) -> str | None:
    """Return the source of whose archives a caller is a clerk; None for any other caller."""
    scope = _SCOPE.fullmatch(caller.scope or "") if caller.is_scoped else None
    return scope[2] if scope else None


def check_visible(caller: Caller, reference: str) -> None:
    """Check that a caller with a scope sees an archive. For whoever sees all archives, nothing is asked.

    Raises:
        Refused: no archive with the caller's facet has this reference. An archive that is there, and none, are alike.
    """
    if scope := facets_of_scope(caller):
        with reading() as session:
            # Postgres refuses NUL in text.
            if "\0" in reference or not newest(session, Wanted(scope, references=(reference,)), 1):
                raise _unknown()


def check_there(caller: Caller, reference: str) -> None:
    """Do as `check_visible`, and check that the archive is not erased: what is left of it is not shown.

    Raises:
        Refused: as `check_visible`; or the archive is erased, which a caller with a scope does not learn.
    """
    check_visible(caller, reference)
    if gone := erased(reference):
        raise _unknown() if caller.is_scoped else gone


def erased(reference: str) -> Refused | None:
    """Return the error for an erased archive, with its tombstone; None for any other."""
    digest = known_digest(reference)
    found = tombstones.find(digest) if digest else None
    if found is None:
        return None
    said = Sentence.erased(
        at=moment(found.erased_at).as_json(),
        by=found.erased_by,
        confirmed_by=found.confirmed_by,
        ground=found.ground,
        digest=found.digest,
    )
    return Refused("ERASED", said, where="reference", status=410)


def _unknown() -> Refused:
    detail = "no archive of this process was received; `cellar list` shows the archives"
    return Refused("UNKNOWN_REFERENCE", detail, where="reference", status=404)


def check_loaded(caller: Caller, reference: str) -> None:
    """Check that a caller with a scope may have what was read of an archive in the store, after it was read: nobody
    knows the facet of a version that is not loaded yet.

    Raises Refused if the store has a later version than the database, or the archive has left the scope meanwhile.
    """
    if caller.is_scoped and (inventory := ocfl.inventory(reference)):
        loaded = read_all(select(VersionRow.receipt_id).where(VersionRow.reference == reference))
        if not {each.message for each in inventory.versions} <= {*loaded}:
            detail = "a later version is on its way; try again once it is loaded"
            raise Refused("UNKNOWN_VERSION", detail, where="version", status=404)
        check_visible(caller, reference)


def messages_seen(caller: Caller) -> tuple[ColumnElement[bool], ...]:
    """Return the condition on the messages that a caller sees: a duplicate alone may be why a person should look."""
    return (col(NotificationRow.event) != EventType.ARCHIVE_ATTENTION,) if caller.is_scoped else ()


def findings_seen(caller: Caller) -> tuple[ColumnElement[bool], ...]:
    """Return the condition on the discrepancies that a caller sees: a duplicate names another archive."""
    return (col(DiscrepancyRow.code).not_in(DUPLICATE_CODES),) if caller.is_scoped else ()


def sees_none(scope: str | None) -> bool:
    """Return whether no archive has the facet of a scope yet. Perhaps its name or its value is misspelled."""
    wanted = facets_of_scope(Caller("", Role.CLERK, scope)) if scope else ()
    with reading() as session:
        return bool(wanted) and not newest(session, Wanted(wanted), 1)


def check_scope(role: Role, scope: str | None) -> str | None:
    """Return the scope of a new login or token as it is kept: `source=NAME`, `label:KEY=VALUE` or `field:KEY=VALUE`.

    `KEY=VALUE` stands for a label or a field, if archives are found by exactly one of them that has this name.

    Raises Refused if a clerk has no scope, another role has one, or archives are not found by it; or for an owner.
    """
    if role is Role.OWNER:
        raise Refused("BAD_PARAMETER", "owner is whoever has the shell; choose another role", where="role")
    if role is not Role.CLERK:
        if scope:
            detail = f"only a clerk sees the archives of one facet; the role {role} sees lists of all archives"
            raise Refused("BAD_PARAMETER", detail, where="role")
        return None
    if not scope:
        raise Refused("BAD_PARAMETER", "a clerk needs a source or a facet; say which archives they see", where="role")
    found = _SCOPE.fullmatch(scope)
    if found and found[1]:
        return scope
    kinds = [Kind(found[3])] if found else [Kind.LABEL, Kind.FIELD]
    name, equals, value = scope.removeprefix(f"{kinds[0]}:" if found else "").partition("=")
    with reading() as session:
        known = [each for each in kinds if name and equals and is_found_by(session, each, name)]
    if len(known) != 1:
        detail = "expected a source, or a facet like label:branch=Haifa of a template that shows it as a facet"
        raise Refused("BAD_PARAMETER", detail, where="facet")
    return f"{known[0]}:{name}={value}"

"""Lists templates, learns what they are, and keeps what people say about them, in database and store."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import null, select
from sqlmodel import Session, col, func

from adapters.database.transactions import reading, streamed, writing
from adapters.search import templates as said
from adapters.settings.settings import settings
from adapters.store import templates as kept
from domain.masking import Personal, masked
from domain.templates import (
    Seen,
    SignedFile,
    chosen_among,
    learned_name,
    learned_parts,
    looking_personal,
    seen_parts,
    usual_file,
)
from domain.titles import masked_title
from models.access import CELLAR, Caller
from models.archive.archive import ArchiveRow, FormFieldRow, SignatureRow
from models.archive.content import FileRow, Role
from models.archive.session import LabelRow, SessionRow
from models.columns import table_of
from models.errors import Refused
from models.search import MOST_FACETS
from models.templates import Names, PartId, Template, TemplateName, TemplateRow, TemplateWords, is_part, key_of
from models.titles import Title, TitleView
from models.views.templates import Templates, TemplateSummary, TemplateView
from services import derived
from services.access.scope import facets_of_scope

RECIPIENTS = (table_of(SessionRow).c.recipient_name,)
OTHER_PEOPLE = table_of(SessionRow).c.author, table_of(SignatureRow).c.signer_name
"""The columns with the names of people whom an archive names."""
_MOST_LISTED, _MOST_PARTS, _MOST_ROWS, _MOST_HELD = 500, 200, 50_000, 5000
_MOST_PEOPLE = 50
_HELD_FOR_S, _HELD_PER_FILE_S = 20.0, 2.0
_Place = tuple[str, str, tuple[int, ...]]
Learned = TypeVar("Learned")
_chosen: dict[_Place, tuple[float, frozenset[PartId]]] = {}
_learned: dict[_Place, tuple[float, TemplateName]] = {}
"""Learned names, and parts that are chosen, by database, template and scope, until when each need not be learned
again: the longer, the more archives it was learned from. Learning the names of 500 templates takes 1.6 s.
"""


def name_of(template_id: str | None, caller: Caller = CELLAR) -> TemplateName:
    """Return what people call a template, else what most of its signed documents are called that a caller sees. Held
    for a time.
    """
    if template_id is None:
        return TemplateName()
    place, now = (settings().database_location, template_id, facets_of_scope(caller)), time.monotonic()
    with reading() as session:
        given = said.held(session).of(template_id).name
        if given != Names():
            return TemplateName(**given.model_dump(), is_public=True)
        until_s, found = _learned.get(place, (0.0, TemplateName()))
        if now < until_s:
            return found
        files = _signed_files(session, said.newest_of(session, template_id, place[-1]))
        found = learned_name(files)
    return _hold(_learned, place, found, len(files))


def _hold(held: dict[_Place, tuple[float, Learned]], place: _Place, found: Learned, seen: int) -> Learned:
    if len(held) >= _MOST_HELD:
        held.clear()
    held[place] = time.monotonic() + max(_HELD_FOR_S, _HELD_PER_FILE_S * seen), found
    return found


def form_tags(template_id: str | None) -> list[str]:
    """Return the tag of runs with what people call their template; none if that may name somebody.

    Raises Transient if the database does not answer.
    """
    found = name_of(template_id)
    return [f"form:{found.worded('en')}"] if found.is_public else []


def called(template_id: str | None, caller: Caller) -> Names:
    """Return what a template is called for a caller. For viewers, no learned name that may name a person."""
    found = name_of(template_id, caller)
    return Names() if caller.is_masked and not found.is_public else Names(en=found.en, he=found.he)


def titled(text: str | None, template_id: str | None, template: Names, caller: Caller) -> TitleView:
    """Return the title of an archive as its entry keeps it, with what its template is called for a caller."""
    title = Title.model_validate_json(text) if text else Title(template_id=template_id)
    title = masked_title(title, words_of(template_id)) if caller.is_masked else title
    return TitleView(**dict(title), template=template)


def chosen_parts(template_id: str | None) -> frozenset[PartId]:
    """Return the fields of a template whose values are chosen from a few in its newest archives. Held for a time."""
    if template_id is None:
        return frozenset()
    place = settings().database_location, template_id, ()
    until_s, found = _chosen.get(place, (0.0, frozenset[PartId]()))
    if time.monotonic() < until_s:
        return found
    with reading() as session:
        references = said.newest_of(session, template_id)
        found = chosen_among(_seen(session, references))
    return _hold(_chosen, place, found, len(references))


def words_of(template_id: str | None) -> TemplateWords:
    """Return what people say about a template."""
    with reading() as session:
        return said.held(session).of(template_id)


def listed(caller: Caller) -> Templates:
    """Return the templates with the most archives, and all that people have named."""
    with reading() as session:
        words = said.held(session).words
        counted = session.connection().execute(_counted().limit(_MOST_LISTED)).all()
    found = {row[0]: _summary(caller, words, *row) for row in counted}
    others = (_summary(caller, words, id_) for id_ in sorted(words) if id_ not in found)
    return Templates(items=[*found.values(), *others])


def view(template_id: str, caller: Caller) -> TemplateView:
    """Return a template with what was learned of it, and what people say.

    Raises:
        Refused: no archive has it, and nobody has named it.
        Transient: the database does not answer.
    """
    with reading() as session:
        row = session.get(TemplateRow, key_of(template_id))
        counted = session.connection().execute(_counted().where(col(ArchiveRow.template_id) == template_id)).first()
        if row is None and counted is None:
            detail = "no archive has this template, and nobody named it; `cellar templates list` names the templates"
            raise Refused("UNKNOWN_TEMPLATE", detail, status=404)
        words = TemplateWords.model_validate(row.words if row else {})
        references = said.newest_of(session, template_id)
        file_name = usual_file(_signed_files(session, references))
        parts = learned_parts(_seen(session, references), len(references), words)
    filled = {id(each) for each in sorted(parts, key=lambda each: -each.filled)[:_MOST_PARTS]}
    summary = _summary(caller, {template_id: words} if row else {}, *(counted or (template_id,)))
    found = TemplateView(
        **summary.model_dump(),
        learned_from=len(references),
        file_name=file_name,
        parts=[each for each in parts if id(each) in filled],
        words=words,
        changed_at=row and row.changed_at,
        changed_by=row and row.changed_by,
    )
    return masked(found, Personal(words)) if caller.is_masked else found


def name(given: Mapping[str, TemplateWords], by: str, now: datetime) -> None:
    """Replace what people say about templates, by id. If titles or facets change, entries are made again.

    Raises:
        Refused: a facet, or a value that is named, is personal.
        Transient: database or store does not answer. The store may have some of it; repeat it.
    """
    templates = [Template(id=each, words=given[each], changed_at=now, changed_by=by) for each in sorted(given)]
    for each in templates:
        _check_facets(each.id, each.words)
    try:
        with writing() as session:
            derived.lock(session)  # else two people at once would each begin a filling in without the other's words
            before = said.read(session).definitions
            for each in templates:
                said.put(session, each)
            if said.read(session).definitions != before:
                derived.begin_within(session)
            for each in templates:  # last: what the database refuses is not in the store
                kept.keep(each)
    finally:
        said.forget()


def _check_facets(template_id: str, words: TemplateWords) -> None:
    shown = {*words.facets, *(part for part, its in words.parts.items() if its.values)}
    if not shown:
        return
    with reading() as session:
        seen = _seen(session, said.newest_of(session, template_id))
    if personal := sorted(looking_personal(seen, words).intersection(shown)):
        detail = f"a facet, or a name of a value, is shown to all; these are personal: {', '.join(personal)}"
        raise Refused("PERSONAL_FACET", detail, where="facets")


def restore_templates(on_damaged: Callable[[str, str], None]) -> int:
    """Restore what people say about templates from the store into the database, and return their number."""
    found = list(
        kept.RECORDS.readable(lambda key: on_damaged(key, "a damaged template; restore it from a copy of the store"))
    )
    with writing() as session:
        for each in found:
            said.put(session, each)
        if found:  # archives are rebuilt by them, so that the version of before would fill in nothing
            said.read(session)
            derived.begin_within(session)
    said.forget()
    return len(found)


def _counted() -> Any:
    """Return a query of templates with the number of their archives, and the times of the first and the last."""
    its, at = col(ArchiveRow.template_id), col(ArchiveRow.received_at)
    counted = select(its, func.count(), func.min(at), func.max(at)).where(its.is_not(None)).group_by(its)
    return counted.order_by(func.count().desc(), its)


def _summary(
    caller: Caller,
    words: Mapping[str, TemplateWords],
    id_: str,
    archives: int = 0,
    first_at: datetime | None = None,
    last_at: datetime | None = None,
) -> TemplateSummary:
    is_named = id_ in words and words[id_].name != Names()
    return TemplateSummary(
        id=id_, name=called(id_, caller), is_named=is_named, archives=archives, first_at=first_at, last_at=last_at
    )


def _signed_files(session: Session, references: Sequence[str]) -> list[SignedFile]:
    its = table_of(FileRow).c
    people, others = names_in(session, references, *RECIPIENTS), names_in(session, references, *OTHER_PEOPLE)
    is_named = its.role == Role.SIGNED_DOCUMENT, its.filename.is_not(None)
    asked = select(its.reference, its.filename).where(its.reference.in_(references), *is_named)
    found = session.connection().execute(asked.limit(_MOST_ROWS))
    return [SignedFile(filename, tuple(sorted(people[each])), tuple(sorted(others[each]))) for each, filename in found]


def names_in(session: Session, references: Sequence[str], *columns: Any) -> defaultdict[str, set[str]]:
    """Return the names in some columns of archives, by reference: in the first rows of each table."""
    names = defaultdict[str, set[str]](set)
    for column in columns:
        its = column.table.c
        first = its.reference.in_(references), its.position < _MOST_PEOPLE, column.is_not(None)
        for reference, name in session.connection().execute(select(its.reference, column).where(*first)):
            names[reference].add(name)
    return names


def _seen(session: Session, references: Sequence[str]) -> dict[PartId, Seen]:
    people = names_in(session, references, *RECIPIENTS)
    return seen_parts(_found(session, references), people)


def _found(session: Session, references: Sequence[str]) -> Iterator[tuple[str, PartId, str | None, Any]]:
    its, field = table_of(LabelRow).c, table_of(FormFieldRow).c
    labels = select(its.reference, its.key, null(), its.value)
    fields = select(field.reference, field.id, field.type, field.value)
    for kind, asked, columns in (("label", labels, its), ("field", fields, field)):
        theirs = asked.where(columns.reference.in_(references), columns.position < MOST_FACETS)
        for row in streamed(session, theirs.order_by(columns.position).limit(_MOST_ROWS)):
            reference, id_, type_, value = tuple(row)
            if id_ and is_part(part := f"{kind}:{id_}"):
                yield reference, part, type_, value

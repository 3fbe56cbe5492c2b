"""Finds what is personal in archives, for viewers: they see a mark in its place."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel
from sqlmodel import col, select

from adapters.database.transactions import reading
from adapters.search.templates import held
from domain.masking import Personal, masked
from models.access import Caller
from models.archive.archive import ArchiveRow
from models.templates import TemplateWords
from models.views.parameters import Page
from services.templates import chosen_parts

Found = TypeVar("Found", bound=BaseModel)


def personal_of(references: Sequence[str]) -> Mapping[str, Personal]:
    """Return what is personal in archives, by their references."""
    its = select(ArchiveRow.reference, ArchiveRow.template_id).where(col(ArchiveRow.reference).in_(references))
    with reading() as session:
        templates, words = dict(session.exec(its).all()), held(session)
    found = {each: Personal(words.of(each), chosen_parts(each)) for each in {*templates.values(), None}}
    return {each: found[templates.get(each)] for each in references}


def shown_to(caller: Caller, found: Found) -> Found:
    """Return what is no archive as a caller sees it, by itself or in a page: no remark and no search is a viewer's."""
    if not caller.is_masked:
        return found
    nothing = Personal(TemplateWords())
    if isinstance(found, Page):
        return found.model_copy(update={"items": [masked(each, nothing) for each in found.items]})
    return masked(found, nothing)

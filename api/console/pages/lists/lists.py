"""A list with filters, page by page: what a person asked for, and the page of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from fastapi import Request
from pydantic import BaseModel

from api.console.pages.lists.filters import Asked, asked
from models.errors import Refused


class Paged(Protocol):
    """A page of a list. `next` is the cursor of the following page."""

    next: str | None


Query = TypeVar("Query", bound=BaseModel)
Page = TypeVar("Page", bound=Paged)


@dataclass(frozen=True, slots=True)
class Listed(Generic[Query, Page]):
    """A page of a list. `page` is None if a filter is wrong; then `wrong` says why, as far as that is known."""

    path: str
    asked: Asked[Query]
    page: Page | None
    wrong: str | None
    is_later: bool

    @property
    def next_url(self) -> str | None:
        return self.asked.url(self.path, self.page.next) if self.page and self.page.next else None

    @property
    def first_url(self) -> str | None:
        return self.asked.url(self.path) if self.is_later else None


def listed(request: Request, path: str, model: type[Query], read: Callable[[Query], Page]) -> Listed[Query, Page]:
    """Return the page of a list that a request asks for. A filter that is wrong is marked, and nothing is searched."""
    pairs = request.query_params.multi_items()
    found, is_later = asked(model, pairs), any(name == "cursor" for name, _ in pairs)
    if found.query is None:
        return Listed(path, found, None, "", is_later)
    try:
        return Listed(path, found, read(found.query), None, is_later)
    except Refused as refused:
        return Listed(path, found, None, refused.detail, is_later)

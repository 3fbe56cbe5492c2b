"""Templates as the JSON API, the command line and the console show them."""

from datetime import datetime

from pydantic import BaseModel, Field

from models.templates import Names, TemplateWords
from models.views.parameters import RequestBody


class PartView(BaseModel):
    """A field or a label of a template, as its newest archives have it. `filled`: the share of them with a value."""

    part: str = Field(description="`field:ID` or `label:KEY`")
    name: Names
    type: str | None
    filled: float
    choices: list[str] = Field(description="the values, if there are few and they are not personal")
    personal: bool = Field(description="what people say, else whether its declared type may be of a person")


class TemplateSummary(BaseModel):
    """A template in a list. `name`: what people call it, else what most of its signed documents are called."""

    id: str
    name: Names
    is_named: bool = Field(description="whether a person has named it")
    archives: int
    first_at: datetime | None
    last_at: datetime | None


class Templates(BaseModel):
    """The templates with the most archives, 500 at most, and those that people have named."""

    items: list[TemplateSummary]


class TemplateView(TemplateSummary):
    """A template. `learned_from`: the number of its newest archives that file name and parts were learned from."""

    learned_from: int
    file_name: str | None
    parts: list[PartView] = Field(description="the 200 that are filled most, labels first")
    words: TemplateWords = Field(description="what people say about it; `PUT` replaces it")
    changed_at: datetime | None
    changed_by: str | None


class ShapeMemberView(BaseModel):
    """A field of a template, as the newest archives have it."""

    path: str = Field(description="the place of its values in the payload")
    types: list[str] = Field(description="the type of its column in tables")
    coverage: float | None = Field(
        description="the share of these archives with a value; null if a caller may not know"
    )
    first_at: datetime | None = Field(description="when the first of them with a value arrived")
    last_at: datetime | None = Field(description="when the last of them with a value arrived")


class ShapeView(BaseModel):
    """The shape of a template: the fields of its archives."""

    learned_from: int = Field(description="the number of its newest archives that this is of, at most 1,000")
    members: list[ShapeMemberView]


class TemplateNaming(RequestBody, TemplateWords):
    """What people say about a template from now on."""


class TemplateExport(RequestBody):
    """What people say about templates, by their ids, as one installation exports it and another imports it."""

    templates: dict[str, TemplateWords]

"""Templates: the forms of Cellosign by which archives are made, and what people say about them."""

import hashlib
import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints
from sqlmodel import Field as Column
from sqlmodel import SQLModel

from models.columns import Json, Moment
from models.retention import RetentionRule

_LINE = r"[^\x00-\x1f]"
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100, pattern=f"^{_LINE}+$")]
Value = Annotated[str, StringConstraints(min_length=1, max_length=80)]
PartId = Annotated[str, StringConstraints(pattern=f"^(field|label):{_LINE}{{1,300}}$")]
"""A form field by its id, or a label by its key: `field:RENT`, `label:BRANCH`."""
PERSON, TEMPLATE, PAYMENT = "person", "template", "payment"
TitlePart = Literal["person", "template", "payment"] | PartId

_CLOSED: dict[str, JsonValue] = {"additionalProperties": False}
_WORDS = ConfigDict(frozen=True, json_schema_extra=_CLOSED)
"""An unknown member is refused where a person sends it, not where the store has it: a later cellar wrote it."""


class Names(BaseModel):
    """A name in English and in Hebrew. Where one is missing, the other stands for both."""

    model_config = _WORDS

    en: Name | None = None
    he: Name | None = None

    def worded(self, language: str) -> str | None:
        """Return the name in a language, in the other if that is the only one, None if there is none."""
        return (self.he or self.en) if language == "he" else (self.en or self.he)


class TemplateName(Names):
    """What a template is called. `is_public`: a person said so, or processes share it that have nobody in common, so
    that it names nobody.
    """

    is_public: bool = False


class PartWords(BaseModel):
    """What people say about a field or a label. `personal`: null if nobody says; then its declared type decides.
    `values`: what its values are called in the other language, such as branches.
    """

    model_config = _WORDS

    name: Names = Names()
    personal: bool | None = None
    values: dict[Value, Names] = Field({}, max_length=50, json_schema_extra=_CLOSED)


class TemplateWords(BaseModel):
    """What people say about a template.

    `title`: what its archives are titled by. The values of fields and labels stand in their order between template and
    payment. `facets`: what archives are counted and filtered by in lists. `retention`: how long archives are kept; if
    null, as the terms of their source say.
    """

    model_config = _WORDS

    name: Names = Names()
    parts: dict[PartId, PartWords] = Field({}, max_length=500, json_schema_extra=_CLOSED)
    title: list[TitlePart] = Field([PERSON, TEMPLATE, PAYMENT], max_length=7)
    facets: list[PartId] = Field([], max_length=8)
    retention: RetentionRule | None = Field(
        None, description="`erase after 7 years`, `review after 90 days from END_DATE`, or `keep`"
    )

    @property
    def found_by(self) -> tuple[PartId, ...]:
        """The fields and labels that archives are found by, since facets or titles show their values."""
        shown = (each for each in self.title if each not in (PERSON, TEMPLATE, PAYMENT))
        return tuple(dict.fromkeys((*self.facets, *shown)))

    def is_public(self, part: str) -> bool:
        """Return whether people said that the values of a part are not personal: of it, or by making it a facet."""
        said = self.parts.get(part, PartWords()).personal
        return said is False or (said is None and part in self.facets)


class Template(BaseModel):
    """A template that a person has named, as the store keeps it."""

    model_config = ConfigDict(frozen=True)

    id: str
    words: TemplateWords
    changed_at: datetime
    changed_by: str


class TemplateRow(SQLModel, table=True):
    """A template that a person has named. `key` is the digest of its id, which may have any length."""

    __tablename__ = "template"

    key: str = Column(primary_key=True, max_length=64)
    id: str
    words: dict[str, Any] = Column(sa_type=Json)
    changed_at: datetime = Column(sa_type=Moment)
    changed_by: str


def key_of(template_id: str) -> str:
    """Return under which key a template is kept."""
    return hashlib.sha256(template_id.encode()).hexdigest()


def is_part(text: str) -> bool:
    """Return whether a field or a label can be named: its id or key is one line of at most 300 characters."""
    return re.fullmatch(f"(field|label):{_LINE}{{1,300}}", text) is not None


def name_in(part: PartId) -> str:
    """Return the id of a field, or the key of a label."""
    return part.partition(":")[2]

"""Titles: what an archive is recognised by. A title is personal: it is shown behind a login only."""

from pydantic import BaseModel, ConfigDict

from models.templates import Names, PartId


class TitlePayment(BaseModel):
    """The payment of a title: the largest of those whose standing says most."""

    model_config = ConfigDict(frozen=True)

    amount_minor: int | None
    currency: str | None
    standing: str


class Title(BaseModel):
    """What the title of an archive says, in no language. `facets`: values of fields and labels that people chose.
    `parts`: which fields and labels these are. `template_id`: null if the template's name is no part of the title.
    `process_number` stands for the name of a template that has none.
    """

    model_config = ConfigDict(frozen=True)

    person: str | None = None
    template_id: str | None = None
    process_number: int | None = None
    facets: tuple[str, ...] = ()
    parts: tuple[PartId, ...] = ()
    payment: TitlePayment | None = None


class TitleView(Title):
    """A title, and what the template of its archive is called now."""

    template: Names = Names()

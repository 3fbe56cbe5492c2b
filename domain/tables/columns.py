"""Decides the columns of form tables, puts the fields of archives into them, and hides what is personal. Pure."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, TypeAlias

from domain.archive.reading import coordinates
from domain.masking import MASK
from domain.tables.names import LATITUDE, LONGITUDE, column_name, field_key, form_table, taken_by
from domain.tables.values import Seen, UnfitError, narrowest, plain_text, typed, wider
from models.tables import MOST_COLUMNS, Column, ColumnType, FormColumnRow, Treatment, Unfit
from models.templates import PartId, PartWords, TemplateWords, is_part

FieldId: TypeAlias = tuple[str | None, int]
"""The id of a field, and its number among the fields of an archive with the same id."""
Values: TypeAlias = Sequence[Sequence[Any]]
"""The values of some rows, column by column."""


Cell: TypeAlias = tuple[int, int, str | None, Any]
"""A value of a field: the number of its archive, the place among the fields, its declared type, the JSON value."""
Fields: TypeAlias = Iterable[tuple[int, str | None, str | None, Any]]
"""The fields of an archive, each with its place, its id, its declared type and its JSON value."""


def by_field(archives: Iterable[Fields]) -> dict[FieldId, list[Cell]]:
    """Return the values of some archives by field, in the order in which the fields are seen first."""
    found = dict[FieldId, list[Cell]]()
    for at, fields in enumerate(archives):
        seen = dict[str | None, int]()
        for position, id_, declared, value in sorted(fields, key=itemgetter(0)):
            occurrence = seen[id_] = seen.get(id_, -1) + 1
            cell = at, position, declared, value
            if (cells := found.get((id_, occurrence))) is None:
                found[id_, occurrence] = [cell]
            else:
                cells.append(cell)
    return found


def see(seen: dict[FieldId, Seen], archives: Iterable[Fields], full: Collection[FieldId] = ()) -> None:
    """Add the values of some archives to what was seen of the fields of a template.

    Args:
        full: the fields that are known to have texts: nothing widens these.
    """
    for id_, cells in by_field(archives).items():
        if id_ not in full and (id_ in seen or len(seen) < MOST_COLUMNS):
            its, (located, others) = seen.setdefault(id_, Seen()), _located(cells)
            its.is_location = its.is_location or bool(located)
            its.add(cells[-1][2], (value for _, _, _, value in others))


def _located(cells: list[Cell]) -> tuple[list[tuple[int, float, float]], list[Cell]]:
    """Return the numbers of the archives whose values are coordinates, with these, and all other values."""
    if all(declared != "location" for _, _, declared, _ in cells):
        return [], cells
    located, others = list[tuple[int, float, float]](), list[Cell]()
    for each in cells:
        latitude, longitude = coordinates(each[3]) if each[2] == "location" else (None, None)
        if latitude is None or longitude is None:
            others.append(each)
        else:
            located.append((each[0], latitude, longitude))
    return located, others


def settled(
    template_id: str, kept: Sequence[FormColumnRow], seen: Mapping[FieldId, Seen], words: TemplateWords
) -> list[FormColumnRow]:
    """Return the columns that are new or wider than those that are kept, after what was seen of all archives."""
    table, rows = form_table(template_id), {each.key: each for each in kept}
    taken = {name for each in kept for name in taken_by(each.name)}
    changed = []
    for (element, occurrence), its in seen.items():
        key = field_key(element, occurrence)
        row = rows.get(key)
        if row is not None:
            type_ = wider(ColumnType(row.type) if row.type else None, its.type)
            if type_ != row.type:
                changed.append(FormColumnRow(**row.model_dump() | {"type": type_}))
        elif len(rows) < MOST_COLUMNS:
            said = words.parts.get(f"field:{element}", PartWords()).name.en
            name = column_name(said, element, occurrence, taken)
            taken |= taken_by(name)
            rows[key] = FormColumnRow(
                table_name=table,
                key=key,
                template_id=template_id,
                element=element,
                occurrence=occurrence,
                name=name,
                number=len(rows),
                type=its.type,
                is_location=its.is_location,
            )
            changed.append(rows[key])
    return changed


def columns_of_form(
    rows: Iterable[FormColumnRow], words: TemplateWords, judged: Mapping[PartId, bool]
) -> Iterator[Column]:
    """Yield the columns of a form table: two of degrees for a location, and one of any other values that it has.

    A field is personal as its template's page says, or if nobody can say; a date or a flag only if people say so, since
    most dates look like numbers of people.

    Args:
        judged: whether parts are personal, as the page says. It knows no field that only older archives have.
    """
    for row in rows:
        part, type_ = f"field:{row.element}", ColumnType(row.type or ColumnType.TEXT)
        said = words.parts.get(part, PartWords())
        looks_so = row.is_location or (judged.get(part, True) and type_ not in (ColumnType.DATE, ColumnType.BOOLEAN))
        is_personal = bool(said.personal) or looks_so or row.element is None or not is_part(part)
        its = Column(
            name=row.name,
            type=type_,
            description=said.name.en or f"the field {row.element or 'without an id'}",
            place=f"data[id={row.element}][{row.occurrence}].value",
            is_personal=is_personal and not words.is_public(part),
            names=said.name,
        )
        if row.is_location:
            yield replace(its, name=f"{row.name}{LATITUDE}", type=ColumnType.LOCATION)
            yield replace(its, name=f"{row.name}{LONGITUDE}", type=ColumnType.LOCATION)
        if row.type or not row.is_location:
            yield its


def filled(rows: Sequence[FormColumnRow], archives: Sequence[Fields]) -> tuple[Values, list[tuple[int, Unfit]]]:
    """Return the values of some archives by column, and what is unfit, each with the number of its archive."""
    fields, values, unfit = by_field(archives), list[list[Any]](), list[tuple[int, Unfit]]()
    for row in rows:
        cells = fields.pop((row.element, row.occurrence), [])
        if row.is_location:
            located, cells = _located(cells)
            values += [[None] * len(archives), [None] * len(archives)]
            for at, *both in located:
                values[-2][at], values[-1][at] = both
        if row.type or not row.is_location:
            values.append([None] * len(archives))
        type_ = ColumnType(row.type) if row.type else None
        for at, position, _, value in cells:
            try:
                if (found := typed(value, type_)) is not None:
                    values[-1][at] = found
            except UnfitError:
                if value != MASK:
                    unfit.append((at, Unfit(row.name, f"data[{position}]")))
    for cells in fields.values():
        unfit += [(at, Unfit(None, f"data[{position}]")) for at, position, _, value in cells if narrowest(value)[0]]
    return values, unfit


def shown_columns(columns: Iterable[Column], how: Treatment) -> tuple[Column, ...]:
    """Return columns as a role gets them."""
    if how is Treatment.LEFT_OUT:
        return tuple(each for each in columns if not each.is_personal)
    is_text = how is not Treatment.WHOLE
    return tuple(replace(each, type=ColumnType.TEXT) if each.is_personal and is_text else each for each in columns)


def shown_values(columns: Iterable[Column], values: Values, how: Treatment, key: Callable[[str], str]) -> Values:
    """Return the values of `columns`, which are not hidden yet, as a role gets them.

    A mask also stands where there is no value, as for viewers elsewhere.

    Args:
        key: returns the key of a value.
    """
    shown = []
    for column, its in zip(columns, values, strict=True):
        if not column.is_personal or how is Treatment.WHOLE:
            shown.append(its)
        elif how is Treatment.MASKED:
            shown.append([MASK] * len(its))
        elif how is Treatment.KEYED:
            shown.append([None if each is None else key(plain_text(each)) for each in its])
    return shown

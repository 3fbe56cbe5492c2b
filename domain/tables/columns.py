"""Decides the columns of form tables, puts the fields of archives into them, and hides what is personal. Pure."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from operator import itemgetter
from typing import Any, TypeAlias

from domain.archive.reading import coordinates
from domain.personal import MASK, hides, is_part_personal, may_hide, part_of
from domain.tables.names import LATITUDE, LONGITUDE, column_name, field_key, form_table, taken_by
from domain.tables.values import Seen, UnfitError, narrowest, plain_text, typed, wider
from models.tables import MOST_COLUMNS, Column, ColumnType, Described, FormColumnRow, Treatment
from models.templates import PartId, PartWords, TemplateWords

FieldId: TypeAlias = tuple[str | None, int]
"""The id of a field, and its number among the fields of an archive with the same id."""
Values: TypeAlias = Sequence[Sequence[Any]]
"""The values of some rows, column by column."""


Cell: TypeAlias = tuple[int, int, str | None, Any]
"""A value of a field: the number of its archive, the place among the fields, its declared type, the JSON value."""
Fields: TypeAlias = Iterable[tuple[int, str | None, str | None, Any]]
"""The fields of an archive, each with its place, its id, its declared type and its JSON value."""
Unfit: TypeAlias = tuple[int, str | None, str]
"""A value that its column cannot take: the number of its archive, the column, and the place in the payload."""

_NOTHING_SAID = TemplateWords()
_ARRIVED = 3
"""The number of `_received_at` among the first columns of each table."""


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


def see(
    seen: dict[FieldId, Seen],
    archives: Iterable[Fields],
    full: Collection[FieldId] = (),
    chosen: Collection[PartId] = (),
) -> None:
    """Add the values of some archives to what was seen of the fields of a template.

    Args:
        full: the fields that are known to have personal texts: nothing widens these.
        chosen: the fields whose values are chosen from a few.
    """
    for id_, cells in by_field(archives).items():
        if id_ not in seen and len(seen) >= MOST_COLUMNS:
            continue
        its = seen.setdefault(id_, Seen())
        if id_ not in full:
            part = part_of(id_[0])
            its.is_personal = bool(its.is_personal) or any(
                is_part_personal(_NOTHING_SAID, part, value, declared, chosen) for _, _, declared, value in cells
            )
            located, others = _located(cells)
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
    template_id: str,
    kept: Sequence[FormColumnRow],
    seen: Mapping[FieldId, Seen],
    words: TemplateWords,
) -> list[FormColumnRow]:
    """Return the columns that all archives have now and that the kept columns lack, or have otherwise."""
    table, rows = form_table(template_id), {each.key: each for each in kept}
    taken = {name for each in kept for name in taken_by(each.name)}
    changed = []
    for (element, occurrence), its in seen.items():
        key = field_key(element, occurrence)
        row = rows.get(key)
        type_ = wider(ColumnType(row.type) if row and row.type else None, its.type)
        is_personal = its.is_personal
        if row is not None:
            now = {"type": type_, "is_personal": row.is_personal if is_personal is None else is_personal}
            if now != row.model_dump(include={*now}):
                changed.append(FormColumnRow(**row.model_dump() | now))
        elif len(rows) < MOST_COLUMNS:
            name = column_name(words.parts.get(part_of(element), PartWords()).name.en, element, occurrence, taken)
            taken |= taken_by(name)
            rows[key] = FormColumnRow(
                table_name=table,
                key=key,
                template_id=template_id,
                element=element,
                occurrence=occurrence,
                name=name,
                number=len(rows),
                type=type_,
                is_location=its.is_location,
                is_personal=is_personal is not False,
            )
            changed.append(rows[key])
    return changed


def columns_of_form(rows: Iterable[FormColumnRow], words: TemplateWords) -> Iterator[Column]:
    """Yield the columns of a form table: two of degrees for a location, and one of any other values that it has.

    A field is personal as people say; where nobody says, if a value of it is.
    """
    for row in rows:
        part = part_of(row.element)
        said = words.parts.get(part, PartWords())
        its = Column(
            name=row.name,
            type=ColumnType(row.type or ColumnType.TEXT),
            description=said.name.en or f"the field {row.element or 'without an id'}",
            place=f"data[id={row.element}][{row.occurrence}].value",
            is_personal=(row.is_personal or bool(said.personal)) and not words.is_public(part),
            names=said.name,
        )
        if row.is_location:
            yield replace(its, name=f"{row.name}{LATITUDE}", type=ColumnType.LOCATION)
            yield replace(its, name=f"{row.name}{LONGITUDE}", type=ColumnType.LOCATION)
        if row.type or not row.is_location:
            yield its


def filled(rows: Sequence[FormColumnRow], archives: Sequence[Fields]) -> tuple[Values, list[Unfit]]:
    """Return the values of some archives by column, and what is unfit."""
    fields, values, unfit = by_field(archives), list[list[Any]](), list[Unfit]()
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
                    unfit.append((at, row.name, f"data[{position}]"))
    for cells in fields.values():
        unfit += [(at, None, f"data[{position}]") for at, position, _, value in cells if narrowest(value)[0]]
    return values, unfit


def shown_columns(columns: Iterable[Column], how: Treatment) -> tuple[Column, ...]:
    """Return columns as a role gets them."""
    if how is Treatment.LEFT_OUT:
        return tuple(each for each in columns if not each.is_personal)
    is_text = how is not Treatment.WHOLE
    return tuple(replace(each, type=ColumnType.TEXT) if each.is_personal and is_text else each for each in columns)


def shown_values(columns: Sequence[Column], values: Values, how: Treatment, key: Callable[[str], str]) -> Values:
    """Return the values of `columns`, which are not hidden yet, as a role gets them.

    A mask also stands where there is no value, as for viewers elsewhere.

    Args:
        key: returns the key of a value.
    """

    def hidden(value: Any) -> Any:
        if how is Treatment.MASKED:
            return MASK
        return None if value is None or how is Treatment.LEFT_OUT else key(plain_text(value))

    if how is Treatment.WHOLE:
        return values
    codes = next((its for column, its in zip(columns, values, strict=True) if column.name == "code"), ())
    shown = list[Sequence[Any]]()
    for column, its in zip(columns, values, strict=True):
        of = column.table, column.name
        if not column.is_personal and may_hide(*of):
            of_each = codes or [""] * len(its)
            shown.append(
                [hidden(each) if hides(*of, each, code) else each for each, code in zip(its, of_each, strict=True)]
            )
        elif not column.is_personal:
            shown.append(its)
        elif how is not Treatment.LEFT_OUT:
            shown.append([hidden(each) for each in its])
    return shown


def described(columns: Sequence[Column], pages: Iterable[Values], how: Treatment, most: int) -> list[Described]:
    """Return columns as a role gets them, with the share of the first rows, `most` at most, that have a value in each,
    and when the archives of these rows arrived.

    Blank text is none. Of what is masked, nobody may know whether there is a value.
    """
    rows, counts, seen = 0, [0] * len(columns), [list[datetime]() for _ in columns]
    for page in pages:
        arrived = page[_ARRIVED][: most - rows]
        for number, values in enumerate(page):
            having = [at for at, each in zip(arrived, values, strict=False) if each not in (None, "")]
            counts[number] += len(having)
            times = [*seen[number], *filter(None, having)]
            seen[number] = [min(times), max(times)] if times else []
        rows += len(arrived)
        if rows == most:
            break
    found = {
        each.name: Described(each, rows, count / rows, *times)
        for each, count, times in zip(columns, counts, seen, strict=True)
        if rows and not (each.is_personal and how is Treatment.MASKED)
    }
    shown = shown_columns(columns, how)
    return [replace(found.get(each.name, Described(each, rows)), column=each) for each in shown]


def entries(table: str, described: Iterable[Described], zone: str) -> Values:
    """Return the values of `dictionary` for the columns of a table. `zone` is that of the installation's days."""
    found = []
    for each in described:
        its = each.column
        about = its.type, its.place, its.description, its.names.en, its.names.he, zone, its.is_personal
        found.append((*[None] * 5, table, its.name, *about, each.filled, each.rows, each.first_at, each.last_at))
    return list(zip(*found, strict=True))

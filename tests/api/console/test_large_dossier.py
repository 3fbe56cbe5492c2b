"""The dossier of a process that came a thousand times, with a thousand files, is a page of bounded size."""

import re
from pathlib import Path

from sqlmodel import SQLModel, select

from adapters.database.migration import migrate
from adapters.database.transactions import insert_rows, reading, writing
from api.console.pages.archives.dossier import FIELDS_AT_ONCE, ITEMS_AT_ONCE
from models.archive.archive import FormFieldRow
from models.archive.content import FileRow
from models.runs.receipt import DeliveryRow, VersionRow
from tests.api.conftest import LINK_KEY, SECRET, TOKEN, started
from tests.api.console.conftest import PERSON, PLAIN, posted
from tests.installations import archived, installed
from tests.samples import sample_body

_ROWS = 1_000
_MOST_BYTES = 512 << 10


def _repeat(table: type[SQLModel], **own: str) -> None:
    """Add rows like the first row of a table. `own` names members that differ, with a pattern of their values."""
    with reading() as session:
        first = session.exec(select(table)).first()
        assert first is not None
        like = {"skeleton": b"{}"} | first.model_dump() if table is VersionRow else first.model_dump()
    rows = [
        like | {name: int(each.format(n)) if each == "{}" else each.format(n) for name, each in own.items()}
        for n in range(100, 100 + _ROWS)
    ]
    with writing() as session:
        insert_rows(session, table, rows)


def test_dossier_shows_the_newest_versions_and_its_files_page_by_page(tmp_path: Path) -> None:
    values = {"webhook_secrets": SECRET, "api_tokens": TOKEN, "link_secret": LINK_KEY}
    with installed(tmp_path, **values):
        migrate()
        archived(PLAIN, sample_body(PLAIN))
        _repeat(VersionRow, version="{}", receipt_id="{:064x}")
        _repeat(DeliveryRow, delivery_id="d{}")
        _repeat(FileRow, position="{}", filename="file-{}.txt")
        _repeat(FormFieldRow, position="{}", id="field-{}")
        with started() as receiver, receiver.visitor() as person:
            posted(person, "/console/login", {"name": PERSON, "token": TOKEN})
            first = person.get(f"/console/archives/{PLAIN}")
            next_page = person.get(_next_of(first.text, "files"))
            last = first
            for _ in range(_ROWS // ITEMS_AT_ONCE):
                last = person.get(_next_of(last.text, "files"))
            older = person.get(_next_of(first.text, "versions"))
            more_fields = person.get(_next_of(first.text, "fields"))
            foreign = person.get(f"/console/archives/{PLAIN}?list=files&after=x")

    assert len(first.content) < _MOST_BYTES
    assert "file-110.txt" in first.text
    assert "file-110.txt" not in next_page.text
    assert "file-160.txt" in next_page.text
    assert f"file-{99 + _ROWS}.txt" in last.text
    assert not re.search(r"list=files[^\"]*#", last.text)
    assert all(f"{_ROWS + 1:,}" in each.text for each in (first, last))
    newest, before = 99 + _ROWS, 99 + _ROWS - ITEMS_AT_ONCE
    for page, number in ((first, newest), (older, before)):
        assert f"differences?before={number - 1}&amp;after={number}" in page.text
    assert foreign.status_code == 422
    assert first.text.count('<tr id="field-') == more_fields.text.count('<tr id="field-') == FIELDS_AT_ONCE


def _next_of(page: str, name: str) -> str:
    """Return the address of the items of a list that follow a page."""
    (url,) = re.findall(f'href="([^"]*list={name}&amp;[^"#]*)#', page)
    return str(url).replace("&amp;", "&")


def test_differences_are_shown_page_by_page(tmp_path: Path) -> None:
    many = [{"id": f"field-{number}", "value": "x", "type": "text"} for number in range(FIELDS_AT_ONCE + 20)]
    later = {"type": "WHP_ARCHIVE", "timestamp": "2040-01-01T00:00:00"}
    with installed(tmp_path, webhook_secrets=SECRET, api_tokens=TOKEN, link_secret=LINK_KEY):
        migrate()
        archived(PLAIN, sample_body(PLAIN, data=[]))
        archived(PLAIN, sample_body(PLAIN, data=many, event=later))
        with started() as receiver, receiver.visitor() as person:
            posted(person, "/console/login", {"name": PERSON, "token": TOKEN})
            path = f"/console/archives/{PLAIN}/differences?before=1&after=2"
            first, last = person.get(path), person.get(f"{path}&start={FIELDS_AT_ONCE}")

    assert f"start={FIELDS_AT_ONCE}" in first.text
    assert "field-0<" in first.text
    assert f"field-{FIELDS_AT_ONCE + 19}<" not in first.text
    assert f"field-{FIELDS_AT_ONCE + 19}<" in last.text

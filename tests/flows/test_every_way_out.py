"""What each role reads in clear is decided once, and is the same by whatever way an archive leaves cellar.

One archive with a marked value of each kind goes its whole way through the flow. Who reads which kind, and which way
out has which kinds, is written here by hand.
"""

import asyncio
import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import pyarrow.parquet as pq
import pytest
from prefect.context import SettingsContext
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

from domain.tables.catalogue import SOURCES
from flows.execution.results import StoredResults
from flows.process_archive import process_archive
from models.access import GIVEN_ROLES, Caller, Role
from models.templates import PartWords, TemplateWords
from services import publishing, templates
from services.access import tokens
from services.tables import DICTIONARY, UNFIT_VALUES
from services.views import archive_view
from tests.api.conftest import LINK_KEY, SECRET, TOKEN, Receiver, started
from tests.api.console.conftest import posted
from tests.conftest import make_tables
from tests.flows.conftest import received
from tests.flows.prefect_database import kept_by_prefect
from tests.installations import installed
from tests.lakes import texts
from tests.samples import sample_body, sample_document
from tests.tables import exported

REFERENCE, TEMPLATE = "every-way-out", "lease"
MARKS: Mapping[str, tuple[str, ...]] = {
    "name": ("Noa-Levi-314",),
    "mail": ("noa.271@example.com",),
    "phone": ("0521618033",),
    "street": ("Herzl-street-577",),
    "field": ("undeclared-field-141",),
    "label": ("undeclared-label-173",),
    "public": ("public-field-223",),
    "card": ("9371",),
    "amount": ("471137", "4711.37", "4,711.37"),
}
"""The marked values, by what they are, as they may be spelled. People called one field public, and the street personal;
of the other field and of the label, nobody says anything.
"""
NOBODYS = {"public", "amount"}
WHOLE = {Role.CLERK, Role.OPERATOR, Role.AUDITOR, Role.OWNER}
"""Who reads all that a way out has. All others read what is nobody's."""
SCOPE = "source=default"


def body(event: str, **others: str) -> bytes:
    """Return a version of the archive, with some of its marks replaced."""
    its = {kind: spelled[0] for kind, spelled in MARKS.items()} | others
    document = sample_document()
    session, field = document["sessions"][0], document["data"][0]
    reached = {"address": its["mail"], "type": "email"}, {"address": its["phone"], "type": "sms"}
    session |= {"author": its["mail"], "template": {"id": TEMPLATE}, "labels": {"CUSTOMER": its["label"]}}
    session["recipient"] = {"id": 1, "name": its["name"], "phone": its["phone"], "otp_destination": reached[1]}
    session["recipient"]["invitations"] = [*reached]
    document["signatures"][0] |= {"signed_by": {"id": "1", "name": its["name"]}, "labels": {"CUSTOMER": its["label"]}}
    values = {"HOME_0": its["street"], "REMARK": its["field"], "PRODUCT": its["public"], "NAME": its["name"]}
    values |= {"MAIL": its["mail"], "PHONE": its["phone"]}
    fields = [field | {"id": id_, "value": value, "type": "text"} for id_, value in values.items()]
    fields.append(field | {"id": "SUM", "value": its["amount"], "type": "amount"})
    document["payments"][0]["amount"] = int(its["amount"])
    provided = {"card_mask": f"458045******{its['card']}", "card_no": f"xxxxxxxxxxxx{its['card']}"}
    provided["total"] = "471200"  # differs, which is a finding
    document["payments"][0]["provider_transaction_result"] |= provided
    document["signed_document"]["filename"] = f"{its['name']}.pdf"
    document["attachments"][0] |= {"filename": f"{its['street']}.png", "mimetype": f"image/png; name={its['name']}"}
    document |= {"data": fields, "event": {"type": "WHP_ARCHIVE", "timestamp": event}}
    named = ("sessions", "signatures", "data", "payments", "signed_document", "attachments", "event")
    return sample_body(REFERENCE, **{name: document[name] for name in named})


@dataclass(frozen=True, slots=True)
class Installation:
    """A receiver with the archive, with a token and a signed-in browser of each role, and all that Prefect keeps."""

    receiver: Receiver
    folder: Path
    settings: Mapping[str, Any]
    tokens: Mapping[Role, str]
    browsers: Mapping[Role, httpx.Client]
    prefect: str

    def api(self, role: Role, *paths: str) -> str:
        headers = {"authorization": f"Bearer {self.tokens[role]}"}
        return "".join(_text(self.receiver.client.get(each, headers=headers)) for each in paths)

    def pages(self, role: Role, *paths: str) -> str:
        return "".join(_text(self.browsers[role].get(each)) for each in paths)

    def found(self, role: Role) -> str:
        """Return the marks by which a search finds the archive, in the API and on the page alike."""
        found = list[str]()
        for mark in (each for spelled in MARKS.values() for each in spelled):
            is_found = REFERENCE in self.api(role, f"/api/archives?q={mark}")
            assert is_found == (f"/archives/{REFERENCE}" in self.pages(role, f"/console/archives?q={mark}"))
            found += [mark] if is_found else []
        return " ".join(found)

    def filtered(self, role: Role) -> str:
        """Return the marks by which a filter finds the archive, in the API and on the page alike."""
        found = list[str]()
        for kind, query in FILTERS.items():
            wanted = f"{query}{MARKS[kind][0]}"
            headers = {"authorization": f"Bearer {self.tokens[role]}"}
            of_api = self.receiver.client.get(f"/api/archives?{wanted}", headers=headers)
            of_page = self.browsers[role].get(f"/console/archives?{wanted}")
            assert (of_api.status_code, of_page.status_code) in ((200, 200), (422, 200), (403, 403))
            is_found = REFERENCE in of_api.text
            assert is_found == (f"/archives/{REFERENCE}" in of_page.text)
            found += [MARKS[kind][0]] if is_found else []
        return " ".join(found)

    def sent(self, role: Role, path: str, **form: str) -> str:
        return _text(posted(self.browsers[role], path, form))

    def tables(self, role: Role, ending: str) -> str:
        """Return all tables as a role exports them, if it may."""
        caller = Caller(f"a {role}", role, SCOPE if role is Role.CLERK else None)
        names = [each for each, its in SOURCES.items() if its.is_of_archives or not caller.is_scoped]
        if not self.pages(role, "/console/tables"):
            return ""
        with installed(self.folder, **self.settings):
            files = [exported(each, None, caller, ending) for each in (*names, UNFIT_VALUES, DICTIONARY)]
            files.append(exported(None, TEMPLATE, caller, ending))
        return "".join(_of_table(each, ending) for each in files)

    def lake(self, _role: Role) -> str:
        with installed(self.folder, **self.settings):
            return "".join(texts())

    def of_prefect(self, role: Role) -> str:
        """Return all that Prefect keeps, if nginx lets the role read it."""
        asked = {"x-original-method": "GET", "x-original-uri": "/api/flow_runs/1"}
        status = self.browsers[role].get("/console/prefect-access", headers=asked).status_code
        return {204: self.prefect, 403: ""}[status]


def _alone(mark: str) -> str:
    """Return a pattern of a mark. Digits are none within a digest, a time or a UUID."""
    return rf"(?<![\w.-]){mark}(?![\w-])" if mark.isdigit() else re.escape(mark)


def _text(answer: httpx.Response) -> str:
    """Return what an answer says; nothing where the role may not ask, or is led elsewhere."""
    if answer.status_code in (303, 403):
        return ""
    assert answer.status_code == 200, (answer.request.url, answer.text)
    is_zip = answer.headers["content-type"].startswith("application/zip")
    return _of_zip(answer.content) if is_zip else unescape(answer.text)


def _of_zip(content: bytes) -> str:
    with ZipFile(io.BytesIO(content)) as files:
        return "".join(f"{each} {files.read(each).decode(errors='replace')}" for each in files.namelist())


def _of_table(content: bytes, ending: str) -> str:
    if ending == "parquet":
        return str(pq.read_table(io.BytesIO(content)).to_pylist())
    return content.decode()


FILTERS = {
    "name": "signer=",
    "street": "field=HOME_0=",
    "field": "field=REMARK=",
    "label": "label=CUSTOMER=",
    "public": "field=PRODUCT=",
}
"""Filters by a mark, to whose end it is added."""
ARCHIVE, DIFFERENCES = f"archives/{REFERENCE}", f"archives/{REFERENCE}/differences?before=1&after=2"
API = *(f"/api/{each}" for each in (ARCHIVE, DIFFERENCES)), *(f"/api/{ARCHIVE}/{each}" for each in archive_view.LISTS)
DOSSIER = [f"/console/{each}" for each in (ARCHIVE, DIFFERENCES, f"{ARCHIVE}/timeline")]
OF_TEMPLATES = [f"/api/templates{each}" for each in ("", f"/{TEMPLATE}", f"/{TEMPLATE}/shape")]
PAGES_OF_TEMPLATES = [f"/console/templates{each}" for each in ("", f"/{TEMPLATE}")]
PAYMENTS = [f"/console/payments{each}?paid_from=2022-12-01&paid_to=2022-12-31" for each in ("", ".csv")]
TROUBLES = [f"/console/{each}" for each in ("", "activity", "activity?kind=acted", "discrepancies", "failed")]
OF_TROUBLES = [f"/api/{each}" for each in ("discrepancies", "messages", "failures", "missing", "refused")]
ALL, READERS = {*MARKS}, {*Role} - {Role.ADMINISTRATOR}
UNSCOPED = READERS - {Role.CLERK}
IN_TABLES = ALL - {"label", "card"}
Way = Callable[[Installation, Role], str]
WAYS: Mapping[str, tuple[set[Role], set[str], Way]] = {
    "API": (READERS, ALL, lambda its, role: its.api(role, *API)),
    "dossier": (READERS, ALL, lambda its, role: its.pages(role, *DOSSIER)),
    "list": (READERS, {"name", "amount"}, lambda its, role: its.pages(role, "/console/archives", "/console/facets")),
    "list of the API": (READERS, {"name", "amount"}, lambda its, role: its.api(role, "/api/archives")),
    "search": (READERS, ALL, Installation.found),
    "filters": (READERS, {*FILTERS}, Installation.filtered),
    "CSV": (READERS, ALL - {"label", "card"}, lambda its, role: its.sent(role, "/console/archives/export", all="yes")),
    "bag": (WHOLE, ALL, lambda its, role: its.sent(role, f"/console/{ARCHIVE}/export")),
    "table": (READERS, IN_TABLES, lambda its, role: its.tables(role, "csv")),
    "Parquet": (READERS, IN_TABLES, lambda its, role: its.tables(role, "parquet")),
    "lake": ({*Role}, NOBODYS, Installation.lake),
    "changes": (READERS, set(), lambda its, role: its.api(role, "/api/changes")),
    "saved view": (UNSCOPED, {"name"}, lambda its, role: its.pages(role, "/console/archives?reference=none")),
    "templates": (
        {*Role} - {Role.CLERK},
        {"name"},
        lambda its, role: its.api(role, *OF_TEMPLATES) + its.pages(role, *PAGES_OF_TEMPLATES),
    ),
    "payments": (UNSCOPED, {"name", "amount", "card"}, lambda its, role: its.pages(role, *PAYMENTS)),
    "troubles": (
        UNSCOPED,
        {"name", "amount"},
        lambda its, role: its.pages(role, *TROUBLES) + its.api(role, *OF_TROUBLES),
    ),
    "metrics": ({*Role}, set(), lambda its, role: its.api(role, "/metrics")),
    "Prefect": ({Role.OPERATOR, Role.DATA, Role.OWNER}, {"amount"}, Installation.of_prefect),
}
"""By each way out: the roles that have it, and the kinds of marks that are in it for whoever reads everything."""


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory,
    prefect_server: str,
    prefect_home: Path,
    reporting: SettingsContext,
    kept_results: StoredResults,
) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("every-way-out")
    values: dict[str, Any] = {"webhook_secrets": SECRET, "api_tokens": TOKEN, "link_secret": LINK_KEY}
    values |= {"search_fields": "*", "lake_url": str(folder / "lake"), "PREFECT_API_URL": prefect_server}
    with ExitStack() as stack:
        stack.enter_context(installed(folder, **values))
        make_tables()
        parts = {"field:HOME_0": PartWords(personal=True), "field:PRODUCT": PartWords(personal=False)}
        now = datetime.now(UTC)
        templates.name({TEMPLATE: TemplateWords(parts=parts)}, "a test", now)
        with (
            reporting,
            temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: True}),
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr(process_archive, "result_storage", kept_results)
            for sent in (body("2023-01-01T00:00:00", field="as it was before"), body("2024-01-01T00:00:00")):
                asyncio.run(process_archive(REFERENCE, received(REFERENCE, sent).receipt_id))
            prefect = "\n".join(kept_by_prefect(prefect_home).values())
        publishing.publish()
        made: dict[Role, str] = {
            role: tokens.add(f"a-{role}", role, SCOPE if role is Role.CLERK else None, None, "a test", now).token
            for role in GIVEN_ROLES
        }
        made[Role.OWNER] = TOKEN
        receiver = stack.enter_context(started())
        browsers = {role: stack.enter_context(receiver.visitor()) for role in made}
        for role, client in browsers.items():
            receiver.read(made[role])
            assert posted(client, "/console/login", {"token": made[role]}).status_code == 303
        (mark,) = MARKS["name"]
        view = posted(browsers[Role.OPERATOR], "/console/views", {"view_name": f"of {mark}", "q": mark})
        assert view.status_code == 303
        yield Installation(receiver, folder, values | {"port": receiver.port}, made, browsers, prefect)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("role", Role)
def test_each_role_reads_in_clear_what_is_decided_by_every_way_out(
    installation: Installation, role: Role, way: str
) -> None:
    roles, has, out = WAYS[way]
    text = out(installation, role)
    clear = {kind for kind, spelled in MARKS.items() if any(re.search(_alone(each), text) for each in spelled)}
    decided = has if role in WHOLE else has & NOBODYS
    assert clear == (decided if role in roles else set())

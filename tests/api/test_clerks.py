"""A clerk of one branch learns nothing of another: two installations answer alike, though one has other archives too.

Whatever a clerk asks in these ways, status, headers and body are the same. A clerk of a branch without archives, of an
archive that has no branch, or of no branch at all, sees nothing.
"""

import hashlib
import json
import random
import re
import shutil
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import unified_diff
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile, is_zipfile

import httpx
import pytest
from sqlmodel import update

from adapters.database.listing import id_cursor
from adapters.database.transactions import reading
from adapters.search import entries
from adapters.tables.people import saved_views
from api.console.pages.archives import files
from domain.tables.catalogue import SOURCES
from models.access import CELLAR, Caller, Role
from models.errors import Refused
from models.messages.notification import EventType
from models.people import SavedViewRow
from models.search import DerivedRow
from models.templates import Names, TemplateWords
from models.views.archives.archives import ArchiveQuery
from services import changes, templates
from services.access import tokens
from services.access.scope import check_visible
from services.processing.persisting import persist
from services.views import archive_list, archive_view
from services.views.differences import version_differences
from services.views.timeline import timeline_of
from tests.api.conftest import LINK_KEY, SECRET, TOKEN, started
from tests.api.console.conftest import csrf_of
from tests.api.console.troubles import fill_with_troubles, message, put
from tests.conftest import make_tables
from tests.installations import archived, finished, installed, received
from tests.records import change
from tests.samples import PNG, sample_body, sample_document
from tests.tables import exported

OWN, OTHER, REFUSED, UNKNOWN = "haifa/1", "tel-aviv/1", "process-a", "nobody's"
"""An archive of the clerk's branch, one of another, a process with a refused delivery alone, and nothing."""
CLERK = Caller("teller", Role.CLERK, "label:branch=Haifa")
THEIRS, SHARED = b"held by Tel Aviv alone", PNG
AT = datetime(2023, 5, 1, 12, tzinfo=UTC)
LATER = datetime(2023, 5, 2, 12, 0, 0, 500, tzinfo=UTC)
VALUES: dict[str, Any] = {
    "webhook_secrets": SECRET,
    "api_tokens": TOKEN,
    "link_secret": LINK_KEY,
    "public_url": "http://cellar.example",
    "search_labels": "branch,vip",
    "search_fields": "SOMEFIELD1",
}


def body(reference: str, branch: str | None, number: int, **members: Any) -> bytes:
    """Return an archive whose names, numbers and values hold its own number."""
    session = sample_document()["sessions"][0]
    session |= {"id": f"session-{number}", "template": {"id": f"template-{number // 10}"}, "author": f"author{number}"}
    session |= {"process_number": 4710 + number, "transaction_number": 8810 + number}
    labels = {"branch": branch, "vip": "yes"} if branch else {"vip": "yes"}
    session |= {"recipient": {"name": f"Signer{number}"}, "labels": labels}
    field = {"id": "SOMEFIELD1", "value": f"value{number}", "type": "text"}
    files = [b"a file %d" % number, SHARED] if branch == "Haifa" else [b"a file %d" % number, SHARED, THEIRS]
    attachments = [
        {"id": f"A{at}", "filename": f"name{number}-{at}.png", "mimetype": "image/png", "content": _base64(each)}
        for at, each in enumerate(files)
    ]
    made: dict[str, Any] = {"sessions": [session], "data": [field], "attachments": attachments}
    return sample_body(reference, **made | members)


def _base64(content: bytes) -> str:
    return b64encode(content).decode()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class Worlds:
    """The clerk's clients, the first of an installation with their branch alone. `known` stands for braces of a way."""

    clients: list[httpx.Client]
    token: str
    alone: Path
    folder: Path
    known: dict[str, str]

    def told_apart(self, way: str, form: dict[str, Any] | None = None) -> list[str]:
        """Return where the answers of both differ each time they are asked: an age grows, a late count is left out."""
        found = [""]
        for _ in range(5):
            found = found and self.differing(way, form)
        return found

    def differing(self, way: str, form: dict[str, Any] | None) -> list[str]:
        alone, among_others = (self._answer(each, way, form).split("\\n") for each in self.clients)
        return [way, *list(unified_diff(alone, among_others, n=0))[:9]] if alone != among_others else []

    def _answer(self, client: httpx.Client, way: str, form: dict[str, Any] | None) -> str:
        method, path = way.format(**self.known).split(" ", 1)
        headers = {"authorization": f"Bearer {self.token}"} if not path.startswith("/console") else {}
        data = {"csrf": csrf_of(client), **form} if form is not None else None
        headers |= {"sec-fetch-site": "same-origin"} if form is not None else {}
        return repr(_told(client.request(method, path, data=data, headers=headers)))


def _told(answer: httpx.Response) -> object:
    headers = {name: value for name, value in answer.headers.items() if name not in ("date", "set-cookie")}
    if is_zipfile(BytesIO(answer.content)):  # a bag says when it was made
        with ZipFile(BytesIO(answer.content)) as bag:
            inner = [_read(bag.read(each)) for each in bag.namelist() if each.endswith(".zip")]
            return answer.status_code, _read(answer.content), inner
    text = re.sub(r'(name="(?:csrf|until)" value=")[^"]+', r"\1", answer.text)
    return (
        answer.status_code,
        headers,
        re.sub(r'(?<="next":")[^"]+(?=","epoch")', lambda found: str(len(found[0])), text),
    )


def _read(content: bytes) -> list[tuple[str, str]]:
    """Return the names in a zip, and what its pages say beside times."""
    with ZipFile(BytesIO(content)) as bag:
        pages = {each: bag.read(each).decode() for each in bag.namelist() if each.endswith(".html")}
        return [(each, re.sub(r"\d+|AM|PM", "", pages.get(each, ""))) for each in bag.namelist()]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """An installation with the archives of a branch, and its copy, which then gets those of others, and troubles."""
    folder = tmp_path_factory.mktemp("clerks")
    alone, others = folder / "alone", folder / "others"
    alone.mkdir()
    with installed(alone, **VALUES):
        make_tables()
        for number, reference in enumerate((OWN, "haifa 2", "haifa 3"), 1):
            archived(reference, body(reference, "Haifa", number), AT.replace(minute=number))
        changes.page(CELLAR, None)  # begins the epoch
        later: dict[str, Any] = {"event": {"type": "WHP_ARCHIVE", "timestamp": "2023-01-01T00:00:00"}}
        archived(OWN, body(OWN, "Haifa", 1, data=[{"id": "SOMEFIELD1", "value": "later"}], **later), LATER)
        made = tokens.add("teller", Role.CLERK, "label:branch=Haifa", None, "a test", AT)
    shutil.copytree(alone, others)
    with installed(others, **VALUES):
        known = _fill_with_others()
    with ExitStack() as stack:
        clients = []
        for each in (alone, others):
            with installed(each, **VALUES):
                receiver = stack.enter_context(started())
            client = stack.enter_context(receiver.visitor())
            form = {"csrf": csrf_of(client), "name": "teller", "token": made.token}
            signed_in = client.post("/console/login", data=form, headers={"sec-fetch-site": "same-origin"})
            assert signed_in.status_code == 303, signed_in.text
            clients.append(client)
        yield Worlds(clients, made.token, alone, others, known)


def _fill_with_others() -> dict[str, str]:
    """Add what the clerk must not learn of. A payment of theirs is that of an archive of the clerk's."""
    words = TemplateWords(name=Names(en="Mortgage of Tel Aviv"), facets=["label:vip", "label:kind"])
    templates.name({"template-1": words}, "dana", AT)
    for number in range(5, 9):  # of the template of the clerk's archives, but with another name
        merger = sample_document()["signed_document"] | {"filename": "Merger.pdf"}
        archived(f"merger {number}", body(f"merger {number}", "Tel Aviv", number, signed_document=merger))
    for number, (reference, branch) in enumerate(((OTHER, "Tel Aviv"), ("tel-aviv 2", "Tel Aviv"), ("no", None)), 11):
        made = body(reference, branch, number, payments=sample_document()["payments"])
        archived(reference, made, AT.replace(second=number), source="default" if branch else "south")
    archived(OTHER, body(OTHER, "Tel Aviv", 21, event={"type": "WHP_ARCHIVE", "timestamp": "2023-01-01T00:00:00"}))
    twin = body("tel-aviv 3", "Tel Aviv", 13, payments=json.loads(sample_body(OWN))["payments"])
    archived("tel-aviv 3", twin)
    received("waits", body("waits", "Haifa", 9))  # of the branch, as far as nobody knows yet
    fill_with_troubles()
    look = message("look", "delivered", 3, reference=OWN)  # since the twin has the same payments
    put([look.sqlmodel_update({"event": EventType.ARCHIVE_ATTENTION})])
    saved_views.save(
        SavedViewRow(view_id="v", name="Tel Aviv", query="label=branch%3DTel+Aviv", saved_by="dana", saved_at=AT)
    )
    change(update(DerivedRow).values(lacking=7, last=""))  # archives that are not indexed
    with reading() as session:
        entry_id = entries.entry_id(session, OTHER)
    assert entry_id
    own = archive_view.archive(OWN, Caller("teller", Role.OWNER))
    assert own
    assert {each.code for each in own.discrepancies} >= {"DUPLICATE_TRANSACTION"}  # the twin is seen by others
    return {
        "cursor": id_cursor(entry_id),
        "theirs": digest(THEIRS),
        "shared": digest(SHARED),
        "finding": own.discrepancies[0].discrepancy_id,
    }


FILTERS = [
    *("", "limit=1", "limit=2", "limit=8&q=Signer", "reference=tel-aviv/1", "references=tel-aviv/1&references=haifa/1"),
    *("process_number=4721", "transaction_number=8821", "session=session-11", "label=branch%3DTel+Aviv"),
    *("label=vip%3Dyes", "label=branch%3DHaifa", "field=SOMEFIELD1%3Dvalue11", "template=template-1"),
    *("source=south", "source=nobody", "state=failed", "state=received", "cause=CONFLICT", "attention=true"),
    *("attention=false", "condition=RUN_FAILED", "discrepancy=DUPLICATE_TRANSACTION", "discrepancy=AMOUNT_MISMATCH"),
    *("standing=verified", "filename=name11-0.png", "signer=Signer11", "warning=SOURCES_DIFFER", "verdict=sound"),
    *("received_after=2023-05-01T12:00:10Z", "received_before=2023-05-01T12:00:20Z", "q=Signer11", "q=tel-aviv"),
    *("q=Si", "q=Signer", "q=author", "cursor={cursor}", "q=%22%22", "label=wrong", "label=kind%3Dx"),
]
SORTS = ["sort=amount", "sort=deadline", "sort=amount&cursor={cursor}", "sort=deadline&cursor={cursor}"]
ALL_LISTS = [f"/{name}" for name in archive_view.LISTS]
OF_ONE = ["", "/files/{theirs}", "/files/{shared}", "/differences?before=1&after=2", "/differences?before=1&after=9"]
ON_PAGES = [
    "/timeline",
    "/validation-report.xml",
    "?list=fields&after={cursor}",
    "/files/{theirs}/view",
    "/files/{shared}/view",
    "?list=files&after={cursor}",
]
OTHERS = ["tel-aviv%2F1", "tel-aviv/1", "no", "waits", REFUSED, "process-m", UNKNOWN]
WAYS: dict[str, list[str]] = {
    "lists": [f"GET /api/archives?{each}" for each in FILTERS],
    "pages of the list": [f"GET /console/archives?{each}" for each in (*FILTERS, *SORTS, "taken=Tel+Aviv")],
    "changes": ["GET /api/changes"],
    "counts": [f"GET /console/facets?{each}" for each in FILTERS],
    "arrivals": [f"GET /console/arrivals?since=2023-01-01T00:00:00Z&{each}" for each in FILTERS],
    "own archives": [
        *(f"GET /api/archives/haifa%2F1{each}" for each in (*OF_ONE, *ALL_LISTS)),
        *(f"GET /console/archives/haifa%2F1{each}" for each in (*OF_ONE, *ON_PAGES)),
    ],
    "archives of others": [
        *(f"GET /api/archives/tel-aviv%2F1{each}" for each in ALL_LISTS),
        *(f"GET /api/archives/{reference}{each}" for reference in OTHERS for each in OF_ONE),
        *(f"GET /console/archives/{reference}{each}" for reference in OTHERS for each in ("", *ON_PAGES)),
        *("HEAD /api/archives/tel-aviv%2F1", "PUT /api/archives/no", "GET /api/archives/tel-aviv%2F1/other"),
    ],
    "acts": [
        *(f"POST /api/archives/{reference}/rerun" for reference in ("haifa%2F1", "tel-aviv%2F1", UNKNOWN)),
        *(f"POST /api/archives/tel-aviv%2F1/discrepancies/{each}/explanation" for each in ("{finding}", "none")),
    ],
    "what is of all archives": [
        *(f"GET /api/{each}" for each in ("sources", "endpoints", "templates", "failures", "refused", "missing")),
        *(f"GET /api/{each}" for each in ("messages", "overview", "access", "links", "templates/template-1")),
        *(
            f"GET /console/{each}"
            for each in ("", "failed", "refused", "missing", "discrepancies", "templates", "bulk")
        ),
        *(f"GET /console/payments{each}?paid_from=2022-12-01&paid_to=2022-12-31" for each in ("", ".csv")),
        *(f"GET /console/tables{each}" for each in ("", "/templates.csv", "/unfit_values.csv", "/nothing.csv")),
        "GET /console/tables/archives.csv",  # the others are asked for below: each takes a process
        *(f"GET /console/tables/form{each}?template=template-{of}" for each in ("", ".csv") for of in (0, 1, 2)),
        *(f"GET /console/tables/{each}" for each in (*SOURCES, "dictionary.csv", "nothing")),
        *("GET /metrics", "GET /openapi.json", "GET /docs", "GET /api/bulk-reruns/0"),
    ],
}
FORMS: list[tuple[str, dict[str, Any]]] = [
    ("POST /console/archives/export", {"all": "yes"}),
    ("POST /console/archives/export", {"all": "yes", "label": "branch=Tel Aviv"}),
    ("POST /console/archives/export", {"all": "yes", "q": "Signer"}),
    ("POST /console/archives/export", {"chosen": [OWN, OTHER, UNKNOWN]}),
    ("POST /console/archives/export", {"chosen": OTHER}),
    ("POST /console/archives/bags", {"all": "yes"}),
    ("POST /console/archives/bags", {"chosen": [OTHER, OWN, UNKNOWN]}),
    ("POST /console/archives/tel-aviv%2F1/export", {}),
    ("POST /console/archives/haifa%2F1/export", {}),
    ("POST /console/archives/plan", {"all": "yes"}),
    ("POST /console/archives/explain", {"chosen": OTHER, "why": "guess"}),
    ("POST /console/views", {"view_name": "Tel Aviv"}),
    ("POST /console/views/v/remove", {}),
]


@pytest.mark.parametrize("kind", WAYS)
def test_a_clerk_learns_nothing_of_other_branches(worlds: Worlds, kind: str) -> None:
    assert [told for each in WAYS[kind] if (told := worlds.told_apart(each))] == []


def test_a_clerks_forms_tell_nothing_of_other_branches(worlds: Worlds) -> None:
    assert [told for each in FORMS if (told := worlds.told_apart(*each))] == []


def test_tables_tell_a_clerk_nothing_of_other_branches(worlds: Worlds) -> None:
    alone, among_others = (_tables(each, CLERK) for each in (worlds.alone, worlds.folder))

    assert {name for name in SOURCES if alone[name] != among_others[name]} == set()
    assert len({name for name, whole in _tables(worlds.folder, CELLAR).items() if whole != among_others[name]}) > 9


def _tables(folder: Path, caller: Caller) -> dict[str, bytes | str]:
    with installed(folder, **VALUES):
        return {name: _table(name, caller) for name in SOURCES}


def _table(name: str, caller: Caller) -> bytes | str:
    try:
        return exported(name, None, caller, "csv")
    except Refused as refused:
        return str(refused)


def test_who_sees_all_archives_tells_them_apart_in_these_ways(worlds: Worlds) -> None:
    """Else the answers would be alike because nothing is there."""
    owner = replace(worlds, token=TOKEN)
    ways = [*WAYS["lists"], *WAYS["own archives"], *WAYS["archives of others"]]

    assert len([each for each in ways if " /api/" in each and owner.differing(each, None)]) > 40


def test_no_service_reads_an_archive_for_a_clerk_who_does_not_see_it(worlds: Worlds) -> None:
    reads: list[Callable[[], object]] = [
        lambda: archive_view.archive(OTHER, CLERK),
        lambda: archive_view.items(OTHER, CLERK, "files"),
        lambda: archive_view.file(OTHER, CLERK, digest(SHARED)),
        lambda: version_differences(OTHER, CLERK, 1, 2),
        lambda: timeline_of(OTHER, CLERK),
    ]
    with installed(worlds.folder, **VALUES):
        for read in reads:
            with pytest.raises(Refused, match="UNKNOWN_REFERENCE"):
                read()


def test_a_version_that_is_not_loaded_yet_is_neither_compared_nor_exported_for_a_clerk(tmp_path: Path) -> None:
    moved = body(OWN, "Tel Aviv", 1, event={"type": "WHP_ARCHIVE", "timestamp": "2025-01-01T00:00:00"})
    with installed(tmp_path, **VALUES):
        make_tables()
        archived(OWN, body(OWN, "Haifa", 1), AT)
        assert files.exported_bags([OWN], CLERK).exists()
        receipt_id = received(OWN, moved, LATER)
        persist(OWN, receipt_id)
        check_visible(CLERK, OWN)
        assert version_differences(OWN, CELLAR, 1, 2)
        with pytest.raises(Refused, match="a later version is on its way"):
            version_differences(OWN, CLERK, 1, 2)
        assert left_out(files.exported_bags([OWN], CLERK)) == [OWN]
        assert left_out(files.exported_bags([OWN], CELLAR)) == []
        finished(OWN, receipt_id)
        with pytest.raises(Refused, match="UNKNOWN_REFERENCE"):
            check_visible(CLERK, OWN)
        assert left_out(files.exported_bags([OWN], CLERK)) == [OWN]  # they were chosen before


def left_out(bags: Path) -> list[str]:
    """Return the archives that a zip of bags lacks."""
    with ZipFile(bags) as whole:
        lines = whole.read("left-out.csv").decode().splitlines()[1:] if "left-out.csv" in whole.namelist() else []
    return [each.partition(",")[0] for each in lines]


@pytest.mark.parametrize("scope", [None, "", "branch=Haifa", "source=", "label:color=red", "field:other=x"])
def test_a_clerk_without_a_facet_sees_nothing(worlds: Worlds, scope: str | None) -> None:
    clerk = Caller("teller", Role.CLERK, scope)
    with installed(worlds.folder, **VALUES):
        with pytest.raises(Refused, match="no archive is seen by this login"):
            archive_list.page(ArchiveQuery(), clerk)
        with pytest.raises(Refused, match="no archive is seen by this login"):
            check_visible(clerk, OWN)


@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        ("source=south", ["no"]),
        ("source=east", []),
        ("label:branch=Tel Aviv", [OTHER, "tel-aviv 3", "tel-aviv 2", *(f"merger {each}" for each in range(5, 9))]),
        ("label:branch=haifa", []),
        ("field:SOMEFIELD1=VALUE2", ["haifa 2"]),
    ],
)
def test_a_clerk_sees_the_archives_of_a_facet(worlds: Worlds, scope: str, seen: list[str]) -> None:
    clerk = Caller("teller", Role.CLERK, scope)
    with installed(worlds.folder, **VALUES):
        found = [each.reference for each in archive_list.page(ArchiveQuery(), clerk).items]
        for reference in seen:
            check_visible(clerk, reference)

    assert sorted(found) == sorted(seen)


def test_a_clerk_reads_that_their_source_sent_a_process_of_another_and_none_of_its_content(tmp_path: Path) -> None:
    with installed(tmp_path, **VALUES):
        make_tables()
        archived("process of B", body("process of B", "Haifa", 31), AT, source="south")
        archived("process of B", body("process of B", "Tel Aviv", 32), LATER, source="north")
        made = tokens.add("teller", Role.CLERK, "source=north", None, "a test", AT)
        with started() as receiver, receiver.visitor() as client:
            headers = {"authorization": f"Bearer {made.token}"}
            page = client.get("/api/archives", headers=headers).json()
            dossier = client.get("/api/archives/process%20of%20B", headers=headers)
            form = {"csrf": csrf_of(client), "name": "teller", "token": made.token}
            client.post("/console/login", data=form, headers={"sec-fetch-site": "same-origin"})
            shown = client.get("/console/archives").text

    said = {"reference": "process of B", "owner": "south", "other": "north"}
    said["received_at"] = "2023-05-02T12:00:00.000500Z"
    assert (page["items"], page["set_aside"], dossier.status_code) == ([], [said], 404)
    assert "process of B: the process is of the source south, and the source north has sent it too" in shown
    assert not re.search(r"Signer3|name3|value3|receipt_id", json.dumps(page) + shown)


TIMED = {
    "GET /api/archives/{}": ("tel-aviv%2F1", "tel-aviv%2F9", "haifa%2F1"),
    "GET /console/archives/{}": ("tel-aviv%2F1", "tel-aviv%2F9", "haifa%2F1"),
    "GET /api/archives/{}/files": ("tel-aviv%2F1", "tel-aviv%2F9", "haifa%2F1"),
    "GET /api/archives?process_number={}": ("4721", "5555", "4711"),
    "GET /api/archives?q={}": ("Signer11", "Signer99", "Signer1"),
}
"""Ways with what another branch has, what nobody has, and what the clerk's branch has."""
_ASKED, _MOST_Z = 1000, 4.0


@pytest.mark.faults
@pytest.mark.parametrize("way", TIMED)
def test_times_tell_nothing_of_other_branches(worlds: Worlds, way: str) -> None:
    """Of two lists of 1,000 times that are alike, the sums of ranks lie farther apart once in 16,000 times."""
    client, path = worlds.clients[1], way.removeprefix("GET ")
    headers = {} if "console" in path else {"authorization": f"Bearer {worlds.token}"}
    taken_s: dict[str, list[float]] = {each: [] for each in TIMED[way]}
    for each in random.Random(7).sample([*TIMED[way]] * _ASKED, 3 * _ASKED):
        began = time.perf_counter()
        client.get(path.format(each), headers=headers)
        taken_s[each].append(time.perf_counter() - began)
    theirs, nobodys, own = taken_s.values()

    assert abs(rank_distance(theirs, nobodys)) < _MOST_Z
    assert abs(rank_distance(own, nobodys)) > _MOST_Z  # else the times say nothing at all


def rank_distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Return by how many standard deviations the ranks of one list differ from those of another (Mann and Whitney)."""
    ranked = sorted([(each, True) for each in one] + [(each, False) for each in other])
    ranks = sum(rank for rank, (_, is_one) in enumerate(ranked, 1) if is_one)
    n, m = len(one), len(other)
    return float((ranks - n * (n + m + 1) / 2) / (n * m * (n + m + 1) / 12) ** 0.5)

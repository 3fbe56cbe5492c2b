"""What people and programs get wrong, over the whole path, each with the answer that helps: status, code and place.

Bodies of the webhook are in `receiver/test_webhook.py`, settings in `tests/adapters/settings/test_settings.py`.
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.conftest import LINK_KEY, SECRET, TOKEN, Receiver, contract, from_a_new_address, receiving
from tests.api.console.conftest import posted
from tests.cli.conftest import Cellar, cellar
from tests.installations import archived, installed

__all__ = ["cellar"]

MARKER = "Marker-314159"
VALUES: dict[str, Any] = {"webhook_secrets": SECRET, "api_tokens": TOKEN, "link_secret": LINK_KEY}
NUL, LONG, HUGE = "%00", "x" * 2000, "9" * 30
ARCHIVES, BULK, REDELIVERIES, ENDPOINTS = "/api/archives", "/api/bulk-reruns", "/api/redeliveries", "/api/endpoints"
FORM, NOBODY = "/api/templates/lease", "/api/archives/nobody"
BAD = "BAD_PARAMETER"
HOOK = {"url": "https://erp.invalid/hook", "name": "erp"}

QUERIES: dict[str, tuple[int, str, str]] = {
    # numbers, times, choices, and names that nothing has
    **{f"{ARCHIVES}?limit={each}": (422, BAD, "query.limit") for each in ("0", "-1", "501", "1.5", "many", "", HUGE)},
    **{
        f"{ARCHIVES}?process_number={each}": (422, BAD, "query.process_number")
        for each in ("x", "1.5", "0x10", "٣4x", HUGE, NUL, "1,000")
    },
    **{
        f"{ARCHIVES}?received_after={each}": (422, BAD, "query.received_after")
        for each in (
            "today",
            "1712101612",
            "2026-13-01T00:00Z",
            "2026-02-30T00:00Z",
            "2026-01-01T00:00",
            "24.11.2026",
            "0",
        )
    },
    **{
        f"{ARCHIVES}?{name}={MARKER}": (422, BAD, f"query.{name}")
        for name in ("state", "cause", "condition", "discrepancy", "standing", "warning", "verdict", "attention")
    },
    **{
        f"{ARCHIVES}?{name}=a{NUL}": (422, BAD, f"query.{name}")
        for name in ("reference", "session", "template", "source", "filename", "signer", "q")
    },
    f"{ARCHIVES}?label={MARKER}": (422, BAD, "label"),
    f"{ARCHIVES}?label=a=b&label={NUL}=c": (422, BAD, "query.label.1"),
    f"{ARCHIVES}?field={MARKER}": (422, BAD, "field"),
    f"{ARCHIVES}?field=unknown=1": (404, BAD, "field"),
    f"{ARCHIVES}?source={MARKER}": (404, BAD, "source"),
    f"{ARCHIVES}?cursor={MARKER}": (422, BAD, "cursor"),
    f"{ARCHIVES}?cursor=aWQgOTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk=": (422, BAD, "cursor"),
    f"{ARCHIVES}?q=%20%20": (422, BAD, "q"),
    f"{ARCHIVES}?state=failed&state=completed": (422, BAD, "query.state"),
    f"{ARCHIVES}?stat=failed": (422, BAD, "query.stat"),
    f"{ARCHIVES}?{'references=a&' * 501}": (422, BAD, "query.references"),
    f"{ARCHIVES}?q={'x' * 17_000}": (414, "URL_TOO_LONG", "URL"),
    f"{ARCHIVES}?{'label=a=b&' * 1001}": (414, "URL_TOO_LONG", "URL"),
    f"{ARCHIVES}?process_number={1 << 63}": (422, BAD, "query.process_number"),
    f"{ARCHIVES}?transaction_number=-{1 << 64}": (422, BAD, "query.transaction_number"),
    f"{ARCHIVES}?received_after=0001-01-01T00:00:00%2B14:00": (422, BAD, "query.received_after"),
    f"{ARCHIVES}?received_before=9999-12-31T23:59:59-14:00": (422, BAD, "query.received_before"),
    f"{ARCHIVES}?cursor=%D7%90": (422, BAD, "cursor"),
    f"{ARCHIVES}?cursor=MjAyNg==": (422, BAD, "cursor"),
    f"{ARCHIVES}?cursor=MDAwMS0wMS0wMVQwMDowMDowMCsxNDowMCB4": (422, BAD, "cursor"),  # 0001-01-01T00:00:00+14:00 x
    # references, files and other things of a path
    NOBODY: (404, "UNKNOWN_REFERENCE", "reference"),
    f"{ARCHIVES}/{NUL}": (422, BAD, "path.reference"),
    f"{ARCHIVES}/%FF": (404, "UNKNOWN_REFERENCE", "reference"),
    f"{ARCHIVES}/%ED%A0%80": (404, "UNKNOWN_REFERENCE", "reference"),
    f"{ARCHIVES}/{'x' * 256}": (404, "UNKNOWN_REFERENCE", "reference"),
    f"{NOBODY}/payments": (404, "UNKNOWN_REFERENCE", "reference"),
    f"{ARCHIVES}/contract/payments?after={MARKER}": (422, BAD, "cursor"),
    f"{ARCHIVES}/contract/files/{'0' * 64}": (404, "UNKNOWN_FILE", "sha256"),
    f"{ARCHIVES}/contract/files/..%2f..%2fkey": (400, "", ""),  # in the shape of the webhook,
    f"{ARCHIVES}/contract/differences": (422, BAD, "query.before, query.after"),
    f"{ARCHIVES}/contract/differences?before=1&after=2": (404, "UNKNOWN_VERSION", "version"),
    f"{ARCHIVES}/contract/differences?before=one&after=1": (422, BAD, "query.before"),
    f"{ARCHIVES}/contract/differences?before=0&after=1": (404, "UNKNOWN_VERSION", "version"),
    "/api/discrepancies?code=unknown": (422, BAD, "query.code"),
    "/api/discrepancies?state=dismissed": (422, BAD, "query.state"),
    "/api/missing?why=late": (422, BAD, "query.why"),
    "/api/missing?source=nobody": (404, BAD, "source"),
    "/api/refused?code=NOT_XML": (422, BAD, "query.code"),
    "/api/refused?process_number=x": (422, BAD, "query.process_number"),
    "/api/failures?source=nobody": (404, BAD, "source"),
    "/api/messages?endpoint=nobody": (404, BAD, "endpoint"),
    "/api/messages?event=archive.complete": (422, BAD, "query.event"),
    "/api/messages?since=yesterday": (422, BAD, "query.since"),
    "/api/messages/nobody": (404, "UNKNOWN_MESSAGE", "message_id"),
    "/api/endpoints/nobody": (404, "UNKNOWN_ENDPOINT", ""),
    "/api/templates/nobody": (404, "UNKNOWN_TEMPLATE", ""),
    "/api/bulk-reruns/nobody": (404, "UNKNOWN_BATCH", "batch_id"),
    "/api/bulk-reruns/nobody?item_state=done": (422, BAD, "query.item_state"),
    "/api/access?action=look": (422, BAD, "query.action"),
    "/api/access?since=never": (422, BAD, "query.since"),
    "/api/nowhere": (404, "UNKNOWN_PATH", ""),
    "/api/archives/": (404, "UNKNOWN_REFERENCE", "reference"),
    "/Api/archives": (404, "UNKNOWN_PATH", ""),
}


def bodies() -> Iterator[tuple[str, str, Any, tuple[int, str, str]]]:
    """Yield requests with a body: method, path, body (text is sent as it is), and the answer."""
    body: Any
    explain = "/api/discrepancies/nobody/explanation"
    for text, at in (
        (MARKER, ".0"),
        ("", ""),
        ("{", ".1"),
        ("{'why': 1}", ".1"),
        ('{"why": NaN}', ".why"),
        ("\ud800", ".0"),
    ):
        yield "POST", explain, text.encode("utf-8", "surrogatepass"), (422, BAD, f"body{at}")
    for body, where in (
        ([], "body"), ("text", "body"), (7, "body"), (None, "body"), ({}, "body.why"), ({"why": ""}, "body.why"),
        ({"why": " \t"}, "body.why"), ({"why": 7}, "body.why"), ({"why": None}, "body.why"),
        ({"why": [MARKER]}, "body.why"),
        ({"why": "a\0b"}, "body.why"), ({"why": "x" * 10_001}, "body.why"), ({"why": "a", "wy": 1}, "body.wy"),
        ({"why": "a", "by": 7}, "body.by"), ({"why": "a", "expected": []}, "body.expected"),
    ):  # fmt: skip
        yield "POST", explain, body, (422, BAD, where)
    yield "POST", explain, {"why": "a"}, (404, "UNKNOWN_DISCREPANCY", "discrepancy_id")
    yield "POST", "/api/missing/nobody/dismiss", {"why": "a"}, (404, "UNKNOWN_FINDING", "")
    for body, where in (
        ({"dry_run": 0}, "body.dry_run"), ({"dry_run": "false"}, "body.dry_run"), ({"state": "lost"}, "body.state"),
        ({"received_after": 1712101612}, "body.received_after"),
        ({"received_before": "24.11.2026"}, "body.received_before"),
        ({"received_before": "2026-01-01"}, "body.received_before"), ({"process_number": "1"}, "body.process_number"),
        ({"process_number": 1.5}, "body.process_number"), ({"process_number": 1 << 63}, "body.process_number"),
        ({"labels": ["a=b"]}, "body.labels"), ({"label": "a=b"}, "body.label"), ({"label": ["a"]}, "label"),
        ({"q": "  "}, "q"), ({"references": ["a"] * 501}, "body.references"), ({"by": "x" * 101}, "body.by"),
        ({"reference": "a\0"}, "body.reference"), ({"attention": "yes"}, "body.attention"),
    ):  # fmt: skip
        yield "POST", BULK, body, (422, BAD, where)
    yield "POST", BULK, {"source": "nobody"}, (404, BAD, "source")
    yield "POST", REDELIVERIES, {"endpoint": "nobody"}, (404, BAD, "endpoint")
    yield "POST", REDELIVERIES, {"state": ["delivered"]}, (422, BAD, "force")
    yield "POST", REDELIVERIES, {"since": "2026-02-30T00:00:00Z"}, (422, BAD, "body.since")
    yield "POST", f"{BULK}/nobody/confirm", None, (404, "UNKNOWN_BATCH", "batch_id")
    yield "POST", f"{BULK}/nobody/start", None, (422, BAD, "path.action")
    for members, where in (
        ({"name": ""}, "body.name"), ({"name": "ERP"}, "body.name"), ({"name": "a b"}, "body.name"),
        ({"name": "-a"}, "body.name"), ({"name": "x" * 65}, "body.name"), ({"name": "settings-a"}, "body.name"),
        ({"events": "archive.completed"}, "body.events"), ({"events": ["archive.done"]}, "body.events.0"),
        ({"headers": {"Host": "a"}}, "body.headers"), ({"headers": {"a b": "c"}}, "body.headers"),
        ({"headers": {"a": "ב"}}, "body.headers"),
        ({"headers": {f"a{each}": "b" for each in range(21)}}, "body.headers"),
        ({"sources": [""]}, "body.sources.0"),
        ({"url": f"https://{LONG}"}, "body.url"), ({"url": "https://a\0"}, "body.url"),
    ):  # fmt: skip
        yield "POST", ENDPOINTS, HOOK | members, (422, BAD, where)
    for url in (
        "",
        "erp.invalid/hook",
        "ftp://erp.invalid",
        "https://",
        "https://erp.invalid:99999",
        "javascript:alert(1)",
    ):
        yield "POST", ENDPOINTS, HOOK | {"url": url}, (422, "BAD_ENDPOINT", "")
    for url in ("http://127.0.0.1", "http://[::1]/", "http://169.254.169.254/", "http://10.0.0.1", "http://2130706433"):
        yield "POST", ENDPOINTS, HOOK | {"url": url}, (403, "PRIVATE_ENDPOINT", "")
    for secret in ("whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!", "whsk_c2hvcnQ="):
        yield "POST", ENDPOINTS, HOOK | {"secret": secret}, (422, "BAD_SECRET", "secret")
    yield "POST", f"{ENDPOINTS}/nobody/rotate", {"overlap_h": -1}, (422, BAD, "body.overlap_h")
    yield "POST", f"{ENDPOINTS}/nobody/disable", None, (404, "UNKNOWN_ENDPOINT", "")
    for words, where in (
        ({"name": {"fr": "Bail"}}, "body.name.fr"), ({"name": {"en": ""}}, "body.name.en"),
        ({"name": "Lease"}, "body.name"),
        ({"name": {"en": "x" * 101}}, "body.name.en"), ({"name": {"en": "a\nb"}}, "body.name.en"),
        ({"facets": ["branch"]}, "body.facets.0"), ({"facets": ["field:a"] * 9}, "body.facets"),
        ({"title": ["person"] * 8}, "body.title"), ({"parts": {"a": {}}}, "body.parts.a.[key]"),
        ({"owner": "a"}, "body.owner"),
    ):  # fmt: skip
        yield "PUT", FORM, words, (422, BAD, where)
    yield "POST", f"{NOBODY}/rerun", None, (404, "UNKNOWN_REFERENCE", "reference")
    yield "POST", f"{NOBODY}/unmask", {"place": "a", "why": "b"}, (404, BAD, "place")
    yield "DELETE", ARCHIVES, None, (405, "WRONG_METHOD", "")
    yield "GET", f"{ARCHIVES}/contract/rerun", None, (404, "UNKNOWN_REFERENCE", "reference")


BASIC = b64encode(b"any:wrong").decode()
CREDENTIALS = [
    *(
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer x"},
    ),
    *({"authorization": f"Basic {BASIC}"}, {"authorization": "Basic !"}, {"authorization": f"Bearer {SECRET}"}),
    *({"authorization": f"Token {TOKEN}"}, {"x-cellar-secret": TOKEN}, {"cookie": f"token={TOKEN}"}),
]
FORMS: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {
    ("login", (("token", "wrong"),)): 403,
    ("refused/decide", (("why", "a"), ("until", "2026-01-01T00:00Z"), ("then", "/console/refused"))): 422,
    ("refused/decide", (("item", "x"), ("until", "2026-01-01T00:00Z"), ("then", "/console/refused"))): 422,
    ("refused/decide", (("item", "x"), ("why", "a"), ("until", "soon"), ("then", "/console/refused"))): 422,
    ("refused/withdraw", (("at", "then"), ("then", "/console/refused"))): 422,
    ("nothing/decide", (("item", "x"), ("why", "a"))): 422,
    ("archives/plan", ()): 422,
    ("archives/plan", (("all", "yes"), ("state", "lost"))): 422,
    ("archives/explain", (("chosen", "contract"),)): 422,
    ("archives/bags", (("all", "yes"), ("limit", "x"), ("received_after", "never"))): 422,
    ("redeliveries", (("endpoint", "x"), ("state", "lost"))): 422,
    ("endpoints/new", (("name", "A B"), ("url", "https://erp.invalid"))): 422,
    ("endpoints/new", (("name", "erp"), ("url", ""))): 422,
    ("endpoints/nobody/disable", ()): 404,
    ("endpoints/nobody/rotate", (("overlap_h", "x"),)): 422,
    ("bulk/nobody/confirm", ()): 404,
    ("bulk/nobody/start", ()): 422,
    ("archives/nobody/rerun", ()): 404,
    ("templates/nobody", (("en", "x" * 101),)): 404,
}
FILES = {
    "empty.csv": b"",
    "empty.json": b"",
    "other.csv": b"colour,size\nred,7\n",
    "text.xlsx": b"process,reference\n1,a\n",
    "list.pdf": b"%PDF-1.7",
    "list.json": b"[]",
    "words.json": b'{"templates": {"lease": {"name": "Lease"}}}',
}
COMMANDS: dict[tuple[str, ...], tuple[int, str]] = {
    ("list", "--state", "lost"): (2, "--state"),
    ("list", "--source", "nobody"): (2, "no source has this name"),
    ("list", "--label", "branch"): (2, "KEY=VALUE"),
    ("list", "--received-after", "24.11.2026"): (2, "2026-11-24"),
    ("list", "--limit", "0"): (2, "--limit"),
    ("list", "--cursor", "x"): (2, "cursor"),
    ("list", "--unheard-of"): (2, "--unheard-of"),
    ("show",): (2, "reference"),
    ("show", "nobody"): (1, "cellar list"),
    ("open", "nobody"): (1, "cellar list"),
    ("rerun",): (2, "references"),
    ("rerun", "nobody"): (1, "cellar list"),
    ("rerun", "--failed", "--cause", "x", "--dry-run"): (2, "--cause"),
    ("export", "nobody", "--to", "FOLDER/bag"): (1, "cellar list"),
    ("export-table", "payments", "--to", "FOLDER/nowhere/t.parquet"): (1, "a folder that exists"),
    ("settle", "FOLDER/nowhere.csv"): (2, "nowhere.csv"),
    ("reconcile", "FOLDER/nowhere.xlsx"): (2, "nowhere.xlsx"),
    ("reconcile", "FOLDER/empty.csv"): (2, "BAD_LIST_SIZE"),
    ("reconcile", "FOLDER/other.csv"): (2, "expected a row with one of the headings"),
    ("reconcile", "FOLDER/text.xlsx"): (2, "expected a row with one of the headings"),
    ("reconcile", "FOLDER/list.pdf"): (2, "expected a workbook"),
    ("settle", "FOLDER/other.csv"): (2, "CELLAR_SETTLEMENT_COLUMNS"),
    ("templates", "import", "FOLDER/empty.json"): (2, "Invalid JSON"),
    ("templates", "import", "FOLDER/list.json"): (2, "should be an object"),
    ("templates", "import", "FOLDER/words.json"): (2, "templates: lease: name"),
    ("quarantine", "show", "nobody"): (1, "cellar quarantine list"),
    ("endpoints", "add", "--name", "A B", "https://erp.invalid"): (2, "lower-case letters"),
    ("endpoints", "show", "nobody"): (1, "cellar endpoints list"),
    ("sources", "add", "A B"): (2, "small letters"),
    ("sources", "rotate", "nobody"): (2, "cellar sources list"),
    ("templates", "show", "nobody"): (1, "cellar templates list"),
    ("templates", "import", "FOLDER/nowhere.json"): (2, "nowhere.json"),
    ("tokens", "add", "robot", "--role", "king"): (2, "--role"),
    ("tokens", "add", "robot", "--role", "clerk"): (2, "--role: a clerk needs a source or a facet"),
    ("access", "--since", "never"): (2, "2026-11-24"),
    ("verify", "nobody"): (1, "nobody"),
    ("lisst",): (2, "list"),
}


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    folder = tmp_path_factory.mktemp("bad")
    with receiving(folder, **VALUES) as receiver:
        with installed(folder, **VALUES):
            archived("contract", contract())
        for name, content in FILES.items():
            (folder / name).write_bytes(content)
        yield receiver


def answered(answer: httpx.Response) -> tuple[int, str, str]:
    assert MARKER not in answer.text  # a value of a request is never repeated
    error = answer.json().get("error", {})
    return answer.status_code, error.get("code", ""), error.get("where", "")


def test_bad_queries_are_answered_with_code_and_place(receiver: Receiver) -> None:
    reader = {"authorization": f"Bearer {TOKEN}"}
    found = {path: answered(receiver.client.get(path, headers=reader)) for path in QUERIES}

    assert {each: found[each] for each in QUERIES if found[each] != QUERIES[each]} == {}


@pytest.mark.parametrize(
    ("query", "where", "detail"),
    [
        ("?labell=A=B", "labell", "unknown parameter; did you mean label?"),
        ("?label=A=B&labels=C=D", "labels", "unknown parameter; did you mean label?"),
        ("?label=A=B&label=A=B&Process_Number=1", "Process_Number", "unknown parameter; did you mean process_number?"),
        ("?processNumber=1", "processNumber", "unknown parameter; did you mean process_number?"),
        ("?until=", "until", "unknown parameter; expected one of reference, references, "),
        ("?q%00=1", "q\0", "unknown parameter; did you mean q?"),
        (f"?{'x' * 1000}=1", "x" * 60, "unknown parameter; expected one of reference, "),
        ("?state=failed&state=completed", "state", "expected the parameter once, got it 2 times"),
        ("/contract?verbose=1", "verbose", "unknown parameter; this route has no query parameters"),
        ("?state=Marker-314159", "state", "Input should be 'received', 'processing'"),
    ],
)
def test_wrong_parameter_is_answered_with_what_was_expected(
    receiver: Receiver, query: str, where: str, detail: str
) -> None:
    answer = receiver.client.get(f"{ARCHIVES}{query}", headers={"authorization": f"Bearer {TOKEN}"})

    assert answered(answer) == (422, BAD, f"query.{where}")
    assert answer.json()["error"]["detail"].startswith(detail)


def test_bad_bodies_are_answered_with_code_and_place(receiver: Receiver) -> None:
    wrong = []
    for method, path, body, expected in bodies():
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
        found = answered(receiver.client.request(method, path, content=sent, headers=headers))
        if found != expected:
            wrong.append((method, path, sent[:200], found, expected))
    assert wrong == []


def test_wrong_credentials_open_nothing(receiver: Receiver) -> None:
    for method, path in (("GET", ARCHIVES), ("GET", "/metrics"), ("POST", "/webhooks/cellosign")):
        own = {"POST": SECRET, "GET": TOKEN}[method]
        ways = {"POST": 'Bearer realm="cellar", Basic realm="cellar"', "GET": 'Bearer realm="cellar"'}[method]
        for each in CREDENTIALS:
            if method == "POST" and SECRET in each.get("authorization", ""):
                continue
            answer = receiver.client.request(method, path, headers=each | from_a_new_address(), content=b"{}")
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, ways), (path, each)
            assert own not in answer.text


def test_bad_forms_are_answered_with_a_page(receiver: Receiver) -> None:
    with receiver.visitor() as person:
        assert posted(person, "/console/login", {"token": TOKEN}).status_code == 303
        found = {}
        for (path, fields), status in FORMS.items():
            answer = posted(person, f"/console/{path}", dict(fields))
            assert "<!doctype html>" in answer.text.lower() or answer.status_code == 303
            found[path, fields] = (answer.status_code, status)

    assert {each: both for each, both in found.items() if both[0] != both[1]} == {}


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_wrong_command_says_what_is_expected(receiver: Receiver, cellar: Cellar, arguments: tuple[str, ...]) -> None:
    status, said = COMMANDS[arguments]
    folder = receiver.log.parent
    with installed(folder, **VALUES):
        done = cellar(*(each.replace("FOLDER", str(folder)) for each in arguments))

    assert (done.status, said in done.errors) == (status, True), done.errors + done.output
    assert not any(each in done.errors for each in ("Traceback", "pydantic", "input_value"))

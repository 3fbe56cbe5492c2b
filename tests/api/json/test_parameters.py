"""Query parameters that a route does not have are refused, so that a misspelled filter never finds everything."""

import re
from typing import Any

import pytest

from api.app import app
from tests.api.conftest import TOKEN, Library
from tests.api.json.test_archives_api import assert_error

READER = {"authorization": f"Bearer {TOKEN}"}
OPERATIONS = [
    (method, path) for path, methods in app.openapi()["paths"].items() for method in methods if path.startswith("/api")
]


def refused(library: Library, path: str) -> tuple[str, str]:
    answer = library.get(path)
    assert_error(answer, 422, "BAD_PARAMETER")
    error: dict[str, Any] = answer.json()["error"]
    return error["where"], error["detail"]


@pytest.mark.parametrize(
    ("query", "name", "hint"),
    [
        ("labell=A=B", "labell", "did you mean label?"),
        ("label=A=B&labels=C=D", "labels", "did you mean label?"),
        ("Process_Number=1", "Process_Number", "did you mean process_number?"),
        ("processNumber=1", "processNumber", "did you mean process_number?"),
        ("until=", "until", "expected one of reference, references, "),
        ("q%00=1", "q\0", "did you mean q?"),
        (f"{'x' * 1000}=1", "x" * 60, "expected one of reference, "),
    ],
)
def test_unknown_parameter_is_refused_with_the_nearest_right_name(
    library: Library, query: str, name: str, hint: str
) -> None:
    where, detail = refused(library, f"/api/archives?{query}")

    assert where == f"query.{name}"
    assert detail.startswith(f"unknown parameter; {hint}")


def test_repeated_parameter_is_refused_unless_it_takes_several_values(library: Library) -> None:
    where, detail = refused(library, "/api/archives?state=failed&state=completed")

    assert (where, detail) == ("query.state", "expected the parameter once, got it 2 times")
    assert library.get("/api/archives?label=A=B&label=A=B").status_code == 200


def test_parameter_of_a_route_without_parameters_is_refused(library: Library) -> None:
    where, detail = refused(library, "/api/archives/contract?verbose=1")

    assert (where, detail) == ("query.verbose", "unknown parameter; this route has no query parameters")


def test_invalid_values_are_answered_with_the_expected_values(library: Library) -> None:
    where, detail = refused(library, "/api/archives?state=Marker-314159&limit=0")

    assert where == "query.state, query.limit"
    assert re.fullmatch(r".*'received', .* or 'failed'; .* greater than or equal to 1; see /docs", detail)
    assert "314159" not in detail


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_route_of_the_api_refuses_unknown_parameters(library: Library, method: str, path: str) -> None:
    """Only from readers: without a token the answer is 401."""
    client, sent = library.receiver.client, path.replace("{", "").replace("}", "") + "?unheard-of=1"

    answer = client.request(method, sent, headers=READER, json={"by": "Dana", "why": "a tip"})

    assert_error(answer, 422, "BAD_PARAMETER")
    assert answer.json()["error"]["where"] == "query.unheard-of"
    assert_error(client.request(method, sent), 401, "UNAUTHORIZED")


def test_body_that_is_not_utf_8_is_refused(library: Library) -> None:
    path, headers = "/api/discrepancies/any/explanation", READER | {"content-type": "application/json"}

    answer = library.receiver.client.post(path, content=b'{"by": "\xff"}', headers=headers)

    assert_error(answer, 422, "BAD_PARAMETER")

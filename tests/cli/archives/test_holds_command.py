"""`cellar hold` puts archives on hold by reference or filter, and keeps that in the store."""

import json

import pytest

from adapters.store import happened as kept
from adapters.store.lines import Erased
from cli.options import person
from services.custody.happened import wrong_happened
from tests.cli.conftest import Cellar
from tests.conftest import Configure
from tests.flows.databases import in_new_database, rows
from tests.installations import archived
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("sqlite_installation")


def test_holds_are_put_listed_and_released_and_a_rebuild_restores_them_and_what_is_due(
    cellar: Cellar, configure: Configure
) -> None:
    cellar("templates", "name", "9fa70d4ccea84262b1ed2308a07a3fb4", "--retention", "review after 1 year")
    for reference in ("r", "s"):
        archived(reference, sample_body(reference))

    assert cellar("hold", "r", "s", "--reason", "a claim", "--until", "2199-12-31").output == "2 archives put on hold\n"
    assert cellar("hold", "--process-number", "100", "--q", "r", "--reason", "the court").output
    assert {each.of for each in kept.lines_in(next(iter(next(kept.days(kept.FOLDER)))))} == {"hold"}
    assert (kept.lines_left(), list(wrong_happened(Erased({}, {})))) == ([], [])

    for references in (("r",), ("r", "s"), ("nowhere",)):
        forbidden = cellar("erase", *references, "--reason", "asked for", "--yes")
        assert (forbidden.status, "Another person" in forbidden.output) == (1, False)
        assert "not in the plan" in forbidden.errors
    assert cellar("erase", "--held", "--reason", "asked for", "--yes").status == 1

    listed = json.loads(cellar("show", "s", "--json").output)["holds"]
    assert listed[0] | {"hold_id": "", "at": ""} == {
        "hold_id": "", "reference": "s", "in_force": True, "reason": "a claim", "by": person(), "at": "",
        "until": "2199-12-31", "released_by": None, "released_at": None, "released_reason": None,
    }  # fmt: skip
    released = cellar("hold", "s", "--release", "--reason", "settled", "--json")
    assert json.loads(released.output) == {"holds": len(listed)}
    assert "On legal hold until 2199-12-31, by" in cellar("show", "r").output
    assert "on legal hold" in cellar("list").output
    assert [each["reference"] for each in json.loads(cellar("list", "--held", "--json").output)["items"]] == ["r"]
    before = rows()
    in_new_database(configure)
    assert rows() == before
    assert [each["reference"] for each in json.loads(cellar("list", "--due", "review", "--json").output)["items"]] == [
        "s"
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("r",),
        ("r", "--reason", "a claim", "--template", "lease"),
        ("r", "--reason", "a claim", "--until", "tomorrow"),
        ("--due", "keep", "--reason", "a claim"),
    ],
)
def test_wrong_use_is_refused(cellar: Cellar, arguments: tuple[str, ...]) -> None:
    assert cellar("hold", *arguments).status == 2

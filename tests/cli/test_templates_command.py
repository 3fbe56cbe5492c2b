"""`cellar templates` names templates and carries their names into another installation and a rebuilt database."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cellar
from tests.installations import archived
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("sqlite_installation")

TEMPLATE = "9fa70d4ccea84262b1ed2308a07a3fb4"


def test_name_is_listed_shown_exported_and_imported(cellar: Cellar, tmp_path: Path) -> None:
    archived("r", sample_body("r"))
    file = tmp_path / "templates.json"

    assert cellar("templates", "name", TEMPLATE, "--en", "Loan agreement").status == 0
    named = cellar("templates", "name", TEMPLATE, "--part", "field:SOMEFIELD1", "--he", "סכום", "--json")
    assert json.loads(named.output)["words"] == {
        "name": {"en": "Loan agreement", "he": None},
        "parts": {"field:SOMEFIELD1": {"name": {"en": None, "he": "סכום"}, "personal": None, "values": {}}},
        "title": ["person", "template", "payment"],
        "facets": [],
        "retention": None,
    }
    kept = cellar("templates", "name", TEMPLATE, "--retention", "erase after 7 years from END")
    assert "retention  erase after 7 years from END\n" in kept.output
    assert "Loan agreement" in cellar("templates", "list").output
    shown = cellar("templates", "show", TEMPLATE).output
    assert all(each in shown for each in ("Loan agreement", "סכום", "label:CUSTOMER_TAG", "newest archives (1)"))
    assert cellar("show", "r").output.startswith("client · Loan agreement · ₪21 verified\nr\n")

    assert cellar("templates", "export", "--to", str(file)).status == 0
    assert cellar("templates", "name", TEMPLATE, "--en", "").status == 0
    assert "Loan agreement" not in cellar("templates", "export").output
    assert cellar("templates", "import", str(file)).output == "1 templates are named\n"
    assert json.loads(cellar("templates", "list", "--json").output)["items"][0]["name"]["en"] == "Loan agreement"
    assert "from END" in cellar("templates", "show", TEMPLATE).output
    assert "as its source says\n" in cellar("templates", "name", TEMPLATE, "--retention", "").output


@pytest.mark.parametrize(
    "arguments",
    [
        ("name", "unknown"),
        ("name", "unknown", "--en", "W" * 101),
        ("name", "unknown", "--part", "colour:red", "--en", "Red"),
        ("name", "unknown", "--retention", "erase at once"),
        ("import", "/dev/null"),
    ],
)
def test_wrong_use_is_refused(cellar: Cellar, arguments: tuple[str, ...]) -> None:
    assert cellar("templates", *arguments).status == 2

"""`cellar person` says where a person stands, and writes all of it as a package that people read without cellar."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote
from zipfile import ZipFile

import bagit
import pytest
from sqlmodel import select

from adapters.settings.settings import Settings
from models.access import AccessRow
from tests.cli.conftest import Cellar
from tests.domain.test_summary_page import Read
from tests.installations import archived, damaged_file
from tests.records import all_of
from tests.samples import sample_body, sample_document

# On Python 3.13 bagit's own source warns.
pytestmark = pytest.mark.filterwarnings("ignore:'count' is passed as positional argument")
MAIL, PHONE = "Dana@Example.com", "+972-50-123-4567"
SECRET = sample_document()["payments"][0]["provider_transaction_result"]["card_id"]


@pytest.fixture(autouse=True)
def _kept(sqlite_installation: Settings) -> None:
    """Archive three processes: two name the person, and one of these is damaged."""
    assert sqlite_installation
    fields = [{"id": "mobile", "value": "050-1234567"}, {"id": "note", "value": "<b>דנה</b>"}]
    archived("whole", sample_body("whole", data=fields))
    archived("hurt", sample_body("hurt", data=[{"id": "mail", "value": MAIL.lower()}]))
    archived("of another", sample_body("of another"))
    damaged_file("hurt")


def links(page: Path) -> Iterator[Path]:
    for name, attributes in Read(page.read_text()).elements:
        if name == "a":
            yield page.parent / unquote(str(attributes["href"]))


def test_places_are_listed_and_no_value_is_in_the_access_log(cellar: Cellar) -> None:
    listed = cellar("person", MAIL, PHONE)
    assert listed.status == 0
    assert "Form field mobile" in listed.output
    assert "Form field mail" in listed.output
    assert "of another" not in listed.output

    items = json.loads(cellar("person", PHONE, "--json").output)["items"]
    assert [(each["reference"], each["places"][0]["where"]) for each in items] == [("whole", "data[0].value")]
    assert cellar("person", "nobody@example.com").output == "Nothing names this person.\n"
    assert cellar("person", "Dana").status == 2

    rows = all_of(select(AccessRow).where(AccessRow.action == "find_person"))
    assert len(rows) == 4
    assert [len(each.detail["searched"]["value"]) for each in rows] == [2, 1, 1, 1]
    assert rows[0].detail["searched"]["value"][1] == rows[1].detail["searched"]["value"][0]
    text = str([each.model_dump() for each in rows]).lower()
    assert not any(each.lower() in text for each in (MAIL, PHONE, "Dana"))


@pytest.mark.parametrize("name", ["package", "package.zip"])
def test_package_has_a_page_in_both_languages_and_a_bag_of_each_archive(
    cellar: Cellar, tmp_path: Path, name: str
) -> None:
    assert cellar("person", MAIL, PHONE, "--to", str(tmp_path / name)).status == 0
    if name.endswith(".zip"):
        ZipFile(tmp_path / name).extractall(tmp_path)
    package = tmp_path / "package"

    for page, direction in {"index.html": "ltr", "index.he.html": "rtl"}.items():
        text = (package / page).read_text()
        assert f'dir="{direction}"' in text
        assert MAIL in text
        assert "<script" not in text
        assert "of another" not in text
        assert len(found := list(links(package / page))) >= 7
        assert all(each.is_file() for each in found)
    assert (package / "index.html").read_text().count("DAMAGED") == 1

    index = json.loads((package / "index.json").read_bytes())
    assert {each["reference"]: each["is_damaged"] for each in index["items"]} == {"whole": False, "hurt": True}
    bags = {each["reference"]: package / each["folder"] / ".." for each in index["items"]}
    assert bagit.Bag(str(bags["whole"])).validate()
    proved = subprocess.run([sys.executable, "check.py"], cwd=bags["whole"], capture_output=True, check=False)
    assert proved.returncode == 0, proved.stdout
    assert not any(SECRET.encode() in each.read_bytes() for each in package.rglob("*") if each.is_file())
    exported = all_of(select(AccessRow).where(AccessRow.action == "export_archive"))
    assert len(exported) == 2


def test_a_package_is_written_whole_or_not_at_all(cellar: Cellar, tmp_path: Path) -> None:
    (there := tmp_path / "out" / "there").mkdir(parents=True)

    assert cellar("person", MAIL, "--to", str(there)).status == 1
    assert cellar("person", "Dana", "--to", str(there.with_name("new.zip"))).status == 2
    assert list(there.parent.rglob("*")) == [there]

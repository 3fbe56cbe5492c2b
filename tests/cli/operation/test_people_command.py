"""`cellar people test` says of each address whether it takes a test."""

import json
from pathlib import Path

from pytest_httpserver import HTTPServer

from adapters.peers.people import masked
from tests.cli.conftest import Cellar
from tests.installations import installed


def test_each_address_is_tried_and_one_that_fails_is_status_1(
    cellar: Cellar, tmp_path: Path, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/well").respond_with_data("")
    httpserver.expect_request("/ill").respond_with_data("", status=404)
    well, ill = (httpserver.url_for(path).replace("http", "json") for path in ("/well", "/ill"))

    with installed(tmp_path, people_urls=well):
        good = cellar("people", "test")
    with installed(tmp_path, people_urls=f"{well},{ill}"):
        bad = cellar("people", "test", "--json")

    assert (good.status, good.errors) == (0, "")
    assert masked(well) in good.output
    assert bad.status == 1
    assert json.loads(bad.output) == {
        "is_well": False,
        "addresses": [
            {"address": masked(well), "is_taken": True, "why": ""},
            {"address": masked(ill), "is_taken": False, "why": "the service answered with status 404"},
        ],
    }


def test_no_address_is_status_1_and_names_the_setting(cellar: Cellar, tmp_path: Path) -> None:
    with installed(tmp_path):
        ended = cellar("people", "test")

    assert (ended.status, ended.output) == (1, "No address is set: see CELLAR_PEOPLE_URLS.\n")

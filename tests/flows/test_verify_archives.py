"""The scheduled check fails, and tells people, when the store is damaged; and only then."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook

from adapters import ocfl, store
from adapters.settings import Settings
from flows.verify_archives import verify_archives
from models.errors import Conflict, Transient
from tests.installations import archived
from tests.samples import sample_body

pytestmark = pytest.mark.usefixtures("prefect")

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(autouse=True)
def _installation(configure: Callable[..., Settings], sqlite_installation: Settings, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("")
    configure(notify_urls=httpserver.url_for("/hook"), notify_secret=SECRET, notify_allow_private="true")
    archived("process-1", sample_body("process-1"))


def test_sound_store_tells_nobody(httpserver: HTTPServer) -> None:
    asyncio.run(verify_archives())

    assert httpserver.log == []


def test_damaged_store_fails_the_run_and_tells_the_endpoints(httpserver: HTTPServer) -> None:
    found = ocfl.inventory("process-1")
    assert found
    store.overwrite_bytes(b"damaged", ocfl.content_key("process-1", found, next(iter(found.manifest))))

    with pytest.raises(Conflict):
        asyncio.run(verify_archives())

    ((request, _),) = httpserver.log
    Webhook(SECRET).verify(request.data, dict(request.headers.items()))
    told = json.loads(request.data)
    assert (told["type"], told["data"]) == ("store.damaged", {"findings": 1})


def test_check_that_breaks_fails_the_run_and_tells_the_endpoints(
    configure: Callable[..., Settings], tmp_path: Path, httpserver: HTTPServer
) -> None:
    (tmp_path / "a file").write_text("")
    configure(
        store_url=str(tmp_path / "a file"),
        notify_urls=httpserver.url_for("/hook"),
        notify_secret=SECRET,
        notify_allow_private="true",
    )

    with pytest.raises(Transient):
        asyncio.run(verify_archives())

    ((request, _),) = httpserver.log
    Webhook(SECRET).verify(request.data, dict(request.headers.items()))
    told = json.loads(request.data)
    assert (told["type"], told["data"]) == ("store.unverified", {})

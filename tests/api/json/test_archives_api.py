"""`/api/archives` over real HTTP, on both databases. Prefect does not answer."""

import hashlib
from collections.abc import Iterator
from email.message import Message
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest

from adapters.files.store import store
from adapters.store import ocfl
from adapters.words.languages import worded
from models.access import OF_SETTINGS
from models.said import said_of
from models.views.archives.payments import PaymentView
from tests.api.conftest import (
    FILENAMES,
    HOSTILE,
    PERSON,
    TOKEN,
    WITH_DOT_SEGMENTS,
    Library,
    attachment,
    from_a_new_address,
)
from tests.installations import archived, installed, inventory_of
from tests.samples import PDF, PNG, sample_body

Json = dict[str, Any]
PNG_SHA256, PDF_SHA256 = hashlib.sha256(PNG).hexdigest(), hashlib.sha256(PDF).hexdigest()

DISCREPANCY = {
    *("discrepancy_id", "code", "transaction_id", "expected", "found", "values", "sentence", "state", "opened_at"),
    *("explanation", "closed_at"),
}


def path_of(reference: str, rest: str = "") -> str:
    """Return the path of an archive. Dots are encoded too, because clients remove `..`."""
    return f"/api/archives/{quote(reference, safe='').replace('.', '%2E')}{rest}"


def assert_error(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"code", "where", "detail", "values"}
    assert (error["code"], bool(error["detail"])) == (code, True)
    assert worded(said_of(error["values"]["detail"])) == error["detail"]


class TestOneArchive:
    def test_has_the_documented_members(self, library: Library) -> None:
        archive = library.get(path_of("contract")).json()

        assert set(archive) == {
            *(
                "reference",
                "title",
                "state",
                "template_id",
                "process_number",
                "source",
                "received_at",
                "completed_at",
                "cause",
                "versions",
            ),
            *("deliveries", "files", "sessions", "signatures", "fields", "warnings", "payments", "discrepancies"),
            *("closed_discrepancies", "signed_document_verdict", "judgements", "notifications", "runs", "refused"),
            *("missing", "timeline", "next", "conditions", "checked_at", "anchored_at"),
            *("holds", "held", "due_action", "due_at"),
            *(f"{name}_total" for name, items in archive.items() if isinstance(items, list)),
        }
        members = {name: set(items[0]) for name, items in archive.items() if isinstance(items, list) and items}
        assert members == {
            "versions": {"version", "receipt_id", "received_at", "is_set_aside", "is_from_future", "content_root"},
            "deliveries": {"receipt_id", "received_at", "outcome", "source"},
            "files": {
                "role",
                "element_id",
                "filename",
                "media_type",
                "size_bytes",
                "sha256",
                "looks_like",
                "infection",
            },
            "sessions": {
                *("id", "author", "process_number", "transaction_number", "template_id", "recipient"),
                *("submission_details", "labels", "created_at", "submitted_at", "integrations"),
                *("labels_total", "integrations_total"),
            },
            "signatures": {"id", "signed_at", "signed_by", "labels"},
            "fields": {
                *("id", "value", "type", "visible", "page", "top", "left", "width", "height", "meta"),
                *("latitude", "longitude"),
            },
            "warnings": {"code", "where", "detail", "values"},
            "payments": set(PaymentView.model_fields),
            "discrepancies": DISCREPANCY,
            "closed_discrepancies": DISCREPANCY,
            "timeline": {"at", "kind", "what", "code", "values", "by", "id"},
        }
        assert all(archive[name].endswith("Z") for name in ("received_at", "completed_at"))

    def test_shows_versions_warnings_and_discrepancies(self, library: Library) -> None:
        archive = library.get(path_of("contract")).json()

        assert (archive["state"], archive["process_number"]) == ("completed", 100)
        assert [version["version"] for version in archive["versions"]] == [1, 2]
        assert [delivery["outcome"] for delivery in archive["deliveries"]] == ["new", "changed"]
        assert [each["code"] for each in archive["warnings"]] == ["SIGNER_UNKNOWN"]
        assert [each["code"] for each in archive["discrepancies"]] == ["AMOUNT_MISMATCH"]
        assert archive["fields"][-1]["latitude"] == 32.001186

    @pytest.mark.parametrize("reference", ["contract", HOSTILE[0]], ids=ascii)
    def test_lists_are_read_by_their_names(self, library: Library, reference: str) -> None:
        archive = library.get(path_of(reference)).json()

        for name in [each.removesuffix("_total") for each in archive if each.endswith("_total")]:
            page = library.get(path_of(reference, f"/{name}")).json()
            assert (page["items"], page["next"]) == (archive[name], archive["next"].get(name))

    def test_and_its_files_are_found_by_any_reference(self, library: Library) -> None:
        for reference in HOSTILE:
            answer = library.get(path_of(reference))

            assert answer.status_code == 200, answer.text
            assert answer.json()["reference"] == reference
            assert library.get(path_of(reference, f"/files/{PNG_SHA256}")).content == PNG

    @pytest.mark.parametrize("reference", WITH_DOT_SEGMENTS)
    def test_whose_reference_has_a_dot_segment_is_found_by_the_filter_alone(
        self, library: Library, reference: str
    ) -> None:
        answer = library.get(path_of(reference))

        assert (answer.status_code, answer.json()["errordesc"].partition(" ")[0]) == (400, "BAD_PATH")
        page = library.get(f"/api/archives?reference={quote(reference)}").json()
        assert [each["reference"] for each in page["items"]] == [reference]

    def test_is_found_by_a_reference_whose_slashes_were_not_encoded(self, library: Library) -> None:
        assert library.get("/api/archives/branch/7/contract").json()["reference"] == "branch/7/contract"


class TestFiles:
    def test_are_returned_as_they_were_sent(self, library: Library) -> None:
        for content, sha256, media_type in ((PNG, PNG_SHA256, "image/png"), (PDF, PDF_SHA256, "application/pdf")):
            answer = library.get(path_of("contract", f"/files/{sha256}"))

            assert (answer.status_code, answer.content) == (200, content)
            assert answer.headers["content-type"] == media_type
            assert answer.headers["content-length"] == str(len(content))

    @pytest.mark.parametrize(("index", "filename"), list(enumerate(FILENAMES.values())), ids=ascii)
    def test_are_downloads_with_a_safe_name(self, library: Library, index: int, filename: str) -> None:
        sha256 = hashlib.sha256(b"%d" % index).hexdigest()

        answer = library.get(path_of("filenames", f"/files/{sha256}"))

        message = Message()
        message["content-disposition"] = answer.headers["content-disposition"]
        assert message.get_content_disposition() == "attachment"
        assert message.get_filename() is not None
        _, encoded = answer.headers["content-disposition"].split("filename*=UTF-8''")
        assert unquote(encoded) == filename
        assert encoded.isascii()
        assert set(encoded) & set("\"'; \r\n/\\") == set()
        assert "set-cookie" not in answer.headers

    def test_keep_the_names_that_were_sent(self, library: Library) -> None:
        archive = library.get(path_of("filenames")).json()

        assert [each["filename"] for each in archive["files"] if each["role"] == "attachment"] == list(FILENAMES)

    @pytest.mark.parametrize("sha256", ["other", "0" * 64, "...", PNG_SHA256.upper(), PNG_SHA256[:-1], "%00"])
    def test_of_no_or_another_archive_are_not_found(self, library: Library, sha256: str) -> None:
        sent = hashlib.sha256(b"held by another").hexdigest() if sha256 == "other" else sha256
        assert library.get(path_of("another", f"/files/{hashlib.sha256(b'held by another').hexdigest()}")).is_success

        assert_error(library.get(path_of("contract", f"/files/{sent}")), 404, "UNKNOWN_FILE")

    def test_never_run_in_the_browser(self, library: Library) -> None:
        page = hashlib.sha256(b"<script>alert(1)</script>").hexdigest()

        answer = library.get(path_of("page", f"/files/{page}"))

        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["content-disposition"].startswith("attachment;")
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
        assert "sandbox" in answer.headers["content-security-policy"]


class TestPages:
    def test_keep_the_filter(self, library: Library) -> None:
        items = [item for page in _pages(library, "limit=1&template=twins") for item in page]

        assert [item["reference"] for item in items] == ["twin 2", "twin 1"]

    def test_have_the_members_of_a_summary(self, library: Library) -> None:
        (item,) = library.get("/api/archives?reference=contract").json()["items"]

        assert item | {"received_at": "", "completed_at": ""} == {
            "reference": "contract",
            "title": item["title"]
            | {
                "person": "Marker-314159",
                "template_id": "9fa70d4ccea84262b1ed2308a07a3fb4",
                "facets": [],
                "payment": {"amount_minor": 2101, "currency": "ILS", "standing": "verified"},
            },
            "state": "completed",
            "template_id": "9fa70d4ccea84262b1ed2308a07a3fb4",
            "process_number": 100,
            "source": "default",
            "received_at": "",
            "completed_at": "",
            "cause": None,
            "due_action": None,
            "due_at": None,
            "held": False,
            "conditions": [],
            "files": 2,
            "warnings": 1,
            "discrepancies": 1,
        }

    @pytest.mark.parametrize(
        ("query", "references"),
        [
            ("reference=twin%201", ["twin 1"]),
            ("reference=twin", []),
            ("process_number=4711", ["twin 1"]),
            ("transaction_number=4712", ["twin 2"]),
            ("session=session-of-twin-2", ["twin 2"]),
            ("label=BRANCH=%D7%97%D7%99%D7%A4%D7%94", ["twin 1"]),
            ("label=BRANCH=a=b", ["twin 2"]),
            ("label=BRANCH=", []),
            ("label=KIND=twin", ["twin 1", "twin 2"]),
            ("label=KIND=twin&label=BRANCH=a=b", ["twin 2"]),
            ("label=BRANCH=a=b&label=BRANCH=%D7%97%D7%99%D7%A4%D7%94", []),
            ("template=twins", ["twin 2", "twin 1"]),
            ("template=twins&state=completed", ["twin 2", "twin 1"]),
            ("template=twins&state=failed", []),
            ("discrepancy=AMOUNT_MISMATCH", ["contract"]),
            ("received_after=2023-01-02T12:00:00Z&received_before=2023-01-03T12:00:00Z", ["twin 2"]),
            ("received_after=2023-01-02T02:00:00%2B02:00&received_before=2023-01-03T00:00:00Z", []),
            ("q=%D7%93%D7%A0%D7%94", ["twin 2"]),
            ("q=TWIN", ["twin 2", "twin 1"]),
            ("q=471", ["twin 2", "twin 1"]),
            ("q=%25", ["%2F"]),  # a term of one character begins a value
            ("q=twin_1", []),
            ("held=true", []),
            ("held=false&template=twins", ["twin 2", "twin 1"]),
            ("due=erase", []),
        ],
    )
    def test_are_narrowed_by_filters(self, library: Library, query: str, references: list[str]) -> None:
        answer = library.get(f"/api/archives?{query}")

        assert answer.status_code == 200, answer.text
        assert sorted(item["reference"] for item in answer.json()["items"]) == sorted(references)


class TestRerun:
    @pytest.mark.parametrize("reference", ["contract", *HOSTILE], ids=ascii)
    def test_is_accepted_without_prefect_and_waits_for_it(self, library: Library, reference: str) -> None:
        answer = library.post(path_of(reference, "/rerun"))

        waits = {"reference": reference, "flow_run_id": None, "state": "AwaitingRetry", "url": None}
        assert (answer.status_code, answer.json()) == (202, waits)

    def test_of_an_unknown_reference_is_not_found(self, library: Library) -> None:
        """`tail/rerun` and `tail/files/…` are known references, but `tail` is not."""
        for reference in ("nowhere", "tail", "tail/files"):
            assert_error(library.post(path_of(reference, "/rerun")), 404, "UNKNOWN_REFERENCE")


class TestExplanation:
    def explained(self, library: Library, reference: str, discrepancy_id: str, **members: Any) -> httpx.Response:
        path = path_of(reference, f"/discrepancies/{discrepancy_id}/explanation")
        return library.receiver.client.post(path, json=members, headers={"authorization": f"Bearer {TOKEN}"})

    def discrepancy_id(self, library: Library, code: str, kind: str = "discrepancies") -> str:
        archive = library.get(path_of("contract")).json()
        return str(next(each["discrepancy_id"] for each in archive[kind] if each["code"] == code))

    def test_is_shown_with_the_discrepancy(self, library: Library) -> None:
        found = self.discrepancy_id(library, "AMOUNT_MISMATCH")

        answer = self.explained(library, "contract", found, by=" דנה ", why="a tip")

        assert answer.status_code == 200, answer.text
        assert (answer.json()["state"], answer.json()["discrepancy_id"]) == ("explained", found)
        (shown,) = library.get(path_of("contract")).json()["discrepancies"]
        assert shown == answer.json()
        assert {**shown["explanation"], "at": None} == {"by": OF_SETTINGS, "why": "a tip", "at": None}

    def test_of_a_discrepancy_that_the_archive_does_not_have_is_not_found(self, library: Library) -> None:
        found = self.discrepancy_id(library, "AMOUNT_MISMATCH")

        for reference, discrepancy_id in (("contract", "unknown"), ("another", found), ("nowhere", found)):
            answer = self.explained(library, reference, discrepancy_id, by="d", why="w")
            assert_error(answer, 404, "UNKNOWN_DISCREPANCY")


class TestAuthorization:
    @pytest.mark.parametrize("authorization", ["Bearer סוד".encode(), b"Bearer \xff", b"Basic \xff", b"\xff"])
    def test_token_that_is_not_ascii_is_refused(self, library: Library, authorization: bytes) -> None:
        headers = {name.encode(): value.encode() for name, value in from_a_new_address().items()}
        headers[b"authorization"] = authorization

        assert_error(library.receiver.client.get("/api/archives", headers=headers), 401, "UNAUTHORIZED")


class TestDifferences:
    def differences(self, library: Library, before: int, after: int) -> list[Json]:
        answer = library.get(path_of("contract", f"/differences?before={before}&after={after}"))
        assert answer.status_code == 200, answer.text
        found: list[Json] = answer.json()
        return found

    def test_list_what_was_added_or_changed_with_both_values(self, library: Library) -> None:
        archive = library.get(path_of("contract")).json()
        (payment,) = archive["payments"]
        (attached,) = (each for each in archive["files"] if each["role"] == "attachment")

        found = self.differences(library, 1, 2)

        assert [(each["kind"], each["key"], each["change"]) for each in found] == [
            ("field", "SOMEFIELD1", "changed"),
            ("file", attached["element_id"], "added"),
            ("payment", payment["transaction_id"], "added"),
            ("signature", "SIGNATURE1", "added"),
        ]
        assert {*found[0]} == {"kind", "key", "change", "members", "withheld"}
        field, file, paid, signed = (each["members"] for each in found)
        assert field == {"value": {"before": "not decided", "after": "SOMEVALUE1"}}
        assert file["sha256"] == {"before": None, "after": PNG_SHA256}
        assert (paid["amount_minor"], paid["standing"]) == (
            {"before": None, "after": 2101},
            {"before": None, "after": payment["standing"]},
        )
        assert signed["signed_by.name"] == {"before": None, "after": PERSON}


def test_unknown_paths_get_the_documented_error(library: Library) -> None:
    unknown, wrong = library.get("/api/nothing"), library.post("/api/archives")

    assert_error(unknown, 404, "UNKNOWN_PATH")
    assert_error(wrong, 405, "WRONG_METHOD")
    assert "/docs" in unknown.json()["error"]["detail"]
    assert wrong.json()["error"]["detail"].startswith("expected GET; /docs")
    assert wrong.headers["allow"] == "GET"


@pytest.mark.parametrize(
    "path", ["/healthz/", "/readyz/", "/api/discrepancies/", "/d/token/", "/docs/", "/openapi.json/"]
)
def test_path_with_a_trailing_slash_is_not_redirected(library: Library, path: str) -> None:
    headers = {"authorization": f"Bearer {TOKEN}", "host": "elsewhere.example"}

    answer = library.receiver.client.get(path, headers=headers, follow_redirects=False)

    assert_error(answer, 404, "UNKNOWN_PATH")
    assert "elsewhere.example" not in answer.text + str(answer.headers)


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/readyz", "/nothing", "/docs", "/webhooks/cellosign", "/api/archives", "/api/archives/contract"],
)
def test_browsers_never_guess_a_content_type(library: Library, path: str) -> None:
    assert library.get(path).headers.get_list("x-content-type-options") == ["nosniff"]


def test_readiness_check_names_the_parts(library: Library) -> None:
    client = library.receiver.client

    assert (client.get("/healthz").status_code, client.get("/healthz").json()) == (200, {"status": "ok"})
    ready = client.get("/readyz")
    assert ready.status_code == 200
    parts = {"database": "ok", "prefect": "unreachable", "sources": "ok", "processes": 1, "failed_log_writes": 0}
    assert ready.json() == {"status": "ready", "reason": None} | parts


def _pages(library: Library, query: str) -> Iterator[list[Json]]:
    page = library.get(f"/api/archives?{query}").json()
    yield page["items"]
    while page["next"]:
        page = library.get(f"/api/archives?{query}&cursor={quote(page['next'])}").json()
        yield page["items"]


class TestDamagedFile:
    @pytest.mark.parametrize("size_bytes", [0, 10, 1 << 20, (2 << 20) + 5])
    def test_whole_file_is_sent_to_its_end(self, library: Library, size_bytes: int) -> None:
        data = bytes(size_bytes)
        self.archived(library, f"whole {size_bytes}", data)

        path = path_of(f"whole {size_bytes}", f"/files/{hashlib.sha256(data).hexdigest()}")
        assert library.get(path).content == data

    def test_small_damaged_file_is_answered_with_an_error(self, library: Library) -> None:
        sha256 = self.damaged(library, "small and damaged", b"small")

        answer = library.get(path_of("small and damaged", f"/files/{sha256}"))

        assert_error(answer, 500, "CONFLICT")
        assert "is damaged in the store" in answer.text

    def test_end_of_a_large_damaged_file_is_never_sent(self, library: Library) -> None:
        sha256 = self.damaged(library, "large and damaged", bytes(5 << 20))

        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
            library.get(path_of("large and damaged", f"/files/{sha256}"))

    def archived(self, library: Library, reference: str, data: bytes) -> None:
        with installed(library.folder, **library.settings):
            archived(reference, sample_body(reference, attachments=[attachment(data)]))

    def damaged(self, library: Library, reference: str, data: bytes) -> str:
        """Archive a file, change its first byte in the store, and return its digest."""
        self.archived(library, reference, data)
        sha256 = hashlib.sha256(data).hexdigest()
        with installed(library.folder, **library.settings):
            found = inventory_of(reference)
            store().overwrite_bytes(b"x" + data[1:], ocfl.content_key(reference, found, sha256))
        return sha256

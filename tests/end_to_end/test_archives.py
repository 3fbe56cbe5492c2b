"""Takes archives from the webhook to their end as users see it: `cellar up`, real HTTP and a real browser."""

import hashlib
import json
import subprocess

from tests.conftest import wait_until
from tests.end_to_end.conftest import NAMED, Endpoint, Running, have_ended
from tests.samples import PDF, PNG, sample_body


def test_sample_posted_with_curl_is_completed_and_a_duplicate_starts_no_run(up: Running, endpoint: Endpoint) -> None:
    body = sample_body("sample")
    (up.folder / "sample.json").write_bytes(body)
    curl = ["curl", "-sS", f"{up.url}/webhooks/cellosign", "-H", f"Authorization: Bearer {up.secret}"]
    curl += ["-H", "Content-Type: application/json", "--data-binary", "@sample.json"]

    answer = json.loads(subprocess.run(curl, cwd=up.folder, capture_output=True, check=True).stdout)

    assert (answer["status"], answer["errordesc"]) == ("0", "")
    assert answer["document"]["reference"] == hashlib.sha256(body).hexdigest()
    first = up.read_until("sample", have_ended(runs=1))
    assert first["state"] == "completed"
    assert [(each["role"], each["sha256"]) for each in first["files"]] == [
        ("signed_document", hashlib.sha256(PDF).hexdigest()),
        ("attachment", hashlib.sha256(PNG).hexdigest()),
    ]
    assert [each["standing"] for each in first["payments"]] == ["verified"]
    (run,) = first["runs"]
    assert (run["state"], run["trigger"]) == ("Completed", "webhook")
    its = {"flow_runs": {"id": {"any_": [run["flow_run_id"]]}}}
    wait_until(  # Prefect learns of the end after our own history
        lambda: (
            [(each["name"], each["state"]["name"]) for each in up.prefect("/flow_runs/filter", its)]
            == [("sample", "Completed")]
        ),
    )

    up.send(body)

    second = up.read_until("sample", lambda archive: len(archive["deliveries"]) == 2)
    assert [each["outcome"] for each in second["deliveries"]] == ["new", "duplicate"]
    unchanged = dict.fromkeys(("deliveries", "deliveries_total", "timeline", "timeline_total"))
    assert second | unchanged == first | unchanged
    wait_until(lambda: not up.keeps(hashlib.sha256(body).hexdigest()))
    assert endpoint.confirmed.count("sample") == 1


def test_title_stands_behind_the_login_only(up: Running, endpoint: Endpoint) -> None:
    """Not in a log, not in what Prefect keeps, not in a message, and not in a link."""
    person, branch = "Zipporah Quillfeather", "Ramat Quux"
    body = json.loads(sample_body("titled"))
    body["sessions"][0] |= {"labels": {"BRANCH": branch}, "template": {"id": NAMED}}
    body["sessions"][0]["recipient"]["name"] = person
    link = up.send(json.dumps(body).encode())["document"]["public_link"]
    wait_until(lambda: "titled" in endpoint.confirmed)

    titled = up.read_until("titled", lambda archive: archive["title"]["facets"] == [branch])  # a worker may know later
    assert titled["title"]["person"] == person
    own = {"store", "inbox", "cellar.db", "cellar.db-wal", "cellar.db-shm"}
    files = [each for each in (up.folder / "data").rglob("*") if each.is_file() and not own & {*each.parts}]
    written = {each.name: each.read_bytes() for each in files}
    written |= {"link": link.encode(), "messages": b"".join(endpoint.messages)}
    assert [name for name, found in written.items() if person.encode() in found or branch.encode() in found] == []
    assert {"messages", "prefect"} <= {name.partition(".")[0] for name, found in written.items() if b"titled" in found}

"""`cellar import` lets the worker import, waits for it, and says what became of each payload."""

import json

from tests.end_to_end.conftest import Endpoint, Running, cellar
from tests.samples import sample_body


def test_import_says_what_it_has_done_and_a_second_import_skips_it(up: Running, endpoint: Endpoint) -> None:
    saved = up.folder / "saved"
    saved.mkdir()
    (saved / "saved.json").write_bytes(sample_body("saved"))

    first, second = (cellar(up, "import", "saved", "--json") for _ in range(2))

    told = [json.loads(each.stdout) for each in (first, second)]
    assert [(each["state"], each["imported"], each["known"]) for each in told] == [
        ("Completed", 1, 0),
        ("Completed", 0, 1),
    ]
    assert (first.returncode, second.returncode) == (0, 0)
    [run] = up.read("saved")["runs"]
    assert (run["flow_run_id"], run["trigger"], run["state"]) == (told[0]["flow_run_id"], "import", "Completed")
    assert up.read("saved")["state"] == "completed"
    assert "saved" not in endpoint.confirmed


def test_refused_payload_and_missing_path_are_named_and_exit_with_1(up: Running) -> None:
    (up.folder / "wrong.json").write_bytes(b'{"reference": 1}')

    refused, missing = (cellar(up, "import", each) for each in ("wrong.json", "nowhere"))

    assert (refused.returncode, missing.returncode) == (1, 1)
    assert f"{up.folder}/wrong.json" in refused.stdout
    assert "0 imported, 0 already known, 1 refused, 0 failed" in refused.stdout
    assert f"nothing at {up.folder}/nowhere" in missing.stderr

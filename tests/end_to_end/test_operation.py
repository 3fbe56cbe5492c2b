"""`cellar status` and `cellar doctor` beside a running `cellar up`."""

import json
from subprocess import CompletedProcess

from tests.conftest import wait_until
from tests.end_to_end.conftest import Running, cellar

MAY_BE_LOW = {"disk of data"}


def wrong(ended: CompletedProcess[str]) -> list[str]:
    """Return the checks that are wrong, beside the disk of the machine that runs the tests."""
    checks = json.loads(ended.stdout)["checks"]
    return [each["name"] for each in checks if each["verdict"] == "wrong" and each["name"] not in MAY_BE_LOW]


def test_running_installation_passes_every_check(up: Running) -> None:
    wait_until(lambda: wrong(cellar(up, "status", "--json")) == [])
    status, doctor = cellar(up, "status", "--json"), cellar(up, "doctor", "--json")

    assert (status.stderr, doctor.stderr, wrong(doctor)) == ("", "", [])
    assert len(json.loads(status.stdout)["workers"]) == 1
    checks = {each["name"]: each for each in json.loads(doctor.stdout)["checks"]}
    assert checks["schema"]["verdict"] == "ok"
    for name in ("sweep-inbox/scheduled", "find-missing/scheduled"):
        assert checks[name]["found"] == "current, its schedule is active"
    assert checks["settings"]["verdict"] == "warning"  # private endpoints are allowed

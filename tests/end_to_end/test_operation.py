"""`cellar status` and `cellar doctor` beside a running `cellar up`."""

import json

from tests.conftest import wait_until
from tests.end_to_end.conftest import Running, cellar

MAY_BE_LOW = {"disk of data"}


def test_running_installation_is_well(up: Running) -> None:
    wait_until(lambda: cellar(up, "status").returncode == 0, timeout_s=150)
    status, doctor = cellar(up, "status", "--json"), cellar(up, "doctor", "--json")

    found = json.loads(status.stdout)
    assert found["is_well"]
    assert len(found["workers"]) == 1
    assert (status.stderr, doctor.stderr) == ("", "")
    checks = {each["name"]: each for each in json.loads(doctor.stdout)["checks"]}
    assert [each for name, each in checks.items() if each["verdict"] == "wrong" and name not in MAY_BE_LOW] == []
    assert checks["schema"]["found"] == "revision 0002, the newest"
    assert checks["sweep-inbox/scheduled"]["found"] == "current, its schedule is active"
    assert checks["settings"]["verdict"] == "warning"
    assert cellar(up, "status").stdout.rstrip().endswith("all is well")

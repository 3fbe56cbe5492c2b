"""Takes the README's screenshots of Prefect's UI, with real runs: `make screenshots`."""

import sys
import tempfile
from pathlib import Path

from tests.end_to_end.browser import page
from tests.end_to_end.conftest import Running, cellar, new_installation, up_in


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        installation = new_installation(Path(data))
        with up_in(installation):
            cellar(installation, "simulate", "--count", "20", "--seed", "1")
            _take(installation, folder)


def _take(installation: Running, folder: Path) -> None:
    artifacts = installation.prefect("/artifacts/filter", {"limit": 200})
    artifact = next(each for each in artifacts if "AMOUNT_MISMATCH" in str(each["data"]).replace("\\", ""))
    shots = {
        "runs": "/runs",
        "run": f"/runs/flow-run/{artifact['flow_run_id']}",
        "summary": f"/artifacts/artifact/{artifact['id']}",
    }
    with page() as browser:
        for name, path in shots.items():
            browser.goto(installation.prefect_url + path)
            browser.wait_for_timeout(5000)  # the page draws its charts some time after it has loaded
            browser.screenshot(path=folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

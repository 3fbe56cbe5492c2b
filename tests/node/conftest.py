"""The folder with the packages of the lock."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the packages of the lock."""
    assert shutil.which("node"), "apt-get install nodejs npm"
    assert shutil.which("npm"), "apt-get install nodejs npm"
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", "verify.mjs", "provider.mjs", "reads.ts", "reads.py"):
        shutil.copy(HERE / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode == 0, ended.stderr
    return folder

"""docs/security.md names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`([\w/]+/test_\w+\.py)(?:::(\w+))?`", (ROOT / "docs" / "security.md").read_text())

    assert len(named) > 20
    for file, test in named:
        assert (ROOT / file).exists(), file
        assert f"def {test}" in (ROOT / file).read_text(), test

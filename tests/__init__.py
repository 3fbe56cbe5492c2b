"""Tests, arranged like the source.

This module sets PREFECT_HOME before any test imports Prefect, which reads it at import. A developer's own profiles must
not apply, and a machine may have no home folder.
"""

import atexit
import os
import shutil
import tempfile

_prefect_home = tempfile.mkdtemp(prefix="cellar-prefect-")
os.environ["PREFECT_HOME"] = _prefect_home
atexit.register(shutil.rmtree, _prefect_home, ignore_errors=True)
os.environ.pop("COLUMNS", None)  # pytest-xdist sets it, and the commands would cut their tables to it

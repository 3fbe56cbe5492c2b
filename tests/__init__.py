"""Tests, arranged like the source.

This module sets PREFECT_HOME before any test imports Prefect, which reads it at import. A developer's own profiles must
not apply, and a machine may have no home folder.
"""

import atexit
import os
import shutil
import tempfile

from hypothesis import HealthCheck, settings

_prefect_home = tempfile.mkdtemp(prefix="cellar-prefect-")
os.environ["PREFECT_HOME"] = _prefect_home
atexit.register(shutil.rmtree, _prefect_home, ignore_errors=True)
# Benchmarks measure how long an example takes. Here, other tests may occupy the processor.
# `make test-faults` loads the thorough profile.
_QUIET = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)
settings.register_profile("quick", deadline=None, suppress_health_check=_QUIET, max_examples=25)
settings.register_profile("thorough", deadline=None, suppress_health_check=_QUIET, max_examples=1_000)
settings.load_profile("quick")
os.environ.pop("COLUMNS", None)  # pytest-xdist sets it, and the commands would cut their tables to it

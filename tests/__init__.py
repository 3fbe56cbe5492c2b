"""Tests, in the order of the source. Imported before any of them, and so before Prefect, which looks for its home then:
a developer's own profiles are none of ours, and a machine may have no home at all.
"""

import atexit
import os
import shutil
import tempfile

from hypothesis import HealthCheck, settings

_prefect_home = tempfile.mkdtemp(prefix="cellar-prefect-")
os.environ["PREFECT_HOME"] = _prefect_home
atexit.register(shutil.rmtree, _prefect_home, ignore_errors=True)
# How long an example takes is for benchmarks to tell: other tests may have the processor.
settings.register_profile("cellar", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cellar")
os.environ.pop("COLUMNS", None)  # pytest-xdist sets it, and the commands' tables would be cut to it

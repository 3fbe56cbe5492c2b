"""Sets up how instruments keep their values, and counts lost lines of the log.

prometheus_client reads PROMETHEUS_MULTIPROC_DIR at its import, so no other module makes an instrument before this one
is imported. `metrics` holds the other instruments; their labels need the models of the database, which are slow to
import.
"""

import os

from prometheus_client import Counter, disable_created_metrics, values

SHARED = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
"""The folder in which this program keeps its values, under `cellar up`. Its files have fixed names (`metrics`)."""
if SHARED:
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: 0)  # type: ignore[no-untyped-call]

disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the series, and nothing here reads them

FAILED_LOG_WRITES = Counter("cellar_failed_log_writes", "Lines of the log that could not be written.", registry=None)

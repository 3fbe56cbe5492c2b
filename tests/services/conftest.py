"""Provides a Prefect server that knows the flow, and both kinds of store and database, to tests of services."""

from tests.adapters.peers.conftest import deployment
from tests.flows.conftest import kept_results, kinds, prefect, reporting
from tests.prepared import prepared

__all__ = ["deployment", "kept_results", "kinds", "prefect", "prepared", "reporting"]

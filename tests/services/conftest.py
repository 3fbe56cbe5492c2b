"""Provides a Prefect server that knows the flow, and both kinds of store and database, to tests of services."""

from tests.adapters.peers.conftest import deployment
from tests.flows.conftest import kinds, prefect

__all__ = ["deployment", "kinds", "prefect"]

"""Provides a Prefect server that knows the flow, and both kinds of store and database, to tests of services."""

from tests.adapters.peers.conftest import deployment
from tests.flows.conftest import kinds, prefect, server_with_block
from tests.prepared import prepared

__all__ = ["deployment", "kinds", "prefect", "prepared", "server_with_block"]

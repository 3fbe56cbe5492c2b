"""Provides a Prefect server that knows the flow, and both kinds of store and database, to tests of services."""

import pytest

from tests.adapters.peers.conftest import deployment
from tests.flows.conftest import kinds, prefect, server_with_block
from tests.prepared import Prepared

__all__ = ["deployment", "kinds", "prefect", "server_with_block"]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return Prepared(tmp_path_factory)

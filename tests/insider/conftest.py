from tests.cli.conftest import cellar

__all__ = ["cellar"]

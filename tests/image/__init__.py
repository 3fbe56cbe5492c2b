"""The container image: what it is made from, and, as `make test-image`, what it does."""

"""The `cellar` command: one function a subcommand. Decisions stay in services."""

"""The `cellar` command: one function per subcommand. Decisions stay in services."""

"""Pydantic models of what API, command line and pages show. No table and no query comes in."""

"""Pydantic models of what API, command line and pages show. Tables and queries stay out."""

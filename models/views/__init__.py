"""What API, command line and pages show, as pydantic models. No table and no query comes in."""

"""Says what is wrong with the value of a setting: the variable, the expectation, and the value unless it is secret."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from adapters.settings.settings import Settings, variable_of

_SERVICE_URL = "tcp://"
_EXPECTED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "int_parsing": lambda _: "a whole number",
    "float_parsing": lambda _: "a number",
    "bool_parsing": lambda _: "true or false",
    "greater_than_equal": lambda limit: f"at least {limit['ge']}",
    "greater_than": lambda limit: f"more than {limit['gt']}",
    "less_than_equal": lambda limit: f"at most {limit['le']}",
    "literal_error": lambda values: str(values["expected"]).replace("'", ""),
}


def in_words(error: ValidationError) -> str:
    """Return what is wrong with the settings, in one line."""
    return "; ".join(_in_words(each) for each in error.errors())


def _in_words(error: ErrorDetails) -> str:
    if not error["loc"]:  # a check of ours, whose text begins with the variable
        return error["msg"].removeprefix("Value error, ")
    name = _field(str(error["loc"][0]))
    describe = _EXPECTED.get(error["type"])
    expected = describe(error.get("ctx", {})) if describe else error["msg"].removeprefix("Value error, ")
    return f"{variable_of(name)}: expected {expected}{_got(name, error['input'])}"


def _field(place: str) -> str:
    """Return the name of the field whose error is at `place`, which is the field's name or one of its variables."""
    return next((name for name in Settings.model_fields if place.lower() in (name, variable_of(name).lower())), place)


def _got(name: str, value: object) -> str:
    field = Settings.model_fields.get(name)
    if field is None or not field.repr:  # the value may be a secret, or hold one
        return ""
    if isinstance(value, str) and value.startswith(_SERVICE_URL):
        hint = "Kubernetes sets it for a service named `cellar`: rename the service, or set enableServiceLinks to false"
        return f", got {value!r}; {hint}"
    return f", got {value!r}"

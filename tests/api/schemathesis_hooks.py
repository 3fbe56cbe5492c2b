"""What schemathesis learns: an address of its own for each request, since guesses are limited; a cursor of any list."""

import os
from itertools import count
from typing import Any

import schemathesis
from hypothesis import strategies

_hosts = count(1)
_ANYWHERE = "MjAyMzAxMDEgMjAyMzAxMDE="
"""`20230101 20230101`: a place in each list, whether it is ordered by times, by words or by numbers."""

schemathesis.openapi.format("cursor", strategies.just(_ANYWHERE))
schemathesis.openapi.format("sealed-cursor", strategies.just(os.environ["SEALED_CURSOR"]))


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    """A case without credentials stays as it is: schemathesis would add them to a case that a hook has changed."""
    if getattr(case.meta.phase.data, "parameter", None) != "Authorization":
        case.headers["x-forwarded-for"] = f"2001:db8:{next(_hosts):x}::1"

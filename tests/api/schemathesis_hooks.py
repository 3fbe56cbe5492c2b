"""What schemathesis learns: an address of its own for each request, since guesses are limited; a cursor of any list."""

from itertools import count
from typing import Any

import schemathesis
from hypothesis import strategies

_hosts = count(1)
_ANYWHERE = "MjAyMzAxMDEgNw=="
"""`20230101 7`: a place in each list, whether it is ordered by times, by words or by numbers."""

schemathesis.openapi.format("cursor", strategies.just(_ANYWHERE))


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    """A case without credentials stays as it is: schemathesis would add them to a case that a hook has changed."""
    if getattr(case.meta.phase.data, "parameter", None) != "Authorization":
        case.headers["x-forwarded-for"] = f"2001:db8:{next(_hosts):x}::1"

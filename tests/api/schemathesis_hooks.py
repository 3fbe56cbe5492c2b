"""What schemathesis does beside its own: each request comes from an address of its own, since guesses are limited."""

from itertools import count
from typing import Any

import schemathesis

_hosts = count(1)


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    """A case without credentials stays as it is: schemathesis would add them to a case that a hook has changed."""
    if getattr(case.meta.phase.data, "parameter", None) != "Authorization":
        case.headers["x-forwarded-for"] = f"2001:db8:{next(_hosts):x}::1"

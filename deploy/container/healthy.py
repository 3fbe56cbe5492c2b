"""Health check of a container: exits with 0 while the role that the container was started as works.

One image serves all roles, so the command line of the container's first process says what to ask:

- `up`, `api`: the receiver's /readyz
- `worker`: the worker's /healthz, if CELLAR_WORKER_METRICS_PORT is set, as it is in the image
- `prefect server start`: Prefect's /api/health
- everything else, as `prefect server services start`: nothing; it works while it runs

It uses the standard library alone, and so takes 0.1 s of processor time.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException
from pathlib import Path

_WITHIN_S = 8
_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 -- compared with, not listened on


def place_of(words: list[str]) -> tuple[str, str, str] | None:
    """Return host, port and path that answer for a role, given its command line. None if no port does."""
    variable = os.environ.get
    receiver = variable("CELLAR_HOST", "")
    if "worker" in words:
        port = variable("CELLAR_WORKER_METRICS_PORT")
        return (receiver, port, "/healthz") if port else None
    if "api" in words or "up" in words:
        return receiver, variable("CELLAR_PORT", "8000"), "/readyz"
    if "server" in words and "services" not in words:
        return variable("PREFECT_SERVER_API_HOST", ""), variable("PREFECT_SERVER_API_PORT", "4200"), "/api/health"
    return None


def why_not(host: str, port: str, path: str) -> str | None:
    """Return why a role does not work, for the log of health checks. None if it works."""
    connection = HTTPConnection("127.0.0.1" if host in _EVERYWHERE else host, int(port), timeout=_WITHIN_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        said = answer.read(1000).decode(errors="replace")
    except (OSError, HTTPException) as error:
        return f"{path} on port {port} does not answer: {error}"
    finally:
        connection.close()
    return None if answer.status == 200 else f"{path} on port {port} answers {answer.status}: {said}"


def main() -> None:
    words = Path("/proc/1/cmdline").read_text().split("\0")
    place = place_of(words)
    if place and (reason := why_not(*place)):
        sys.exit(reason)


if __name__ == "__main__":
    main()

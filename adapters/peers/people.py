"""Sends letters to people by apprise: mail, Slack, Teams, …. Addresses hold secrets and are never repeated.

apprise sends each letter in a process of its own (`letter.py`). So a service that answers byte by byte is ended,
apprise's log, which repeats hosts and answers of services, goes nowhere else, and the outgoing proxy, which apprise
takes from the environment alone, is that of no other client of this process.
"""

import hashlib
import json
import os
import re
import subprocess
import sys

from adapters.peers import letter
from adapters.peers.addresses import proxy_to
from adapters.peers.letter import NOT_UNDERSTOOD, TAKEN
from adapters.platform.processes import command_of_child
from adapters.settings.settings import settings
from models.errors import Refused, Transient

_WITHIN_S = 20
_HOLDS_SECRETS = re.compile("CELLAR_|PREFECT_|AWS_|PG", re.IGNORECASE)
"""The variables of this program that no plugin of apprise has to see."""
_REASONS = (
    (r"error=(\d{3})", "the service answered with status {}"),
    (r"(?i)connection error|socket", "no connection"),
)


def masked(url: str) -> str:
    """Return what may be shown of an address: its scheme, and a digest that tells it from other addresses."""
    scheme = url.partition(":")[0].lower()
    return f"{scheme}:{hashlib.sha256(url.encode()).hexdigest()[:8]}"


def send(url: str, title: str, text: str) -> None:
    """Send a letter to an address, within 20 s.

    Raises:
        Refused: apprise does not understand the address.
        Transient: the service does not take the letter, or hangs.
    """
    command = command_of_child([sys.executable, "-I", letter.__file__])
    try:
        sent = subprocess.run(  # noqa: S603 -- its words are ours
            command,
            input=json.dumps([url, title, text]).encode(),
            env={name: os.environ[name] for name in os.environ if not _HOLDS_SECRETS.match(name)} | _proxy(url),
            capture_output=True,
            timeout=_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Transient(f"the service hangs: no answer within {_WITHIN_S} s") from None
    if sent.returncode == NOT_UNDERSTOOD:
        raise Refused("BAD_ADDRESS", "apprise does not understand the address; check CELLAR_PEOPLE_URLS")
    if sent.returncode != TAKEN:
        raise Transient(_reason(sent.stderr.decode(errors="replace")))


def _proxy(url: str) -> dict[str, str]:
    """Return the variables of the proxy that leads to an address.

    The place of a host is often that of a token. No name server is asked for a word without a dot.
    """
    host = re.split(r"[/?#]", url.partition("://")[2])[0].rpartition("@")[2].partition(":")[0]
    is_name = re.fullmatch(r"[a-zA-Z0-9-]{1,63}(\.[a-zA-Z0-9-]{1,63})+", host)
    proxy = proxy_to(f"https://{host}") if is_name else settings().outgoing_proxy
    return {"http_proxy": proxy, "https_proxy": proxy} if proxy and host != "localhost" else {}


def _reason(log: str) -> str:
    """Return why a letter was not taken, from apprise's log, without a text of the service."""
    for pattern, reason in _REASONS:
        if found := re.search(pattern, log):
            return reason.format(*found.groups())
    return "the service has not taken it"

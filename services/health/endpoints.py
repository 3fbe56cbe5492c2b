"""Checks whether endpoints confirm their messages."""

from adapters.tables.messages import endpoints as known_endpoints
from adapters.tables.messages import notifications
from domain.people.letters import count_text
from models.views.health import Check, Verdict

_NAME = "endpoints"
_NONE = "no endpoint receives messages"
_MOST_NAMES = 5
_TO_DO = "ask their operators; `cellar endpoints show NAME` and `cellar endpoints messages NAME` show what is known"


def endpoints() -> Check:
    """Report endpoints that do not confirm, with the number of messages that wait for them.

    Raises:
        Transient: the database does not answer.
    """
    known = known_endpoints.known()
    failing = [each.name for each in known if each.failing_since and not each.disabled_at]
    if failing:
        pending = notifications.pending_by_endpoint()
        waiting = sum(pending.get(name, 0) for name in failing)
        names = ", ".join(failing[:_MOST_NAMES]) + (", …" if len(failing) > _MOST_NAMES else "")
        found = (
            f"{len(failing)} of {len(known)} {'does' if len(failing) == 1 else 'do'} not confirm: {names}; "
            f"{count_text(waiting, 'message waits', 'messages wait')}"
        )
        return Check(name=_NAME, verdict=Verdict.WARNING, found=found, to_do=_TO_DO)
    if not known:
        return Check(name=_NAME, verdict=Verdict.OFF, found=_NONE)
    disabled = sum(each.disabled_at is not None for each in known)
    count = count_text(len(known), "endpoint")
    return Check(name=_NAME, verdict=Verdict.OK, found=f"{count}{f', {disabled} disabled' if disabled else ''}")

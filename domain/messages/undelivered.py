"""Says what the end of a run says about its messages that are not confirmed."""

from collections.abc import Sequence

from models.messages.notification import NotificationRow, NotificationState

UNDELIVERED = "Undelivered"
"""The name of the state, of type Completed, of a run with messages that are not confirmed."""
UNDELIVERED_TAG = "undelivered"


def undelivered_text(messages: Sequence[NotificationRow]) -> str | None:
    """Return which messages of a run are not confirmed, and until when they are tried. None if there are none. Pure."""
    pending = [each for each in messages if each.state == NotificationState.PENDING]
    dead = sum(each.state == NotificationState.DEAD for each in messages)
    sentences = []
    if pending:
        until = max(each.expires_at or each.planned_at for each in pending)
        tried = f"not confirmed yet; cellar tries until {until:%Y-%m-%d %H:%M} UTC"
        sentences.append(f"{_of(len(pending), len(messages))} {tried}.")
    if dead:
        sentences.append(f"{_of(dead, len(messages))} given up.")
    return " ".join(("The archive is complete.", *sentences, "Retry delivers now.")) if sentences else None


def _of(some: int, all_: int) -> str:
    return f"{some} of {all_} {'message' if all_ == 1 else 'messages'} {'is' if some == 1 else 'are'}"

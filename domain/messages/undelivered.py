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
        sentences.append(f"not confirmed, and tried until {until:%Y-%m-%d %H:%M} UTC: {len(pending)}")
    if dead:
        sentences.append(f"given up: {dead}")
    if not sentences:
        return None
    return f"The archive is complete. Of {len(messages)} messages, {'; '.join(sentences)}. Retry delivers them now."

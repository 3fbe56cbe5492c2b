"""Makes the body of a message to one endpoint: only an endpoint that asks for personal values gets them."""

from adapters.tables.archives import archives
from domain.messages.bodies.body import ABOUT_ARCHIVES, LABEL, with_fields
from models.messages.endpoint import EndpointRow
from models.messages.notification import NotificationRow


def body_to(endpoint: EndpointRow, message: NotificationRow, body: bytes) -> bytes:
    """Return the body of an event as an endpoint receives it: with the values that it asks for.

    Values are those of the current version; they are read at each attempt and kept nowhere. A field that the archive
    does not have is null.

    Raises:
        Transient: the database does not answer.
    """
    if not endpoint.fields or message.event not in ABOUT_ARCHIVES:
        return body
    ids = [each for each in endpoint.fields if not each.startswith(LABEL)]
    found = archives.field_values(message.reference, ids)
    if len(ids) < len(endpoint.fields):
        labels = reversed(archives.labels(message.reference))  # of several labels with one key, the first counts
        found |= {f"{LABEL}{key}": value for key, value in labels}
    return with_fields(body, {each: found.get(each) for each in endpoint.fields})

"""Words why a message was skipped or given up, why an endpoint is disabled, and why an attempt failed."""

from markupsafe import Markup

from api.console.words.sentences.forms import forms, in_words, told
from domain.words.wording import N_

_FORMS = forms(
    ("by a person", N_("by a person")),
    ("the endpoint (is|was) removed", N_("the endpoint was removed")),
    ("the endpoint is disabled or removed", N_("the endpoint is disabled or was removed")),
    ("the endpoint is disabled: (?P<why>.*)", N_("the endpoint is disabled: %(why)s")),
    ("the endpoint's filter by event", N_("the endpoint does not want this event")),
    ("the endpoint's filter by source", N_("the endpoint does not want this source")),
    ("the endpoint's filter by template", N_("the endpoint does not want this template")),
    ("the endpoint's filter by label", N_("the endpoint does not want archives without its labels")),
    ("the endpoint answered 410 Gone", N_("the endpoint has answered that it is gone for good (410)")),
    ("the endpoint answered (?P<status>\\d+)", N_("the endpoint has answered with HTTP status %(status)s")),
    ("the endpoint has not confirmed it in time", N_("the endpoint has not confirmed it in time")),
    ("it has confirmed nothing since (?P<since>.*)", N_("it has confirmed nothing since %(since)s")),
    ("the endpoint fails and is tried again at (?P<at>.*)", N_("the endpoint fails, and is tried again at %(at)s")),
    ("another attempt has delivered it", N_("another attempt has delivered it")),
    ("another attempt is under way", N_("another attempt is under way")),
    ("another message still waits for its answer", N_("another message still waits for its answer")),
    ("the endpoint has not answered yet", N_("the endpoint has not answered yet")),
    ("the name does not resolve: .*", N_("the name of the host has no address")),
    ("the connection takes too long", N_("the connection takes too long")),
    ("nothing came within (?P<seconds>[\\d.]+) s", N_("nothing came within %(seconds)s seconds")),
    ("the certificate is wrong: (?P<fault>.*)", N_("the certificate of the endpoint is wrong: %(fault)s")),
    ("the connection is refused: no server listens at the port", N_("no server listens at the port")),
    ("the endpoint is no URL; .*", N_("The address of the endpoint is no URL.")),
    ("the endpoint is on a private address; .*", N_("The endpoint is on a private address.")),
)


def message_text(why: str | None) -> Markup:
    """Return why a message or its endpoint is as it is. What a person has written stays as it is."""
    return told(why, _FORMS, _value)


def message_line(why: str) -> str:
    """Return the same within a line of text."""
    return in_words(why, _FORMS, _value) or why


def _value(name: str, text: str) -> str:
    return (in_words(text, _FORMS) or text) if name == "why" else text

"""Words the timeline's entries, which the service words in English for programs too."""

from api.console.words.codes import code_text, missing_text
from api.console.words.languages import N_
from api.console.words.meanings.causes import CAUSES
from api.console.words.meanings.discrepancies import DISCREPANCIES
from api.console.words.meanings.meaning import worded
from api.console.words.sentences.forms import forms, in_words
from api.console.words.sentences.messages import message_line
from api.console.words.values import isolated, plain

_FORMS = forms(
    (r"refused: (?P<cause>.*)", N_("refused: %(cause)s")),
    (r"version (?P<number>\d+)", N_("version %(number)s")),
    (r"attempt (?P<number>\d+) started by (?P<trigger>\w+)", N_("attempt %(number)s started by %(trigger)s")),
    (r"attempt (?P<number>\d+) ended: (?P<state>\w+)", N_("attempt %(number)s ended: %(state)s")),
    (
        r"attempt (?P<number>\d+) ended: (?P<state>\w+): (?P<cause>.*)",
        N_("attempt %(number)s ended: %(state)s. %(cause)s"),
    ),
    (r"(?P<discrepancy>[A-Z_]+) is (?P<state>\w+)", N_("%(state)s: %(discrepancy)s")),
    (r"the process is missing: (?P<missing>.*)", N_("the process is missing: %(missing)s")),
    (r"the process is no longer missing: (?P<state>.*)", N_("the process is no longer missing: %(state)s")),
    (r"(?P<event>[\w.]+) to (?P<endpoint>.+) is skipped", N_("%(event)s to %(endpoint)s is skipped")),
    (
        r"(?P<event>[\w.]+) to (?P<endpoint>.+?) is skipped: (?P<why>.*)",
        N_("%(event)s to %(endpoint)s is skipped: %(why)s"),
    ),
    (r"(?P<event>[\w.]+) is skipped", N_("%(event)s is skipped")),
    (r"(?P<event>[\w.]+) is skipped: (?P<why>.*)", N_("%(event)s is skipped: %(why)s")),
    (
        r"(?P<event>[\w.]+) to (?P<endpoint>.+), attempt (?P<number>\d+): HTTP (?P<status>\d+)",
        N_("%(event)s to %(endpoint)s, attempt %(number)s: HTTP %(status)s"),
    ),
    (
        r"(?P<event>[\w.]+) to (?P<endpoint>.+), attempt (?P<number>\d+): no answer \((?P<stage>.*)\)",
        N_("%(event)s to %(endpoint)s, attempt %(number)s: no answer (%(stage)s)"),
    ),
    (
        r"(?P<event>[\w.]+), attempt (?P<number>\d+): HTTP (?P<status>\d+)",
        N_("%(event)s, attempt %(number)s: HTTP %(status)s"),
    ),
    (
        r"(?P<event>[\w.]+), attempt (?P<number>\d+): no answer \((?P<stage>.*)\)",
        N_("%(event)s, attempt %(number)s: no answer (%(stage)s)"),
    ),
    (r"(?P<event>.*) \(an unknown type\)", N_("%(event)s (an unknown type)")),
    ("asked for a re-run", N_("asked for a re-run")),
    ("exported the archive", N_("exported the archive")),
    ("accepted what another source sent", N_("accepted what another source sent")),
    ("released a refused body", N_("released a refused body")),
    ("dismissed a refused body", N_("dismissed a refused body")),
)


def timeline_text(what: str) -> str:
    """Return what happened in the language of the page. An entry without words here stays as it is, made plain."""
    safe = plain(what)
    return in_words(safe, _FORMS, _value) or code_text(safe)


def _value(name: str, text: str) -> str:
    if name in ("state", "trigger", "stage"):
        return code_text(text)
    if name in ("cause", "discrepancy"):
        meaning = worded(CAUSES if name == "cause" else DISCREPANCIES, text)
        return f"{meaning.what} ({isolated(text)})" if meaning else text
    if name == "why":
        return message_line(text)
    return missing_text(text) if name == "missing" else text

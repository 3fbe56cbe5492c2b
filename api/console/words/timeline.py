"""Words the timeline's entries, which the service words in English for programs too."""

import re

from api.console.words.codes import code_text
from api.console.words.languages import N_, gettext
from api.console.words.meanings import discrepancy_text

_CODED = ("state", "trigger", "outcome")
_SENTENCES = tuple(
    (re.compile(pattern, re.DOTALL), text)
    for pattern, text in (
        (r"refused: (?P<code>.*)", N_("refused: %(code)s")),
        (r"version (?P<number>\d+)", N_("version %(number)s")),
        (r"attempt (?P<number>\d+) started by (?P<trigger>\w+)", N_("attempt %(number)s started by %(trigger)s")),
        (r"attempt (?P<number>\d+) ended: (?P<state>\w+)", N_("attempt %(number)s ended: %(state)s")),
        (
            r"attempt (?P<number>\d+) ended: (?P<state>\w+): (?P<code>.*)",
            N_("attempt %(number)s ended: %(state)s, %(code)s"),
        ),
        (r"(?P<discrepancy>[A-Z_]+) is (?P<state>\w+)", N_("%(state)s: %(meaning)s (%(discrepancy)s)")),
        (r"the process is missing: (?P<code>.*)", N_("the process is missing: %(code)s")),
        (r"the process is no longer missing: (?P<code>.*)", N_("the process is no longer missing: %(code)s")),
        (r"(?P<code>.*) is skipped(?P<why>.*)", N_("%(code)s is skipped%(why)s")),
        (
            r"(?P<code>.*), attempt (?P<number>\d+): HTTP (?P<status>\d+)",
            N_("%(code)s, attempt %(number)s: HTTP %(status)s"),
        ),
        (
            r"(?P<code>.*), attempt (?P<number>\d+): no answer \((?P<stage>.*)\)",
            N_("%(code)s, attempt %(number)s: no answer (%(stage)s)"),
        ),
        ("asked for a re-run", N_("asked for a re-run")),
        ("exported the archive", N_("exported the archive")),
    )
)


def timeline_text(what: str) -> str:
    """Return what happened in the language of the page. An entry that has no words here stays as it is."""
    for pattern, text in _SENTENCES:
        if found := pattern.fullmatch(what):
            values = {name: code_text(each) if name in _CODED else each for name, each in found.groupdict().items()}
            if code := values.get("discrepancy"):
                values["meaning"] = discrepancy_text(code)
            return gettext(text) % values
    return code_text(what)

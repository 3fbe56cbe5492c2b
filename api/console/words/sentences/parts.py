"""Words what a check of a part of the system has found."""

from markupsafe import Markup

from api.console.words.codes import code_text
from api.console.words.languages import gettext
from api.console.words.sentences.forms import forms, told
from domain.words.wording import N_

_SYSTEMS = {"the store": N_("the store"), "the database": N_("the database")}
_MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"
_FORMS = forms(
    (r"no answer within (?P<seconds>\S+) s", N_("no answer within %(seconds)s seconds")),
    (r"not known while (?P<system>.*) does not answer", N_("not known while %(system)s does not answer")),
    ("CELLAR_CLAMD is not set: files are not scanned", N_("CELLAR_CLAMD is not set: files are not scanned")),
    ("no source besides the URL without a name", N_("no source besides the URL without a name")),
    ("no endpoint receives messages", N_("no endpoint receives messages")),
    ("no check of the whole store has ended yet", N_("no check of the whole store has ended yet")),
    ("no anchor yet; `anchor-archives` makes one each day", N_("no anchor yet: the first is made within a day")),
    ("none yet; the first anchor generates it", N_("none yet: it is made with the first anchor")),
    (
        "CELLAR_WITNESS_URL is not set: anchors lie in the store alone",
        N_("CELLAR_WITNESS_URL is not set: anchors lie in the store alone"),
    ),
    (
        "no address is set: nobody hears of outages",
        N_("no address is set in CELLAR_PEOPLE_URLS: nobody hears of outages"),
    ),
    ("nothing waits", N_("nothing waits")),
    ("1 receipt waits for (?P<age>.*)", N_("one receipt waits, for %(age)s")),
    (
        r"(?P<count>[\d,]+) receipts wait, the oldest for (?P<age>.*)",
        N_("%(count)s receipts wait, the oldest for %(age)s"),
    ),
    ("no source states times of another zone", N_("no source states times of another zone")),
    ("archives are found by all filters and by text", N_("archives are found by all filters and by text")),
    (r"(?P<url>\S+) is ready", N_("%(url)s is ready")),
    (r"(?P<url>\S+) is ready, with (?P<count>\d+) processes", N_("%(url)s is ready, with %(count)s processes")),
    (r"(?P<url>\S+), version (?P<version>\S+)", N_("%(url)s, version %(version)s")),
    ("1 worker is online: (?P<names>.*)", N_("one worker is online: %(names)s")),
    (r"(?P<count>\d+) workers are online: (?P<names>.*)", N_("%(count)s workers are online: %(names)s")),
    (
        r"(?P<free>[\d.,]+) of (?P<all>[\d.,]+) GiB are free at (?P<path>.*)",
        N_("%(free)s of %(all)s GiB are free at %(path)s"),
    ),
    (r"clamd at (?P<address>\S+) answers", N_("clamd at %(address)s answers")),
    ("1 endpoint", N_("one endpoint")),
    (r"(?P<count>\d+) endpoints", N_("%(count)s endpoints")),
    (r"(?P<count>\d+) endpoints?, (?P<disabled>\d+) disabled", N_("endpoints: %(count)s, disabled: %(disabled)s")),
    (
        r"(?P<failing>\d+) of (?P<count>\d+) (does|do) not confirm: (?P<names>.*); (?P<messages>[\d,]+) messages? .*",
        N_("%(failing)s of %(count)s do not confirm: %(names)s. Messages that wait: %(messages)s"),
    ),
    (r"(?P<count>\d+) sources? (has|have) a URL of (its|their) own", N_("sources with a URL of their own: %(count)s")),
    (
        r"(?P<count>\d+) sources? (has|have) a URL of (its|their) own, (?P<disabled>\d+) disabled",
        N_("sources with a URL of their own: %(count)s, disabled: %(disabled)s"),
    ),
    ("nothing has come from (?P<names>.*)", N_("nothing has come from %(names)s")),
    (rf"anchor (?P<number>\d+) of (?P<at>{_MOMENT})", N_("anchor %(number)s of %(at)s")),
    (rf"(?P<state>[A-Z]\w+) (?P<at>{_MOMENT})", N_("%(state)s at %(at)s")),
    (
        r"(?P<count>\d+) address(es)?; no letter has failed since its last attempt",
        N_("addresses: %(count)s; the last message to each of them has arrived"),
    ),
)


def part_found(found: str) -> Markup:
    """Return what a check has found."""
    return told(found, _FORMS, _value)


def _value(name: str, text: str) -> str:
    if name == "system":
        return gettext(_SYSTEMS.get(text, text))
    return code_text(text) if name == "state" else text

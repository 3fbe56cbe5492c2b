"""Words letters to people: what, how many, since when, what to do next. Short enough for a phone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from gettext import NullTranslations

from domain.people.notices import Word
from domain.runs import age_text, heals_by_rerun
from domain.words.catalogue import MEANINGS
from domain.words.catalogue import word as worded
from domain.words.wording import ENGLISH, N_, NN_, Plural
from models.errors import System
from models.messages.bodies import cut
from models.people import Notice, NoticeKind
from models.said import Meaning, Said, Sentence, said_of

_LONGEST_DETAIL = 240
_AT, _SINCE = N_("At %(since)s."), N_("Since %(since)s, the last at %(last)s.")
_LASTED = N_("%(since)s to %(until)s.")
_NOTHING_TO_DO = N_("Nothing to do.")
_CAUSE_GONE = N_("`cellar failures`, then `cellar rerun --failed --cause %(key)s`")
_CAUSE_STAYS = N_("`cellar failures` says what to do")
_SEE_DOCTOR = N_("See `cellar doctor`.")
_BRING_KEY = N_("Bring the key back in `secrets/seal`, CELLAR_SEAL_KEYS or `keys/` of the store.")


@dataclass(frozen=True, slots=True)
class Places:
    """Where people look: the base of cellar's own links, and Prefect's UI."""

    cellar: str
    prefect: str


@dataclass(frozen=True, slots=True)
class Text:
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class _Letter:
    """The words of letters about a kind of notices: title and text while it lasts, title and result at its end."""

    title: str | Plural
    text: str | Plural
    over: str
    result: str | Plural = ""


_LETTERS: Mapping[NoticeKind, _Letter] = {
    NoticeKind.ARCHIVES_FAILED: _Letter(
        NN_("1 archive has failed (%(key)s)", "%(count)s archives have failed (%(key)s)"),
        N_("%(detail)s\n%(when)s\nA person is needed: %(to_do)s.\n%(cellar)s/console/failed"),
        N_("no archive is failed by %(key)s any longer"),
        NN_("1 archive had failed.", "%(count)s archives had failed."),
    ),
    NoticeKind.RUNS_FAILED: _Letter(
        NN_("last run of 1 archive failed (%(key)s)", "last runs of %(count)s archives failed (%(key)s)"),
        N_(
            "%(detail)s\n%(when)s\nComplete before, perhaps damaged now: `cellar verify`.\n"
            "%(cellar)s/console/archives?condition=RUN_FAILED"
        ),
        N_("no archive's last run is failed any longer (%(key)s)"),
        NN_("1 archive had one.", "%(count)s archives had one."),
    ),
    NoticeKind.SYSTEM_AWAY: _Letter(
        NN_("1 archive waits for %(system)s", "%(count)s archives wait for %(system)s"),
        N_(
            "Since %(since)s (%(age)s). %(to_do)s\n"
            "Archives go on by themselves once it is back. They are given up after three days.\n"
            "`cellar status`, %(prefect)s"
        ),
        N_("no archive waits for %(system)s any longer"),
        NN_("1 archive waited.", "%(count)s archives waited."),
    ),
    NoticeKind.STORE_DAMAGED: _Letter(
        NN_("the store is damaged (1 finding)", "the store is damaged (%(count)s findings)"),
        N_(
            "Found by the check of %(last)s, first by that of %(since)s.\n"
            "Let Cellosign send damaged archives again while it has them. `cellar verify` names each damaged file, and "
            "ends this once the store is sound.\n%(prefect)s"
        ),
        N_("the store is sound again"),
        NN_("1 finding before.", "%(count)s findings before."),
    ),
    NoticeKind.STORE_UNVERIFIED: _Letter(
        N_("the store could not be checked"),
        NN_(
            "1 check broke off at %(last)s.\n"
            "See the run of `verify-archives` in Prefect, and `cellar doctor`.\n%(prefect)s",
            "%(count)s checks broke off since %(since)s, the last at %(last)s.\n"
            "See the run of `verify-archives` in Prefect, and `cellar doctor`.\n%(prefect)s",
        ),
        N_("the store can be checked again"),
    ),
    NoticeKind.DELIVERIES_REFUSED: _Letter(
        NN_("1 delivery was refused", "%(count)s deliveries were refused"),
        N_(
            "%(detail)s\n%(when)s\nThe bodies are in quarantine: `cellar quarantine list`. To dismiss one: "
            "`cellar quarantine dismiss RECEIPT --why WHY`.\n%(cellar)s/console/refused"
        ),
        N_("no delivery is refused any longer"),
        NN_("1 delivery in all, the last at %(last)s.", "%(count)s deliveries in all, the last at %(last)s."),
    ),
    NoticeKind.RECEIVER_REFUSING: _Letter(
        N_("the receiver turns requests away"),
        N_(
            "Requests: at least %(count)s, the last: %(detail)s\n%(when)s\n"
            "Cellosign deletes what it cannot deliver. Run `cellar doctor`.\n%(cellar)s/readyz"
        ),
        N_("the receiver takes requests again"),
        NN_(
            "At least 1 request turned away, the last at %(last)s.",
            "At least %(count)s requests turned away, the last at %(last)s.",
        ),
    ),
    NoticeKind.PROCESSES_MISSING: _Letter(
        NN_("1 process is missing", "%(count)s processes are missing"),
        N_(
            "%(detail)s Source: %(key)s.\nCellosign deletes them for good. Send them again from Cellosign before that: "
            "`cellar missing list`.\n%(cellar)s/console/missing"
        ),
        N_("no process is missing any longer (%(key)s)"),
        "%(detail)s",
    ),
    NoticeKind.ENDPOINT_FAILING: _Letter(
        N_("endpoint %(key)s does not confirm"),
        N_(
            "Since %(since)s. Messages that wait: %(count)s. cellar goes on trying.\n"
            "Ask the operator of the endpoint. `cellar endpoints show %(key)s` shows what is known.\n"
            "%(cellar)s/console/endpoints"
        ),
        N_("endpoint %(key)s is no longer failing"),
        N_("It confirms, or was disabled or removed. Messages that waited: up to %(count)s."),
    ),
    NoticeKind.ENDPOINT_DISABLED: _Letter(
        N_("endpoint %(key)s is disabled"),
        N_(
            "Since %(since)s: %(detail)s. It gets no messages.\n"
            "`cellar endpoints enable %(key)s` once it works again.\n%(cellar)s/console/endpoints"
        ),
        N_("endpoint %(key)s is enabled again"),
    ),
    NoticeKind.MESSAGES_DEAD: _Letter(
        NN_("1 message to %(key)s is given up", "%(count)s messages to %(key)s are given up"),
        N_("%(when)s\nOnce it works again: `cellar endpoints redeliver %(key)s`.\n%(cellar)s/console/endpoints"),
        N_("no message to %(key)s is given up any longer"),
        NN_("1 message had been.", "%(count)s messages had been."),
    ),
    NoticeKind.CONDITION: _Letter(
        "%(key)s (%(count)s)",
        "%(what)s\n%(when)s\n%(to_do)s\n%(cellar)s/console/",
        N_("%(key)s is over"),
        N_("Up to %(count)s."),
    ),
}


def trial_text(now: datetime, texts: NullTranslations = ENGLISH) -> Text:
    """Return the words of a test in a language. Pure."""
    said = texts.gettext(N_("A test of %(at)s. cellar reaches you here. Nothing to do.")) % {"at": _moment(now)}
    return Text(f"cellar: {texts.gettext(N_('a test'))}", said)


def words(notice: Notice, word: Word, places: Places, now: datetime, texts: NullTranslations = ENGLISH) -> Text:
    """Return title and text of a letter about a notice in a language. Pure."""
    letter = _LETTERS[notice.kind]
    count = notice.most if word is Word.OVER else notice.count
    values = _values(notice, places, now, texts) | {"count": f"{count:,}"}

    def said(text: str | Plural) -> str:
        if not isinstance(text, str):
            return texts.ngettext(*text, count) % values
        return texts.gettext(text) % values if text else ""

    if word is Word.OVER:
        title, text = said(letter.over), f"{said(_LASTED)} {said(letter.result)}".strip() + f"\n{said(_NOTHING_TO_DO)}"
    else:
        title, text = said(letter.title), said(letter.text).strip()
    return Text(f"cellar: {title}", text)


def _values(notice: Notice, places: Places, now: datetime, texts: NullTranslations) -> dict[str, str]:
    what, to_do = "", _CAUSE_GONE if heals_by_rerun(notice.key) else _CAUSE_STAYS
    if notice.kind is NoticeKind.SYSTEM_AWAY:
        to_do = _BRING_KEY if notice.key == System.KEY else _SEE_DOCTOR
    elif notice.kind is NoticeKind.CONDITION:  # its key begins with its code
        code = notice.key.partition(" ")[0]
        meaning = MEANINGS.get(code, Meaning(code))
        what, to_do = meaning.what, meaning.to_do
    values = {
        "key": notice.key,
        "detail": cut(worded(said_of(notice.detail), texts), _LONGEST_DETAIL) if notice.detail else "",
        "since": _moment(notice.opened_at),
        "last": _moment(notice.last_at),
        "until": _moment(notice.gone_at or now),
        "age": age_text(now - notice.opened_at),
        "system": worded(Said(f"waits_{notice.key}"), texts),
        "cellar": places.cellar,
        "prefect": places.prefect,
    }
    when = _AT if notice.last_at == notice.opened_at else _SINCE
    words_of = {"when": when, "what": what, "to_do": to_do}
    return values | {name: texts.gettext(text) % values if text else "" for name, text in words_of.items()}


def count_text(count: int, one: str, many: str = "") -> str:
    """Return `1 archive` or `1,200 archives`."""
    return f"1 {one}" if count == 1 else f"{count:,} {many or one + 's'}"


def counts_text(by_code: Sequence[tuple[str, int]]) -> str:
    """Return codes with their numbers: `TRUNCATED 60, NOT_BASE64 1.`"""
    return ", ".join(f"{code} {count:,}" for code, count in by_code) + "."


def missing_text(deadlines: Sequence[datetime], now: datetime) -> Said:
    """Return when missing processes are deleted: `2 within 2 h; 9 within 24 h; the first at … UTC.`

    A wider time that adds no process is left out.
    """
    within: dict[int, int] = {}
    for hours in (2, 12, 24):
        within.setdefault(sum(each - now <= timedelta(hours=hours) for each in deadlines), hours)
    parts = [Sentence.within_hours(count=count, hours=hours) for count, hours in within.items() if count]
    first = min(deadlines)
    return Sentence.missing_soon(within=parts, age=age_text(first - now), at=_moment(first))


def ended_text(archived: int, deleted: int, dismissed: int) -> Said | None:
    """Return what became of missing processes: `archived: 5; deleted by Cellosign: 1.`"""
    counts = {Sentence.count_archived: archived, Sentence.count_deleted: deleted, Sentence.count_dismissed: dismissed}
    parts = [sentence(count=count) for sentence, count in counts.items() if count]
    return Sentence.became_of_missing(each=parts) if parts else None


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"

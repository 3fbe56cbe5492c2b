"""What the codes of refused bodies mean. A body is refused once and for all, until a fix of cellar."""

from collections.abc import Mapping

from api.console.words.languages import N_
from api.console.words.meanings.meaning import Meaning

_FROM_CELLOSIGN = N_("Check what has sent it. If it is Cellosign, let Cellosign send the archive again.")
_FORM = N_("Check what has sent it. If it is Cellosign, ask its support about this archive.")
_LIMIT = N_("Real archives stay far below this limit. Check what has sent it.")
_TAKE_OFF = N_("Take the event off the webhook in Cellosign.")

REFUSALS: Mapping[str, Meaning] = {
    "BAD_REFERENCE": Meaning(N_("The reference of the process is not a text of 1 to 255 characters."), _FORM),
    "COMPRESSED": Meaning(
        N_("The body is compressed."), N_("Let sender and proxies send it without compression."), says_all=True
    ),
    "EMPTY_BODY": Meaning(N_("The body is empty."), _FROM_CELLOSIGN, says_all=True),
    "EVENT_MISSING": Meaning(N_("The body does not name its event."), _FORM, says_all=True),
    "FORM_FIELD_CHANGED": Meaning(
        N_("This event expects data for the open form, which cellar does not give."), _TAKE_OFF, says_all=True
    ),
    "NOT_AN_OBJECT": Meaning(N_("The body is JSON, but not an archive."), _FROM_CELLOSIGN),
    "NOT_BASE64": Meaning(N_("The content of a file is damaged: it is not base64."), _FORM),
    "NOT_JSON": Meaning(N_("The body is not JSON."), _FROM_CELLOSIGN),
    "NOT_UTF8": Meaning(N_("The text of the body is not UTF-8."), _FROM_CELLOSIGN),
    "REFERENCE_MISSING": Meaning(N_("The body does not name its process."), _FORM, says_all=True),
    "SESSIONS_MISSING": Meaning(N_("The body has no list of sessions."), _FORM, says_all=True),
    "SESSION_MISSING": Meaning(N_("The session event does not name its session."), _FORM, says_all=True),
    "SKELETON_TOO_LARGE": Meaning(N_("The body is too large beside its files."), _LIMIT),
    "TOO_DEEP": Meaning(N_("The JSON of the body is nested too deeply."), _LIMIT),
    "TOO_LARGE": Meaning(
        N_("The body has more bytes than CELLAR_MAX_BODY_BYTES permits."),
        N_("If such archives are to be expected, raise CELLAR_MAX_BODY_BYTES, and let Cellosign send it again."),
    ),
    "TOO_MANY_FILES": Meaning(N_("The archive has too many files."), _LIMIT),
    "TOO_MANY_VALUES": Meaning(N_("The body has too many values beside its files."), _LIMIT),
    "TRUNCATED": Meaning(
        N_("The body ends too early: a part of it has not arrived."),
        N_("Let Cellosign send the archive again, and check the time limits of proxies before cellar."),
    ),
    "UNKNOWN_EVENT": Meaning(
        N_("The body is of an event that cellar does not know."),
        N_("Take the event off the webhook in Cellosign, or set CELLAR_UNKNOWN_EVENTS=keep."),
        says_all=True,
    ),
    "WRONG_EVENT": Meaning(N_("The body is of another event than an archive."), _TAKE_OFF, says_all=True),
}

"""What the codes mean with which an action or a page of the console fails."""

from collections.abc import Mapping

from api.console.words.languages import N_
from api.console.words.meanings.causes import CAUSES
from api.console.words.meanings.meaning import Meaning, worded

_LOAD_AGAIN = N_("Load the list again.")
_REMOVE_SETTING = N_("Change CELLAR_NOTIFY_URLS instead.")

ANSWERS: Mapping[str, Meaning] = {
    **CAUSES,
    "BAD_ENDPOINT": Meaning(
        N_("The address of the endpoint is no URL."), N_("Write an address that begins with https://."), says_all=True
    ),
    "BAD_PARAMETER": Meaning(N_("A value that was sent is missing or not valid."), N_("Go back and correct it.")),
    "BAD_SECRET": Meaning(N_("The secret of the endpoint is not valid."), N_("Leave it out: cellar makes a secret.")),
    "BODY_TIMEOUT": Meaning(N_("The form came too slowly."), N_("Go back and send it again."), says_all=True),
    "CONFLICT": Meaning(
        N_("Two records disagree, and no rule says which of them is right."), N_("Do what the detail says.")
    ),
    "DECLARED_ENDPOINT": Meaning(
        N_("The settings declare this endpoint, so it cannot be changed here."), _REMOVE_SETTING, says_all=True
    ),
    "DISCREPANCY_CHANGED": Meaning(
        N_("The discrepancy has changed since the page was loaded."),
        N_("Load the page, and examine it again."),
        says_all=True,
    ),
    "DISCREPANCY_CLOSED": Meaning(
        N_("The discrepancy is closed already: its cause is gone."), _LOAD_AGAIN, says_all=True
    ),
    "FINDING_CLOSED": Meaning(N_("The finding is closed already."), _LOAD_AGAIN),
    "FORM_FROM_ELSEWHERE": Meaning(
        N_("The form did not come from this page, or the page is old."),
        N_("Load the page again, and repeat the action."),
    ),
    "INTERNAL": Meaning(N_("An unexpected error of cellar; its log has the trace."), says_all=True),
    "NAME_TAKEN": Meaning(
        N_("An endpoint has or had this name."),
        N_("Choose another name: old messages stay under the old name."),
        says_all=True,
    ),
    "PRIVATE_ENDPOINT": Meaning(
        N_("The endpoint is on a private address."),
        N_("To allow private addresses, set CELLAR_NOTIFY_ALLOW_PRIVATE=true."),
        says_all=True,
    ),
    "TOO_LARGE": Meaning(N_("The form is too large."), N_("Shorten what you have written."), says_all=True),
    "TOO_LARGE_TO_COMPARE": Meaning(
        N_("A version has too many values to compare here."),
        N_("Run `cellar show REF --diff BEFORE AFTER` with the numbers of the two versions."),
    ),
    "UNAVAILABLE": Meaning(
        N_("A system that the page needs does not answer."), N_("Load the page again in a while. See the overview.")
    ),
    "UNKNOWN_ARCHIVE": Meaning(N_("There is no such archive."), _LOAD_AGAIN, says_all=True),
    "UNKNOWN_BATCH": Meaning(N_("There is no such bulk re-run or redelivery."), _LOAD_AGAIN, says_all=True),
    "UNKNOWN_DISCREPANCY": Meaning(N_("The archive has no such discrepancy."), _LOAD_AGAIN, says_all=True),
    "UNKNOWN_ENDPOINT": Meaning(N_("There is no such endpoint, or it was removed."), _LOAD_AGAIN, says_all=True),
    "UNKNOWN_FILE": Meaning(N_("The archive has no such file."), _LOAD_AGAIN, says_all=True),
    "UNKNOWN_FINDING": Meaning(N_("There is no such missing process."), _LOAD_AGAIN, says_all=True),
    "UNKNOWN_MESSAGE": Meaning(N_("There is no such message."), _LOAD_AGAIN, says_all=True),
    "UNKNOWN_PATH": Meaning(N_("There is no such page."), says_all=True),
    "UNKNOWN_RECEIPT": Meaning(N_("No delivery has this receipt."), _LOAD_AGAIN, says_all=True),
    "UNKNOWN_VERSION": Meaning(N_("The archive has no such version."), N_("See the versions on its page.")),
    "WRONG_METHOD": Meaning(N_("This address takes a form of one of the console's pages."), says_all=True),
    "WRONG_STATE": Meaning(
        N_("The state has changed since, and does not allow this action."),
        N_("Load the page again."),
    ),
}


def answer_meaning(code: str) -> Meaning | None:
    """Return why a page or an action fails, None for a code without words."""
    return worded(ANSWERS, code)

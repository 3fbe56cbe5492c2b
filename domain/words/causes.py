"""What the codes mean with which a body is refused, a run fails or waits, or an action of the console fails.

A body is refused once and for all, until a fix of cellar. Running archives again is a button beside these words.
"""

from collections.abc import Mapping

from models.said import Meaning

_FROM_CELLOSIGN = "Check what has sent it. If it is Cellosign, let Cellosign send the archive again."
_FORM = "Check what has sent it. If it is Cellosign, ask its support about this archive."
_LIMIT = "Real archives stay far below this limit. Check what has sent it."
_TAKE_OFF = "Take the event off the webhook in Cellosign."

REFUSALS: Mapping[str, Meaning] = {
    "BAD_REFERENCE": Meaning("The reference of the process is not a text of 1 to 255 characters.", _FORM),
    "COMPRESSED": Meaning(
        "The body is compressed.", "Let sender and proxies send it without compression.", says_all=True
    ),
    "EMPTY_BODY": Meaning("The body is empty.", _FROM_CELLOSIGN, says_all=True),
    "EVENT_MISSING": Meaning("The body does not name its event.", _FORM, says_all=True),
    "FORM_FIELD_CHANGED": Meaning(
        "This event asks for data to fill in the open form, and cellar sends none.", _TAKE_OFF, says_all=True
    ),
    "NOT_AN_OBJECT": Meaning("The body is JSON, but not an archive.", _FROM_CELLOSIGN),
    "NOT_BASE64": Meaning("The content of a file is damaged: it is not base64.", _FORM),
    "NOT_JSON": Meaning("The body is not JSON.", _FROM_CELLOSIGN),
    "NOT_UTF8": Meaning("The text of the body is not UTF-8.", _FROM_CELLOSIGN),
    "REFERENCE_MISSING": Meaning("The body does not name its process.", _FORM, says_all=True),
    "SESSIONS_MISSING": Meaning("The body has no list of sessions.", _FORM, says_all=True),
    "SESSION_MISSING": Meaning("The session event does not name its session.", _FORM, says_all=True),
    "SKELETON_TOO_LARGE": Meaning("The body is too large beside its files.", _LIMIT),
    "TOO_DEEP": Meaning("The JSON of the body is nested too deeply.", _LIMIT),
    "TOO_LARGE": Meaning(
        "The body has more bytes than CELLAR_MAX_BODY_BYTES permits.",
        "If such archives are to be expected, raise CELLAR_MAX_BODY_BYTES, and let Cellosign send it again.",
    ),
    "TOO_MANY_FILES": Meaning("The archive has too many files.", _LIMIT),
    "TOO_MANY_VALUES": Meaning("The body has too many values beside its files.", _LIMIT),
    "TRUNCATED": Meaning(
        "The body ends too early: a part of it has not arrived.",
        "Let Cellosign send the archive again, and check the time limits of proxies before cellar.",
    ),
    "WRONG_EVENT": Meaning("The body is of another event than an archive.", _TAKE_OFF, says_all=True),
}

_SEND_AGAIN = (
    "Let Cellosign send the archive again, and it runs by itself. Or put its files back from a backup by cellar "
    "restore REFERENCE, then run the archive again."
)

CAUSES: Mapping[str, Meaning] = {
    **REFUSALS,
    # a system does not work
    "CLAMAV_AWAY": Meaning(
        "ClamAV does not answer, so files cannot be scanned.",
        "Start clamd, or check CELLAR_CLAMD. Archives wait meanwhile.",
    ),
    "DATABASE_AWAY": Meaning(
        "The database does not answer, or cannot be used.",
        "Check CELLAR_DATABASE_URL and the server of the database. Archives wait in the inbox meanwhile.",
    ),
    "DATABASE_UNUSABLE": Meaning(
        "The database answers, but its tables or rights do not fit.",
        "Run cellar migrate. If the database denies access, grant its user all rights on every table.",
    ),
    "ENDPOINT_AWAY": Meaning(
        "An endpoint does not confirm its messages.",
        "Ask the operator of the endpoint. The page of the endpoint shows each attempt.",
    ),
    "INTERRUPTED": Meaning("Something outside of the archive has interrupted the run.", "Mend what the detail names."),
    "KEY_AWAY": Meaning(
        "The key of sealed values is missing, damaged or not in the settings. The values themselves are whole.",
        "Restore secrets/seal from a backup, or add the key to CELLAR_SEAL_KEYS. Archives wait meanwhile, and "
        "none is lost.",
    ),
    "OTHER_RUN_AWAY": Meaning("Another run works on the same process.", "Wait until the other run has ended."),
    "PREFECT_AWAY": Meaning(
        "The Prefect server does not answer.",
        "Start cellar up, or check PREFECT_API_URL. Archives wait meanwhile, and none is lost.",
    ),
    "STORE_AWAY": Meaning(
        "The store does not answer, or cannot be written.",
        "Check that the disk or bucket of CELLAR_STORE_URL is there, has room and may be written.",
    ),
    "STORE_UNREADABLE": Meaning(
        "A file in the store cannot be read.",
        "Check the disk or bucket of CELLAR_STORE_URL, and run cellar verify: it names each damaged file. Put back by "
        "cellar restore REFERENCE what stays unreadable.",
    ),
    # the archive, or what is kept of it
    "BODY_DAMAGED": Meaning("What was kept of the body is damaged: it does not match its receipt.", _SEND_AGAIN),
    "BODY_MISSING": Meaning("The body is in none of the places where bodies are kept.", _SEND_AGAIN),
    "CONFLICT": Meaning("Two records disagree, and no rule says which of them is right.", "Do what the detail says."),
    "FILE_LOST": Meaning("A file of the archive is missing in the store.", _SEND_AGAIN),
    "NOT_READ_BACK": Meaning(
        "What was written is read back differently, so the archive is not complete.",
        "If a re-run fails too, check the disks and the server of the database.",
    ),
    "NOT_REPAIRABLE": Meaning(
        "A damaged archive cannot be repaired from what arrived.",
        "Run cellar verify: it names each damaged file. Put them back from a backup by cellar restore REFERENCE, then "
        "run the archive again.",
    ),
    "RECEIPT_LOST": Meaning(
        "The store does not have the body that the run needs.",
        "If a re-run fails too, let Cellosign send the archive again, or run cellar restore REFERENCE.",
    ),
    "UNKNOWN_RECEIPT": Meaning(
        "The receipt that the run was given is not of this process.",
        "Run the archive again: a re-run takes the current version.",
        says_all=True,
    ),
    "UNKNOWN_REFERENCE": Meaning("No archive of this process was received.", "Check the reference.", says_all=True),
    "ERASED": Meaning("The archive was erased.", "There is nothing to do."),
    "WRONG_REFERENCE": Meaning(
        "The run was given a receipt of another process.", "Run the archive again: a re-run takes the current version."
    ),
    # the run itself
    "CANCELLED": Meaning("A person cancelled the run in Prefect.", says_all=True),
    "CRASHED": Meaning(
        "The run was killed with its worker, or has killed its worker for three days.",
        "See the log of the worker, and give it more memory.",
        says_all=True,
    ),
    "RUN_TIMEOUT": Meaning(
        "The run took longer than CELLAR_RUN_TIMEOUT_S permits.", "Set CELLAR_RUN_TIMEOUT_S higher."
    ),
    "UNEXPECTED": Meaning(
        "The run met an error that cellar does not know: a fault of cellar.",
        "Report the trace in the log of the run, and update cellar.",
    ),
    "UNKNOWN": Meaning("The archive failed before cellar kept causes.", "See its run in Prefect.", says_all=True),
}

_LOAD_AGAIN = "Load the list again."
_REMOVE_SETTING = "Change CELLAR_NOTIFY_URLS instead."

ANSWERS: Mapping[str, Meaning] = {
    **CAUSES,
    "BAD_ENDPOINT": Meaning(
        "The address of the endpoint is not a URL.", "Write an address that begins with https://.", says_all=True
    ),
    "BAD_PARAMETER": Meaning("A value that was sent is missing or not valid.", "Go back and correct it."),
    "BAD_SECRET": Meaning("The secret of the endpoint is not valid.", "Leave it out: cellar makes a secret."),
    "BODY_TIMEOUT": Meaning("The form came too slowly.", "Go back and send it again.", says_all=True),
    "DECLARED_ENDPOINT": Meaning(
        "The settings declare this endpoint, so it cannot be changed here.", _REMOVE_SETTING, says_all=True
    ),
    "DISCREPANCY_CHANGED": Meaning(
        "The discrepancy has changed since the page was loaded.", "Load the page, and examine it again.", says_all=True
    ),
    "DISCREPANCY_CLOSED": Meaning("The discrepancy is closed already: its cause is gone.", _LOAD_AGAIN, says_all=True),
    "FINDING_CLOSED": Meaning("The finding is closed already.", _LOAD_AGAIN),
    "FORBIDDEN": Meaning("Your role may not do this.", "Ask an administrator for another role."),
    "FORM_FROM_ELSEWHERE": Meaning(
        "The form did not come from this page, or the page is old.", "Load the page again, and repeat the action."
    ),
    "INTERNAL": Meaning("An unexpected error of cellar; its log has the trace.", says_all=True),
    "LINK_USED": Meaning(
        "This link is used, replaced or older than a day.", "Ask an administrator for another.", says_all=True
    ),
    "NAME_TAKEN": Meaning(
        "An endpoint has or had this name.", "Choose another name: old messages stay under the old name.", says_all=True
    ),
    "PRIVATE_ENDPOINT": Meaning(
        "The endpoint is on a private address.",
        "To allow private addresses, set CELLAR_NOTIFY_ALLOW_PRIVATE=true.",
        says_all=True,
    ),
    "SECOND_PERSON": Meaning(
        "A person may not confirm an erasure that they planned.",
        "Let another person look at the plan and confirm it. For a day, a new login counts as its maker's.",
        says_all=True,
    ),
    "TOO_LARGE": Meaning("The form is too large.", "Shorten what you have written.", says_all=True),
    "TOO_LARGE_TO_COMPARE": Meaning(
        "A version has too many values to compare here.",
        "Run `cellar show REF --diff BEFORE AFTER` with the numbers of the two versions.",
    ),
    "UNAVAILABLE": Meaning(
        "A system that the page needs does not answer.", "Load the page again in a while. See the overview."
    ),
    "UNKNOWN_ARCHIVE": Meaning("There is no such archive.", _LOAD_AGAIN, says_all=True),
    "UNKNOWN_BATCH": Meaning("There is no such bulk re-run, redelivery or erasure.", _LOAD_AGAIN, says_all=True),
    "UNKNOWN_DISCREPANCY": Meaning("The archive has no such discrepancy.", _LOAD_AGAIN, says_all=True),
    "UNKNOWN_ENDPOINT": Meaning("There is no such endpoint, or it was removed.", _LOAD_AGAIN, says_all=True),
    "UNKNOWN_FILE": Meaning("The archive has no such file.", _LOAD_AGAIN, says_all=True),
    "UNKNOWN_FINDING": Meaning("There is no such missing process.", _LOAD_AGAIN, says_all=True),
    "UNKNOWN_HOLD": Meaning("There is no such legal hold.", _LOAD_AGAIN, says_all=True),
    "UNKNOWN_MESSAGE": Meaning("There is no such message.", _LOAD_AGAIN, says_all=True),
    "UNKNOWN_PATH": Meaning("There is no such page.", says_all=True),
    "UNKNOWN_RECEIPT": Meaning("No delivery has this receipt.", _LOAD_AGAIN, says_all=True),
    "UNKNOWN_TEMPLATE": Meaning("No archive has this template, and nobody named it.", _LOAD_AGAIN, says_all=True),
    "UNKNOWN_USER": Meaning("There is no such user.", _LOAD_AGAIN, says_all=True),
    "UNKNOWN_VERSION": Meaning("The archive has no such version.", "See the versions on its page."),
    "WRONG_METHOD": Meaning("This address takes a form of one of the console's pages.", says_all=True),
    "WRONG_STATE": Meaning("The state has changed since, and does not allow this action.", "Load the page again."),
}

"""What the codes mean with which a body is refused, a run fails or waits, or an action of the console fails.

A body is refused once and for all, until a fix of cellar. Running archives again is a button beside these words.
"""

from collections.abc import Mapping

from domain.words.wording import N_, Meaning

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

_SEND_AGAIN = N_(
    "Let Cellosign send the archive again, and it runs by itself. Or restore the store from a backup, then run the "
    "archive again."
)

CAUSES: Mapping[str, Meaning] = {
    **REFUSALS,
    # a system does not work
    "CLAMAV_AWAY": Meaning(
        N_("ClamAV does not answer, so files cannot be scanned."),
        N_("Start clamd, or check CELLAR_CLAMD. Archives wait meanwhile."),
    ),
    "DATABASE_AWAY": Meaning(
        N_("The database does not answer, or cannot be used."),
        N_("Check CELLAR_DATABASE_URL and the server of the database. Archives wait in the inbox meanwhile."),
    ),
    "DATABASE_UNUSABLE": Meaning(
        N_("The database answers, but its tables or rights do not fit."),
        N_("Run cellar migrate. If the database denies access, grant its user all rights on every table."),
    ),
    "ENDPOINT_AWAY": Meaning(
        N_("An endpoint does not confirm its messages."),
        N_("Ask the operator of the endpoint. The page of the endpoint shows each attempt."),
    ),
    "INTERRUPTED": Meaning(
        N_("Something outside of the archive has interrupted the run."), N_("Mend what the detail names.")
    ),
    "KEY_AWAY": Meaning(
        N_("The key of sealed values is missing, damaged or not in the settings. The values themselves are whole."),
        N_(
            "Restore secrets/seal from a backup, or add the key to CELLAR_SEAL_KEYS. Archives wait meanwhile, and none "
            "is lost."
        ),
    ),
    "OTHER_RUN_AWAY": Meaning(N_("Another run works on the same process."), N_("Wait until the other run has ended.")),
    "PREFECT_AWAY": Meaning(
        N_("The Prefect server does not answer."),
        N_("Start cellar up, or check PREFECT_API_URL. Archives wait meanwhile, and none is lost."),
    ),
    "STORE_AWAY": Meaning(
        N_("The store does not answer, or cannot be written."),
        N_("Check that the disk or bucket of CELLAR_STORE_URL is there, has room and may be written."),
    ),
    "STORE_UNREADABLE": Meaning(
        N_("A file in the store cannot be read."),
        N_("Check the disk or bucket of CELLAR_STORE_URL, and run cellar verify: it names each damaged file."),
    ),
    # the archive, or what is kept of it
    "BODY_DAMAGED": Meaning(N_("The body that was kept is damaged: it does not match its receipt."), _SEND_AGAIN),
    "BODY_MISSING": Meaning(N_("The body is in none of the places where bodies are kept."), _SEND_AGAIN),
    "CONFLICT": Meaning(
        N_("Two records disagree, and no rule says which of them is right."), N_("Do what the detail says.")
    ),
    "NOT_READ_BACK": Meaning(
        N_("What was written is read back differently, so the archive is not complete."),
        N_("If a re-run fails too, check the disks and the server of the database."),
    ),
    "NOT_REPAIRABLE": Meaning(
        N_("A damaged archive cannot be repaired from what arrived."),
        N_(
            "Run cellar verify: it names each damaged file. Restore these files from a backup of the store, then run "
            "the archive again."
        ),
    ),
    "RECEIPT_LOST": Meaning(
        N_("The store does not have the body that the run needs."),
        N_("If a re-run fails too, let Cellosign send the archive again, or restore the store from a backup."),
    ),
    "UNKNOWN_RECEIPT": Meaning(
        N_("The receipt that the run was given is not of this process."),
        N_("Run the archive again: a re-run takes the current version."),
        says_all=True,
    ),
    "UNKNOWN_REFERENCE": Meaning(
        N_("No archive of this process was received."), N_("Check the reference."), says_all=True
    ),
    "WRONG_REFERENCE": Meaning(
        N_("The run was given a receipt of another process."),
        N_("Run the archive again: a re-run takes the current version."),
    ),
    # the run itself
    "CANCELLED": Meaning(N_("A person cancelled the run in Prefect."), says_all=True),
    "CRASHED": Meaning(
        N_("The run was killed with its worker, or has killed its worker for three days."),
        N_("See the log of the worker, and give it more memory."),
        says_all=True,
    ),
    "RUN_TIMEOUT": Meaning(
        N_("The run took longer than CELLAR_RUN_TIMEOUT_S permits."), N_("Set CELLAR_RUN_TIMEOUT_S higher.")
    ),
    "UNEXPECTED": Meaning(
        N_("The run met an error that cellar does not know: a fault of cellar."),
        N_("Report the trace in the log of the run, and update cellar."),
    ),
    "UNKNOWN": Meaning(
        N_("The archive failed before cellar kept causes."), N_("See its run in Prefect."), says_all=True
    ),
}

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
    "UNKNOWN_BULK_RERUN": Meaning(N_("There is no such bulk re-run."), _LOAD_AGAIN, says_all=True),
    "UNKNOWN_DISCREPANCY": Meaning(N_("The archive has no such discrepancy."), _LOAD_AGAIN, says_all=True),
    "UNKNOWN_ENDPOINT": Meaning(N_("There is no such endpoint, or it was removed."), _LOAD_AGAIN, says_all=True),
    "UNKNOWN_FILE": Meaning(N_("The archive has no such file."), _LOAD_AGAIN, says_all=True),
    "UNKNOWN_FINDING": Meaning(N_("There is no such missing process."), _LOAD_AGAIN, says_all=True),
    "UNKNOWN_MESSAGE": Meaning(N_("There is no such message."), _LOAD_AGAIN, says_all=True),
    "UNKNOWN_PATH": Meaning(N_("There is no such page."), says_all=True),
    "UNKNOWN_RECEIPT": Meaning(N_("No delivery has this receipt."), _LOAD_AGAIN, says_all=True),
    "UNKNOWN_REDELIVERY": Meaning(N_("There is no such redelivery."), _LOAD_AGAIN, says_all=True),
    "UNKNOWN_VERSION": Meaning(N_("The archive has no such version."), N_("See the versions on its page.")),
    "WRONG_METHOD": Meaning(N_("This address takes a form of one of the console's pages."), says_all=True),
    "WRONG_STATE": Meaning(
        N_("The state has changed since, and does not allow this action."),
        N_("Load the page again."),
    ),
}

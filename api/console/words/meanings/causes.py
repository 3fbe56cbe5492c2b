"""What the causes mean for which runs fail or wait. Running the archives again is a button beside these words."""

from collections.abc import Mapping

from api.console.words.languages import N_
from api.console.words.meanings.meaning import Meaning, worded
from api.console.words.meanings.refusals import REFUSALS

_SEND_AGAIN = N_(
    "Let Cellosign send the archive again, and it runs by itself. Or restore the store from a backup, then run the "
    "archive again."
)

CAUSES: Mapping[str, Meaning] = {
    **REFUSALS,
    # a system does not work
    "CLAMAV_AWAY": Meaning(
        N_("ClamAV does not answer, so files cannot be scanned."), N_("Start clamd, or check CELLAR_CLAMD.")
    ),
    "DATABASE_AWAY": Meaning(
        N_("The database does not answer."), N_("Check CELLAR_DATABASE_URL and the server of the database.")
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
        N_("Bring the key back: in CELLAR_SEAL_KEYS, or in the folder keys of the store."),
    ),
    "OTHER_RUN_AWAY": Meaning(N_("Another run works on the same process."), N_("Wait until the other run has ended.")),
    "PREFECT_AWAY": Meaning(
        N_("The Prefect server does not answer."), N_("Check PREFECT_API_URL and the Prefect server.")
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


def cause_meaning(code: str | None) -> Meaning | None:
    """Return why a run failed or waits, or why a body was refused; None for a code without words."""
    return worded(CAUSES, code)


def wait_meaning(system: str) -> Meaning | None:
    """Return why runs wait for a system, and what brings it back."""
    return worded(CAUSES, f"{system.upper().replace(' ', '_')}_AWAY")

"""What the codes of conditions mean. Codes of warnings and discrepancies carry their meaning (`models.said`)."""

from collections.abc import Mapping

from models.said import Meaning
from models.store.condition import ConditionCode

_RESTORE = "Restore it from a backup of the store, or let Cellosign send the archive again. Then run cellar verify."

_CONFIRM = "Ask the operator of the endpoint. The page of the endpoint shows each attempt."

CONDITIONS: Mapping[str, Meaning] = {
    "ARCHIVE_FAILED": Meaning("Runs have failed, and none is on its way.", "Run cellar failures."),
    ConditionCode.RUN_FAILED: Meaning(
        "The last run failed, so the archive may be damaged although it was complete.",
        "Run cellar verify: it names each damaged file. Then run the archive again.",
    ),
    ConditionCode.FILE_DAMAGED: Meaning("The store has other bytes than were written.", _RESTORE),
    ConditionCode.FILE_MISSING: Meaning("The store has lost a file.", _RESTORE),
    ConditionCode.FILE_EXTRA: Meaning(
        "The store has a file that cellar has not written.", "Find out who made it, remove it, then run cellar verify."
    ),
    ConditionCode.FILE_UNREADABLE: Meaning(
        "A file in the store cannot be read.",
        "Check the disk or bucket, and put a file in the place of a link, pipe or device. Then run cellar verify.",
    ),
    ConditionCode.ROWS_DIFFER: Meaning(
        "The database says otherwise than the store, which is right.",
        "Run the archive again (cellar rerun), which loads its rows from the store. Lost receipts and deliveries "
        "come back by `cellar rebuild` alone, into an empty database.",
    ),
    ConditionCode.ROWS_STALE: Meaning(
        "The data was read with other settings than those of today. Nothing is lost.",
        "Run the archive again (cellar rerun), or set the settings back. Very many archives are read again by "
        "cellar rebuild, into an empty database.",
    ),
    ConditionCode.STORE_ABSENT: Meaning(
        "The store is not there: nothing was ever archived in its place.",
        "Mount its disk, or correct CELLAR_STORE_URL, then run cellar verify.",
    ),
    "PROCESS_MISSING": Meaning(
        "A process should have been archived, and Cellosign will delete it.", "Let Cellosign send it again before that."
    ),
    "SYSTEM_AWAY": Meaning(
        "Archives wait for a system, and go on by themselves once it is back.", "Run cellar doctor."
    ),
    "DELIVERY_REFUSED": Meaning(
        "Deliveries were refused; their bodies are in quarantine.", "Release or dismiss each of them."
    ),
    "DISCREPANCY_OPEN": Meaning(
        "Payments, forms or settlement reports contradict each other.", "Explain each discrepancy."
    ),
    "ENDPOINT_FAILING": Meaning("An endpoint does not confirm its messages.", _CONFIRM),
    "ENDPOINT_DISABLED": Meaning("An endpoint is disabled, and gets no messages.", "Enable it once it is well."),
    "MESSAGES_DEAD": Meaning("Messages were given up.", "Send them again once their endpoint is well."),
}
"""What is wrong with an archive or with the installation, by the codes of `adapters/tables/open_conditions.py`."""

CONDITION_NAMES: Mapping[str, str] = {
    "ARCHIVE_FAILED": "Failed archives",
    "RUN_FAILED": "Last run failed",
    "FILE_DAMAGED": "Damaged",
    "FILE_MISSING": "File missing",
    "FILE_EXTRA": "Unknown file",
    "FILE_UNREADABLE": "Unreadable",
    "ROWS_DIFFER": "Data differs",
    "ROWS_STALE": "Data of other settings",
    "STORE_ABSENT": "Store not there",
    "PROCESS_MISSING": "Missing processes",
    "SYSTEM_AWAY": "Runs wait for a system",
    "DELIVERY_REFUSED": "Refused bodies",
    "DISCREPANCY_OPEN": "Open discrepancies",
    "ENDPOINT_FAILING": "Endpoints that fail",
    "ENDPOINT_DISABLED": "Disabled endpoints",
    "MESSAGES_DEAD": "Messages given up",
}
"""The conditions in a few words, as filters and tiles show them."""

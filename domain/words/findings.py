"""What the codes of findings mean: warnings, discrepancies of payments, and conditions of archives."""

from collections.abc import Mapping

from domain.words.wording import Meaning
from models.archive.warning import WarningCode
from models.payments import DiscrepancyCode
from models.store.condition import ConditionCode

_BEFORE_RELYING = "See the part Signed document before you rely on the document."
_IN_CELLOSIGN = "If the value matters, look it up in Cellosign."
_NOTHING = "There is nothing to do."

WARNINGS: Mapping[str, Meaning] = {
    WarningCode.ATTACHMENT_EMPTY: Meaning("An attached file is empty.", "If the file matters, ask the signer for it."),
    WarningCode.DUPLICATE_KEY: Meaning(
        "A member of the payload occurs twice. The last value counts, and no file is lost.", _NOTHING
    ),
    WarningCode.FILE_INFECTED: Meaning(
        "ClamAV found malware in a file.", "Do not open the file. Ask the person who attached it for another."
    ),
    WarningCode.FILE_NOT_SCANNED: Meaning(
        "A file was too large for ClamAV and was not scanned.", "Scan the file before you open it."
    ),
    WarningCode.INTEGRATION_FAILED: Meaning(
        "An integration of Cellosign failed.",
        "See the integrations of the session, and repeat in Cellosign what has failed.",
    ),
    WarningCode.MEDIA_TYPE_MISMATCH: Meaning(
        "A file is not what its declared type says.", "Be careful before you open the file."
    ),
    WarningCode.MORE_WARNINGS: Meaning(
        "The payload gives cause for more warnings of one kind than are kept.",
        "The kept warnings are the first of their kind. For the others, see the request as it was sent.",
    ),
    WarningCode.OTP_NOT_SENT: Meaning("A one-time password was not sent.", "Check how the signer was identified."),
    WarningCode.SECRETS_LOCKED: Meaning(
        "The archive was loaded without its key.",
        "Bring the key back: in CELLAR_SEAL_KEYS, or in the folder keys of the store. Then run the archive again.",
    ),
    WarningCode.SESSION_NOT_SUBMITTED: Meaning(
        "A session was not submitted.", "Check whether the process was meant to end without this session."
    ),
    WarningCode.SESSION_REFERENCE_MISMATCH: Meaning(
        "A session names another process.", "Check in Cellosign to which process the session belongs."
    ),
    WarningCode.SIGNED_DOCUMENT_BROKEN: Meaning(
        "A digital signature of the document is broken.", "Do not rely on the document: let it be signed again."
    ),
    WarningCode.SIGNED_DOCUMENT_CHANGED: Meaning("The document was changed after it was signed.", _BEFORE_RELYING),
    WarningCode.SIGNED_DOCUMENT_FIELDS_CHANGED: Meaning(
        "Form fields of the document were changed after it was signed.", _BEFORE_RELYING
    ),
    WarningCode.SIGNED_DOCUMENT_NOT_TRUSTED: Meaning(
        "A signature of the document is not trusted.",
        "See the part Signed document. If the issuer of the certificate is to be trusted, add it to "
        "CELLAR_TRUST_ROOTS.",
    ),
    WarningCode.SIGNED_DOCUMENT_REVOKED: Meaning("A certificate of a signature was revoked.", _BEFORE_RELYING),
    WarningCode.SIGNED_DOCUMENT_TOO_OLD: Meaning(
        "The document's last digital signature is older than the last signature in the payload.",
        "Check that this is the final document: it may lack a signature.",
    ),
    WarningCode.SIGNED_DOCUMENT_UNREADABLE: Meaning(
        "The signatures of the document cannot be judged.", _BEFORE_RELYING
    ),
    WarningCode.SIGNED_DOCUMENT_UNSIGNED: Meaning(
        "The signed document has no digital signature.", "Ask Cellosign why the document was not signed digitally."
    ),
    WarningCode.SIGNED_DOCUMENT_WEAK_DIGEST: Meaning(
        "A signature uses a weak algorithm.", "Do not rely on this signature alone."
    ),
    WarningCode.SIGNER_UNKNOWN: Meaning(
        "A signer is not the recipient of any session.", "Check in Cellosign who has signed."
    ),
    WarningCode.SOURCES_DIFFER: Meaning(
        "Another source than that of the process has sent it. What it sent is set aside.",
        "If it is right, accept it in the part Versions, or with `cellar quarantine release`.",
    ),
    WarningCode.TEXT_REPLACED: Meaning(
        "Characters that databases refuse were replaced. The original is kept.", _NOTHING
    ),
    WarningCode.TIMESTAMP_UNREADABLE: Meaning("A time could not be read.", _IN_CELLOSIGN),
    WarningCode.VERSION_FROM_FUTURE: Meaning(
        "A version says that it was made more than a day after it arrived.",
        "Check the clock of the sender. A version that arrives later replaces it.",
    ),
    WarningCode.WRONG_TYPE: Meaning("A value has another type than documented.", _IN_CELLOSIGN),
}

DETAILS: Mapping[str, str] = {
    WarningCode.FILE_INFECTED: "ClamAV found %(name)s",
    WarningCode.MEDIA_TYPE_MISMATCH: "the file looks like %(type)s, which is not its declared type",
    WarningCode.MORE_WARNINGS: "%(count)s more warnings of the code %(code)s",
    WarningCode.SIGNED_DOCUMENT_FIELDS_CHANGED: (
        "form fields filled again after a signature: %(fields)s; signers who did not see that: %(signers)s"
    ),
    WarningCode.SIGNED_DOCUMENT_NOT_TRUSTED: "a signature is not trusted: %(why)s",
    WarningCode.SIGNED_DOCUMENT_UNSIGNED: (
        "the document has no digital signature, but the payload names signatures: %(count)s"
    ),
    WarningCode.WRONG_TYPE: "expected %(expected)s, got %(found)s; kept as null",
}
"""What a warning says with its values, where it has any."""

_WHETHER_CHARGED = "Check at the provider whether the customer was charged."
_WHAT_FOR = "Check what was paid for, then explain it here."
DISCREPANCIES: Mapping[str, Meaning] = {
    DiscrepancyCode.AGING_HOLD: Meaning(
        "Money has been held on a card for too long, neither charged nor released.",
        "Charge or release the amount at the provider.",
    ),
    DiscrepancyCode.AMBIGUOUS_MATCH: Meaning(
        "A row of the settlement report fits several payments, so it was matched to none.",
        "Find out at the provider which payment was settled, then explain it here.",
    ),
    DiscrepancyCode.AMOUNT_MISMATCH: Meaning(
        "The amount of the payment differs from the amount that the provider states.",
        "Find out at the provider which amount was charged, then correct or explain the difference.",
    ),
    DiscrepancyCode.BAD_AMOUNT: Meaning(
        "An amount of the payment is unusable, so it was not compared.",
        "Look the amount up at the provider, then explain it here.",
    ),
    DiscrepancyCode.BAD_CURRENCY: Meaning(
        "The currency of the payment is unknown, so its amount is not counted.",
        "Look the currency up at the provider, then explain it here.",
    ),
    DiscrepancyCode.CARD_CONFLICT: Meaning(
        "The payment names two different cards.",
        "Find out at the provider which card was charged, then explain it here.",
    ),
    DiscrepancyCode.CARD_EXPIRED: Meaning("The card had expired when the form was submitted.", _WHETHER_CHARGED),
    DiscrepancyCode.CHARGED_BACK: Meaning(
        "The cardholder has charged the payment back.",
        "Contest it at the provider in time, or collect the money another way.",
    ),
    DiscrepancyCode.DUPLICATE_PROVIDER_TRANSACTION: Meaning(
        "Two payments are the same transaction at the provider.",
        "Check at the provider that the customer was charged once.",
    ),
    DiscrepancyCode.DUPLICATE_TRANSACTION: Meaning(
        "Another archive has the same transaction.",
        "Find out to which archive the transaction belongs, then explain it here.",
    ),
    DiscrepancyCode.FIELD_WITHOUT_PAYMENT: Meaning(
        "The form refers to a payment that the archive does not have.", _WHETHER_CHARGED
    ),
    DiscrepancyCode.MISSING_IN_ARCHIVE: Meaning(
        "The provider has settled a payment that no archive has.",
        ("Find out at the provider what was paid for. See among the missing processes whether its archive is missing."),
    ),
    DiscrepancyCode.MISSING_IN_SETTLEMENT: Meaning(
        "The provider has not settled a payment that was charged.", "Ask the provider when the payment will be settled."
    ),
    DiscrepancyCode.PAYMENT_VANISHED: Meaning(
        "An earlier version of the archive has a charge that the current version lacks.", _WHETHER_CHARGED
    ),
    DiscrepancyCode.PAYMENT_WITHOUT_FIELD: Meaning(
        "The archive has a payment that no field of the form refers to.", _WHAT_FOR
    ),
    DiscrepancyCode.REFUNDED: Meaning(
        "The payment was refunded.", "Check that the refund is right, then explain it here."
    ),
    DiscrepancyCode.SETTLED_AMOUNT_MISMATCH: Meaning(
        "The provider has settled a different amount than was charged.", "Ask the provider about the difference."
    ),
    DiscrepancyCode.SETTLED_CURRENCY_MISMATCH: Meaning(
        "The provider has settled in a different currency than was charged.", "Ask the provider about the currency."
    ),
    DiscrepancyCode.SETTLED_LATE: Meaning(
        "The provider has settled the payment late.", "Ask the provider about the delay, then explain it here."
    ),
    DiscrepancyCode.STATUS_CONFLICT: Meaning(
        "The archive contradicts itself about whether the payment succeeded.", _WHETHER_CHARGED
    ),
    DiscrepancyCode.UNIT_MISMATCH: Meaning(
        "The amount and the provider's total are in different units, such as agorot and shekels; check "
        "CELLAR_AMOUNT_UNIT.",
        "Correct the setting, then run the archive again.",
    ),
    DiscrepancyCode.UNKNOWN_SESSION: Meaning("The payment does not belong to a session of this archive.", _WHAT_FOR),
}

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

"""What the codes of findings mean: warnings, discrepancies of payments, and conditions of archives."""

from collections.abc import Mapping

from domain.words.wording import N_, Meaning
from models.archive.warning import WarningCode
from models.payments import DiscrepancyCode
from models.store.condition import ConditionCode

_BEFORE_RELYING = N_("See the part Signed document before you rely on the document.")
_IN_CELLOSIGN = N_("If the value matters, look it up in Cellosign.")
_NOTHING = N_("There is nothing to do.")

WARNINGS: Mapping[str, Meaning] = {
    WarningCode.ATTACHMENT_EMPTY: Meaning(
        N_("An attached file is empty."), N_("If the file matters, ask the signer for it."), says_all=True
    ),
    WarningCode.DUPLICATE_KEY: Meaning(
        N_("A member of the payload occurs twice. The last value counts, and no file is lost."),
        _NOTHING,
        says_all=True,
    ),
    WarningCode.FILE_INFECTED: Meaning(
        N_("ClamAV found malware in a file."), N_("Do not open the file. Ask the person who attached it for another.")
    ),
    WarningCode.FILE_NOT_SCANNED: Meaning(
        N_("A file was too large for ClamAV and was not scanned."),
        N_("Scan the file before you open it."),
        says_all=True,
    ),
    WarningCode.INTEGRATION_FAILED: Meaning(
        N_("An integration of Cellosign failed."),
        N_("See the integrations of the session, and repeat in Cellosign what has failed."),
        says_all=True,
    ),
    WarningCode.MEDIA_TYPE_MISMATCH: Meaning(
        N_("A file is not what its declared type says."), N_("Be careful before you open the file.")
    ),
    WarningCode.MORE_WARNINGS: Meaning(
        N_("The payload gives cause for more warnings of one kind than are kept."),
        N_("The kept warnings are the first of their kind. For the others, see the request as it was sent."),
    ),
    WarningCode.OTP_NOT_SENT: Meaning(
        N_("A one-time password was not sent."), N_("Check how the signer was identified."), says_all=True
    ),
    WarningCode.SECRETS_LOCKED: Meaning(
        N_("The archive was loaded without its key."),
        N_("Bring the key back: in CELLAR_SEAL_KEYS, or in the folder keys of the store. Then run the archive again."),
        says_all=True,
    ),
    WarningCode.SESSION_NOT_SUBMITTED: Meaning(
        N_("A session was not submitted."),
        N_("Check whether the process was meant to end without this session."),
        says_all=True,
    ),
    WarningCode.SESSION_REFERENCE_MISMATCH: Meaning(
        N_("A session names another process."),
        N_("Check in Cellosign to which process the session belongs."),
        says_all=True,
    ),
    WarningCode.SIGNED_DOCUMENT_BROKEN: Meaning(
        N_("A digital signature of the document is broken."),
        N_("Do not rely on the document: let it be signed again."),
        says_all=True,
    ),
    WarningCode.SIGNED_DOCUMENT_CHANGED: Meaning(
        N_("The document was changed after it was signed."), _BEFORE_RELYING, says_all=True
    ),
    WarningCode.SIGNED_DOCUMENT_FIELDS_CHANGED: Meaning(
        N_("Form fields of the document were changed after it was signed."), _BEFORE_RELYING
    ),
    WarningCode.SIGNED_DOCUMENT_NOT_TRUSTED: Meaning(
        N_("A signature of the document is not trusted."),
        N_(
            "See the part Signed document. If the issuer of the certificate is to be trusted, add it to "
            "CELLAR_TRUST_ROOTS."
        ),
    ),
    WarningCode.SIGNED_DOCUMENT_REVOKED: Meaning(
        N_("A certificate of a signature was revoked."), _BEFORE_RELYING, says_all=True
    ),
    WarningCode.SIGNED_DOCUMENT_TOO_OLD: Meaning(
        N_("The document's last digital signature is older than the last signature in the payload."),
        N_("Check that this is the final document: it may lack a signature."),
        says_all=True,
    ),
    WarningCode.SIGNED_DOCUMENT_UNREADABLE: Meaning(
        N_("The signatures of the document cannot be judged."), _BEFORE_RELYING, says_all=True
    ),
    WarningCode.SIGNED_DOCUMENT_UNSIGNED: Meaning(
        N_("The signed document has no digital signature."),
        N_("Ask Cellosign why the document was not signed digitally."),
    ),
    WarningCode.SIGNED_DOCUMENT_WEAK_DIGEST: Meaning(
        N_("A signature uses a weak algorithm."), N_("Do not rely on this signature alone."), says_all=True
    ),
    WarningCode.SIGNER_UNKNOWN: Meaning(
        N_("A signer is not the recipient of any session."), N_("Check in Cellosign who has signed."), says_all=True
    ),
    WarningCode.SOURCES_DIFFER: Meaning(
        N_("Another source than that of the process has sent it. What it sent is set aside."),
        N_("If it is right, accept it in the part Versions, or with `cellar quarantine release`."),
        says_all=True,
    ),
    WarningCode.TEXT_REPLACED: Meaning(
        N_("Characters that databases refuse were replaced. The original is kept."), _NOTHING, says_all=True
    ),
    WarningCode.TIMESTAMP_UNREADABLE: Meaning(N_("A time could not be read."), _IN_CELLOSIGN, says_all=True),
    WarningCode.VERSION_FROM_FUTURE: Meaning(
        N_("A version says that it was made more than a day after it arrived."),
        N_("Check the clock of the sender. A version that arrives later replaces it."),
        says_all=True,
    ),
    WarningCode.WRONG_TYPE: Meaning(N_("A value has another type than documented."), _IN_CELLOSIGN),
}

_WHETHER_CHARGED = N_("Check at the provider whether the customer was charged.")
_WHAT_FOR = N_("Check what was paid for, then explain it here.")
DISCREPANCIES: Mapping[str, Meaning] = {
    DiscrepancyCode.AGING_HOLD: Meaning(
        N_("Money has been held on a card for too long, neither charged nor released."),
        N_("Charge or release the amount at the provider."),
    ),
    DiscrepancyCode.AMBIGUOUS_MATCH: Meaning(
        N_("A row of the settlement report fits several payments, so it was matched to none."),
        N_("Find out at the provider which payment was settled, then explain it here."),
    ),
    DiscrepancyCode.AMOUNT_MISMATCH: Meaning(
        N_("The amount of the payment differs from the amount that the provider states."),
        N_("Find out at the provider which amount was charged, then correct or explain the difference."),
    ),
    DiscrepancyCode.BAD_AMOUNT: Meaning(
        N_("An amount of the payment is unusable, so it was not compared."),
        N_("Look the amount up at the provider, then explain it here."),
    ),
    DiscrepancyCode.BAD_CURRENCY: Meaning(
        N_("The currency of the payment is unknown, so its amount is not counted."),
        N_("Look the currency up at the provider, then explain it here."),
    ),
    DiscrepancyCode.CARD_CONFLICT: Meaning(
        N_("The payment names two different cards."),
        N_("Find out at the provider which card was charged, then explain it here."),
    ),
    DiscrepancyCode.CARD_EXPIRED: Meaning(N_("The card had expired when the form was submitted."), _WHETHER_CHARGED),
    DiscrepancyCode.CHARGED_BACK: Meaning(
        N_("The cardholder has charged the payment back."),
        N_("Contest it at the provider in time, or collect the money another way."),
    ),
    DiscrepancyCode.DUPLICATE_PROVIDER_TRANSACTION: Meaning(
        N_("Two payments are the same transaction at the provider."),
        N_("Check at the provider that the customer was charged once."),
    ),
    DiscrepancyCode.DUPLICATE_TRANSACTION: Meaning(
        N_("Another archive has the same transaction."),
        N_("Find out to which archive the transaction belongs, then explain it here."),
    ),
    DiscrepancyCode.FIELD_WITHOUT_PAYMENT: Meaning(
        N_("The form refers to a payment that the archive does not have."), _WHETHER_CHARGED
    ),
    DiscrepancyCode.MISSING_IN_ARCHIVE: Meaning(
        N_("The provider has settled a payment that no archive has."),
        N_(
            "Find out at the provider what was paid for. See among the missing processes whether its archive is "
            "missing."
        ),
    ),
    DiscrepancyCode.MISSING_IN_SETTLEMENT: Meaning(
        N_("The provider has not settled a payment that was charged."),
        N_("Ask the provider when the payment will be settled."),
    ),
    DiscrepancyCode.PAYMENT_VANISHED: Meaning(
        N_("An earlier version of the archive has a charge that the current version lacks."), _WHETHER_CHARGED
    ),
    DiscrepancyCode.PAYMENT_WITHOUT_FIELD: Meaning(
        N_("The archive has a payment that no field of the form refers to."), _WHAT_FOR
    ),
    DiscrepancyCode.REFUNDED: Meaning(
        N_("The payment was refunded."), N_("Check that the refund is right, then explain it here.")
    ),
    DiscrepancyCode.SETTLED_AMOUNT_MISMATCH: Meaning(
        N_("The provider has settled a different amount than was charged."),
        N_("Ask the provider about the difference."),
    ),
    DiscrepancyCode.SETTLED_CURRENCY_MISMATCH: Meaning(
        N_("The provider has settled in a different currency than was charged."),
        N_("Ask the provider about the currency."),
    ),
    DiscrepancyCode.SETTLED_LATE: Meaning(
        N_("The provider has settled the payment late."), N_("Ask the provider about the delay, then explain it here.")
    ),
    DiscrepancyCode.STATUS_CONFLICT: Meaning(
        N_("The archive contradicts itself about whether the payment succeeded."), _WHETHER_CHARGED
    ),
    DiscrepancyCode.UNIT_MISMATCH: Meaning(
        N_(
            "The amount and the provider's total are in different units, such as agorot and shekels; check "
            "CELLAR_AMOUNT_UNIT."
        ),
        N_("Correct the setting, then run the archive again."),
    ),
    DiscrepancyCode.UNKNOWN_SESSION: Meaning(
        N_("The payment does not belong to a session of this archive."), _WHAT_FOR
    ),
}

_RESTORE = N_("Restore it from a backup of the store, or let Cellosign send the archive again. Then run cellar verify.")

_CONFIRM = N_("Ask the operator of the endpoint. The page of the endpoint shows each attempt.")

CONDITIONS: Mapping[str, Meaning] = {
    "ARCHIVE_FAILED": Meaning(N_("Runs have failed, and none is on its way."), N_("Run cellar failures.")),
    ConditionCode.RUN_FAILED: Meaning(
        N_("The last run failed, so the archive may be damaged although it was complete."),
        N_("Run cellar verify: it names each damaged file. Then run the archive again."),
    ),
    ConditionCode.FILE_DAMAGED: Meaning(N_("The store has other bytes than were written."), _RESTORE),
    ConditionCode.FILE_MISSING: Meaning(N_("The store has lost a file."), _RESTORE),
    ConditionCode.FILE_EXTRA: Meaning(
        N_("The store has a file that cellar has not written."),
        N_("Find out who made it, remove it, then run cellar verify."),
    ),
    ConditionCode.FILE_UNREADABLE: Meaning(
        N_("A file in the store cannot be read."),
        N_("Check the disk or bucket, and put a file in the place of a link, pipe or device. Then run cellar verify."),
    ),
    ConditionCode.ROWS_DIFFER: Meaning(
        N_("The database says otherwise than the store, which is right."),
        N_(
            "Run the archive again (cellar rerun), which loads its rows from the store. Lost receipts and deliveries "
            "come back by `cellar rebuild` alone, into an empty database."
        ),
    ),
    ConditionCode.ROWS_STALE: Meaning(
        N_("The data was read with other settings than those of today. Nothing is lost."),
        N_(
            "Run the archive again (cellar rerun), or set the settings back. Very many archives are read again by "
            "cellar rebuild, into an empty database."
        ),
    ),
    ConditionCode.STORE_ABSENT: Meaning(
        N_("The store is not there: nothing was ever archived in its place."),
        N_("Mount its disk, or correct CELLAR_STORE_URL, then run cellar verify."),
    ),
    "PROCESS_MISSING": Meaning(
        N_("A process should have been archived, and Cellosign will delete it."),
        N_("Let Cellosign send it again before that."),
    ),
    "SYSTEM_AWAY": Meaning(
        N_("Archives wait for a system, and go on by themselves once it is back."), N_("Run cellar doctor.")
    ),
    "DELIVERY_REFUSED": Meaning(
        N_("Deliveries were refused; their bodies are in quarantine."), N_("Release or dismiss each of them.")
    ),
    "DISCREPANCY_OPEN": Meaning(
        N_("Payments, forms or settlement reports contradict each other."), N_("Explain each discrepancy.")
    ),
    "ENDPOINT_FAILING": Meaning(N_("An endpoint does not confirm its messages."), _CONFIRM),
    "ENDPOINT_DISABLED": Meaning(
        N_("An endpoint is disabled, and gets no messages."), N_("Enable it once it is well.")
    ),
    "MESSAGES_DEAD": Meaning(N_("Messages were given up."), N_("Send them again once their endpoint is well.")),
}
"""What is wrong with an archive or with the installation, by the codes of `adapters/tables/open_conditions.py`."""

CONDITION_NAMES: Mapping[str, str] = {
    "ARCHIVE_FAILED": N_("Failed archives"),
    "RUN_FAILED": N_("Last run failed"),
    "FILE_DAMAGED": N_("Damaged"),
    "FILE_MISSING": N_("File missing"),
    "FILE_EXTRA": N_("Unknown file"),
    "FILE_UNREADABLE": N_("Unreadable"),
    "ROWS_DIFFER": N_("Data differs"),
    "ROWS_STALE": N_("Data of other settings"),
    "STORE_ABSENT": N_("Store not there"),
    "PROCESS_MISSING": N_("Missing processes"),
    "SYSTEM_AWAY": N_("Runs wait for a system"),
    "DELIVERY_REFUSED": N_("Refused bodies"),
    "DISCREPANCY_OPEN": N_("Open discrepancies"),
    "ENDPOINT_FAILING": N_("Endpoints that fail"),
    "ENDPOINT_DISABLED": N_("Disabled endpoints"),
    "MESSAGES_DEAD": N_("Messages given up"),
}

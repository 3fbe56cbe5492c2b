"""What the codes of discrepancies and warnings mean, in the words of the services, marked for translation."""

from collections.abc import Mapping

from api.console.words.codes import code_text
from api.console.words.languages import N_, gettext
from domain.payments.sentences import meaning
from models.payments.discrepancy import DiscrepancyCode

_MEANINGS = (
    N_("Money has been held on a card for too long, neither charged nor released."),
    N_("A row of the settlement report fits several payments, so it was matched to none."),
    N_("The amount of the payment differs from the amount that the provider states."),
    N_("An amount of the payment is unusable, so it was not compared."),
    N_("The currency of the payment is unknown, so its amount is not counted."),
    N_("The payment names two different cards."),
    N_("The card had expired when the form was submitted."),
    N_("The cardholder has charged the payment back."),
    N_("Two payments are the same transaction at the provider."),
    N_("Another archive has the same transaction."),
    N_("The form refers to a payment that the archive does not have."),
    N_("The provider has settled a payment that no archive has."),
    N_("The provider has not settled a payment that was charged."),
    N_("An earlier version of the archive has a charge that the current version lacks."),
    N_("The archive has a payment that no field of the form refers to."),
    N_("The payment was refunded."),
    N_("The provider has settled a different amount than was charged."),
    N_("The provider has settled in a different currency than was charged."),
    N_("The provider has settled the payment late."),
    N_("The archive contradicts itself about whether the payment succeeded."),
    N_(
        "The amount and the provider's total are in different units, such as agorot and shekels; check "
        "CELLAR_AMOUNT_UNIT."
    ),
    N_("The payment does not belong to a session of this archive."),
)
_WARNINGS: Mapping[str, str] = {
    "ATTACHMENT_EMPTY": N_("An attached file is empty."),
    "DUPLICATE_KEY": N_("A member of the payload occurs twice."),
    "FILE_INFECTED": N_("ClamAV found malware in a file."),
    "FILE_NOT_SCANNED": N_("A file was too large for ClamAV and was not scanned."),
    "INTEGRATION_FAILED": N_("An integration of Cellosign failed."),
    "MEDIA_TYPE_MISMATCH": N_("A file is not what its declared type says."),
    "OTP_NOT_SENT": N_("A one-time password was not sent."),
    "SECRETS_LOCKED": N_("The archive was loaded without its key."),
    "SESSION_NOT_SUBMITTED": N_("A session was not submitted."),
    "SESSION_REFERENCE_MISMATCH": N_("A session names another process."),
    "SIGNED_DOCUMENT_BROKEN": N_("A digital signature of the document is broken."),
    "SIGNED_DOCUMENT_CHANGED": N_("The document was changed after it was signed."),
    "SIGNED_DOCUMENT_FIELDS_CHANGED": N_("Form fields of the document were changed after it was signed."),
    "SIGNED_DOCUMENT_NOT_TRUSTED": N_("A signature of the document is not trusted."),
    "SIGNED_DOCUMENT_REVOKED": N_("A certificate of a signature was revoked."),
    "SIGNED_DOCUMENT_TOO_OLD": N_("The certificate of a signature had expired."),
    "SIGNED_DOCUMENT_UNREADABLE": N_("The signed document cannot be read."),
    "SIGNED_DOCUMENT_UNSIGNED": N_("The signed document has no digital signature."),
    "SIGNED_DOCUMENT_WEAK_DIGEST": N_("A signature uses a weak algorithm."),
    "SIGNER_UNKNOWN": N_("A signature does not say who signed."),
    "SOURCES_DIFFER": N_("Deliveries came from several sources."),
    "TEXT_REPLACED": N_("Characters that databases refuse were replaced."),
    "TIMESTAMP_UNREADABLE": N_("A time could not be read."),
    "WRONG_TYPE": N_("A value has another type than documented."),
}


def discrepancy_text(code: str) -> str:
    """Return what a discrepancy means, without its values."""
    return gettext(meaning(code))


def warning_text(code: str) -> str:
    """Return what a warning means; the code itself if it has no words."""
    return gettext(_WARNINGS[code]) if code in _WARNINGS else code


def choice_text(code: str) -> str:
    """Return a choice of a filter: what a discrepancy or a warning means with its code, or the words of a code."""
    if code in set(DiscrepancyCode):
        return f"{discrepancy_text(code)} ({code})"
    return f"{warning_text(code)} ({code})" if code in _WARNINGS else code_text(code)

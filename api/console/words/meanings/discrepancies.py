"""What the codes of discrepancies mean: in the words of the services, marked for translation, and what to do."""

from collections.abc import Mapping

from api.console.words.languages import N_
from api.console.words.meanings.meaning import Meaning, worded
from domain.payments.sentences import meaning
from models.payments import DiscrepancyCode

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
_WHETHER_CHARGED = N_("Check at the provider whether the customer was charged.")
_WHAT_FOR = N_("Check what was paid for, then explain it here.")
_TO_DO: Mapping[str, str] = {
    DiscrepancyCode.AGING_HOLD: N_("Charge or release the amount at the provider."),
    DiscrepancyCode.AMBIGUOUS_MATCH: N_("Find out at the provider which payment was settled, then explain it here."),
    DiscrepancyCode.AMOUNT_MISMATCH: N_(
        "Find out at the provider which amount was charged, then correct or explain the difference."
    ),
    DiscrepancyCode.BAD_AMOUNT: N_("Look the amount up at the provider, then explain it here."),
    DiscrepancyCode.BAD_CURRENCY: N_("Look the currency up at the provider, then explain it here."),
    DiscrepancyCode.CARD_CONFLICT: N_("Find out at the provider which card was charged, then explain it here."),
    DiscrepancyCode.CARD_EXPIRED: _WHETHER_CHARGED,
    DiscrepancyCode.CHARGED_BACK: N_("Contest it at the provider in time, or collect the money another way."),
    DiscrepancyCode.DUPLICATE_PROVIDER_TRANSACTION: N_("Check at the provider that the customer was charged once."),
    DiscrepancyCode.DUPLICATE_TRANSACTION: N_(
        "Find out to which archive the transaction belongs, then explain it here."
    ),
    DiscrepancyCode.FIELD_WITHOUT_PAYMENT: _WHETHER_CHARGED,
    DiscrepancyCode.MISSING_IN_ARCHIVE: N_(
        "Find out at the provider what was paid for. See among the missing processes whether its archive is missing."
    ),
    DiscrepancyCode.MISSING_IN_SETTLEMENT: N_("Ask the provider when the payment will be settled."),
    DiscrepancyCode.PAYMENT_VANISHED: _WHETHER_CHARGED,
    DiscrepancyCode.PAYMENT_WITHOUT_FIELD: _WHAT_FOR,
    DiscrepancyCode.REFUNDED: N_("Check that the refund is right, then explain it here."),
    DiscrepancyCode.SETTLED_AMOUNT_MISMATCH: N_("Ask the provider about the difference."),
    DiscrepancyCode.SETTLED_CURRENCY_MISMATCH: N_("Ask the provider about the currency."),
    DiscrepancyCode.SETTLED_LATE: N_("Ask the provider about the delay, then explain it here."),
    DiscrepancyCode.STATUS_CONFLICT: _WHETHER_CHARGED,
    DiscrepancyCode.UNIT_MISMATCH: N_("Correct the setting, then run the archive again."),
    DiscrepancyCode.UNKNOWN_SESSION: _WHAT_FOR,
}

DISCREPANCIES: Mapping[str, Meaning] = {code: Meaning(meaning(code), to_do) for code, to_do in _TO_DO.items()}


def discrepancy_meaning(code: str) -> Meaning | None:
    """Return what a discrepancy means, without its values; None for a code without words."""
    return worded(DISCREPANCIES, code)


def discrepancy_text(code: str) -> str:
    """Return what a discrepancy means in a sentence; the code itself if it has no words."""
    found = discrepancy_meaning(code)
    return found.what if found else code

"""Words what a discrepancy expected and found: amounts, counts and descriptions."""

from markupsafe import Markup

from api.console.words.sentences.forms import forms, in_words, told
from domain.words.wording import N_

_KIND = "(?P<kind>charge|refund|chargeback)"
_ROW = f"the {_KIND} of (?P<amount>.*) settled on (?P<day>[\\d-]+)"
_WORDS = forms(
    ("charge", N_("charge")),
    ("refund", N_("refund")),
    ("chargeback", N_("chargeback")),
    (" and others", N_(" and others")),
)
_FORMS = forms(
    ("none", N_("none")),
    ("at most (?P<number>\\d+) of this kind", N_("at most %(number)s of this kind")),
    ("(?P<number>\\d+) more", N_("%(number)s more of this kind")),
    ("a payment", N_("a payment")),
    ("a payment field", N_("a payment field")),
    ("a session of this archive", N_("a session of this archive")),
    ("missing or unknown", N_("missing or unknown")),
    ("missing or not a number", N_("missing or not a number")),
    ("zero or negative for a charge", N_("zero or negative for a charge")),
    ("an ISO 4217 currency", N_("an ISO 4217 currency")),
    ("an amount in whole minor units", N_("an amount without a fraction of the smallest unit, such as an agora")),
    (
        "a provider's total in whole minor units",
        N_("a total of the provider without a fraction of the smallest unit, such as an agora"),
    ),
    (
        "a fraction( of a minor unit)?, or beyond 64 bits",
        N_("an amount with a fraction of the smallest unit, or too large"),
    ),
    ("(?P<found>.*), in attempt (?P<number>\\d+)", N_("%(found)s, in attempt %(number)s")),
    ("(?P<amount>[\\d.,-]+ \\S+) or (?P<more>[\\d.,-]+ \\S+)", N_("%(amount)s or %(more)s")),
    ("(?P<amount>.*) in instalments", N_("%(amount)s in instalments")),
    ("a success with an authorisation number", N_("a success with an authorisation number")),
    ("a success without an authorisation number", N_("a success without an authorisation number")),
    ("a failure without an authorisation number", N_("a failure without an authorisation number")),
    ("a failure with an authorisation number", N_("a failure with an authorisation number")),
    ("a success with the (?P<member>\\S+) (?P<result>.*)", N_("a success with the value %(result)s of %(member)s")),
    ("a card that ends in (?P<digits>\\d+)", N_("a card that ends in %(digits)s")),
    ("a card valid in (?P<month>[\\d-]+)", N_("a card valid in %(month)s")),
    ("valid until (?P<month>[\\d-]+)", N_("valid until %(month)s")),
    ("a charge", N_("a charge")),
    ("a charge of (?P<amount>.*)", N_("a charge of %(amount)s")),
    ("charged or released within (?P<days>\\d+) days", N_("charged or released within %(days)s days")),
    ("held since (?P<day>[\\d-]+)", N_("held since %(day)s")),
    ("the transaction in one archive only", N_("the transaction in one archive only")),
    ("the provider's transaction in one payment only", N_("the provider's transaction in one payment only")),
    ("also in (?P<named>.*?)(?P<others> and others)?", N_("also in %(named)s%(others)s")),
    ("several payments, in (?P<named>.*?)(?P<others> and others)?", N_("several payments, in %(named)s%(others)s")),
    (f"a payment for {_ROW}", N_("a payment for the %(kind)s of %(amount)s settled on %(day)s")),
    (f"one payment for {_ROW}", N_("one payment for the %(kind)s of %(amount)s settled on %(day)s")),
    ("a payment that took no money", N_("a payment that took no money")),
    ("(?P<amount>.*) settled by (?P<day>[\\d-]+)", N_("%(amount)s settled by %(day)s")),
    ("by (?P<day>[\\d-]+)", N_("by %(day)s")),
    ("(?P<amount>.*\\d.*) on (?P<day>\\d{4}-\\d\\d-\\d\\d)", N_("%(amount)s on %(day)s")),
    ("(?P<value>[\\d.,:+-]+( [A-Z]{3})?|[A-Z]{3}(, [A-Z]{3})*)", "%(value)s"),
)


def amount_text(text: str | None) -> Markup:
    """Return what a discrepancy expected or found."""
    return told(text, _FORMS, _value)


def _value(name: str, text: str) -> str:
    if name in ("kind", "others"):
        return in_words(text, _WORDS) or text
    return (in_words(text, _FORMS) or text) if name in ("found", "amount") else text

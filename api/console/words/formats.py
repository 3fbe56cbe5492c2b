"""Dates, numbers, sizes and money as people of a language write them."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_currency, format_decimal, is_currency
from babel.units import format_unit

from adapters.settings.settings import settings
from adapters.words.languages import texts
from api.console.words.languages import language
from domain.payments.amounts import amount_text, exponent_of

_LOCALES = {"en": Locale.parse("en_GB"), "he": Locale.parse("he")}
_UNITS = ("B", "KB", "MB", "GB", "TB")
NOTHING = "–"
_DURATIONS = ((86_400, "day"), (3600, "hour"), (60, "minute"))


def moment_text(moment: datetime | None) -> str:
    """Return a point in time to the second, in the installation's zone."""
    if moment is None:
        return NOTHING
    try:
        return format_datetime(moment, "medium", tzinfo=settings().zone, locale=_locale())
    except (OverflowError, ValueError):  # the payload may state any time, even at the end of the calendar
        return moment.isoformat()


def short_moment_text(moment: datetime, now: datetime) -> str:
    """Return a point in time for a list: the minute within the last half year, before that the day."""
    if abs(now - moment) > timedelta(days=180):
        return format_date(moment.astimezone(settings().zone), "medium", locale=_locale())
    return hour_text(moment)


def day_text(day: date | None) -> str:
    return NOTHING if day is None else format_date(day, "medium", locale=_locale())


def day_in_zone_text(moment: datetime) -> str:
    """Return the day of a moment in the installation's zone, without the year."""
    return format_date(moment.astimezone(settings().zone), "d MMM", locale=_locale())


def moment_in_address(moment: datetime) -> str:
    """Return a minute in the installation's zone, as a filter in an address has it."""
    return quote(moment.astimezone(settings().zone).isoformat(timespec="minutes"))


def hour_text(moment: datetime) -> str:
    """Return the hour of a moment in the installation's zone, with its day."""
    return format_datetime(moment, "d MMM, HH:mm", tzinfo=settings().zone, locale=_locale())


def duration_text(seconds: float | None) -> str:
    """Return a duration in the unit in which people say it: `120 ms`, `2.5 s`, `3 min`, `1.5 h`."""
    if seconds is None:
        return NOTHING
    of_less = (0.001, "millisecond") if 0 < seconds < 1 else (1, "second")
    factor, unit = next((each for each in _DURATIONS if seconds >= each[0]), of_less)
    value = round(seconds / factor, 1 if seconds / factor < 10 else 0)
    return f"\u2068{format_unit(value, f'duration-{unit}', length='short', locale=_locale())}\u2069"


def age_text(moment: datetime, now: datetime) -> str:
    """Return how long ago a moment was, in words."""
    return format_timedelta(moment - now, add_direction=True, threshold=1.5, locale=_locale())


def number_text(number: float | Decimal | None) -> str:
    if isinstance(number, int | Decimal) and number >= 0:
        return f"{number:,}"  # as both languages write it; a chart has hundreds, and Babel takes 40 µs for each
    return NOTHING if number is None else format_decimal(number, locale=_locale())


def size_text(size_bytes: int) -> str:
    """Return a size in the largest unit of which it has one: `2.1 MB`."""
    size, unit = Decimal(size_bytes), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    pattern = "#,##0.#" if unit and size < 100 else "#,##0"
    return (
        f"\u2066{format_decimal(size, pattern, locale=_locale())} {_UNITS[unit]}\u2069"  # also in Hebrew from the left
    )


def money_text(amount_minor: int | None, currency: str | None) -> str:
    exponent = exponent_of(currency)
    if amount_minor is None or exponent is None or currency is None or not is_currency(currency):
        return amount_text(amount_minor, currency, exponent, texts(language()))
    amount = Decimal(amount_minor).scaleb(-exponent)  # of some currencies, CLDR would round minor units away
    return format_currency(amount, currency, locale=_locale(), decimal_quantization=False)


def _locale() -> Locale:
    return _LOCALES[language()]

"""The format of a provider's settlement reports: the columns, and how amounts and dates are written."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from models.settlements.settlement import SettlementTerms

_STRICT = ConfigDict(extra="forbid", strict=False)
Name = Annotated[str, Field(min_length=1)]
Sign = Annotated[str, Field(min_length=1, max_length=1)]


@dataclass(frozen=True, config=_STRICT)
class ReportColumns:
    """The head of each column. `paid_on` is the day of the transaction, `settled_on` the day of the payout."""

    settled_on: Name
    amount: Name
    paid_on: Name | None = None
    currency: Name | None = None
    cguid: Name | None = None
    authorisation: Name | None = None
    card: Name | None = None
    fee: Name | None = None
    kind: Name | None = None
    instalment: Name | None = None


@dataclass(frozen=True, config=_STRICT)
class ReportKinds:
    """The words in the column `kind` for each kind of row. A reversal takes a chargeback back."""

    charge: tuple[Name, ...] = ("charge",)
    refund: tuple[Name, ...] = ("refund",)
    chargeback: tuple[Name, ...] = ("chargeback",)
    reversal: tuple[Name, ...] = ("reversal",)


@dataclass(frozen=True, config=_STRICT)
class ReportFormat:
    """The format of a report. `encoding` None means UTF-8, with or without a byte order mark, or else windows-1255.

    `currency` applies to rows with a blank currency, or if there is no such column. `totals` are the beginnings of the
    first cell in a line of sums. `delimiter` None means that each file shows its own.
    """

    columns: ReportColumns
    encoding: Literal["utf-8", "windows-1255"] | None = None
    delimiter: Sign | None = ","
    date_formats: Annotated[tuple[Name, ...], Field(min_length=1)] = ("%Y-%m-%d", "%d/%m/%Y", "%d/%m/%y")
    amount_unit: Literal["minor", "major"] = "major"
    decimal_separator: Sign = "."
    thousands_separator: Annotated[str, Field(max_length=1)] = ","
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    currencies: Mapping[str, Annotated[str, Field(pattern="^[A-Z]{3}$")]] = Field(default_factory=dict)
    kinds: ReportKinds = Field(default_factory=ReportKinds)
    negative_is_refund: bool = True
    totals: tuple[Name, ...] = ("total", 'סה"כ', "סה״כ", "סהכ")
    fee_tolerance_minor: Annotated[int, Field(ge=0)] = 0
    late_after_days: Annotated[int, Field(ge=0)] = 7

    @property
    def terms(self) -> SettlementTerms:
        return SettlementTerms(self.fee_tolerance_minor, self.late_after_days)

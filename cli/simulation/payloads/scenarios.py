"""The six scenarios, in the order of sending: each makes the body of a request, and the expectation of its outcome.

Good, faulty and refused archives are mixed, so that a small demonstration shows each kind. Expectations are written by
hand here and never computed from the body.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import cycle, islice
from random import Random

from cli.simulation.payloads import documents, forms
from cli.simulation.payloads.documents import Document
from cli.simulation.payloads.processes import Case, Json, attach, pay, process, uuid4_text

Values = dict[str, str | int | tuple[str, ...] | None]


@dataclass(frozen=True)
class Outcome:
    """The outcome of an archive. What `errordesc` says is not expected.

    `status` is the answer: `"0"`, or `"-1"` for a refused body; or the reason why no answer could be read. `state` is
    None when the API does not know the archive, or was not asked. Codes stand once each, in alphabetical order, and
    standings in the order of the payload: all attempts at a transaction are one payment.
    """

    status: str
    errordesc: str = ""
    state: str | None = None
    files: int = 0
    warnings: tuple[str, ...] = ()
    discrepancies: tuple[str, ...] = ()
    standings: tuple[str, ...] = ()

    def comparable(self, *, waited: bool) -> Values:
        """Return the values that are compared. If not `waited`, only the answer can be compared."""
        values = asdict(self)
        del values["errordesc"]
        return values if waited else {"status": self.status}


@dataclass(frozen=True)
class SimulatedArchive:
    """A body to send. `scenario` is a stable short name (`lease-he`). Refused bodies have a `reference` too."""

    scenario: str
    reference: str
    body: bytes
    expectation: Outcome


Change = Callable[[Json, Case], None]
SCENARIOS: dict[str, Callable[[Case], tuple[bytes, Outcome]]] = {}
_REFUSED = Outcome("-1")


def simulated_archives(count: int, *, seed: int, now: datetime) -> Iterator[SimulatedArchive]:
    """Yield `count` archives, the scenarios in a fixed rotation: 6 archives have every scenario, and 1 is refused.

    The same `seed` and `now` give the same archives, whatever the count, except for their PDFs: each PDF has its own
    identifier and times, and the signing key is made once per process. `now` is written without its zone, as Cellosign
    writes times. Cannot be called inside a running event loop (see `documents.signed_pdf`).
    """
    for number, (scenario, make) in enumerate(islice(cycle(SCENARIOS.items()), count)):
        case = _case(seed, number, now)
        body, expectation = make(case)
        yield SimulatedArchive(scenario, case.reference, body, expectation)


def _case(seed: int, number: int, now: datetime) -> Case:
    """Return the case of one archive. Its randomness depends only on seed and number, so references never collide."""
    rng = Random(f"cellar simulate {seed} {number}")  # noqa: S311 - must be repeatable, protects nothing
    return Case(
        reference=uuid4_text(rng),
        transaction_id=uuid4_text(rng),
        process_number=Random(f"cellar simulate {seed}").randrange(10**8) + number,  # noqa: S311
        now=now.replace(tzinfo=None),
        rng=rng,
        run=str(seed),
    )


def _utf8(archive: Json) -> bytes:
    return json.dumps(archive, ensure_ascii=False).encode()


def _cut_off(archive: Json) -> bytes:
    body = _utf8(archive)
    return body[: len(body) * 2 // 3]


def _scenario(
    form: forms.Form,
    expected: Outcome,
    *,
    amount: str = "0.00",
    signers: int = 1,
    write: Callable[[Json], bytes] = _utf8,
) -> Callable[[Change], None]:
    """Register a scenario: a flawless archive of `form`, which the decorated function changes as its docstring says."""

    def add(change: Change) -> None:
        def make(case: Case) -> tuple[bytes, Outcome]:
            archive = process(case, form, signers, amount=amount)
            change(archive, case)
            return write(archive), expected

        SCENARIOS[change.__name__.removeprefix("_").replace("_", "-")] = make

    return add


def _completed(
    files: int, *standings: str, warnings: tuple[str, ...] = (), discrepancies: tuple[str, ...] = ()
) -> Outcome:
    return Outcome("0", "", "completed", files, warnings, discrepancies, standings)


@_scenario(forms.LEASE_HE, _completed(3, "verified"), amount="5,400.00")
def _lease_he(archive: Json, case: Case) -> None:
    """A Hebrew lease, with Hebrew file names in plain UTF-8 and a card that is only verified."""
    attach(archive, "ID_CARD", documents.scan("צילום תעודת זהות.jpg"))
    attach(archive, "PAYSLIP", documents.plain_text("תלוש שכר – ספטמבר.txt", ["תלוש שכר", "ברוטו: 14,200 ₪"]))
    pay(archive, case, "verify_credit_card", 540_000)


@_scenario(forms.LEASE_EN, _completed(2, "held"), amount="1,850.00")
def _lease_en(archive: Json, case: Case) -> None:
    """An English lease with a deposit that is held. The attachment's content is a data URI."""
    attach(archive, "PICTURE", documents.photo("front door.png"), documents.data_uri)
    pay(archive, case, "hold", 185_000, currency="EUR")


@_scenario(forms.PARKING_PERMIT_HE, _completed(1, "charged", discrepancies=("AMOUNT_MISMATCH",)))
def _charge_amount_mismatch(archive: Json, case: Case) -> None:
    """The provider charged 50 agorot less than the form says."""
    pay(archive, case, "charge", 12_500, provider_total=12_450)


@_scenario(forms.LOAN_HE, _completed(2, warnings=("OTP_NOT_SENT",)), amount="60,000.00", signers=2)
def _loan(archive: Json, case: Case) -> None:
    """A workflow of two sessions: the borrower signs, then the guarantor, whose one-time password was not sent."""
    archive["sessions"][1]["recipient"]["otp_destination"]["status"] = "failed"
    guarantee = documents.pdf("Guarantee", [["The guarantor answers for the whole of the loan."]])
    attach(archive, "GUARANTEE", Document("ערבות.pdf", "application/pdf", guarantee))


@_scenario(forms.PARKING_PERMIT_HE, _REFUSED, write=_cut_off)
def _truncated(archive: Json, case: Case) -> None:
    """The body ends in the middle of the signed document."""


@_scenario(forms.PARKING_PERMIT_HE, _completed(2, "charged"))
def _parking_permit(archive: Json, case: Case) -> None:
    """A charge that fails, then succeeds: two attempts of one transaction. The attachment's base64 is url-safe."""
    attach(archive, "CAR_LICENCE", documents.scan("רישיון רכב.jpg"), documents.url_safe_unpadded)
    pay(archive, case, "charge", 12_500, succeeds=False)
    pay(archive, case, "charge", 12_500)

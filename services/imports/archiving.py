"""Archives deliveries of an import by the steps of a run, several at once."""

import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from adapters.platform.cancellation import Stopped, checkpoint
from adapters.store.objects import history
from domain.runs.causes import cause_of
from models.errors import CellarError, Transient
from models.runs.cause import Cause
from models.runs.receipt import Delivery
from services.processing.completion import read_back
from services.processing.findings import reconcile_findings
from services.processing.loading import load
from services.processing.persisting import persist
from services.receipts import leave_inbox, stored_archive


@dataclass(frozen=True, slots=True)
class Failure:
    """A delivery that could not be archived now. The task of the cause is that of `process-archive`."""

    delivery: Delivery
    cause: Cause
    is_transient: bool


class Work:
    """The deliveries of a batch, for several threads. The deliveries of one process stay together and in order."""

    def __init__(self, deliveries: Iterable[Delivery]) -> None:
        in_order = sorted(deliveries, key=lambda each: (each.reference, each.delivery_id))
        self._left = deque([list(its) for _, its in groupby(in_order, lambda each: each.reference)])
        self.done: list[Delivery] = []
        self.failures: list[Failure] = []

    def archive(self) -> None:
        """Archive the deliveries of one process after the other, until none is left. A failure stops no other."""
        while self._left:
            try:
                its = self._left.popleft()
            except IndexError:
                return  # another thread was faster
            for delivery in its:
                checkpoint()
                failure = _failure(delivery)
                if failure:
                    self.failures.append(failure)
                else:
                    self.done.append(delivery)


class Leaving:
    """The complete deliveries of a batch, for several threads."""

    def __init__(self, deliveries: Iterable[Delivery]) -> None:
        self._left = deque(deliveries)

    def leave(self) -> None:
        """Write the history of each receipt into the store, and remove the receipt from the inbox. Idempotent.

        Raises:
            Transient: database, store or inbox does not answer.
        """
        while self._left:
            checkpoint()
            try:
                delivery = self._left.popleft()
            except IndexError:
                return
            history.keep(delivery.reference, delivery.receipt_id)
            leave_inbox(delivery.receipt_id)


def _failure(delivery: Delivery) -> Failure | None:
    """Archive a delivery up to its completion, and return why it failed, if it did."""
    reference, receipt_id, task = delivery.reference, delivery.receipt_id, "persist-files"
    try:
        persist(reference, receipt_id)
        task = "load-metadata"
        archived = stored_archive(reference, receipt_id)
        load(archived)
        task = "reconcile-payments"
        read_back(archived, reconcile_findings(archived).payload)
    except Stopped:
        raise
    except Exception as error:  # every failure has a cause; the other archives go on
        if not isinstance(error, CellarError):
            logging.getLogger(__name__).exception("an archive of an import has failed in %s", task)
        return Failure(delivery, cause_of(error, task), isinstance(error, Transient))
    return None

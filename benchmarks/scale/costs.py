"""What one archive costs each part of an installation."""

from dataclasses import dataclass

BUCKET_REQUEST_S = 0.03
"""Latency of a request to a bucket, as it is assumed here. It costs waiting, and hardly any processor time."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Processor seconds of an archive, by part.

    The sender is the benchmark's own. It counts where it shares the cores of the installation.
    """

    receiver_s: float
    worker_s: float
    prefect_s: float
    database_s: float
    sender_s: float = 0.0

    @property
    def total_s(self) -> float:
        return self.receiver_s + self.worker_s + self.prefect_s + self.database_s + self.sender_s

"""The clock of the corpus. It stands still, so that a file that is made again differs only in random numbers."""

from datetime import UTC, datetime

SIGNED_AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
STAMPED_AT = datetime(2026, 3, 1, 11, tzinfo=UTC)
JUDGED_AT = datetime(2030, 1, 1, tzinfo=UTC)

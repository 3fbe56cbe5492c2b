"""Says how long and how often the delivery of a message is tried."""

from datetime import timedelta

TRIED_FOR = timedelta(hours=75)
"""A weekend and a holiday."""

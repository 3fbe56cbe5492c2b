"""Commands about discrepancies and settlement reports. Nothing long-lived comes in."""

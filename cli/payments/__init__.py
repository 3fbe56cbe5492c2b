"""Commands for discrepancies and settlement reports. Long-running commands stay out."""

"""What a discrepancy says, in a sentence that a clerk understands."""

from models.discrepancy import DiscrepancyCode


def sentence(code: DiscrepancyCode, expected: str, found: str) -> str:
    return f"{code}: expected {expected}, found {found}."

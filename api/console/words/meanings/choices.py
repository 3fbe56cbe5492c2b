"""Words the choices of filters."""

from api.console.words.codes import code_text
from api.console.words.meanings.conditions import condition_meaning
from api.console.words.meanings.discrepancies import discrepancy_meaning
from api.console.words.meanings.warnings import warning_meaning
from api.console.words.values import isolated


def choice_text(code: str) -> str:
    """Return a choice of a filter: what a discrepancy, a warning or a condition means with its code, else its words."""
    found = discrepancy_meaning(code) or warning_meaning(code) or condition_meaning(code)
    return f"{found.what} ({isolated(code)})" if found else code_text(code)

"""What the services' codes mean, in the language of the page, and what a person does about each. None without words."""

from adapters.words.languages import texts
from api.console.words.codes import code_text
from api.console.words.languages import language
from api.console.words.values import isolated
from domain.words import parts
from domain.words.causes import ANSWERS, CAUSES
from domain.words.findings import CONDITIONS, DISCREPANCIES, WARNINGS
from domain.words.wording import Meaning, meant, translated
from models.views.health import Check


def cause_meaning(code: str | None) -> Meaning | None:
    """Return why a run failed or waits, or why a body was refused."""
    return meant(CAUSES, code, texts(language()))


def wait_meaning(system: str) -> Meaning | None:
    """Return why runs wait for a system, and what brings it back."""
    return cause_meaning(f"{system.upper().replace(' ', '_')}_AWAY")


def answer_meaning(code: str) -> Meaning | None:
    """Return why a page or an action fails."""
    return meant(ANSWERS, code, texts(language()))


def condition_meaning(code: str) -> Meaning | None:
    """Return what is wrong with an archive."""
    return meant(CONDITIONS, code, texts(language()))


def warning_meaning(code: str) -> Meaning | None:
    return meant(WARNINGS, code, texts(language()))


def discrepancy_meaning(code: str) -> Meaning | None:
    """Return what a discrepancy means, without its values."""
    return meant(DISCREPANCIES, code, texts(language()))


def discrepancy_text(code: str) -> str:
    """Return what a discrepancy means in a sentence; the code itself if it has no words."""
    found = discrepancy_meaning(code)
    return found.what if found else code


def part_meaning(check: Check) -> Meaning | None:
    """Return what is wrong with a part of the system, None if it is well."""
    known = parts.part_meaning(check.name, check.code, check.verdict)
    return known and translated(known, texts(language()))


def choice_text(code: str) -> str:
    """Return a choice of a filter: what a discrepancy, a warning or a condition means with its code, else its words."""
    found = discrepancy_meaning(code) or warning_meaning(code) or condition_meaning(code)
    return f"{found.what} ({isolated(code)})" if found else code_text(code)

"""What the services' codes mean, in the language of the page, and what a person does about each. None without words."""

from adapters.words.languages import texts
from api.console.words.codes import code_text
from api.console.words.languages import language
from api.console.words.values import isolated
from domain.words import parts
from domain.words.catalogue import MEANINGS
from domain.words.causes import ANSWERS, CAUSES
from domain.words.wording import Meaning, meant, translated
from models.views.health import Check


def meaning(code: str | None) -> Meaning | None:
    """Return what a cause, a refusal, a warning, a discrepancy or a condition means."""
    return meant(MEANINGS, code, texts(language()))


def wait_meaning(system: str) -> Meaning | None:
    """Return why runs wait for a system, and what brings it back."""
    return meaning(f"{system.upper().replace(' ', '_')}_AWAY")


def answer_meaning(code: str) -> Meaning | None:
    """Return why a page or an action fails."""
    return meant(ANSWERS, code, texts(language()))


def discrepancy_text(code: str) -> str:
    """Return what a discrepancy means in a sentence; the code itself if it has no words."""
    found = meaning(code)
    return found.what if found else code


def part_meaning(check: Check) -> Meaning | None:
    """Return what is wrong with a part of the system, None if it is well."""
    known = parts.part_meaning(check.name, check.code, check.verdict)
    return known and translated(known, texts(language()))


def choice_text(code: str) -> str:
    """Return a choice of a filter: what a discrepancy, a warning or a condition means with its code, else its words."""
    found = None if code in CAUSES else meaning(code)
    return f"{found.what} ({isolated(code)})" if found else code_text(code)

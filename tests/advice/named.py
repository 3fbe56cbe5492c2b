"""Finds the commands and settings that texts name: in the source, its Hebrew, the docs and the alerts."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.pofile import read_po

from adapters.settings.settings import Settings
from cli.commands import commands

ROOT = Path(__file__).parents[2]
SOURCES = ("adapters", "api", "cli", "domain", "flows", "models", "services")
PO = ROOT / "adapters/words/texts/he/LC_MESSAGES/cellar.po"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "deploy/monitoring/alerts.yml"]

SETTINGS = {f"CELLAR_{name.upper()}" for name in Settings.model_fields}
_OF_COMMANDS = {name: later.imported() for name, later in commands().items()}
NEEDS_ARGUMENTS = {"rerun", "explain"}
"""Commands that take one of several arguments, so that none of them is required."""
_QUOTED = re.compile(r"`(?:\.venv/bin/)?cellar ([a-z][^`]*)`")
_ON_A_LINE = re.compile(r"^ *(?:\$ )?(?:\.venv/bin/)?cellar ([a-z].*)$", re.MULTILINE)
_PLAIN = re.compile(rf"\bcellar ({'|'.join(map(re.escape, _OF_COMMANDS))})\b(?!`)")
_ASKED_FOR = re.compile(r"\b(?:[Rr]un|[Ss]tart|first) cellar ([a-z-]+)")
_END = re.compile(r"[|>;&#…]| \.\.\.")


@cache
def texts_of_source() -> list[tuple[str, str]]:
    """Return the texts of the source with their files, docstrings too. A value within a text is `x`."""
    return [(place, text) for place, tree in _trees() for text in _texts(tree)]


def sentences_of_source() -> Iterator[tuple[str, str]]:
    """Yield the texts of the source that a person may read, with their files: all but the docstrings."""
    for place, tree in _trees():
        for each in ast.walk(tree):
            if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant):
                each.value = ast.Constant(None)
        yield from ((place, text) for text in _texts(tree))


def texts_of_pages() -> Iterator[tuple[str, str]]:
    """Yield the docs and alerts, with the lines of their fenced blocks as they are, and the other text unfolded."""
    for path in PAGES:
        for number, part in enumerate(path.read_text().split("```")):
            text = part if number % 2 else re.sub(r"\s+", " ", part)
            yield str(path.relative_to(ROOT)), text


def pairs_of_console() -> Iterator[tuple[str, str]]:
    """Yield the English and the Hebrew of each text of the console."""
    with PO.open("rb") as file:
        catalog = read_po(file)
    for each in catalog:
        for english, hebrew in zip(_several(each.id), _several(each.string), strict=False):
            if english:
                yield english, hebrew


def commands_in(text: str) -> list[str]:
    """Return the commands that a text quotes, or has on lines of their own, without `cellar`."""
    found = [*_QUOTED.findall(text), *(_ON_A_LINE.findall(text) if "\n" in text else [])]
    return [_END.split(each)[0].strip() for each in found]


def plain_commands_in(text: str) -> list[str]:
    """Return the subcommands that a text without quotes names: `Run cellar migrate.`"""
    return [*_PLAIN.findall(text), *_ASKED_FOR.findall(text)]


def settings_in(text: str) -> set[str]:
    """Return the settings that a text names. A name that goes on with a value, `CELLAR_SEARCH_…S`, is left out."""
    return {each for each in re.findall(r"\bCELLAR_[A-Z0-9_]+", text) if not each.endswith("_")}


def fault_of(command: str, *, whole: bool = False) -> str:
    """Return what is wrong with a command, without `cellar`: an unknown subcommand or option. Empty if nothing is.

    `whole`: an argument that the command needs must not be left out.
    """
    words = command.split()
    found: Any = _OF_COMMANDS.get(words[0])
    taken = 1
    while hasattr(found, "commands") and taken < len(words) and not words[taken].startswith("-"):
        found = found.commands.get(words[taken])
        taken += 1
    if found is None:
        return f"`cellar {command}`: there is no `cellar {' '.join(words[:taken])}`"
    if whole and taken == len(words) and (NEEDS_ARGUMENTS & {command} or any(each.required for each in found.params)):
        return f"`cellar {command}`: it needs an argument"
    known = {option for each in found.params for option in each.opts} | {"--help"}
    wrong = [each for each in words[taken:] if each.startswith("--") and each.partition("=")[0] not in known]
    return f"`cellar {command}`: unknown {', '.join(wrong)}" if wrong else ""


def _trees() -> Iterator[tuple[str, ast.AST]]:
    for path in (each for folder in SOURCES for each in sorted((ROOT / folder).rglob("*.py"))):
        text = path.read_text()
        if "cellar " in text or "CELLAR_" in text:
            yield str(path.relative_to(ROOT)), ast.parse(text)


def _texts(tree: ast.AST) -> Iterator[str]:
    within = {id(part) for each in ast.walk(tree) if isinstance(each, ast.JoinedStr) for part in ast.walk(each)}
    for each in ast.walk(tree):
        if isinstance(each, ast.JoinedStr):
            parts = (str(part.value) if isinstance(part, ast.Constant) else "x" for part in each.values)
            yield " ".join("".join(parts).split())
        elif isinstance(each, ast.Constant) and isinstance(each.value, str) and id(each) not in within:
            yield " ".join(each.value.split())


def _several(text: object) -> tuple[str, ...]:
    return tuple(map(str, text)) if isinstance(text, list | tuple) else (str(text),)

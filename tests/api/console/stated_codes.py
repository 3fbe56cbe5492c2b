"""Finds the codes of errors that the source of cellar states, so that none is forgotten."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
_CODE = re.compile(r"[A-Z][A-Z0-9]+(_[A-Z0-9]+)*")
_RAISED = re.compile(r"\w*(refuse|refused|fault|cause)", re.IGNORECASE)
"""Calls whose first argument is a code: `Refused`, `refuse`, `self._refuse`, `JsonFault`, `Cause`."""


def codes_in(*folders: str) -> dict[str, set[str]]:
    """Return the codes that calls and assignments of these folders state, each with the files that do."""
    found: dict[str, set[str]] = {}
    for path in _sources(*folders):
        tree = ast.parse(path.read_text())
        named = {each: _texts(value) for each, value in _assigned(tree)}
        for stated in _stating_codes(tree):
            texts = named.get(stated.id, []) if isinstance(stated, ast.Name) else _texts(stated)
            for code in filter(_CODE.fullmatch, texts):
                found.setdefault(code, set()).add(str(path.relative_to(ROOT)))
    return found


def _sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        path = ROOT / folder
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    yield from (each for each in ast.walk(tree) if isinstance(each, ast.Call))


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _stating_codes(tree: ast.AST) -> Iterator[ast.expr]:
    for call in _calls(tree):
        if _RAISED.fullmatch(_name(call)):
            yield from call.args[:1]
        yield from (each.value for each in call.keywords if each.arg == "code")
    yield from (value for name, value in _assigned(tree) if name == "code")


def _assigned(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield names and members with what is assigned to them."""
    for each in ast.walk(tree):
        if not isinstance(each, ast.Assign | ast.AnnAssign) or each.value is None:
            continue
        for target in each.targets if isinstance(each, ast.Assign) else [each.target]:
            if name := getattr(target, "attr", None) or getattr(target, "id", None):
                yield name, each.value


def _texts(expression: ast.expr) -> list[str]:
    return [
        each.value for each in ast.walk(expression) if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]

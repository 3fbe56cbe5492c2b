"""Writes the README's table of settings from the settings themselves: `make settings-table`."""

import ast
import inspect
from itertools import pairwise
from pathlib import Path

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from adapters.settings.settings import Settings

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- settings: made by `make settings-table` -->", "<!-- end of settings -->"


def settings_table() -> str:
    lines = ["| variable | meaning | default |", "| --- | --- | --- |"]
    meanings = _meanings()
    lines += [f"| `{_variable(n, f)}` | {meanings[n]} | {_default(f)} |" for n, f in Settings.model_fields.items()]
    return "\n".join(lines)


def with_table(readme: str) -> str:
    """The README with the table as it should be."""
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{settings_table()}\n{END}{rest.split(END)[1]}"


def _meanings() -> dict[str, str]:
    """What each setting means, by its name: the text below it."""
    body = next(each.body for each in ast.parse(inspect.getsource(Settings)).body if isinstance(each, ast.ClassDef))
    return {
        ast.unparse(field.target): " ".join(str(ast.literal_eval(text.value)).split())
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
    }


def _variable(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"CELLAR_{name.upper()}"


def _default(field: FieldInfo) -> str:
    if field.default in (None, "", ()):
        return ""
    if isinstance(field.default, tuple):
        return f"`{','.join(field.default)}`"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


if __name__ == "__main__":
    README.write_text(with_table(README.read_text()))

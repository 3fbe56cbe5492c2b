"""Every text has its Hebrew."""

from collections.abc import Iterable
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

import adapters.words
import api.console
import domain

FOLDERS = tuple(Path(str(each.__file__)).parent for each in (api.console, domain))
HEBREW = Path(adapters.words.__file__).parent / "texts" / "he" / "LC_MESSAGES"
_ADVICE = "run `make console-texts`, and write the Hebrew into cellar.po"
_MethodMap = [
    ("**/words/catalogue.py", "adapters.words.languages:extract"),
    ("**.py", "python"),
    ("**.html", "jinja2"),
]


def texts() -> set[str | tuple[str, ...]]:
    options = {"**.html": {"trimmed": "true"}}
    keywords = DEFAULT_KEYWORDS | {"N_": None}
    found = [each for folder in FOLDERS for each in extract_from_dir(folder, _MethodMap, options, keywords)]
    return {message if isinstance(message, str) else tuple(message or ()) for _, _, message, _, _ in found}


def catalogue() -> Catalog:
    with (HEBREW / "cellar.po").open("rb") as file:
        return read_po(file)


def translated() -> dict[str | tuple[str, ...], str | tuple[str, ...]]:
    made: dict[str | tuple[str, ...], str | tuple[str, ...]] = {}
    for message in catalogue():
        if message.id:
            key = message.id if isinstance(message.id, str) else tuple(message.id)
            made[key] = message.string if isinstance(message.string, str) else tuple(message.string or ())
    return made


def test_every_text_has_its_hebrew() -> None:
    hebrew = translated()

    lacking = sorted(str(each) for each in texts() if not hebrew.get(each) or not all(hebrew[each]))

    assert lacking == [], _ADVICE


def test_no_hebrew_is_left_of_texts_that_are_gone() -> None:
    assert sorted(map(str, translated().keys() - texts())) == [], _ADVICE


def _by_text(catalog: Catalog) -> dict[str, list[str]]:
    return {" ".join(_several(each.id)): _several(each.string) for each in catalog if each.id}


def _several(text: str | Iterable[str] | None) -> list[str]:
    return [text] if isinstance(text, str) else list(text or ())


def test_compiled_texts_are_the_written_texts() -> None:
    with (HEBREW / "cellar.mo").open("rb") as file:
        compiled = read_mo(file)

    assert _by_text(compiled) == _by_text(catalogue()), _ADVICE

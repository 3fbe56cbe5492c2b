"""File names for exports: each file's own name, made safe on any system and unique."""

import re
import unicodedata
from collections.abc import Sequence

MAX_NAME_BYTES = 200
_MAX_EXTENSION_CHARACTERS = 16
_NUMBER_BYTES = len(" (10000)")

# No name of a file on Windows has these. `%` is there for the programs that check bags: most of them, bagit-python
# too, read the `%25` of a manifest as it stands, against RFC 8493, and would miss the file.
_FORBIDDEN = frozenset('/\\<>:"|?*%')
# Controls, halves of emoji, and what is invisible: marks that turn the direction of text (`fdp.exe` for `exe.pdf`),
# joiners, byte order marks.
_DROPPED = {"Cc", "Cf", "Cs"}
_RESERVED = re.compile(r"(CON|PRN|AUX|NUL|CLOCK\$|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³]) *(\..*)?", re.IGNORECASE)
_EXTENSION = re.compile(rf"(?<=.)\.[^. ]{{1,{_MAX_EXTENSION_CHARACTERS}}}\Z", re.DOTALL)

_EXTENSIONS = {
    "application/json": ".json",
    "application/msword": ".doc",
    "application/pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/xml": ".xml",
    "application/zip": ".zip",
    "image/gif": ".gif",
    "image/heic": ".heic",
    "image/jpeg": ".jpg",
    "image/jpg": ".jpg",
    "image/png": ".png",
    "image/tiff": ".tif",
    "image/webp": ".webp",
    "text/plain": ".txt",
    "text/xml": ".xml",
    "video/mp4": ".mp4",
}


def safe_names(names: Sequence[str | None], media_types: Sequence[str | None]) -> list[str]:
    """Return a name for each file, in their order. Pure.

    A name is one part of a path on Linux, macOS and Windows, in NFC, of at most `MAX_NAME_BYTES` in UTF-8, never empty,
    and differs from all others by more than case. The extension stays when a name is cut. A file without a name is
    `unnamed`, with the extension of its media type; the second `scan.pdf` is `scan (2).pdf`.

    Args:
        names: as sent.
        media_types: as declared, one for each name.
    """
    taken: set[str] = set()
    numbers: dict[str, int] = {}
    unique = []
    for name, media_type in zip(names, media_types, strict=True):
        free = _free(_safe(name or "") or _unnamed(media_type), taken, numbers)
        taken.add(_folded(free))
        unique.append(free)
    return unique


def _safe(name: str) -> str:
    """The name made safe; empty where nothing is left of it."""
    visible = "".join(map(_safe_character, name))
    trimmed = unicodedata.normalize("NFC", visible).lstrip(". -").rstrip(". ")
    stem, extension = _split(f"_{trimmed}" if _RESERVED.fullmatch(trimmed) else trimmed)
    return _cut(stem, MAX_NAME_BYTES - _size_bytes(extension)) + extension


def _safe_character(character: str) -> str:
    if character.isspace():
        return " "
    if unicodedata.category(character) in _DROPPED:
        return ""
    return "_" if character in _FORBIDDEN else character


def _unnamed(media_type: str | None) -> str:
    plain = (media_type or "").partition(";")[0].strip().lower()
    return f"unnamed{_EXTENSIONS.get(plain, '')}"


def _free(name: str, taken: set[str], numbers: dict[str, int]) -> str:
    """The name itself, or with the first number that makes it a new one.

    `numbers` has the next to try for each shortened name: with 10,000 files of one name, each number is tried once.
    """
    if _folded(name) not in taken:
        return name
    stem, extension = _split(name)
    short = _cut(stem, MAX_NAME_BYTES - _NUMBER_BYTES - _size_bytes(extension))
    series = _folded(short + extension)
    number = numbers.get(series, 2)
    while _folded(f"{short} ({number}){extension}") in taken:
        number += 1
    numbers[series] = number + 1
    return f"{short} ({number}){extension}"


def _split(name: str) -> tuple[str, str]:
    extension = _EXTENSION.search(name)
    return (name[: extension.start()], extension[0]) if extension else (name, "")


def _cut(text: str, most_bytes: int) -> str:
    if _size_bytes(text) <= most_bytes:
        return text
    return text.encode()[:most_bytes].decode(errors="ignore").rstrip(". ")


def _size_bytes(text: str) -> int:
    return len(text.encode())


def _folded(name: str) -> str:
    """The same for names that a file system without case takes for one; some compare capitals, some fold case."""
    return unicodedata.normalize("NFC", name.upper().casefold())

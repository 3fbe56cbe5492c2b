"""Makes file names for exports: each file's own name, safe on any system and unique."""

import re
import unicodedata
from collections.abc import Sequence

MAX_NAME_BYTES = 200
_MAX_EXTENSION_CHARACTERS = 16
_NUMBER_BYTES = len(" (10000)")

# Windows forbids all of these but `%`. Most programs that check bags, bagit-python too, do not decode the `%25` of a
# manifest, against RFC 8493, and would report the file as missing.
_FORBIDDEN = frozenset('/\\<>:"|?*%')
# Control characters, lone surrogates and invisible characters: direction marks (`fdp.exe` for `exe.pdf`), joiners,
# byte order marks.
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

    A name is one part of a path on Linux, macOS and Windows, in NFC, of at most `MAX_NAME_BYTES` in UTF-8. It is never
    empty, and differs from every other name by more than case. A shortened name keeps its extension. A file without a
    name is `unnamed`, with the extension of its media type. The second `scan.pdf` becomes `scan (2).pdf`.

    Args:
        names: names as sent.
        media_types: declared media types, one for each name.
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
    """Return the safe form of a name, or empty text if nothing is left."""
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
    """Return the name itself, or the name with the first free number.

    `numbers` has the next number to try for each shortened name, so 10,000 files of one name try each number once.
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
    """Return equal text for names that are equal without case. Some file systems compare capitals, some fold case."""
    return unicodedata.normalize("NFC", name.upper().casefold())

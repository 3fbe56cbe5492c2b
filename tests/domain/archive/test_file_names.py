"""File names of exports: safe on every system, unique, and otherwise as they were sent."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.archive.file_names import MAX_NAME_BYTES, safe_names

RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}

# Problem characters, frequent enough to appear side by side.
hostile = st.text(
    st.sampled_from("aA.-_ /\\:%()2\0\n\r\t\x7f\u0085\u202e\u2066\u200f\u2028\ufeff\ud800שß\u0301\u0338<|?*\U0001f44d")
)
names = st.lists(st.none() | hostile | st.text() | st.sampled_from(["con", "NUL.txt", "scan.pdf", "SCAN.pdf"]))


def only(name: str | None, media_type: str | None = None) -> str:
    [safe] = safe_names([name], [media_type])
    return safe


def named(*given: str) -> list[str]:
    return safe_names(given, [None] * len(given))


@given(names)
@example(["con.\u200e"])
@example(["x" * 300 + ".pdf"] * 12)
@example(["ש" * 300, "ש" * 301])
def test_every_name_is_safe_on_every_system(given: list[str | None]) -> None:
    for name in safe_names(given, [None] * len(given)):
        assert name
        assert 0 < len(name.encode()) <= MAX_NAME_BYTES
        assert not re.search(r'[/\\<>:"|?*%]', name)
        assert not {unicodedata.category(character) for character in name} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert name[0] not in ".- "
        assert name[-1] not in ". "
        assert name.split(".")[0].rstrip().lower() not in RESERVED
        assert unicodedata.is_normalized("NFC", name)


@given(names)
def test_names_differ_by_more_than_case_and_safe_names_are_unchanged(given: list[str | None]) -> None:
    safe = safe_names(given, [None] * len(given))

    assert len(safe) == len(given)
    assert len({name.casefold() for name in safe}) == len({name.upper() for name in safe}) == len(safe)
    assert named(*safe) == safe


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        *((name, name) for name in ("חוזה חתום.pdf", "résumé (v2).tar.gz", "a-b_c d.x", "文書.pdf", "1")),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\temp\\scan.pdf", "C__temp_scan.pdf"),
        ("a\0b\nc.pdf", "ab c.pdf"),
        (".htaccess", "htaccess"),
        ("-rf", "rf"),
        ("scan.pdf. . ", "scan.pdf"),
        ("CON", "_CON"),
        ("con.tar.gz", "_con.tar.gz"),
        ("Lpt9 .txt", "_Lpt9 .txt"),
        ("com¹.pdf", "_com¹.pdf"),
        ("console.txt", "console.txt"),
        ("100% sure?.pdf", "100_ sure_.pdf"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("שלום\u200f.pdf", "שלום.pdf"),
        ("\u05e9\u05c1", "\u05e9\u05c1"),  # NFC keeps it decomposed
        ("e\u0301.pdf", "\u00e9.pdf"),
        ("e\u200d\u0301.pdf", "\u00e9.pdf"),
        ("half \ud83d emoji", "half  emoji"),
        ("", "unnamed"),
        ("...", "unnamed"),
        ("\u202e", "unnamed"),
        (None, "unnamed"),
    ],
)
def test_harmless_name_is_unchanged_and_any_other_is_made_safe(name: str | None, safe: str) -> None:
    assert only(name) == safe


@pytest.mark.parametrize(
    ("media_type", "safe"),
    [
        ("application/pdf", "unnamed.pdf"),
        (" Image/JPEG; q=1", "unnamed.jpg"),
        ("application/x-unknown", "unnamed"),
        ("../evil", "unnamed"),
    ],
)
def test_unnamed_file_gets_the_extension_of_its_media_type(media_type: str, safe: str) -> None:
    assert only(None, media_type) == safe
    assert only("scan", media_type) == "scan"


def test_long_name_is_cut_between_characters_and_keeps_its_extension() -> None:
    cut = only("ש" * 300 + ".pdf")

    assert cut == "ש" * 98 + ".pdf"
    assert only("x" * 300) == "x" * 200
    assert only("x." + "y" * 300) == "x." + "y" * 198  # too long for an extension


def test_repeated_name_is_numbered_ten_thousand_times_too() -> None:
    assert named("scan.pdf", "SCAN.PDF", "scan.pdf", "scan") == ["scan.pdf", "SCAN (2).PDF", "scan (3).pdf", "scan"]
    assert named(*["scan.pdf"] * 10_000)[-1] == "scan (10000).pdf"

"""The document on settlement reports is correct: its example is readable, its table names every part of the form."""

import re
from dataclasses import fields
from pathlib import Path

from domain.settlements.matching import CODES
from domain.settlements.report import entries_of, read_format
from models.settlements.report_format import ReportColumns, ReportFormat
from models.settlements.settlement import EntryKind

DOCUMENT = (Path(__file__).parents[3] / "docs" / "settlement.md").read_text()


def block(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found
    return found[1]


def test_example_is_read_in_both_encodings() -> None:
    form = read_format(block("toml"))
    for encoding in ("utf-8-sig", "windows-1255"):
        entries = list(entries_of(block("csv").encode(encoding), form, str.upper))
        assert [(each.kind, each.amount_minor, each.fee_minor, each.instalment) for each in entries] == [
            (EntryKind.CHARGE, 2100, 15, None),
            (EntryKind.CHARGE, 120000, 840, 1),
            (EntryKind.REFUND, 500, None, None),
        ]


def test_table_names_every_part_of_the_form() -> None:
    named = set(re.findall(r"^\| `([a-z_.]+)` \|", DOCUMENT, re.MULTILINE))

    parts = {each.name for each in fields(ReportFormat)} - {"columns"}
    assert named == parts | {f"columns.{each.name}" for each in fields(ReportColumns)}


def test_every_code_is_explained() -> None:
    assert {code for code in CODES if f"`{code}`" not in DOCUMENT} == set()

"""`cellar show` and `cellar list` in 80 and 100 columns: pages of archives that failed, wait and are complete."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from rich.console import Console

from cli.archives.archive_page import print_archive
from cli.archives.archives import LISTED, row
from cli.terminal import print_fitted
from models.templates import Names
from models.titles import TitleView
from models.views.archives.archives import (
    ArchiveSummary,
    ArchiveView,
    CauseView,
    DeliveryView,
    FileView,
    RunView,
    TimelineEntry,
    TimelineKind,
    VersionView,
    WarningView,
)
from models.views.archives.payments import DiscrepancyView, PaymentView

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
REFERENCE = "f51c66ba-d33a-4c59-b63a-aa270383fb9e"
TRANSACTION = "27356777-8b75-4b29-98b5-150592eb2d40"
RECEIPT, LATER = "ab" * 32, "cd" * 32
URL = "http://prefect.example.com:4200/runs/flow-run/b45e7d0a-29f2-4d3c-9d8c-0b1c2d3e4f50/and-a-long-path-behind-it"
CAUSE = CauseView(
    code="STORE_AWAY",
    task="persist-files",
    error_class="Transient",
    sentence="the store does not take a file: Read-only file system; mount the store so that cellar may write to it",
    values={},
    attempt=3,
    since=NOON,
)
RUN = RunView(
    flow_run_id="b45e7d0a-29f2-4d3c-9d8c-0b1c2d3e4f50",
    attempt=3,
    state="Failed",
    trigger="webhook",
    failed_task="persist-files",
    cause=CAUSE,
    started_at=NOON,
    ended_at=NOON.replace(second=30),
    url=URL,
)
PAYMENT = PaymentView(
    transaction_id=TRANSACTION,
    type="verify_credit_card",
    status="success",
    amount_minor=540_000,
    currency="ILS",
    card_last4="2377",
    standing="verified",
)
DISCREPANCY = DiscrepancyView(
    discrepancy_id="8224f8586fb83c2dc7f5a2bacb6b820d",
    code="AMOUNT_MISMATCH",
    transaction_id=TRANSACTION,
    expected="1",
    found="2",
    sentence="The amount of the payment differs from the amount that the provider states. Expected: 1. Found: 2.",
    state="open",
    opened_at=NOON,
    explanation=None,
    closed_at=None,
)
DELIVERIES = [
    DeliveryView(receipt_id=receipt, received_at=NOON, outcome=outcome, source="default")
    for receipt, outcome in ((RECEIPT, "new"), (RECEIPT, "duplicate"), (LATER, "changed"))
]


def archive(**members: object) -> ArchiveView:
    lists = (
        *("sessions", "signatures", "fields", "warnings", "payments", "discrepancies", "closed_discrepancies"),
        *("conditions", "versions", "deliveries", "refused", "files", "judgements", "notifications", "timeline"),
        *("missing", "runs"),
    )
    absent = ("checked_at", "anchored_at", "completed_at", "cause", "signed_document_verdict")
    head = {"reference": REFERENCE, "template_id": "9fa7", "process_number": 1037, "source": "default"}
    rest = {"title": {}, "received_at": NOON, "state": "failed"}
    empty: dict[str, object] = {name: [] for name in lists} | dict.fromkeys(absent)
    return ArchiveView.model_validate(empty | head | rest | members)


def printed(width: int, print_on: Callable[[Console], None]) -> list[str]:
    terminal = Console(width=width, force_terminal=True, color_system=None, markup=False, emoji=False)
    with terminal.capture() as captured:
        print_on(terminal)
    return [re.sub("\x1b\\[[0-9;]*m", "", line).rstrip() for line in captured.get().splitlines()]


def page(shown: ArchiveView, width: int = 100) -> list[str]:
    return printed(width, lambda terminal: print_archive(terminal, shown, NOON.replace(hour=15)))


def test_failed_archive_says_why_and_what_to_do_and_where_its_run_is() -> None:
    assert page(archive(cause=CAUSE, runs=[RUN])) == [
        REFERENCE,
        "failed, process 1037, template 9fa7",
        "received 2026-01-01 12:00:00Z, not completed (times are in UTC)",
        "",
        "Failed 2026-01-01 12:00:00Z (3 h ago): STORE_AWAY in persist-files, attempt 3",
        "  the store does not take a file: Read-only file system; mount the store so that cellar may write to",
        "  it",
        f"  Then run it again: cellar rerun {REFERENCE}",
        "",
        "runs",
        "  Failed, webhook, attempt 3, 2026-01-01 12:00:00Z for 30.0 s – STORE_AWAY in persist-files",
        f"    {URL}",
    ]


def test_waiting_archive_needs_no_re_run() -> None:
    lines = page(archive(state="processing", cause=CAUSE))

    assert "Waits since 2026-01-01 12:00:00Z (3 h ago): STORE_AWAY in persist-files, attempt 3" in lines
    assert "  Then it goes on by itself, and no re-run is needed." in lines


def test_delivery_names_the_version_that_it_made() -> None:
    versions = [VersionView(version=1, receipt_id=RECEIPT, received_at=NOON)]
    lines = page(archive(versions=versions, deliveries=DELIVERIES))

    assert [line.split() for line in lines[lines.index("deliveries") + 2 :]] == [
        [receipt, version, "2026-01-01", "12:00:00Z"]
        for version, receipt in (("1", RECEIPT), ("duplicate", RECEIPT), ("changed", LATER))
    ]


def test_page_fits_100_columns_with_ids_whole_and_hebrew_names_folded() -> None:
    file = {"role": "signed_document", "element_id": None, "size_bytes": 168_800, "sha256": RECEIPT}
    office = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    named = {"filename": "הסכם שכירות " * 12 + ".pdf", "media_type": office, "looks_like": None, "infection": None}
    files = [FileView.model_validate(file | named)]
    lines = page(archive(files=files, payments=[PAYMENT], discrepancies=[DISCREPANCY], deliveries=DELIVERIES))

    assert [line for line in lines if len(line) > 100] == []
    text = "\n".join(lines)
    assert all(each in text for each in (RECEIPT, LATER, DISCREPANCY.discrepancy_id, "168.8 kB", "5400.00 ILS"))
    assert sum(line.count("הסכם") for line in lines) == 12
    assert f"{TRANSACTION}  verified  5400.00 ILS  success  verify_credit_card  2377" in lines


def test_page_in_80_columns_leaves_columns_out_and_cuts_no_word() -> None:
    lines = page(archive(payments=[PAYMENT], deliveries=DELIVERIES), width=80)

    assert max(map(len, lines)) == 80
    assert lines[-3:] == [
        "transaction                           standing       amount  status   card",
        f"{TRANSACTION}  verified  5400.00 ILS  success  2377",
        "--json also shows: type",
    ]
    assert "…" not in "".join(lines)


def test_timeline_has_a_line_an_entry() -> None:
    entries = [
        TimelineEntry(at=NOON, kind=kind, what=f"what {kind}", code="text", values={}, by=by, id="x")
        for kind, by in ((TimelineKind.EVENT, None), (TimelineKind.ACTION, "dana"))
    ]

    lines = page(archive(timeline=entries))

    begin = lines.index("timeline")
    assert lines[begin + 1 : begin + 4] == [
        "time                  kind    what         by",
        "2026-01-01 12:00:00Z  event   what event",
        "2026-01-01 12:00:00Z  action  what action  dana",
    ]


def test_long_section_ends_with_the_number_of_rows_left() -> None:
    warnings = [
        WarningView(code="WRONG_TYPE", where=f"data[{row}]", detail="kept as null", values={}) for row in range(1_051)
    ]

    lines = page(archive(warnings=warnings))

    assert lines[-2:] == ["  WRONG_TYPE at data[49]: kept as null", "  and 1,001 more; --json shows all"]


def listed(cause: CauseView | None) -> ArchiveSummary:
    return ArchiveSummary(
        title=TitleView(),
        reference=REFERENCE,
        state="failed" if cause else "completed",
        template_id="9fa70d4ccea84262b1ed2308a07a3fb4",
        process_number=1037,
        source="default",
        received_at=NOON,
        completed_at=None,
        cause=cause,
        conditions=[],
        files=2,
        warnings=3,
        discrepancies=10,
    )


def listing(*archives: ArchiveSummary, width: int) -> list[str]:
    return printed(width, lambda terminal: print_fitted(terminal, LISTED, map(row, archives), all_by="--wide"))


def test_list_in_80_columns_shows_cause_and_task_of_a_failure() -> None:
    assert listing(listed(CAUSE), width=80) == [
        "reference                             state   cause                     process",
        f"{REFERENCE}  failed  STORE_AWAY persist-files     1037",
        "--wide also shows: received, template, files, warnings, discrepancies",
    ]


def test_list_in_80_columns_shows_whole_references_and_whole_words_of_titles() -> None:
    loan = TitleView(person="Noa Levi", template_id="1", template=Names(en="Loan agreement"), facets=("Haifa",))

    assert listing(listed(None).model_copy(update={"title": loan}), width=80) == [
        "reference                             state      title",
        f"{REFERENCE}  completed  Noa Levi · Loan agreement ·",
        f"{'Haifa':>54}",
        "--wide also shows: received, process, template, files, warnings, discrepancies",
    ]


def test_list_in_150_columns_shows_all_and_a_column_of_sources_where_an_archive_has_one() -> None:
    heads, line = listing(listed(None), width=150)

    cells = (REFERENCE, "completed", "2026-01-01", "12:00Z", "1037", "9fa70d4ccea84262b1ed2308a07a3fb4", "2", "3", "10")
    assert (tuple(line.split()), "source" in heads) == (cells, False)
    of_retail = listed(None).model_copy(update={"source": "retail"})
    assert "source" in listing(listed(None), of_retail, width=200)[0]


def test_head_names_the_source_unless_it_is_the_default() -> None:
    assert "source" not in page(archive())[1]
    assert page(archive(source="retail"))[1].endswith("source retail")

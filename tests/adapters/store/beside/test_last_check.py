"""The findings of a check stand until a check of the whole store finds none."""

from datetime import UTC, datetime

import pytest

from adapters.files.store import store
from adapters.store.beside.last_check import keep_check, last_check
from models.store.fixity import Fault, Fixity, FixityFinding

pytestmark = pytest.mark.usefixtures("store_kind")

_AT = datetime(2026, 1, 1, tzinfo=UTC)
_LATER = datetime(2026, 1, 8, tzinfo=UTC)
_SOUND = Fixity(10, 20, 30, ())
_DAMAGED = Fixity(10, 20, 30, (FixityFinding("a/key", Fault.DAMAGED, "a digest", "another"),) * 2)


def found() -> tuple[datetime, dict[Fault, int]]:
    check = last_check()
    assert check
    return check.at, {fault: number for fault, number in check.findings.items() if number}


def test_last_check_is_kept_with_its_findings() -> None:
    assert last_check() is None

    keep_check(_DAMAGED, 1, _AT)

    assert found() == (_AT, {Fault.DAMAGED: 2})


def test_sample_that_finds_nothing_hides_no_earlier_finding() -> None:
    keep_check(_DAMAGED, 1, _AT)

    keep_check(_SOUND, 0.1, _LATER)
    assert found() == (_AT, {Fault.DAMAGED: 2})

    keep_check(_SOUND, 1, _LATER)
    assert found() == (_LATER, {})


def test_sample_replaces_a_check_that_found_nothing() -> None:
    keep_check(_SOUND, 1, _AT)

    keep_check(_DAMAGED, 0.1, _LATER)

    assert found() == (_LATER, {Fault.DAMAGED: 2})


@pytest.mark.parametrize(
    "text", [b"", b"no JSON", b"[]", b'{"at": 1}', b'{"at": "2026-01-01", "findings": {"odd": 1}}']
)
def test_unreadable_record_counts_as_no_check(text: bytes) -> None:
    store().write(text, "last-check.json")
    store().sync()

    assert last_check() is None

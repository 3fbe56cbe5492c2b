"""Every failure has a code, a sentence, and an answer to whether it heals by itself."""

import pytest

from domain.runs import cause_of, system_of
from models.errors import Conflict, Locked, Refused, System, Transient, Unreadable, Unusable

SECRET = "4580-1234"

CASES = [
    (Refused("NOT_BASE64", "expected base64", where="attachments[0]"), "NOT_BASE64", None),
    (Transient("the bucket does not write k: SlowDown", system=System.STORE), "STORE_AWAY", System.STORE),
    (Transient("the database does not answer", system=System.DATABASE), "DATABASE_AWAY", System.DATABASE),
    (Transient("the examination was killed"), "INTERRUPTED", System.OTHER_RUN),
    (Unreadable("archives/k", "EIO"), "STORE_UNREADABLE", System.STORE),
    (Unusable("run `cellar migrate`"), "DATABASE_UNUSABLE", System.DATABASE),
    (Locked("the key k is gone"), "KEY_AWAY", System.KEY),
    (Conflict("the archive is damaged"), "CONFLICT", None),
    (Conflict("expected 3 rows", code="NOT_READ_BACK"), "NOT_READ_BACK", None),
    (KeyError(SECRET), "UNEXPECTED", None),
]


@pytest.mark.parametrize(("error", "code", "system"), CASES, ids=lambda each: str(each)[:30])
def test_failure_has_a_code_and_says_whether_it_heals(error: Exception, code: str, system: System | None) -> None:
    cause = cause_of(error, "persist-files")

    assert (cause.code, cause.task, cause.error_class) == (code, "persist-files", type(error).__name__)
    assert system_of(error) is system
    assert str(cause).startswith(f"{code} in persist-files: ")


def test_unexpected_error_shows_its_class_and_not_its_message() -> None:
    assert SECRET not in str(cause_of(KeyError(SECRET), None))
    assert "KeyError" in str(cause_of(KeyError(SECRET), None))


def test_failures_of_different_archives_in_one_store_have_the_same_sentence() -> None:
    errors = [Unreadable(f"archives/{name}", "EIO") for name in "ab"]

    assert len({cause_of(each, "load-metadata") for each in errors}) == 1

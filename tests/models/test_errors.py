"""Errors pass from one process to another as they are."""

import pickle

import pytest

from models.errors import CellarError, Conflict, Refused, System, Transient, Unreadable
from models.said import Sentence


@pytest.mark.parametrize(
    "error",
    [
        Refused("NOT_JSON", Sentence.at_byte(byte=1, reason="a comma"), where="sessions", status=400),
        Transient(Sentence.spool_full(reason="no space"), system=System.STORE, key="archives/1"),
        Unreadable("archives/1", "an input/output error"),
        Conflict("two truths"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_error_of_another_process_says_the_same(error: CellarError) -> None:
    error.add_note("check the disk")

    other = pickle.loads(pickle.dumps(error))

    assert (type(other), str(other), other.in_full()) == (type(error), str(error), error.in_full())
    assert vars(other) == vars(error)

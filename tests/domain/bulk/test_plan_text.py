"""A plan in plain words and counts."""

from typing import Any

import pytest

from domain.bulk.plan_text import duration_text, plan_rows, plan_sentences
from models.views.bulk import CauseCount, PlanView, TemplateCount

PLAN = PlanView(
    archives=2000,
    on_their_way=1,
    complete=500,
    states={"completed": 500, "failed": 1500, "processing": 1},
    causes=[CauseCount(code="STORE_AWAY", task="persist-files", sentence="Wait.", archives=1500)],
    templates=[TemplateCount(template_id="lease", archives=1999), TemplateCount(template_id=None, archives=1)],
    archives_of_other_templates=0,
    undelivered=13,
    endpoints=2,
    seconds=300.0,
    measured_runs=40,
    at_once=4,
)


def worded(**changed: Any) -> str:
    return " ".join(plan_sentences(PLAN.model_copy(update=changed)))


def test_plan_says_what_is_done_again_and_what_stays() -> None:
    text = worded()

    assert "2,000 archives would be run again" in text
    assert "500 complete archives among these would stay complete if a run fails" in text
    assert "13 messages that no endpoint has confirmed would be delivered" in text
    assert "1,500 archives would notify 2 endpoints once complete" in text
    assert "Messages that were delivered are not repeated" in text
    assert "Left out: 1 archive whose run is on its way already" in text


def test_plan_says_how_long_it_takes_or_that_this_is_unknown() -> None:
    assert "about 5 min at the pace of 40 runs of the last 24 h" in worded()
    assert "an unknown time" in worded(seconds=None, measured_runs=0)


def test_plan_without_archives_says_only_that() -> None:
    assert worded(archives=0, on_their_way=0) == "No archive would be run again."


def test_rows_count_states_causes_and_templates() -> None:
    assert plan_rows(PLAN) == [
        ("state", "failed", 1500),
        ("state", "completed", 500),
        ("state", "processing", 1),
        ("cause", "STORE_AWAY in persist-files", 1500),
        ("template", "lease", 1999),
        ("template", "(unknown)", 1),
    ]


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "1 s"), (89, "89 s"), (600, "10 min"), (9000, "2.5 h")])
def test_duration_is_worded_as_people_say_it(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text

"""One trace leads from the receipt of an archive to the end of its run."""

from tests.conftest import wait_until
from tests.end_to_end.collector import Collector
from tests.end_to_end.conftest import Running, have_ended
from tests.samples import sample_body

_TASKS = {"persist-files", "load-metadata", "reconcile-payments", "notify-downstream"}


def test_receipt_trigger_run_tasks_and_notification_are_one_trace(up: Running, collector: Collector) -> None:
    receipt_id = up.send(sample_body("traced-reference"))["document"]["reference"]
    archive = up.read_until("traced-reference", have_ended(runs=1))
    wait_until(lambda: {"trigger", "run"} <= {each.name for each in collector.trace_of(receipt_id)})

    spans = {each.name: each for each in collector.trace_of(receipt_id)}

    assert set(spans) == {"receive", "trigger", "run", *_TASKS, "notification"}
    assert {each.trace_id for each in spans.values()} == {spans["receive"].trace_id}
    names = {each.span_id: name for name, each in spans.items()}
    parents = {name: names.get(each.parent_id) for name, each in spans.items()}
    assert parents == {
        "receive": None,
        "trigger": "receive",
        "run": "receive",
        **dict.fromkeys(_TASKS, "run"),
        "notification": "notify-downstream",
    }
    flow_run_id = archive["runs"][0]["flow_run_id"]
    assert {spans[name].attributes["cellar.flow_run_id"] for name in ("trigger", "run")} == {flow_run_id}
    assert {each.service for each in spans.values()} == {"cellar"}
    assert b"traced-reference" not in collector.received


def test_span_of_a_refused_body_names_the_error_and_nothing_of_the_body(up: Running, collector: Collector) -> None:
    up.send(b'{"event": {"type": "WHP_ARCHIVE"}, "reference": 7, "note": "a value of a payload"}')

    wait_until(lambda: any(each.name == "receive" and each.is_error for each in collector.spans))

    assert b"a value of a payload" not in collector.received

"""The deployments that `cellar doctor` expects are those of `prefect.yaml`."""

from pathlib import Path

from services.health.agreement import Expected, expected_deployments

ROOT = Path(__file__).parents[3]


def test_every_deployment_of_prefect_yaml_is_expected_with_its_schedule() -> None:
    text = (ROOT / "prefect.yaml").read_text()

    expected = expected_deployments(text)

    assert Expected("process-archive/archive", "flows.process_archive.process_archive", False) in expected
    assert Expected("verify-archives/scheduled", "flows.verify_archives.verify_archives", True) in expected
    assert len(expected) == text.count("\n    entrypoint: ")
    assert sum(each.is_scheduled for each in expected) == text.count("\n    schedules:")

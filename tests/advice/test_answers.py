"""What a refused action says to do is possible, and the action succeeds afterwards."""

from base64 import b64encode
from datetime import UTC, datetime

import pytest

from domain.words.causes import ANSWERS, CAUSES
from models.discrepancies import PAYLOAD_CODES, Discrepancy, DiscrepancyCode
from models.errors import Refused
from models.runs.batch import BatchAction, BatchKind
from models.views.archives.archives import ArchiveFilter
from models.views.archives.payments import DiscrepancyQuery, Explanation
from models.views.messages import NewEndpoint
from models.views.parameters import Dismissal
from models.views.troubles import MissingQuery
from services.batches import batches
from services.completeness import finding_missing
from services.completeness.finding_missing import find_missing
from services.messages import endpoints
from services.messages.events import known_endpoints
from services.payments import discrepancies
from services.views import troubles
from tests.advice.following import followed
from tests.cli.conftest import Cellar
from tests.conftest import Configure
from tests.installations import archived
from tests.reported_events import SUBMITTED, event, findings, reported
from tests.samples import sample_body

NOW = datetime.now(UTC)
UNKNOWN = {
    "UNKNOWN_ARCHIVE": ("export", "nosuch", "--to", "bag"),
    "UNKNOWN_BATCH": ("bulk", "show", "nosuch"),
    "UNKNOWN_DISCREPANCY": ("explain", "--id", "nosuch", "--why", "x"),
    "UNKNOWN_ENDPOINT": ("endpoints", "show", "nosuch"),
    "UNKNOWN_FINDING": ("missing", "dismiss", "nosuch", "--why", "x"),
    "UNKNOWN_HOLD": ("hold", "REFERENCE", "--release", "--reason", "x"),
    "UNKNOWN_MESSAGE": ("endpoints", "messages", "--id", "nosuch"),
    "UNKNOWN_RECEIPT": ("quarantine", "show", "nosuch"),
    "UNKNOWN_REFERENCE": ("show", "nosuch"),
    "UNKNOWN_TEMPLATE": ("templates", "show", "nosuch"),
    "UNKNOWN_USER": ("users", "reset", "nosuch"),
}
"""Commands that name what is not there. The error names the command that lists what is."""
DONE_DIFFERENTLY = {
    *("BAD_ENDPOINT", "BAD_SECRET", "NAME_TAKEN", "PRIVATE_ENDPOINT", "DECLARED_ENDPOINT", "DISCREPANCY_CHANGED"),
    *("DISCREPANCY_CLOSED", "FINDING_CLOSED", "WRONG_STATE", "BAD_PARAMETER", "SECOND_PERSON"),
}
OF_BROWSERS = {
    *(
        "BODY_TIMEOUT",
        "FORBIDDEN",
        "FORM_FROM_ELSEWHERE",
        "INTERNAL",
        "LINK_USED",
        "UNAVAILABLE",
        "UNKNOWN_FILE",
        "UNKNOWN_PATH",
    ),
    *("UNKNOWN_VERSION", "WRONG_METHOD", "TOO_LARGE_TO_COMPARE"),
}
"""Of pages and their forms: to load a page again. `tests/api/console` does."""


def test_every_answer_has_its_situation() -> None:
    assert ANSWERS.keys() - CAUSES.keys() == (UNKNOWN.keys() - CAUSES.keys()) | DONE_DIFFERENTLY | OF_BROWSERS


@pytest.mark.usefixtures("sqlite_installation")
@pytest.mark.parametrize("code", UNKNOWN)
def test_error_about_what_is_unknown_names_a_command_that_lists_what_is_known(cellar: Cellar, code: str) -> None:
    archived("REFERENCE", sample_body("REFERENCE"))
    ended = cellar(*UNKNOWN[code])
    assert (ended.status, code in ended.errors) == (1, True)

    listing = [each for each in followed(cellar, ended.errors, REFERENCE="REFERENCE").values() if each.status == 0]
    assert listing, ended.errors


@pytest.mark.usefixtures("sqlite_installation")
def test_endpoint_that_is_refused_is_added_as_the_answer_says(cellar: Cellar, configure: Configure) -> None:
    def _refused(code: str, **members: str) -> None:
        with pytest.raises(Refused) as refused:
            endpoints.add(NewEndpoint.model_validate({"url": "https://192.0.2.1/hook"} | members), "a test", NOW)
        assert refused.value.code == code

    def _added(*arguments: str) -> int:
        return int(str(cellar("endpoints", "add", *arguments).status))

    assert _added("erp", "--name", "erp") == 2
    assert _added("http://127.0.0.1:9/", "--name", "erp") == 1
    configure(notify_allow_private="true")
    assert _added("http://127.0.0.1:9/", "--name", "erp") == 0
    _refused("NAME_TAKEN", name="erp")
    _refused("BAD_SECRET", name="crm", secret="short")
    endpoints.add(NewEndpoint(url="https://192.0.2.1/hook", name="crm"), "a test", NOW)

    configure(notify_urls="https://192.0.2.1/declared", notify_secret=f"whsec_{b64encode(bytes(32)).decode()}")
    (declared,) = [each.name for each in known_endpoints() if each.is_declared]
    with pytest.raises(Refused, match="DECLARED_ENDPOINT"):
        endpoints.remove(declared, "a test", NOW)
    configure(notify_urls="")
    assert [each.name for each in known_endpoints()] == ["crm", "erp"]


@pytest.mark.usefixtures("sqlite_installation")
def test_action_on_what_has_changed_succeeds_after_it_is_read_again() -> None:
    archived("r", sample_body("r"))
    found = [Discrepancy(DiscrepancyCode.AMOUNT_MISMATCH, None, "21.00", "22.00")]
    discrepancies.reconcile_many({"r": found}, PAYLOAD_CODES, NOW)
    (listed,) = troubles.discrepancy_page(DiscrepancyQuery(reference="r")).items
    with pytest.raises(Refused, match="DISCREPANCY_CHANGED"):
        discrepancies.explain(listed.discrepancy_id, Explanation(by="a", why="b", expected="1", found="2"), NOW)
    as_read = Explanation(by="a", why="b", expected=listed.expected, found=listed.found)
    discrepancies.explain(listed.discrepancy_id, as_read, NOW)
    discrepancies.reconcile_many({"r": []}, PAYLOAD_CODES, NOW)
    with pytest.raises(Refused, match="DISCREPANCY_CLOSED"):
        discrepancies.explain(listed.discrepancy_id, as_read, NOW)
    assert troubles.discrepancy_page(DiscrepancyQuery(reference="r")).items == []

    reported(event(SUBMITTED, datetime(2026, 1, 1, tzinfo=UTC), "lost"))
    find_missing(datetime(2026, 1, 1, 12, tzinfo=UTC))
    [(missing_id,)] = findings("missing_id")
    finding_missing.dismiss(missing_id, Dismissal(by="a", why="b"), NOW)
    with pytest.raises(Refused, match="FINDING_CLOSED"):
        finding_missing.dismiss(missing_id, Dismissal(by="a", why="b"), NOW)
    assert troubles.missing_page(MissingQuery()).items == []

    plan = batches.plan(BatchKind.RERUN, ArchiveFilter(), "a test")
    batches.change(BatchAction.ABORT, plan.id, "a test")
    with pytest.raises(Refused, match="WRONG_STATE"):
        batches.change(BatchAction.ABORT, plan.id, "a test")
    assert batches.view(plan.id).state == "aborted"

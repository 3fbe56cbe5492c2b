"""Questions asked at once: none delays another, and each failure is a line of the report."""

import threading

from models.errors import System, Transient
from models.said import Sentence, verbatim
from models.views.health import Grade
from services.health.checks import Answer, Found, Probe, answered, checked, examined, ok, plain, warning


def away() -> Found:
    raise Transient("Prefect does not answer", system=System.PREFECT)


def full() -> Found:
    raise OSError(28, "No space left on device")


def fine() -> Found:
    return ok(Sentence.nothing_waits)


def test_question_that_hangs_leaves_the_answers_of_the_other_questions() -> None:
    never = threading.Event()

    answers = answered({"hangs": never.wait, "quick": lambda: True}, within_s=2)
    never.set()

    assert answers == {"hangs": Answer(None, Sentence.no_answer_within(seconds="2")), "quick": Answer(True)}


def test_each_check_keeps_its_place_and_says_what_to_do_when_it_fails() -> None:
    tried = {
        "Prefect": away,
        "store": full,
        "inbox": lambda: warning(Sentence.inbox_is_late, count=12, age="9 min"),
        "file modes": lambda: plain(Grade.WRONG, "open", "run `chmod`"),
        "receiver": fine,
        "flow/scheduled": away,
    }

    assert [
        (each.name, each.verdict, each.found, each.to_do.partition(",")[0])
        for each in examined([Probe(name, each) for name, each in tried.items()], within_s=240)
    ] == [
        ("Prefect", "wrong", "Prefect does not answer", "Start cellar up"),
        ("store", "wrong", "No space left on device", "Check that the disk or bucket of CELLAR_STORE_URL is there"),
        (
            *("inbox", "warning", "receipts that wait: 12, the oldest for 9 min"),
            "Run cellar failures to see which archives have failed",
        ),
        ("file modes", "wrong", "open", "run `chmod`"),
        ("receiver", "ok", "nothing waits", ""),
        (
            *("flow/scheduled", "wrong", "Prefect does not answer"),
            "Start cellar worker of this version: it makes and updates its deployments.",
        ),
    ]


def test_command_of_a_wrong_user_says_which_path_and_as_whom_to_run_it() -> None:
    def _refused() -> Found:
        raise PermissionError(13, "Permission denied", "/srv/data/cellar.db")

    def _translated() -> Found:
        try:
            return _refused()
        except OSError as error:
            raise Transient("the store cannot be read: Permission denied", system=System.STORE) from error

    found = examined([Probe("database", _refused), Probe("store", _translated)], within_s=240)

    assert found[0].found == "/srv/data/cellar.db: Permission denied"
    assert {each.to_do for each in found} == {
        "Run the command as the user who runs cellar, or give the path to this user by `chown`."
    }


def test_check_that_needs_a_system_that_is_away_is_not_wrong_itself() -> None:
    failed = Answer[Found](None, verbatim("it does not answer"), System.DATABASE)
    found = checked(Probe("search", fine, (System.STORE, System.DATABASE)), failed)

    assert (found.verdict, found.found) == (Grade.OFF, "not known while the database does not answer")
    assert checked(Probe("search", fine, (System.PREFECT,)), failed).verdict is Grade.WRONG

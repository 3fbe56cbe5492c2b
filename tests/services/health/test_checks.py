"""Questions asked at once: none delays another, and each failure is a line of the report."""

import threading

from models.errors import System, Transient
from models.views.health import Check, Verdict
from services.health.checks import Answer, Found, Probe, answered, checked, examined, ok, warning

TO_DO = "start it"


def away() -> Found:
    raise Transient("Prefect does not answer", system=System.PREFECT)


def full() -> Found:
    raise OSError(28, "No space left on device")


def fine() -> Found:
    return ok("all there")


def test_question_that_hangs_leaves_the_answers_of_the_other_questions() -> None:
    never = threading.Event()

    answers = answered({"hangs": never.wait, "quick": lambda: True}, within_s=2)
    never.set()

    assert answers == {"hangs": Answer(None, "no answer within 2 s"), "quick": Answer(True)}


def test_each_check_keeps_its_place_and_says_what_to_do_when_it_fails() -> None:
    late, own = (lambda: warning("late")), (lambda: warning("late", "see why"))
    tried = {"away": away, "fine": fine, "full": full, "late": late, "own": own}

    assert examined([Probe(name, each, TO_DO) for name, each in tried.items()], within_s=240) == [
        Check(name="away", verdict=Verdict.WRONG, found="Prefect does not answer", to_do=TO_DO),
        Check(name="fine", verdict=Verdict.OK, found="all there"),
        Check(name="full", verdict=Verdict.WRONG, found="No space left on device", to_do=TO_DO),
        Check(name="late", verdict=Verdict.WARNING, found="late", to_do=TO_DO),
        Check(name="own", verdict=Verdict.WARNING, found="late", to_do="see why"),
    ]


def test_command_of_a_wrong_user_says_which_path_and_as_whom_to_run_it() -> None:
    def _refused() -> Found:
        raise PermissionError(13, "Permission denied", "/srv/data/cellar.db")

    def _translated() -> Found:
        try:
            return _refused()
        except OSError as error:
            raise Transient("the store cannot be read: Permission denied", system=System.STORE) from error

    found = examined([Probe("database", _refused, TO_DO), Probe("store", _translated, TO_DO)], within_s=240)

    assert found[0].found == "/srv/data/cellar.db: Permission denied"
    assert {each.to_do for each in found} == {
        "run the command as the user who runs cellar, or give the path to this user by `chown`"
    }


def test_check_that_needs_a_system_that_is_away_is_not_wrong_itself() -> None:
    failed = Answer[Found](None, "Prefect does not answer", System.PREFECT)
    off = Check(name="workers", verdict=Verdict.OFF, found="not known while Prefect does not answer")

    assert checked(Probe("workers", fine, TO_DO, needs=(System.STORE, System.PREFECT)), failed) == off
    assert checked(Probe("workers", fine, TO_DO, needs=(System.DATABASE,)), failed).verdict is Verdict.WRONG

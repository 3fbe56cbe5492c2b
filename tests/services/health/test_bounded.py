"""Questions asked at once: none delays another, and each failure is a line of the report."""

import threading

from models.errors import System, Transient
from models.views.health import Check, Verdict
from services.health.bounded import Answer, Probe, answered, checked, examined

TO_DO = "start it"


def away() -> Check:
    raise Transient("Prefect does not answer", system=System.PREFECT)


def full() -> Check:
    raise OSError(28, "No space left on device")


def fine() -> Check:
    return Check(name="fine", verdict=Verdict.OK, found="all there")


def test_question_that_hangs_leaves_the_answers_of_the_other_questions() -> None:
    never = threading.Event()

    answers = answered({"hangs": never.wait, "quick": lambda: True}, within_s=2)
    never.set()

    assert answers == {"hangs": Answer(None, "no answer within 2 s"), "quick": Answer(True)}


def test_each_check_keeps_its_place_and_says_what_to_do_when_it_fails() -> None:
    probes = [Probe("away", away, TO_DO), Probe("fine", fine, TO_DO), Probe("full", full, TO_DO)]

    assert examined(probes, within_s=240) == [
        Check(name="away", verdict=Verdict.WRONG, found="Prefect does not answer", to_do=TO_DO),
        Check(name="fine", verdict=Verdict.OK, found="all there"),
        Check(name="full", verdict=Verdict.WRONG, found="No space left on device", to_do=TO_DO),
    ]


def test_command_of_a_wrong_user_says_which_path_and_as_whom_to_run_it() -> None:
    def _refused() -> Check:
        raise PermissionError(13, "Permission denied", "/srv/data/cellar.db")

    def _translated() -> Check:
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
    failed = Answer[Check](None, "Prefect does not answer", System.PREFECT)
    off = Check(name="workers", verdict=Verdict.OFF, found="not known while Prefect does not answer")

    assert checked(Probe("workers", fine, TO_DO, needs=(System.STORE, System.PREFECT)), failed) == off
    assert checked(Probe("workers", fine, TO_DO, needs=(System.DATABASE,)), failed).verdict is Verdict.WRONG

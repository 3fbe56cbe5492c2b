"""`/api/people`: tries out whether people can be reached."""

from datetime import UTC, datetime

from fastapi import APIRouter

from api.access import acts
from models.access import Action
from models.people import PeopleTest
from services.people.letters import try_people

router = APIRouter(prefix="/api/people", tags=["people"])


@router.post(
    "/test",
    summary="Send a test to each address of people",
    response_description="What came of each test.",
    dependencies=[acts(Action.CHANGE_SETTINGS)],
)
def send_test() -> PeopleTest:
    """It takes up to 20 s if a service hangs. Addresses are masked."""
    return try_people(datetime.now(UTC))

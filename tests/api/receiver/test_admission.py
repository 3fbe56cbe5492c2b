"""Places for requests in flight, of all and of each address."""

from contextlib import ExitStack

import pytest

from api.receiver.admission import Admission
from api.receiver.processes import Processes
from models.errors import Transient
from tests.conftest import Configure


@pytest.mark.parametrize(("places", "own"), [(1, 1), (2, 1), (3, 2), (4, 3), (5, 3), (128, 96)])
def test_address_gets_three_quarters_of_the_places_at_most_and_at_least_one(
    configure: Configure, places: int, own: int
) -> None:
    configure(max_requests_in_flight=places)
    admission = Admission(Processes.alone())
    with ExitStack() as taken:
        for _ in range(own):
            taken.enter_context(admission.place("192.0.2.1", "default"))
        with pytest.raises(Transient):
            taken.enter_context(admission.place("192.0.2.1", "default"))

        for number in range(places - own):
            taken.enter_context(admission.place(f"203.0.113.{number}", "default"))

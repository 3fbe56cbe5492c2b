"""The pages that the navigation shows, in its order."""

from dataclasses import dataclass

from api.console.frame.cookies import ROOT
from domain.words.wording import N_


@dataclass(frozen=True, slots=True)
class Place:
    """A page of the navigation. `key` goes to its address after `g`; `icon` is the name of a symbol of icons.svg."""

    name: str
    path: str
    icon: str
    key: str


PLACES: tuple[Place, ...] = (
    Place(N_("Overview"), f"{ROOT}/", "layout-dashboard", "o"),
    Place(N_("Archives"), f"{ROOT}/archives", "archive", "a"),
    Place(N_("Discrepancies"), f"{ROOT}/discrepancies", "scale", "d"),
    Place(N_("Failed"), f"{ROOT}/failed", "circle-x", "f"),
    Place(N_("Refused"), f"{ROOT}/refused", "ban", "r"),
    Place(N_("Missing"), f"{ROOT}/missing", "calendar-question", "m"),
    Place(N_("Endpoints"), f"{ROOT}/endpoints", "webhook", "e"),
    Place(N_("Bulk re-runs"), f"{ROOT}/bulk", "stack-2", "b"),
)


def is_here(place: Place, path: str) -> bool:
    """Return whether a page belongs to a place of the navigation."""
    if place.path == f"{ROOT}/":
        return path == place.path
    return path == place.path or path.startswith(f"{place.path}/")

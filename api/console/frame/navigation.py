"""The pages that the navigation shows, in its order."""

from dataclasses import dataclass

from api.console.frame.cookies import ROOT
from api.console.words.languages import N_


@dataclass(frozen=True, slots=True)
class Place:
    """A page of the navigation. `key` goes to its address after `g`; `icon` is the name of a symbol of icons.svg."""

    name: str
    path: str
    icon: str
    key: str


PLACES: tuple[Place, ...] = (Place(N_("Archives"), f"{ROOT}/archives", "archive", "a"),)


def is_here(place: Place, path: str) -> bool:
    """Return whether a page belongs to a place of the navigation."""
    if place.path == f"{ROOT}/":
        return path == place.path
    return path == place.path or path.startswith(f"{place.path}/")

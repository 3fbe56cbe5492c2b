"""Finds a store that is not where the settings say: an empty folder in its place, as without the mount of its disk.

Without this check archives would go on into the empty folder. They would be complete there, and missing in the store as
soon as its disk is back.
"""

from adapters.settings.settings import settings
from adapters.store import ocfl
from adapters.tables.archives import archives
from models.errors import System, Transient


def found_root() -> bool:
    """Return whether the store has a root. Only before the first archive of an installation it has none.

    Raises:
        Transient: the database has archives, and the store was never used; or a system does not answer.
    """
    if ocfl.has_root():
        return True
    if archives.is_empty():
        return False
    text = (
        "the store is empty while the database has archives; mount its disk, correct CELLAR_STORE_URL, or restore the "
        "store from a backup"
    )
    lost = Transient(text, system=System.STORE)
    lost.add_note(f"expected {ocfl.ROOT_DECLARATION} in {settings().store_location}")
    raise lost

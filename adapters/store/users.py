"""The local users in the store, `users/NAME.json` each, so that a rebuild of the database locks nobody out."""

from base64 import b64decode, b64encode
from collections.abc import Callable

from pydantic import ValidationError

from adapters.files.store import store
from adapters.store import seals
from models.access import User
from models.errors import Conflict

FOLDER = "users"


def find(name: str) -> User | None:
    """Return a user; None if there is none.

    Raises:
        Conflict: the record is damaged.
    """
    return _read(store().found_bytes(_key_of(name)), name)


def every() -> list[User]:
    """Return the users by name. Raises as `find` does."""
    names = (key.removeprefix(f"{FOLDER}/").removesuffix(".json") for key, _ in store().listed(FOLDER))
    return [user for user in map(find, names) if user]


def change(name: str, changed: Callable[[User | None], User]) -> User:
    """Replace a user by what `changed` makes of them, durably, and return that. None stands for no user.

    Raises:
        Conflict: the record is damaged, or somebody else changes the user at the same time.
    """
    before = store().found_bytes(_key_of(name))
    after = changed(_read(before, name))
    if not store().replace_bytes(before, after.model_dump_json(indent=1).encode(), _key_of(name)):
        raise Conflict(f"somebody else changes the user {name} at this moment; do it again")
    return after


def sealed_code(name: str, secret: str) -> str:
    """Return the secret of a user's one-time codes, sealed. Raises as `seals.sealed_of_record` does."""
    has_sealed = any(user.code for user in every())
    return b64encode(
        seals.sealed_of_record(seals.USERS_KEY, name, "code", secret.encode(), lambda: has_sealed)
    ).decode()


def opened_code(name: str, code: str) -> str:
    """Return what `sealed_code` has sealed. Raises as `seals.opened_of_record` does."""
    return seals.opened_of_record(seals.USERS_KEY, name, "code", b64decode(code)).decode()


def _read(text: bytes | None, name: str) -> User | None:
    try:
        user = None if text is None else User.model_validate_json(text)
    except ValidationError as error:
        raise Conflict(f"the record of the user {name} is damaged; restore it from a copy of the store") from error
    if user and user.name != name:
        raise Conflict(f"the record of the user {name} is that of another; restore it from a copy of the store")
    return user


def _key_of(name: str) -> str:
    return f"{FOLDER}/{name}.json"

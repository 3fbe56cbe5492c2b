"""The local users in the store, `users/NAME.json` each, so that a rebuild of the database locks nobody out; and how
records name the people of a provider, `identities/DIGEST.json` each."""

from base64 import b64decode, b64encode

from adapters.store import seals
from adapters.store.records import Records
from models.access import Identity, User

RECORDS = Records("users", User, "user", lambda each: each.name)
IDENTITIES = Records("identities", Identity, "person of a provider", lambda each: each.key)


def sealed_code(name: str, secret: str) -> str:
    """Return the secret of a user's one-time codes, sealed. Raises as `seals.sealed_of_record` does."""
    ciphertext = seals.sealed_of_record(
        seals.USERS_KEY, name, "code", secret.encode(), lambda: any(user.code for user in RECORDS.readable())
    )
    return b64encode(ciphertext).decode()


def opened_code(name: str, code: str) -> str:
    """Return what `sealed_code` has sealed. Raises as `seals.opened_of_record` does."""
    return seals.opened_of_record(seals.USERS_KEY, name, "code", b64decode(code)).decode()

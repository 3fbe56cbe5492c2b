"""Makes identifiers like Cellosign's, from a seeded source of randomness."""

import string
from random import Random
from uuid import UUID


def uuid4_text(rng: Random) -> str:
    return str(UUID(bytes=rng.randbytes(16), version=4))


def session_token(rng: Random) -> str:
    """Return ten letters and digits, like `wSYqmI4xsE`."""
    return "".join(rng.choices(string.ascii_letters + string.digits, k=10))

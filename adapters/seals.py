"""Seals what must not lie in the store in clear: with a data key per archive, which lies there wrapped by a master key.

A data key lies beside the archives, outside of every object: to wrap it anew, or to destroy it, changes no version and
no digest. Encryption is deterministic (AES-SIV): the same value under the same key comes out the same, so an archive
that is made again is the same, byte for byte. Nothing here keeps a data key: one that is gone must not be used on.

Source: RFC 5297, "Synthetic Initialization Vector (SIV) Authenticated Encryption Using AES".
"""

import hashlib
import hmac
import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from adapters import ocfl, store
from adapters.settings import settings
from models.errors import Conflict

ROOT = "keys"
_FINGERPRINT = f"{ROOT}/fingerprint.json"
_KEY_BYTES = 64
_TAG_BYTES = 16
_CHUNK_BYTES = 1 << 20
_FORMAT = 1


class Locked(Conflict):
    """What is sealed cannot be opened: the key is not among those of the settings, or it is gone."""


def key_location(reference: str) -> str:
    """Where in the store the wrapped data key of a process's archive lies."""
    digest = hashlib.sha256(ocfl.object_id(reference).encode()).hexdigest()
    return f"{ROOT}/{digest[:3]}/{digest[3:6]}/{digest[6:9]}/{digest}.json"


def sealer(reference: str) -> Callable[[bytes], bytes]:
    """Return what seals a value of a process's archive. Its key is made at the first value.

    Raises (at a value):
        Locked: the archive has a key that the settings do not unwrap.
        Transient: the store does not answer.
    """
    key, object_id = cache(lambda: AESSIV(_made_key(key_location(reference)))), ocfl.object_id(reference).encode()
    return lambda clear: key().encrypt(clear, [object_id])


def opener(reference: str) -> Callable[[bytes], bytes]:
    """Return what opens a sealed value of a process's archive.

    Raises (at a value):
        Locked: the settings do not unwrap the archive's key, or it has none.
        Conflict: the value is damaged, or was sealed with a key that is gone.
        Transient: the store does not answer.
    """
    key, object_id = cache(lambda: AESSIV(_kept_key(key_location(reference)))), ocfl.object_id(reference).encode()
    return lambda ciphertext: _opened(key(), ciphertext, [object_id])


def sealed_chunks(reference: str, receipt_id: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Seal a body in pieces, of which none can be changed, moved or left out. Flat memory. Raises as `sealer` does."""
    key = AESSIV(_made_key(key_location(reference)))
    for index, (chunk, is_last) in enumerate(_chunks(pieces, _CHUNK_BYTES)):
        yield key.encrypt(chunk, _place(reference, receipt_id, index, is_last=is_last))


def opened_chunks(reference: str, receipt_id: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Open in pieces what `sealed_chunks` has sealed. Raises as `opener` does."""
    key = AESSIV(_kept_key(key_location(reference)))
    for index, (chunk, is_last) in enumerate(_chunks(pieces, _CHUNK_BYTES + _TAG_BYTES)):
        yield _opened(key, chunk, _place(reference, receipt_id, index, is_last=is_last))


def fingerprint(text: str) -> str:
    """Return a keyed fingerprint of a secret, in hex: equal for equal secrets of this store, and it tells nothing else.

    Raises:
        Locked: the settings do not unwrap the key of the fingerprints.
        Transient: the store does not answer.
    """
    key = _fingerprint_key(settings().store_location, settings().active_seal_keys())
    return hmac.digest(key, text.encode(errors="surrogatepass"), "sha256").hex()


def wrapped_keys() -> list[str]:
    """Where in the store the wrapped keys lie, in order."""
    return [location for location, _ in store.listed(ROOT) if location.endswith(".json")]


def rewrap(location: str) -> bool:
    """Wrap a key under the first of the master keys, and return whether it was under another.

    Raises:
        Locked: no master key unwraps it.
        Transient: the store does not answer.
    """
    wrapped = _wrapped(_kept_key(location), location)
    if store.read_bytes(location) == wrapped:
        return False
    store.overwrite_bytes(wrapped, location)
    return True


@lru_cache(4)
def _fingerprint_key(_store: str, _master_keys: tuple[bytes, ...]) -> bytes:
    """Read once a process: a settlement asks for it a hundred thousand times, and nobody destroys it."""
    return _made_key(_FINGERPRINT)


def _made_key(location: str) -> bytes:
    """The key at a location; the first one to ask makes it, and everybody reads what that one has written."""
    if store.stored_size(location) is None:
        store.keep_first(_wrapped(secrets.token_bytes(_KEY_BYTES), location), location)
    return _kept_key(location)


def _kept_key(location: str) -> bytes:
    wrapped = store.found_bytes(location)
    if wrapped is None:
        raise Locked(f"the key {location} is gone, and what it has sealed cannot be opened; restore it from a backup")
    try:
        document = json.loads(wrapped)
        ciphertext = b64decode(document["wrapped"], validate=True)
        is_ours = document["format"] == _FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise Locked(f"the key {location} is damaged; restore it from a backup") from error
    if not is_ours:
        raise Locked(f"expected the key {location} in format {_FORMAT}, got that of a newer cellar; use that one")
    return _unwrapped(ciphertext, location)


def _wrapped(key: bytes, location: str) -> bytes:
    ciphertext = AESSIV(settings().active_seal_keys()[0]).encrypt(key, [location.encode()])
    return json.dumps({"format": _FORMAT, "wrapped": b64encode(ciphertext).decode()}).encode()


def _unwrapped(ciphertext: bytes, location: str) -> bytes:
    for master_key in settings().active_seal_keys():
        try:
            return AESSIV(master_key).decrypt(ciphertext, [location.encode()])
        except InvalidTag:
            continue
    raise Locked(f"no key of CELLAR_SEAL_KEYS opens {location}; add the one that it was wrapped with")


def _opened(key: AESSIV, ciphertext: bytes, associated: list[bytes]) -> bytes:
    try:
        return key.decrypt(ciphertext, associated)
    except InvalidTag as error:
        raise Conflict("something sealed is damaged, or its key was replaced; send the archive again") from error


def _place(reference: str, receipt_id: str, index: int, *, is_last: bool) -> list[bytes]:
    """What a chunk of a body is bound to."""
    return [ocfl.object_id(reference).encode(), receipt_id.encode(), b"%d" % index, b"last" if is_last else b"more"]


def _chunks(pieces: Iterable[bytes], size_bytes: int) -> Iterator[tuple[bytes, bool]]:
    """The same bytes in chunks of one size, each with whether it is the last one, which may be shorter."""
    pending = bytearray()
    for piece in pieces:
        pending += piece
        while len(pending) > size_bytes:
            yield bytes(pending[:size_bytes]), False
            del pending[:size_bytes]
    yield bytes(pending), True

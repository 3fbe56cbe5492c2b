"""Seals what must not lie in the store in clear: with a data key per archive, which lies there wrapped by a master key.

A data key lies beside the archives, outside of every object: to wrap it anew, or to destroy it, changes no version and
no digest. Encryption is deterministic (AES-SIV): the same value under the same key comes out the same, so an archive
that is made again is the same, byte for byte. Nothing here keeps a data key: one that is gone must not be used on.

A key is made while there is nothing that it might have sealed, and never again: one that is lost comes back from a
backup, and what was sealed with another one meanwhile would be lost then. The key of the fingerprints is made before
any other, so where there is a data key and no key of the fingerprints, that one is lost.

Source: RFC 5297, "Synthetic Initialization Vector (SIV) Authenticated Encryption Using AES".
"""

import hashlib
import hmac
import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache, partial

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from adapters.files.store import store
from adapters.platform.settings import settings
from adapters.store import ocfl
from adapters.store.object_files import CUTS, REQUEST
from domain.body.cuts import SEALED, read_cuts
from models.archive.content import SealedCut
from models.errors import Conflict, Locked

ROOT = "keys"
SETTLEMENTS = "settlements"
"""Beside it: the reports, which hold fingerprints."""
FINGERPRINT_KEY = f"{ROOT}/fingerprint.json"
_KEY_BYTES = 64
_TAG_BYTES = 16
_CHUNK_BYTES = 1 << 20
_FORMAT = 1


def key_location(reference: str) -> str:
    """Where in the store the wrapped data key of a process's archive lies."""
    digest = hashlib.sha256(ocfl.object_id(reference).encode()).hexdigest()
    return f"{ROOT}/{digest[:3]}/{digest[3:6]}/{digest[6:9]}/{digest}.json"


def sealer(reference: str) -> Callable[[bytes], bytes]:
    """Return what seals a value of a process's archive. Its key is made at the first value.

    Raises (at a value):
        Locked: the settings do not unwrap the archive's key, or it is gone, and something was sealed with it.
        Transient: the store does not answer.
    """
    key, object_id = cache(lambda: AESSIV(_made_key(reference))), ocfl.object_id(reference).encode()
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
    key = AESSIV(_made_key(reference))
    for index, (chunk, is_last) in enumerate(_chunks(pieces, _CHUNK_BYTES)):
        yield key.encrypt(chunk, _place(reference, receipt_id, index, is_last=is_last))


def opened_chunks(reference: str, receipt_id: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Open in pieces what `sealed_chunks` has sealed. Raises as `opener` does."""
    key = AESSIV(_kept_key(key_location(reference)))
    for index, (chunk, is_last) in enumerate(_chunks(pieces, _CHUNK_BYTES + _TAG_BYTES)):
        yield _opened(key, chunk, _place(reference, receipt_id, index, is_last=is_last))


def stand_in(ciphertext: bytes) -> bytes:
    """Something as long as what was sealed, without a key."""
    return bytes(max(0, len(ciphertext) - _TAG_BYTES))


def clear_size_bytes(sealed_bytes: int) -> int:
    """Return how long the body is that `sealed_chunks` has made so many bytes of."""
    return sealed_bytes - _TAG_BYTES * -(-sealed_bytes // (_CHUNK_BYTES + _TAG_BYTES))


def fingerprint(text: str) -> str:
    """Return a keyed fingerprint of a secret, in hex: equal for equal secrets of this store, and it tells nothing else.

    Raises:
        Locked: the settings do not unwrap the key of the fingerprints, or it is gone, and there are some.
        Transient: the store does not answer.
    """
    return _keyed(_fingerprint_key(settings().store_location, settings().seal_keys), text)


def previewed_fingerprints() -> Callable[[str], str]:
    """Return `fingerprint`, or what stands for it where nothing may be changed and there is no key yet: nothing has a
    fingerprint then that it could be equal to.

    Raises:
        Transient: the store does not answer.
    """
    if store().size(FINGERPRINT_KEY) is not None or _has_fingerprints():
        return fingerprint
    return partial(_keyed, secrets.token_bytes(_KEY_BYTES))


def _keyed(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(errors="surrogatepass"), "sha256").hex()


def wrapped_keys() -> list[str]:
    """Where in the store the wrapped keys lie, in order."""
    return [location for location, _ in store().listed(ROOT) if location.endswith(".json")]


def rewrap(location: str) -> bool:
    """Wrap a key under the first of the master keys, and return whether it was under another. One that has been
    destroyed meanwhile stays so.

    Raises:
        Locked: no master key unwraps it.
        Transient: the store does not answer.
    """
    before = store().found_bytes(location)
    if before is None:
        return False
    wrapped = _wrapped(_key_of(before, location), location, settings().known_seal_keys()[0])
    if before == wrapped:
        return False
    store().overwrite_bytes(wrapped, location)
    return True


def has_sealed(reference: str) -> bool:
    """Return whether anything of a process's archive lies sealed in the store.

    Raises:
        Transient: the store does not answer.
    """
    return _has_sealed_below(ocfl.object_key(reference))


def is_sealed(key: str) -> bool:
    """Return whether a file of an object is sealed, or tells of what is. One that is damaged may."""
    if not key.endswith(f"/{CUTS}"):
        return key.endswith(f"/{REQUEST}")
    text = store().found_bytes(key) or b""
    try:
        return any(isinstance(cut, SealedCut) for cut in read_cuts(text))
    except Conflict:
        return not text or f'"{SEALED}"'.encode() in text


def check_key(reference: str) -> None:
    """See that the key of a process's archive can be had. Cheap.

    Raises:
        Locked: it cannot.
        Transient: the store does not answer.
    """
    _kept_key(key_location(reference))


def check_fingerprint_key() -> None:
    """See that the key of the fingerprints can be had, where there may be any.

    Raises:
        Locked: it cannot.
        Transient: the store does not answer.
    """
    if store().size(FINGERPRINT_KEY) is not None or _has_fingerprints():
        _kept_key(FINGERPRINT_KEY)


@lru_cache(4)
def _fingerprint_key(_store: str, _master_keys: tuple[str, ...]) -> bytes:
    """Read once a process: a settlement asks for it a hundred thousand times, and nobody destroys it."""
    if store().size(FINGERPRINT_KEY) is None and not _has_fingerprints():
        store().keep_first(_new_key(FINGERPRINT_KEY, settings().active_seal_keys()), FINGERPRINT_KEY)
    return _kept_key(FINGERPRINT_KEY)


def _has_fingerprints() -> bool:
    """Whether there may be any. In a store of many archives from before sealing this takes long, once."""
    return any(True for folder in (ROOT, SETTLEMENTS) for _ in store().listed(folder)) or _has_sealed_below(ocfl.ROOT)


def _made_key(reference: str) -> bytes:
    """An archive's key; the first one to ask makes it, and everybody reads what that one has written."""
    location = key_location(reference)
    if store().size(location) is None and not has_sealed(reference):
        _fingerprint_key(settings().store_location, settings().seal_keys)
        store().keep_first(_new_key(location, settings().known_seal_keys()), location)
    return _kept_key(location)


def _has_sealed_below(key: str) -> bool:
    return any(is_sealed(each) for each, _ in store().listed(key))


def _kept_key(location: str) -> bytes:
    wrapped = store().found_bytes(location)
    if wrapped is None:
        raise Locked(f"the key {location} is gone, and what it has sealed cannot be opened; restore it from a backup")
    return _key_of(wrapped, location)


def _key_of(wrapped: bytes, location: str) -> bytes:
    try:
        document = json.loads(wrapped)
        ciphertext = b64decode(document["wrapped"], validate=True)
        is_ours = document["format"] == _FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise Locked(f"the key {location} is damaged; restore it from a backup") from error
    if not is_ours:
        raise Locked(f"expected the key {location} in format {_FORMAT}, got that of a newer cellar; use that one")
    return _unwrapped(ciphertext, location)


def _new_key(location: str, master_keys: Sequence[bytes]) -> bytes:
    if not master_keys:
        raise _without_master(location)
    return _wrapped(secrets.token_bytes(_KEY_BYTES), location, master_keys[0])


def _wrapped(key: bytes, location: str, master_key: bytes) -> bytes:
    ciphertext = AESSIV(master_key).encrypt(key, [location.encode()])
    return json.dumps({"format": _FORMAT, "wrapped": b64encode(ciphertext).decode()}).encode()


def _unwrapped(ciphertext: bytes, location: str) -> bytes:
    for master_key in settings().known_seal_keys():
        try:
            return AESSIV(master_key).decrypt(ciphertext, [location.encode()])
        except InvalidTag:
            continue
    raise _without_master(location)


def _without_master(location: str) -> Locked:
    return Locked(
        f"no key of CELLAR_SEAL_KEYS opens {location}; add the one that it was wrapped with, or restore `secrets/seal`"
    )


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

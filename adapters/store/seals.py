"""Seals card secrets and raw bodies in the store, with a data key per archive that is wrapped by a master key.

Data keys lie outside the objects, so rewrapping or destroying a key changes no version and no digest. Encryption is
deterministic (AES-SIV): the same value under the same key gives the same ciphertext, so an archive that is made again
is the same, byte for byte. A data key is kept no longer than a reading of its archive, since a key that is gone must
not be used any longer.

A key is made only while it cannot have sealed anything, and never again. A lost key comes back from a backup; values
that were sealed with a replacement would then be lost. The key of the fingerprints is made before any other key. So if
a data key exists and the key of the fingerprints does not, the key of the fingerprints is lost.

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
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.files.store import store
from adapters.settings.settings import settings
from adapters.store import ocfl
from adapters.store.ocfl import CUTS, REQUEST
from adapters.tables.archives import archives
from domain.body.cuts import SEALED, read_cuts
from models.archive.content import SealedCut
from models.errors import Conflict, Locked
from models.said import Sentence

ROOT = "keys"
SETTLEMENTS = "settlements"
"""The folder of the settlement reports, which hold fingerprints."""
ENDPOINTS = "endpoints"
"""The folder of the definitions of endpoints, which are sealed."""
FINGERPRINT_KEY = f"{ROOT}/fingerprint.json"
ENDPOINTS_KEY = f"{ROOT}/endpoints.json"
USERS_KEY = f"{ROOT}/users.json"
_KEY_BYTES = 64
_TAG_BYTES = 16
_CHUNK_BYTES = 1 << 20
_FORMAT = 1


def key_location(reference: str) -> str:
    """Return the location of the wrapped data key of a process's archive in the store."""
    digest = hashlib.sha256(ocfl.object_id(reference).encode()).hexdigest()
    return f"{ROOT}/{digest[:3]}/{digest[3:6]}/{digest[6:9]}/{digest}.json"


def sealer(reference: str, *, is_new: bool = False) -> tuple[Callable[[bytes], bytes], Callable[[bytes], str]]:
    """Return functions that seal a value of a process's archive, and blind it. The archive's key is made at the first.
    `is_new`: the process is known to have no object.

    A blinded value is its digest by a key that follows from the archive's key. It commits to the value, as AES-SIV does
    not: another key may open the same ciphertext as another value.

    Raises (at a value):
        Locked: the settings do not unwrap the archive's key, or the key is gone after it sealed something.
        Transient: the store does not answer.
    """
    keys, object_id = cache(lambda: _both(_made_key(reference, is_new=is_new))), ocfl.object_id(reference).encode()
    return lambda clear: keys()[0].encrypt(clear, [object_id]), lambda clear: _blinded(keys()[1], clear)


def opener(reference: str) -> tuple[Callable[[bytes], bytes], Callable[[bytes], str]]:
    """Return functions that open a sealed value of a process's archive, and blind a value.

    Raises (at a value):
        Locked: the settings do not unwrap the archive's key, or the archive has no key.
        Conflict: the value is damaged, or was sealed with a key that is gone.
        Transient: the store does not answer.
    """
    keys, object_id = cache(lambda: _both(_kept_key(key_location(reference)))), ocfl.object_id(reference).encode()
    return lambda ciphertext: _opened(keys()[0], ciphertext, [object_id]), lambda clear: _blinded(keys()[1], clear)


def _both(key: bytes) -> tuple[AESSIV, bytes]:
    """Return what seals with an archive's key, and the key that blinds."""
    return AESSIV(key), HKDF(SHA256(), 32, None, b"content root").derive(key)


def _blinded(key: bytes, clear: bytes) -> str:
    return hmac.digest(key, clear, "sha256").hex()


def sealed_chunks(reference: str, receipt_id: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Seal a body in pieces. No piece can be changed, moved or left out. Flat memory. Raises as `sealer` does."""
    key = AESSIV(_made_key(reference))
    for index, (chunk, is_last) in enumerate(_chunks(pieces, _CHUNK_BYTES)):
        yield key.encrypt(chunk, _place(reference, receipt_id, index, is_last=is_last))


def opened_chunks(reference: str, receipt_id: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Open a body that `sealed_chunks` has sealed, in pieces. Raises as `opener` does."""
    key = AESSIV(_kept_key(key_location(reference)))
    for index, (chunk, is_last) in enumerate(_chunks(pieces, _CHUNK_BYTES + _TAG_BYTES)):
        yield _opened(key, chunk, _place(reference, receipt_id, index, is_last=is_last))


def sealed_of_record(key: str, name: str, what: str, clear: bytes, has_sealed: Callable[[], bool]) -> bytes:
    """Seal a value of a record of that name beside the archives. The key of all such records is made at the first
    value: while nothing `has_sealed`.

    Raises Locked if the settings do not unwrap the key, or the key is gone after it sealed something.
    """
    if store().size(key) is None and not has_sealed():
        _fingerprint_key(settings().store_location, settings().seal_keys)
        store().keep_first(_new_key(key, settings().known_seal_keys()), key)
    return _key_of_records(key).encrypt(clear, [name.encode(), what.encode()])


def opened_of_record(key: str, name: str, what: str, ciphertext: bytes) -> bytes:
    """Open a value that `sealed_of_record` has sealed.

    Raises:
        Locked: the settings do not unwrap the key of all such records, or the key is gone.
        Conflict: the value is damaged, or was sealed with a key that is gone.
    """
    try:
        return _key_of_records(key).decrypt(ciphertext, [name.encode(), what.encode()])
    except InvalidTag as error:
        raise Conflict(f"a sealed value of {name} is damaged; make a new one, or restore a backup") from error


def stand_in(ciphertext: bytes) -> bytes:
    """Return a placeholder as long as the sealed value, without a key."""
    return bytes(max(0, len(ciphertext) - _TAG_BYTES))


def clear_size_bytes(sealed_bytes: int) -> int:
    """Return the size of a body that `sealed_chunks` has sealed into `sealed_bytes` bytes."""
    return sealed_bytes - _TAG_BYTES * -(-sealed_bytes // (_CHUNK_BYTES + _TAG_BYTES))


def fingerprint(text: str) -> str:
    """Return a keyed fingerprint of a secret, in hex. It reveals only whether secrets of this store are equal.

    Raises:
        Locked: the settings do not unwrap the key of the fingerprints, or the key is gone and fingerprints may exist.
    """
    return _keyed(_fingerprint_key(settings().store_location, settings().seal_keys), text)


def quick_fingerprint(text: str) -> str:
    """Do as `fingerprint`, but search no store for a key that is gone: a page and each delivery ask for it.

    Raises:
        Locked: as `fingerprint`; also if a store that is in use has no such key, which workers then make.
    """
    return _keyed(_key_at_hand(settings().store_location, settings().seal_keys), text)


def previewed_fingerprints() -> Callable[[str], str]:
    """Return `fingerprint`, or a substitute that writes no key. It serves while there is no key, and so no fingerprint
    that its results could equal.
    """
    if store().size(FINGERPRINT_KEY) is not None or _has_fingerprints():
        return fingerprint
    return partial(_keyed, secrets.token_bytes(_KEY_BYTES))


def _keyed(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(errors="surrogatepass"), "sha256").hex()


def wrapped_keys() -> list[str]:
    """Return the locations of the wrapped keys in the store, in order."""
    return [location for location, _ in store().listed(ROOT) if location.endswith(".json")]


def rewrap(location: str) -> bool:
    """Wrap a key under the first master key; return whether that changed it. A destroyed key stays destroyed.

    Raises Locked if no master key unwraps the key.
    """
    before = store().found_bytes(location)
    if before is None:
        return False
    wrapped = _wrapped(_key_of(before, location), location, settings().known_seal_keys()[0])
    if before == wrapped:
        return False
    return store().replace_bytes(before, wrapped, location)


def has_sealed(reference: str) -> bool:
    """Return whether the store has sealed values of a process's archive."""
    return _has_sealed_below(ocfl.object_key(reference))


def is_sealed(key: str, read: Callable[[str], bytes | None] | None = None) -> bool:
    """Return whether a file, of `read` or of the store, is sealed or lists sealed values. True for a damaged list that
    may do so.
    """
    if not key.endswith(f"/{CUTS}"):
        return key.endswith(f"/{REQUEST}")
    text = (read or store().found_bytes)(key) or b""
    if text and f'"{SEALED}"'.encode() not in text:
        return False
    try:
        return any(isinstance(cut, SealedCut) for cut in read_cuts(text))
    except Conflict:
        return True


def check_key(reference: str) -> None:
    """Check cheaply that the key of a process's archive is available. Raises Locked if it is not."""
    _kept_key(key_location(reference))


def check_fingerprint_key() -> None:
    """Check that the key of the fingerprints is available, if fingerprints may exist.

    Raises Locked if the key is not available.
    """
    if store().size(FINGERPRINT_KEY) is not None or _has_fingerprints():
        _kept_key(FINGERPRINT_KEY)


@lru_cache(4)
def _fingerprint_key(_store: str, _master_keys: tuple[str, ...]) -> bytes:
    """Return the cached key: an import asks for it a hundred thousand times, and nobody destroys it."""
    if store().size(FINGERPRINT_KEY) is None and not _has_fingerprints():
        store().keep_first(_new_key(FINGERPRINT_KEY, settings().active_seal_keys()), FINGERPRINT_KEY)
    return _kept_key(FINGERPRINT_KEY)


@lru_cache(4)
def _key_at_hand(store_location: str, master_keys: tuple[str, ...]) -> bytes:
    if store().size(FINGERPRINT_KEY) is None and (ocfl.has_root() or not archives.is_empty()):
        raise Locked(Sentence.key_gone(key=FINGERPRINT_KEY))
    return _fingerprint_key(store_location, master_keys)


def _key_of_records(key: str) -> AESSIV:
    return _kept_key_of_records(key, settings().store_location, settings().seal_keys)


@lru_cache(8)
def _kept_key_of_records(key: str, _store: str, _master_keys: tuple[str, ...]) -> AESSIV:
    """Return the cached key: each message is signed with what it opens, and nobody destroys it."""
    return AESSIV(_kept_key(key))


def _has_fingerprints() -> bool:
    """Return whether fingerprints may exist. Slow only in a store without keys that has many archives."""
    return any(True for folder in (ROOT, SETTLEMENTS) for _ in store().listed(folder)) or _has_sealed_below(ocfl.ROOT)


def _made_key(reference: str, *, is_new: bool = False) -> bytes:
    """Return an archive's key. The first caller makes it, and every other caller reads it in the store."""
    location = key_location(reference)
    wrapped = None if is_new else store().found_bytes(location)
    if is_new or (wrapped is None and not has_sealed(reference)):
        _fingerprint_key(settings().store_location, settings().seal_keys)
        made = _new_key(location, settings().known_seal_keys())
        wrapped = made if store().keep_first(made, location) else store().found_bytes(location)
    return _unwrapped_key(wrapped, location)


def _has_sealed_below(key: str) -> bool:
    return any(is_sealed(each) for each, _ in store().listed(key))


def _kept_key(location: str) -> bytes:
    return _unwrapped_key(store().found_bytes(location), location)


def _unwrapped_key(wrapped: bytes | None, location: str) -> bytes:
    if wrapped is None:
        raise Locked(Sentence.key_gone(key=location))
    return _key_of(wrapped, location)


def _key_of(wrapped: bytes, location: str) -> bytes:
    try:
        document = json.loads(wrapped)
        ciphertext = b64decode(document["wrapped"], validate=True)
        is_ours = document["format"] == _FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise Locked(Sentence.key_damaged(key=location)) from error
    if not is_ours:
        raise Locked(Sentence.key_newer(key=location, number=_FORMAT))
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
    return Locked(Sentence.key_not_opened(key=location))


def _opened(key: AESSIV, ciphertext: bytes, associated: list[bytes]) -> bytes:
    try:
        return key.decrypt(ciphertext, associated)
    except InvalidTag as error:
        raise Conflict(Sentence.sealed_damaged(), code="BODY_DAMAGED") from error


def _place(reference: str, receipt_id: str, index: int, *, is_last: bool) -> list[bytes]:
    """Return the associated data that a chunk of a body is bound to."""
    return [ocfl.object_id(reference).encode(), receipt_id.encode(), b"%d" % index, b"last" if is_last else b"more"]


def _chunks(pieces: Iterable[bytes], size_bytes: int) -> Iterator[tuple[bytes, bool]]:
    """Yield the bytes in chunks of `size_bytes`, each with whether it is the last. The last chunk may be shorter."""
    pending = bytearray()
    for piece in pieces:
        pending += piece
        while len(pending) > size_bytes:
            yield bytes(pending[:size_bytes]), False
            del pending[:size_bytes]
    yield bytes(pending), True

"""A file of lines loses any of them and still proves the others; any other change is found."""

import base64
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.store import store
from adapters.settings.settings import Settings
from adapters.store import lines
from adapters.store.lines import Erased, digest_of, erase_lines, kept_digest, name_of, read
from models.errors import Conflict
from tests.conftest import Configure

TEXTS = st.lists(st.binary(min_size=1, max_size=9).map(lambda each: b'["%b"]' % each.hex().encode()), min_size=1)


def wrong(key: str, text: bytes | None, erased: Erased) -> list[str]:
    """Return what is wrong with a file, by its name and by the tombstones."""
    found = list[str]()
    try:
        read(key, text, erased, found.append)
    except Conflict as error:
        found.append(str(error))
    return found


def kept_digests(digests: Iterable[str], has_ended: bool) -> dict[str, bool]:
    return dict.fromkeys(map(kept_digest, digests), has_ended)


def kept(texts: Sequence[bytes]) -> tuple[str, bytes]:
    """Put a file of lines into the store; return its key and its content."""
    text = b"".join(each + b"\n" for each in texts)
    key = f"events/2026/11/29/{name_of(text)}.jsonl"
    store().overwrite_bytes(text, key)
    return key, text


@given(texts=TEXTS, of=st.data())
def test_any_lines_are_erased_and_the_others_are_proved(
    sqlite_installation: Settings, texts: list[bytes], of: st.DataObject
) -> None:
    key, text = kept(texts)
    gone = {digest_of(each) for each in texts if of.draw(st.booleans())}
    erased = Erased({}, kept_digests(gone, False))
    half = sorted(gone)[::2]

    erase_lines(key, half)  # as another erasure did before
    erase_lines(key, gone)
    erase_lines(key, gone)

    after = store().read_bytes(key)
    assert read(key, after, erased, pytest.fail) == [each for each in texts if digest_of(each) not in gone]
    for place in of.draw(st.sets(st.integers(0, len(after) - 1), max_size=9)):
        changed = after[:place] + bytes([after[place] ^ of.draw(st.integers(1, 255))]) + after[place + 1 :]
        assert wrong(key, changed, erased)
    assert wrong(key, after[:-1], erased)
    assert wrong(key, None, erased)
    if gone:
        assert wrong(key, after, lines.Erased({}, {}))
        assert wrong(key, after, Erased({}, dict.fromkeys(gone, False)))  # by somebody without the key
        assert all(wrong(key, after, Erased({}, kept_digests({*gone} - {each}, False))) for each in gone)
        ended = Erased({}, kept_digests(gone, True))
        assert wrong(key, text, ended) == ["a line that was erased is back"]
        assert read(key, text, ended) == read(key, after)


def test_each_kind_of_store_erases_lines(sqlite_installation: Settings, store_kind: str) -> None:
    key, _ = kept([b'["one"]', b'["two"]'])
    erase_lines(key, [digest_of(b'["one"]')])
    erase_lines("events/2026/11/29/of no file.jsonl", [digest_of(b'["one"]')])

    assert read(key, store().read_bytes(key)) == [b'["two"]']
    assert b"one" not in store().read_bytes(key)


def test_without_the_key_all_other_lines_are_read(sqlite_installation: Settings, configure: Configure) -> None:
    key, _ = kept([b'["one"]', b'["two"]'])
    erased = Erased({}, kept_digests([digest_of(b'["one"]')], True))
    erase_lines(key, [digest_of(b'["one"]')])
    configure(seal_keys=base64.b64encode(bytes(64)).decode())
    found = list[str]()

    assert read(key, store().read_bytes(key), erased, found.append) == [b'["two"]']
    assert ["CELLAR_SEAL_KEYS" in each for each in found] == [True]

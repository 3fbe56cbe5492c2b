"""Makes random archive bodies in every legitimate spelling, and breaks them."""

import base64
import json
import random
from collections.abc import Callable

Chance = random.Random

_NAMES = ["content", "attachments", "signed_document", "", "id", "filename", "content\\", 'con"tent', "é", "[", "{,:"]
_TEXTS = ["", "x", '"', "\\", '\\"', "content", "]}", "a,b:c", "שלום", "é\ud83d\0", "\ud83d\ude00", "data:x", "9" * 40]
_NUMBERS = ["0", "-0", "12", "-1.50", "1e999", "1E-5", "123456789012345678901234567890", "true", "false", "null"]
_ODD_NUMBERS = ["NaN", "Infinity", "-Infinity", "01", "+1", ".5", "1e99999999999999999999", "tru", "1 2", ""]


def body_of(chance: Chance) -> bytes:
    """Return the body of an archive; most are valid."""
    mark = b"\xef\xbb\xbf" if chance.random() < 0.1 else b""
    members = [_root_member(chance) for _ in range(chance.randrange(6))]
    root = "{" + ",".join(members) + _blank(chance) + "}" + _blank(chance)
    if chance.random() < 0.02:
        root = _value(chance)
    return mark + _blank(chance).encode() + root.encode()


def _root_member(chance: Chance) -> str:
    kind = chance.random()
    if kind < 0.4:
        elements = [_file(chance) if chance.random() < 0.8 else _value(chance) for _ in range(chance.randrange(5))]
        return _member("attachments", "[" + ",".join(elements) + _blank(chance) + "]", chance)
    if kind < 0.7:
        return _member("signed_document", _file(chance), chance)
    return _member(chance.choice(_NAMES), _value(chance), chance)


def _file(chance: Chance) -> str:
    members = []
    for _ in range(chance.randrange(5)):
        if chance.random() < 0.6:
            members.append(_member("content", f'{_blank(chance)}"{_content(chance)}"{_blank(chance)}', chance))
        else:
            members.append(_member(chance.choice(_NAMES[1:]), _value(chance), chance))
    return _blank(chance) + "{" + ",".join(members) + _blank(chance) + "}" + _blank(chance)


def _member(name: str, value: str, chance: Chance) -> str:
    return f"{_blank(chance)}{_string(name, chance)}{_blank(chance)}:{value}"


def _value(chance: Chance, depth: int = 0) -> str:
    kind = chance.random()
    if kind < 0.01 and not depth:
        return _nest(chance.choice([3, 10, 19, 20, 21, 22, 58, 61, 62, 63, 64, 65, 70]), chance)
    if kind < 0.3 and depth < 5:
        members = [
            _member(chance.choice(_NAMES), _value(chance, depth + 1), chance) for _ in range(chance.randrange(4))
        ]
        return _blank(chance) + "{" + ",".join(members) + _blank(chance) + "}"
    if kind < 0.5 and depth < 5:
        return "[" + ",".join(_value(chance, depth + 1) for _ in range(chance.randrange(4))) + "]" + _blank(chance)
    if kind < 0.75:
        return _blank(chance) + _string(chance.choice(_TEXTS), chance) + _blank(chance)
    numbers = _ODD_NUMBERS if chance.random() < 0.02 else _NUMBERS
    return _blank(chance) + chance.choice(numbers) + _blank(chance)


def _nest(levels: int, chance: Chance) -> str:
    pairs = chance.choices([("[", "]"), ('{"a":', "}"), ('[0,"]",', "]"), ('[{},"\\"",', "]")], k=levels)
    return "".join(pair[0] for pair in pairs) + "[]" + "".join(pair[1] for pair in reversed(pairs))


def _blank(chance: Chance) -> str:
    return chance.choice(["", "", "", "", " ", "\n", "\t\r\n  "])


def _string(text: str, chance: Chance) -> str:
    rate = chance.choice([0, 0, 0.1, 1])
    return '"' + "".join(_character(each, rate, chance) for each in text) + '"'


def _character(character: str, rate: float, chance: Chance) -> str:
    if chance.random() < rate and ord(character) < 0x10000:
        digits = f"{ord(character):04x}"
        return "\\u" + chance.choice([digits, digits.upper()])
    if character == "/" and chance.random() < 0.5:
        return r"\/"
    return json.dumps(character, ensure_ascii="\ud800" <= character <= "\udfff")[1:-1]


# --- contents --------------------------------------------------------------------------------------------------------

_SIZES_BYTES = [0, 1, 2, 3, 4, 5, 20, 57, 100, 1000]
_LARGE_BYTES = [49_152, 196_607, 196_608, 300_000]  # in base64, blocks of 64 and 256 KiB, and several blocks


def _content(chance: Chance) -> str:
    """Return a content as it stands between its quotes."""
    size = chance.choice(_LARGE_BYTES) if chance.random() < 0.002 else chance.choice(_SIZES_BYTES)
    text = base64.b64encode(chance.randbytes(size)).decode()
    for respell in chance.sample(_RESPELLINGS, chance.choice([0, 1, 1, 2, 3])):
        text = respell(text, chance)
    return _data_uri(chance) + text if chance.random() < 0.1 else text


def _data_uri(chance: Chance) -> str:
    scheme = chance.choice(["data:", "DATA:", r"\u0064ata:", r"dat\u0061\u003A"])
    kind = chance.choice(["", "application/pdf", r"image\/png", "text/plain;name=é b", r"\\\ud800"])
    return scheme + kind + chance.choice([";base64,", ";BASE64,", r";b\u0061se64\u002c", r";base64\u002C"])


def _slashes(text: str, chance: Chance) -> str:
    return text.replace("/", r"\/")


def _some_slashes(text: str, chance: Chance) -> str:
    return "".join(r"\/" if each == "/" and chance.random() < 0.5 else each for each in text[:2000]) + text[2000:]


def _escapes(text: str, chance: Chance) -> str:
    if "\\" in text:
        return text
    return "".join(_character(each, 0.2, chance) for each in text[:2000]) + text[2000:]


def _padding_escaped(text: str, chance: Chance) -> str:
    return text.replace("=", chance.choice([r"\u003d", r"\u003D"]))


def _wrapped(text: str, chance: Chance) -> str:
    if "\\" in text:
        return text
    length = chance.choice([1, 4, 60, 61, 64, 75, 76, 77])
    line_break = chance.choice([r"\n", r"\r\n", r"\u000a", r"\r", r"\t"])
    lines = [text[start : start + length] for start in range(0, len(text), length)]
    return line_break.join(lines) + chance.choice(["", line_break])


def _spaced(text: str, chance: Chance) -> str:
    if "\\" in text:
        return " " + text + " "
    length = chance.randint(1, 80)
    return " ".join(text[start : start + length] for start in range(0, len(text), length))


def _url_safe(text: str, chance: Chance) -> str:
    return text if "\\" in text else text.replace("+", "-").replace("/", "_")


def _half_url_safe(text: str, chance: Chance) -> str:
    return text.replace("+", "-")


def _unpadded(text: str, chance: Chance) -> str:
    return text.removesuffix("=") if chance.random() < 0.5 else text.rstrip("=")


_RESPELLINGS: list[Callable[[str, Chance], str]] = [
    _slashes,
    _some_slashes,
    _escapes,
    _padding_escaped,
    _wrapped,
    _spaced,
    _url_safe,
    _half_url_safe,
    _unpadded,
]

# --- broken bodies ---------------------------------------------------------------------------------------------------

_TOKENS = [
    *(bytes([byte]) for byte in b'"\\{}[],: \n/u0=*-_A\x00\x1f\x7f\xe9\xff'),
    b'"content":',
    rb'"\u0063ontent":',
    b'"content":"QUJD",',
    b'"attachments":[',
    b'"signed_document":{',
    b'{"content":"',
    b'"}]',
    b"\\\\",
    b'\\"',
    b"\\/",
    b"\\u",
    b"\\u00",
    b"\\ud83d",
    b"\\r\\n",
    b"==",
    b"data:",
    b";base64,",
    b"NaN",
    b"-Infinity",
    b"1e99999999999999999999",
    b"\xef\xbb\xbf",
    b"\xc3\xa9",
    b"[" * 70,
    b"]" * 70,
    b'{"a":' * 30,
]


def broken(body: bytes, chance: Chance) -> bytes:
    """Return the body after up to four changes, some of which leave it valid."""
    for _ in range(chance.choice([1, 1, 1, 2, 2, 3, 4])):
        at = chance.randrange(len(body) + 1)
        size = min(chance.choice([1, 1, 2, 5, 40, 1000]), len(body) - at)
        match chance.randrange(8):
            case 0:
                body = _flipped(body, at, chance)
            case 1:
                body = body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
            case 2:
                body = body[:at] + body[at + size :]
            case 3:
                body = body[: at + size] + body[at : at + size] * chance.choice([1, 1, 2, 9]) + body[at + size :]
            case 4 | 5:
                body = body[:at] + chance.choice(_TOKENS) + body[at + size * chance.randrange(2) :]
            case 6:
                body = body[:at]
            case _:
                rest = body_of(chance)
                body = body[:at] + rest[chance.randrange(len(rest) + 1) :]
    return body


def _flipped(body: bytes, at: int, chance: Chance) -> bytes:
    if at == len(body):
        return body
    return body[:at] + bytes([body[at] ^ (1 << chance.randrange(8))]) + body[at + 1 :]


# --- chunks ----------------------------------------------------------------------------------------------------------


def chunk_sizes(body: bytes, chance: Chance) -> list[list[int]]:
    """Return several lists of chunk sizes for the body; the rest of the body is the last chunk."""
    ways = [_around_marks(body, chance), [chance.randrange(1 + len(body))]]
    if len(body) < 3000 and chance.random() < 0.5:
        ways.append([1] * len(body))
    else:
        size = chance.choice([2, 3, 7, 31, 64, 1000]) if len(body) < 20_000 else chance.choice([4096, 65_536, 99_991])
        ways.append([size] * (len(body) // size))
    return ways


def _around_marks(body: bytes, chance: Chance) -> list[int]:
    """Return sizes of chunks, many of which end beside a mark."""
    mark = chance.choice([b'"', b"\\", b":", b",", b"[", b"{", b"=", b"}"])
    sizes: list[int] = []
    start, found = 0, body.find(mark)
    while found >= 0 and len(sizes) < 200:
        end = max(start, found + chance.choice([0, 1, 1, 2, 5]))
        sizes.append(end - start)
        start, found = end, body.find(mark, max(end, found + 1))
    return sizes

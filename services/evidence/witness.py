"""Follow the anchors of a cellar from elsewhere, and say what does not extend the anchors that were noted before.

    python3 witness.py SOURCE NOTES [--key FINGERPRINT] [--hours HOURS] [--mail smtp://HOST[:PORT]/ADDRESS]

SOURCE is the folder of the witness, or the URL of cellar; then AUDITOR_TOKEN of the environment is an auditor's token.
NOTES is a file that only grows: a line for each anchor, with its statement, signature and key. FINGERPRINT is that of
the key that signs newer anchors; without it, that of the last note. Exit status: 0 if all is well, 1 if something is
wrong, 2 for wrong use. The program needs only Python 3.8 or later, and `openssl` 3.0 or later.

1. Each noted anchor is still there, with the same statement.
2. Each newer anchor has the next number, names the root of the anchor before, and is signed with the same key.
3. The newest anchor is at most HOURS old, by its own time and by the time of its note.
"""

from __future__ import annotations

import argparse
import base64
import fcntl
import hashlib
import json
import os
import re
import smtplib
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from email.message import EmailMessage
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple, TextIO

UNREADABLE = (OSError, ValueError, HTTPException, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
TIMEOUT_S, MOST_BYTES = 60, 1 << 26
PEM = re.compile("-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/]{59}=)\n-----END PUBLIC KEY-----\n")  # of ed25519


class Anchor(NamedTuple):
    """An anchor: its statement, its signature in base64, its key as PEM, and when it was noted, in seconds."""

    statement: str
    signature: str
    key: str
    noted_at: float = 0

    def said(self, name: str) -> Any:
        return json.loads(self.statement)[name]

    def root(self) -> str:
        digest = "sha512" if '"digest":"sha512"' in self.statement else "sha256"
        return hashlib.new(digest, self.statement.encode()).hexdigest()

    def fingerprint(self) -> str:
        """Return the SHA-256 of the key; an empty text for any other PEM, in which openssl might see another key."""
        found = PEM.fullmatch(self.key)
        return hashlib.sha256(base64.b64decode(found[1])).hexdigest() if found else ""

    def seen_at(self) -> float:
        """Return the time of the anchor or of its note, whichever is earlier."""
        return min(datetime.fromisoformat(self.said("at")).timestamp(), self.noted_at)

    def is_signed(self) -> bool:
        """Return whether the key is the one that the statement names, and proves the signature."""
        signed = {"-in": self.statement.encode(), "-sigfile": base64.b64decode(self.signature)}
        with tempfile.TemporaryDirectory() as folder:
            command = ["openssl", "pkeyutl", "-verify", "-pubin", "-rawin"]
            for option, data in {**signed, "-inkey": self.key.encode()}.items():
                Path(folder, option).write_bytes(data)
                command += [option, f"{folder}/{option}"]
            is_proved = subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603
        key = self.fingerprint()
        return is_proved and key != "" and json.loads(self.statement)["key"] == key


def in_folder(source: str) -> Iterator[tuple[int, Anchor]]:
    for path in sorted(Path(source, "anchors").glob("[0-9]*/statement")):
        anchor = Anchor(path.read_bytes().decode(errors="replace"), "", "")
        files = [path.with_name(f"{anchor.root()}.{name}") for name in ("signature", "pem")]
        signature, key = (each.read_bytes() if each.exists() else b"" for each in files)
        signed = base64.b64encode(signature).decode()
        yield int(path.parent.name), anchor._replace(signature=signed, key=key.decode(errors="replace"))


def by_url(source: str) -> Iterator[tuple[int, Anchor]]:
    cursor: int | None = 0
    while cursor is not None:
        asked = urllib.request.Request(f"{source.rstrip('/')}/api/anchors?cursor={cursor}")  # noqa: S310
        asked.add_unredirected_header("Authorization", f"Bearer {os.environ.get('AUDITOR_TOKEN', '')}")
        with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as answer:  # noqa: S310
            page = json.loads(answer.read(MOST_BYTES))
        for each in page["items"]:
            yield each["number"], Anchor(each["statement"], each["signature"], each["key"])
        cursor = page["items"][-1]["number"] if page["next"] else None


def read_notes(notes: TextIO) -> list[Anchor]:
    noted: list[Anchor] = []
    for line in notes:
        anchor = Anchor(**json.loads(line))
        if anchor.said("before") != (noted[-1].root() if noted else None):
            raise ValueError(f"the notes are damaged at line {len(noted) + 1}")
        noted.append(anchor)
    return noted


def why_not_next(anchor: Anchor, noted: list[Anchor], key: str) -> str:
    """Return why an anchor does not extend the notes, an empty text if it does."""
    before = noted[-1].root() if noted else None
    if (anchor.said("number"), anchor.said("before")) != (len(noted) + 1, before):
        return f"does not extend anchor {len(noted)} of {before}: it says {anchor.statement[:400]}"
    expected = key or (noted[-1] if noted else anchor).fingerprint()
    if anchor.fingerprint() != expected:
        return f"has the key {anchor.fingerprint()}, expected was {expected}; ask why, then run once with --key"
    return "" if anchor.is_signed() else "has a signature that its key does not prove"


def followed(found: Iterator[tuple[int, Anchor]], noted: list[Anchor], notes: TextIO, key: str) -> Iterator[str]:
    """Note each anchor that extends the notes, and yield what is wrong."""
    expected = 1
    for number, anchor in found:
        if number != expected:
            yield f"anchor {expected} is missing: anchor {number} comes instead"
        if number < expected:
            return
        if number > len(noted):
            if why := why_not_next(anchor, noted, key):
                yield f"anchor {number} of {anchor.root()} {why}"
                return
            new = anchor._replace(noted_at=time.time())
            new.seen_at()  # raises if its time is unreadable, before it is noted
            notes.write(json.dumps(new._asdict()) + "\n")
            noted.append(new)
        elif anchor.statement != noted[number - 1].statement:
            yield f"anchor {number} was exchanged: {noted[number - 1].root()} was noted, {anchor.root()} is there"
        expected = number + 1
    if expected <= max(1, len(noted)):
        yield f"anchors {expected} to {len(noted)} are gone" if noted else "there is no anchor"


def mail(text: str, to: str) -> None:
    where, letter = urllib.parse.urlsplit(to), EmailMessage()
    letter["From"] = letter["To"] = where.path.strip("/")
    letter["Subject"] = "The anchors of cellar are not what they were"
    letter.set_content(text)
    with smtplib.SMTP(where.hostname or "", where.port or 25, timeout=TIMEOUT_S) as server:
        server.send_message(letter)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Follow the anchors of a cellar from elsewhere.")
    parser.add_argument("source", help="the folder of the witness, or the URL of cellar")
    parser.add_argument("notes", help="the file of the notes, which only grows")
    parser.add_argument("--key", default="", help="the fingerprint of the key that signs newer anchors")
    parser.add_argument("--hours", type=float, default=48, help="how old the newest anchor may be (default: 48)")
    parser.add_argument("--mail", default="", help="who gets what is wrong: smtp://HOST[:PORT]/ADDRESS")
    asked = parser.parse_args(arguments)
    if not re.fullmatch(r"(smtp://[^/@]+/[^/@]+@[^/@]+)?", asked.mail):
        parser.error(f"--mail: expected smtp://HOST[:PORT]/ADDRESS, got {asked.mail!a}")
    noted: list[Anchor] = []
    wrong: list[str] = []
    try:
        with Path(asked.notes).open("a+", encoding="utf-8") as notes:
            fcntl.flock(notes, fcntl.LOCK_EX | fcntl.LOCK_NB)
            notes.seek(0)
            noted += read_notes(notes)
            found = by_url(asked.source) if re.match("https?://", asked.source) else in_folder(asked.source)
            for each in followed(found, noted, notes, asked.key):
                wrong.append(f"WRONG: {each}")
    except UNREADABLE as error:
        wrong.append(f"WRONG: cannot go on ({type(error).__name__}): {error}")
    if noted and time.time() - noted[-1].seen_at() > asked.hours * 3600:
        wrong.append(f"WRONG: no anchor is newer than {asked.hours:g} hours")
    newest = f"the newest noted anchor is {len(noted)}, {noted[-1].root()}" if noted else "no anchor was noted"
    text = "\n".join(ascii(each)[1:-1] for each in (*wrong, f"{asked.source}: {newest}"))
    sys.stdout.write(f"{text}\n")
    try:
        if wrong and asked.mail:
            mail(text, asked.mail)
    except OSError as error:
        sys.stderr.write(f"the mail was not sent ({type(error).__name__}); cron may mail this: {text}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

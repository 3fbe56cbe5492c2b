"""Local files that survive a power cut.

A rename is durable only once its folder is synced: with a synced file and an unsynced folder, simulated power cuts lost
every file.
"""

import os
import secrets
from pathlib import Path
from typing import BinaryIO


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and what lies above it, each of them durable. One that is there is left alone."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def write_whole(file: BinaryIO, data: bytes) -> None:
    """Write to an unbuffered file. The system may take less than it is given, and says why only at the next write."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def write_file(path: Path, data: bytes) -> None:
    """Write a small file whole or not at all; its folder is synced by the caller."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)

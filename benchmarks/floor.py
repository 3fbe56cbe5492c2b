"""The floor: writes the bytes of a socket to disk with fsync. No HTTP but a length, no digest, no check, no rename.

python -m benchmarks.floor PORT FOLDER
"""

import os
import re
import secrets
import socket
import sys
from pathlib import Path
from threading import Thread

_BUFFER_BYTES = 1 << 20
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_ANSWER = b'HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{"status":"0"}'


def main(port: int, folder: Path) -> None:
    listener = socket.create_server(("127.0.0.1", port), backlog=256)
    while True:
        connection, _ = listener.accept()
        Thread(target=_serve, args=(connection, folder), daemon=True).start()


def _serve(connection: socket.socket, folder: Path) -> None:
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    with connection:
        while size_bytes := connection.recv_into(buffer):
            head, _, begun = bytes(buffer[:size_bytes]).partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if not length:
                raise ValueError("expected the whole head in the first segment")
            path = folder / secrets.token_hex(16)
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            _take(connection, file, buffer, begun, int(length[1]))
            os.fsync(file)
            os.close(file)
            connection.sendall(_ANSWER)


def _take(connection: socket.socket, file: int, buffer: memoryview, begun: bytes, length_bytes: int) -> None:
    left_bytes = length_bytes - os.write(file, begun)
    while left_bytes:
        taken = connection.recv_into(buffer)
        if not taken:
            return
        left_bytes -= os.write(file, buffer[:taken])


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))

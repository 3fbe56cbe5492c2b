"""A proxy for HTTP and CONNECT that wants a login: `python -m tests.forward_proxy PORT FILE` writes each first line.

Whatever host is asked for, it connects to its port on loopback: names that resolve nowhere can be called so.
"""

import asyncio
import sys
from asyncio import StreamReader, StreamWriter
from pathlib import Path
from urllib.parse import urlsplit

from tests.relay import passed

LOGIN = "proxy-user:proxy-word"
_AUTHORIZATION = b"proxy-authorization: Basic cHJveHktdXNlcjpwcm94eS13b3Jk"


async def _served(port: int, record: Path) -> None:
    async def _connected(reader: StreamReader, writer: StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        line = head.partition(b"\r\n")[0].decode()
        with record.open("a") as file:
            file.write(f"{line}\n")
        method, target, _ = line.split()
        if _AUTHORIZATION.lower() not in head.lower():
            writer.write(b"HTTP/1.1 407 Login\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            writer.close()
            return
        place = urlsplit(f"//{target}" if method == "CONNECT" else target)
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", place.port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            server_writer.write(head.replace(target.encode(), (place.path or "/").encode(), 1))
        await asyncio.gather(passed(reader, server_writer), passed(server_reader, writer))

    async with await asyncio.start_server(_connected, "127.0.0.1", port) as listener:
        await listener.serve_forever()


if __name__ == "__main__":
    asyncio.run(_served(int(sys.argv[1]), Path(sys.argv[2])))

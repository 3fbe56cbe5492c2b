"""Relays connections to a server, and can be killed with all of them: `python -m tests.relay PORT SERVER`.

The server is a port, or the path of a socket.
"""

import asyncio
import sys
from asyncio import StreamReader, StreamWriter


async def _relay(port: int, server: str) -> None:
    async def _connected(reader: StreamReader, writer: StreamWriter) -> None:
        server_reader, server_writer = await _connection(server)
        await asyncio.gather(passed(reader, server_writer), passed(server_reader, writer))

    async with await asyncio.start_server(_connected, "127.0.0.1", port) as listener:
        await listener.serve_forever()


async def _connection(server: str) -> tuple[StreamReader, StreamWriter]:
    if server.isdigit():
        return await asyncio.open_connection("127.0.0.1", int(server))
    return await asyncio.open_unix_connection(server)


async def passed(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(_relay(int(sys.argv[1]), sys.argv[2]))

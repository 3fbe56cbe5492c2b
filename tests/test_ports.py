"""Ports that tests choose for their servers stay reserved."""

import socket
from struct import pack

import pytest

from tests.conftest import free_port

_IP_LOCAL_PORT_RANGE = 51  # of linux/in.h, since Linux 6.3


def test_port_stays_reserved_until_its_server_listens() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as server, _that_wants(port) as other, _that_wants(port) as client:
        with pytest.raises(OSError, match="Address already in use"):
            other.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="Cannot assign requested address"):
            client.connect(server.getsockname())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))

    with socket.create_server(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
        pass


def _that_wants(port: int) -> socket.socket:
    """Return a socket that the kernel can give this port only."""
    wanting = socket.socket()
    try:
        wanting.setsockopt(socket.IPPROTO_IP, _IP_LOCAL_PORT_RANGE, pack("I", port << 16 | port))
    except OSError:
        wanting.close()
        pytest.skip("this kernel gives ports from one range to all")
    return wanting

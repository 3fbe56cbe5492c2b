"""Provides a read-only proxy to an S3 server that refuses some requests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

from tests.conftest import LONGEST_S


@contextmanager
def refusing(endpoint: str, status_of: Callable[[str], int | None]) -> Iterator[str]:
    """Answer a request with the status that `status_of` returns for its path; pass it on if that is None."""
    server = urlsplit(endpoint).netloc

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = status_of(self.path)
            if status is not None:
                self.send_response(status)
                self.end_headers()
                return
            connection = HTTPConnection(server, timeout=LONGEST_S)
            connection.request(self.command, self.path, headers=dict(self.headers))
            answer = connection.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() != "transfer-encoding":
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.read())
            connection.close()

        do_HEAD = do_GET  # noqa: N815 -- the standard library's name

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as proxy:
        serving = Thread(target=proxy.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
        proxy.shutdown()
        serving.join()

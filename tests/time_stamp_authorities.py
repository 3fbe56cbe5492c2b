"""Time-stamp authorities (RFC 3161): the openssl command, with a root certificate of its own, also behind HTTP; and one
that stamps with another time than now.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from asn1crypto.tsp import TimeStampReq
from pyhanko.sign.timestamps import DummyTimeStamper
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from models.store.anchor import Digest
from tests.pdfs import time_stamper

_CONFIG = """
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
[authority]
extendedKeyUsage = critical, timeStamping
keyUsage = critical, digitalSignature
[tsa]
default_tsa = made
[made]
serial = serial
crypto_device = builtin
signer_cert = authority.pem
certs = root.pem
signer_key = authority.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_chain = no
"""
_KEY = ["-newkey", "rsa:2048", "-nodes", "-config", "openssl.cnf"]


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority whose files lie in a folder. `url` is empty unless it is served."""

    folder: Path
    url: str = ""

    @property
    def root(self) -> Path:
        """The file of the root certificate."""
        return self.folder / "root.pem"

    def stamp(self, text: bytes, digest: Digest = Digest.SHA256) -> bytes:
        """Return the answer with the time stamp over a text, in DER."""
        (self.folder / "text").write_bytes(text)
        _openssl(self.folder, "ts", "-query", "-data", "text", f"-{digest}", "-cert", "-out", "own.tsq")
        return self.answer((self.folder / "own.tsq").read_bytes())

    def answer(self, query: bytes) -> bytes:
        """Return the answer to a query, in DER."""
        (self.folder / "query.tsq").write_bytes(query)
        _openssl(self.folder, "ts", "-reply", "-config", "openssl.cnf", "-queryfile", "query.tsq", "-out", "answer.tsr")
        return (self.folder / "answer.tsr").read_bytes()


def authority(folder: Path) -> Authority:
    """Make a time-stamp authority in a new folder."""
    folder.mkdir()
    (folder / "openssl.cnf").write_text(_CONFIG)
    (folder / "serial").write_text("01\n")
    root = ["-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=Test root", "-x509", "-extensions", "root"]
    _openssl(folder, "req", *_KEY, *root, "-days", "30")
    _openssl(folder, "req", *_KEY, "-keyout", "authority.key", "-out", "authority.csr", "-subj", "/CN=Test authority")
    signing = ["-CA", "root.pem", "-CAkey", "root.key", "-set_serial", "2", "-days", "30"]
    extensions = ["-extfile", "openssl.cnf", "-extensions", "authority"]
    _openssl(folder, "x509", "-req", "-in", "authority.csr", "-out", "authority.pem", *signing, *extensions)
    return Authority(folder)


@contextmanager
def served_authority(folder: Path) -> Iterator[Authority]:
    """Make a time-stamp authority in a new folder, and serve it on loopback."""
    made = authority(folder)

    def _answer(request: Request) -> Response:
        return Response(made.answer(request.data), content_type="application/timestamp-reply")

    with HTTPServer() as server:
        server.expect_request("/stamp", method="POST").respond_with_handler(_answer)
        yield Authority(folder, server.url_for("/stamp"))


@dataclass
class Past:
    """An authority behind HTTP, whose root is that of `tests.pdfs`, which stamps as a test sets, or is away."""

    url: str
    stamper: DummyTimeStamper | None


@contextmanager
def served_past() -> Iterator[Past]:
    with HTTPServer() as server:
        past = Past(server.url_for("/stamp"), time_stamper())

        def _answer(request: Request) -> Response:
            if past.stamper is None:
                return Response(status=503)
            return Response(past.stamper.request_tsa_response(TimeStampReq.load(request.data)).dump())

        server.expect_request("/stamp", method="POST").respond_with_handler(_answer)
        yield past


def _openssl(folder: Path, *command: str) -> None:
    subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)

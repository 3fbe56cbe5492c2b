"""A real time-stamp authority on loopback: `openssl ts` behind HTTP, with a root certificate of its own."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

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
    url: str
    root: Path


@contextmanager
def authority(folder: Path) -> Iterator[Authority]:
    """Serve a time-stamp authority whose files lie in a folder."""
    folder.mkdir()
    (folder / "openssl.cnf").write_text(_CONFIG)
    (folder / "serial").write_text("01\n")
    root = ["-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=Test root", "-x509", "-extensions", "root"]
    _openssl(folder, "req", *_KEY, *root, "-days", "30")
    _openssl(folder, "req", *_KEY, "-keyout", "authority.key", "-out", "authority.csr", "-subj", "/CN=Test authority")
    signing = ["-CA", "root.pem", "-CAkey", "root.key", "-set_serial", "2", "-days", "30"]
    extensions = ["-extfile", "openssl.cnf", "-extensions", "authority"]
    _openssl(folder, "x509", "-req", "-in", "authority.csr", "-out", "authority.pem", *signing, *extensions)

    def _answer(request: Request) -> Response:
        (folder / "query.tsq").write_bytes(request.data)
        _openssl(folder, "ts", "-reply", "-config", "openssl.cnf", "-queryfile", "query.tsq", "-out", "answer.tsr")
        return Response((folder / "answer.tsr").read_bytes(), content_type="application/timestamp-reply")

    with HTTPServer() as server:
        server.expect_request("/stamp", method="POST").respond_with_handler(_answer)
        yield Authority(server.url_for("/stamp"), folder / "root.pem")


def _openssl(folder: Path, *command: str) -> None:
    subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)

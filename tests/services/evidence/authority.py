"""A time-stamp authority (RFC 3161) of the openssl command, with a certificate of its own."""

import subprocess
from pathlib import Path

_SECTIONS = """
[tsa]
default_tsa = it
[it]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/root.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[stamping]
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
"""


class Authority:
    """An authority in a folder: `root` is its root certificate."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.root = folder / "root.pem"
        self._folder, self._config = folder, folder / "tsa.cnf"
        self._config.write_text(_SECTIONS.format(folder=folder))
        (folder / "serial").write_text("01\n")
        made = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650")
        of_root = ("-subj", "/CN=Root", "-config", self._config, "-extensions", "root")
        self._run(*made, *of_root, "-keyout", folder / "root.key", "-out", self.root)
        issued = ("-CA", self.root, "-CAkey", folder / "root.key", "-config", self._config, "-extensions", "stamping")
        self._run(*made, "-subj", "/CN=TSA", *issued, "-keyout", folder / "tsa.key", "-out", folder / "tsa.pem")

    def stamp(self, text: bytes) -> bytes:
        """Return the answer with the time stamp over a text, in DER."""
        data, query, answer = (self._folder / name for name in ("data", "query", "answer"))
        data.write_bytes(text)
        self._run("ts", "-query", "-data", data, "-sha256", "-cert", "-out", query)
        self._run("ts", "-reply", "-config", self._config, "-queryfile", query, "-out", answer)
        return answer.read_bytes()

    def _run(self, *arguments: object) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

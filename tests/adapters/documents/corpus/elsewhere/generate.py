# mypy: disable-error-code="import-not-found,no-untyped-call"
"""Makes the files of this folder anew. Run once: the tests need neither node nor endesive.

pip install endesive "pypdf<6"; npm i … (see sign.mjs), in a folder apart
python -m tests.adapters.documents.corpus.elsewhere.generate FOLDER_WITH_NODE_MODULES
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12
from cryptography.x509 import load_der_x509_certificate
from endesive.pdf import cms

from tests.adapters.documents.corpus import forms, layouts
from tests.adapters.documents.corpus.generate_keys import certificate
from tests.adapters.documents.corpus.identities import signer

_HERE = Path(__file__).parent


def main() -> None:
    modules = Path(sys.argv[1])
    documents = {"form.pdf": layouts.table(forms.form()), "letter.pdf": layouts.table(forms.letter())}
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in documents.items():
            (folder / file).write_bytes(content)
        (folder / "signer.p12").write_bytes(_bundle())
        script = (_HERE / "sign.mjs").read_text()
        subprocess.run(
            ["node", "--input-type=module", "-", str(folder / "signer.p12"), str(folder)],
            input=script.encode(),
            cwd=modules,
            check=True,
        )
        for path in folder.glob("signpdf-*.pdf"):
            (_HERE / path.name).write_bytes(path.read_bytes())
    _by_endesive(documents)


def _bundle() -> bytes:
    private_key = signer("rsa").private_key
    own = certificate("Signer of @signpdf", private_key, None, private_key)  # it reads no certificate signed by EC
    algorithm = (
        PrivateFormat.PKCS12.encryption_builder()  # @signpdf reads no newer kind
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .build(b"corpus")
    )
    return pkcs12.serialize_key_and_certificates(None, private_key, own, None, algorithm)


def _by_endesive(documents: dict[str, bytes]) -> None:
    once = _endesive(documents["form.pdf"])
    files = {
        "endesive-once.pdf": once,
        "endesive-twice.pdf": _endesive(once, sigfield="Second"),
        "endesive-certified.pdf": _endesive(documents["form.pdf"], sigandcertify=True),
        "endesive-letter.pdf": _endesive(documents["letter.pdf"]),
    }
    for name, content in files.items():
        (_HERE / name).write_bytes(content)


def _endesive(pdf: bytes, **more: object) -> bytes:
    owner = signer("rsa")
    settings = {
        "aligned": 8192,
        "sigflags": 3,
        "sigpage": 0,
        "sigfield": "First",
        "contact": "nobody@example.com",
        "location": "Here",
        "signingdate": "D:20260301100000+00'00'",
        "reason": "Agreed",
        **more,
    }
    own = load_der_x509_certificate(owner.certificate.dump())
    update: bytes = cms.sign(pdf, settings, owner.private_key, own, [], "sha256")
    return pdf + update


if __name__ == "__main__":
    main()

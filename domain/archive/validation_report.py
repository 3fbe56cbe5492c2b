"""Makes the validation report of a document, ETSI TS 119 102-2, from the verdict that is kept on it.

A template writes it: the bindings of pyHanko would take 0.7 s and 25 MB to import. The tests read it by these.
"""

import re
from base64 import b64encode
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from domain.archive.indications import indication, sub_indications
from models.archive.verdict import Verdict

_NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEMPLATE = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
).from_string(Path(__file__).with_suffix(".xml").read_text())


def validation_report(verdict: Verdict, sha256: str, at: datetime, arrived_at: datetime) -> bytes | None:
    """Return the report on a verdict, None on an unsigned document. The same arguments give the same bytes. Pure.

    Args:
        verdict: the verdict that was made.
        sha256: the digest of the document, as hexadecimal.
        at: when the verdict was made.
        arrived_at: when the document arrived, so that its signatures are known to have existed.
    """
    found = sub_indications(verdict)
    text = _TEMPLATE.render(
        found=found,
        indication=indication,
        verdict=verdict,
        sha256=sha256,
        at=at,
        arrived_at=arrived_at,
        certificates=sorted({each.certificate.sha256 for each in verdict.signatures if each.certificate}),
        base64=lambda digest: b64encode(bytes.fromhex(digest)).decode(),
    )
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text).encode() if found else None

"""What an authority can be asked to learn whether a certificate was revoked."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """An OCSP answer or a CRL. `request` is the OCSP request in hexadecimal; empty for a CRL."""

    url: str
    request: str = ""

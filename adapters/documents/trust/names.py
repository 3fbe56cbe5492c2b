# mypy: disable-error-code="no-untyped-call"
"""Compares names in certificates by RFC 5280, 7.1, also where asn1crypto and pyHanko cannot or would not.

asn1crypto raises ValueError at a name in letters from right to left with a number or a Latin word, as most Hebrew names
of companies are. pyHanko requires the name of the issuer beside the digest that names the signer's certificate.
"""

import unicodedata
from typing import Any

from asn1crypto import tsp, x509
from pyhanko.sign import general

_prepared_by_asn1crypto = x509.NameTypeAndValue._ldap_string_prep
_matches_by_pyhanko = general.match_issuer_serial


def read_names_of_any_writer() -> None:
    """Let asn1crypto and pyHanko compare names as this module does. It is done once for the process."""
    x509.NameTypeAndValue._ldap_string_prep = _prepared
    general.match_issuer_serial = _matches


def _prepared(part: Any, text: str) -> str:
    try:
        return str(_prepared_by_asn1crypto(part, text))
    except ValueError:
        return f" {'  '.join(unicodedata.normalize('NFKC', text).casefold().split())} "


def _matches(expected_issuer_serial: Any, cert: x509.Certificate) -> bool:
    """Return whether an issuer and a serial number name a certificate. A digest that names it is checked before."""
    if isinstance(expected_issuer_serial, tsp.IssuerSerial):
        return bool(expected_issuer_serial["serial_number"] == cert["tbs_certificate"]["serial_number"])
    return bool(_matches_by_pyhanko(expected_issuer_serial, cert))

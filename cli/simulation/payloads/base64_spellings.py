"""The ways in which senders write base64. All of them occur in practice and must be accepted."""

import base64


def standard(content: bytes) -> str:
    return base64.b64encode(content).decode()


def url_safe_unpadded(content: bytes) -> str:
    """Return base64 with `-` and `_` in place of `+` and `/`, without `=` at the end (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def line_wrapped(content: bytes) -> str:
    """Return base64 in lines of 76 characters that end in CR LF (MIME)."""
    return base64.encodebytes(content).decode().replace("\n", "\r\n")


def data_uri(content: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{standard(content)}"

"""The answers of the webhook, in the shape that Cellosign documents, and their descriptions."""

from typing import Literal

from pydantic import BaseModel, Field

from api.errors import UNEXPECTED, Responses, failures


class Document(BaseModel):
    """What became of an accepted archive or session event."""

    reference: str = Field(description="The receipt id: the SHA-256 of the request body, in hex.")
    public_link: str | None = Field(
        None,
        description="A page that shows the archive's state. Absent for session events, and if `CELLAR_PUBLIC_LINK` is"
        " `none`.",
    )


class Accepted(BaseModel):
    """The body is a well-formed archive or a session event, and it is on stable storage."""

    status: Literal["0"]
    document: Document
    errordesc: Literal[""]


class NotAccepted(BaseModel):
    """The archive was not accepted."""

    status: Literal["-1"]
    document: None
    errordesc: str = Field(description="`CODE at PLACE: what was expected`; some codes have no place.")


_ACCEPTED: Responses = {
    200: {
        "model": Accepted | NotAccepted,
        "description": 'Status `"0"`: the body is a well-formed archive or session event, and on stable storage.'
        ' If `CELLAR_ERROR_HTTP` is `200`, all failures below come with HTTP status 200 and status `"-1"`.',
    }
}
_NOT_ACCEPTED = failures(
    {
        400: {
            "EMPTY_BODY": "the body is empty.",
            "NOT_UTF8": "the body is not UTF-8.",
            "NOT_JSON": "the body is not JSON (RFC 8259).",
            "NOT_AN_OBJECT": "the body is JSON, but not an object.",
            "TOO_DEEP": "the JSON is nested too deeply.",
            "TRUNCATED": "the body ends too early.",
            "NOT_HTTP": "the request is not HTTP/1.1.",
            "BAD_LENGTH": "`Content-Length` has too many digits.",
            "BAD_PATH": "the path has the segment `.` or `..`, a backslash, or two slashes at its beginning.",
        },
        401: {"UNAUTHORIZED": "the secret or the signature is missing or wrong."},
        403: {"ADDRESS_NOT_ALLOWED": "the source does not take archives from this address."},
        408: {
            "BODY_TIMEOUT": "the body stopped or came too slowly; send the archive again.",
            "HEADER_TIMEOUT": "the request's headers did not end in time.",
        },
        413: {
            "TOO_LARGE": "the body has more bytes than `CELLAR_MAX_BODY_BYTES`.",
            "SKELETON_TOO_LARGE": "the body is too large beside its files.",
            "TOO_MANY_VALUES": "the body has too many JSON values beside its files.",
            "TOO_MANY_FILES": "the archive has too many files.",
        },
        415: {"COMPRESSED": "the body is compressed; send it without a `Content-Encoding`."},
        422: {
            "EVENT_MISSING": "`event.type` is missing.",
            "FORM_FIELD_CHANGED": "the event expects field data back; take it off the webhook.",
            "UNKNOWN_EVENT": "`event.type` is unknown, and `CELLAR_UNKNOWN_EVENTS` is `refuse`.",
            "SESSION_MISSING": "a session event names no session.",
            "REFERENCE_MISSING": "`reference` is missing.",
            "BAD_REFERENCE": "`reference` is not a text of at most 255 characters without NUL.",
            "SESSIONS_MISSING": "`sessions` is not a list.",
            "NOT_BASE64": "the content of a file is not base64.",
        },
        431: {"HEAD_TOO_LARGE": "the request has too many headers, or too long ones."},
        503: {"UNAVAILABLE": "the archive cannot be stored now; send it again after the seconds in `Retry-After`."},
        **UNEXPECTED,
    },
    NotAccepted,
)
_NOT_ACCEPTED[503]["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
ANSWERS: Responses = _ACCEPTED | _NOT_ACCEPTED
"""Descriptions of all answers of the webhook, by HTTP status."""

"""Reads an archive from the parsed skeleton of a request."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any, TypeVar

from domain.archive.warnings import judge, overridden_files, repeated_keys
from domain.body.node import UNSTORABLE, Node, Reading, decimal_from
from domain.secrets.cards import expiry_month, has_card_number, last_four, masked, number_text, without_card_numbers
from models.archive.archive import Archive, FormField, Signature
from models.archive.content import Content, Role, StoredContent
from models.archive.session import Integration, Invitation, Session
from models.errors import Refused
from models.payments import Attempt, Payment
from models.runs.receipt import Identity

Found = TypeVar("Found", int, str)

MAX_REFERENCE_CHARACTERS = 255
_SESSIONS_READ = 100  # before the answer, which a hostile body with 100,000 sessions must not delay


def reference_of(document: dict[str, Any]) -> str:
    """Return the process reference of a well-formed archive.

    Well-formed is the minimum that Cellosign's page requires of an Archive request: an event of type `WHP_ARCHIVE`, a
    `reference`, and a list of `sessions`. Everything else is optional.

    Raises Refused if one of these elements is missing or invalid, or a content is no text. The error repeats no value.
    """
    event = document.get("event")
    if not isinstance(event, dict) or not isinstance(event.get("type"), str) or not event["type"]:
        raise Refused("EVENT_MISSING", "expected an event with a type", where="event.type")
    if event["type"] != "WHP_ARCHIVE":
        raise Refused("WRONG_EVENT", "expected the event type WHP_ARCHIVE; send only archives here", where="event.type")
    reference = document.get("reference")
    if not isinstance(reference, str) or not 0 < len(reference) <= MAX_REFERENCE_CHARACTERS:
        expected = f"expected text of 1 to {MAX_REFERENCE_CHARACTERS} characters"
        raise Refused("REFERENCE_MISSING" if not reference else "BAD_REFERENCE", expected, where="reference")
    if UNSTORABLE.search(reference):
        # The reference is the key of everything: a replacement character must not merge two processes.
        raise Refused("BAD_REFERENCE", "expected no NUL and no lone surrogate in the key", where="reference")
    if not isinstance(document.get("sessions"), list):
        raise Refused("SESSIONS_MISSING", "expected a list of sessions", where="sessions")
    _refuse_contents_that_are_no_text(document)
    return reference


def identity_of(document: dict[str, Any]) -> Identity:
    """Return by what people find an archive, read from its first sessions. `read_archive` finds the same.

    Raises as `reference_of` does.
    """
    reference = reference_of(document)
    sessions = Node(document["sessions"][:_SESSIONS_READ], "sessions", Reading(UTC))
    found = [(_process_number(each), _template_id(each)) for each in sessions.objects()]
    numbers, templates = zip(*found, strict=True) if found else ((), ())
    return Identity(reference, _first(numbers), _first(templates))


def event_at_of(document: dict[str, Any], zone: tzinfo) -> datetime | None:
    """Return the time of an archive's event. `read_archive` finds the same."""
    return _event_at(Node(document, "", Reading(zone)))


def _event_at(root: Node) -> datetime | None:
    return root.member("event").member("timestamp").moment()


def _process_number(session: Node) -> int | None:
    return session.member("process_number").integer()


def _template_id(session: Node) -> str | None:
    return session.member("template").member("id").identifier()


def _first(found: Iterable[Found | None]) -> Found | None:
    return next((each for each in found if each is not None), None)


def _refuse_contents_that_are_no_text(document: dict[str, Any]) -> None:
    """Refuse a content that is a number or an object. Reading it as null would silently lose a file."""
    for place in _declared(document, Reading(UTC)):
        content = place.member("content")
        if content.value is not None and not isinstance(content.value, str):
            raise Refused("NOT_BASE64", "expected base64 text, got another JSON type", where=content.path)


def read_archive(
    document: dict[str, Any], stored: Sequence[StoredContent], zone: tzinfo, results: Collection[str]
) -> Archive:
    """Return the archive in `document`, with warnings about unreadable values and suspicious contents. Pure.

    `stored` are the contents that the scan cut out, by index. `zone` is the zone of the timestamps, which name no zone.
    `results` are the members of a provider's result that show whether a payment succeeded.

    Source: Cellosign, "Outbound: Webhooks Archive".

    Raises Refused if the document is not a well-formed archive.
    """
    reference = reference_of(document)
    reading = Reading(zone)
    root = Node(document, "", reading)
    sessions = tuple(_session(place) for place in root.member("sessions").objects())
    signatures = tuple(_signature(place) for place in root.member("signatures").objects())
    fields = [_form_field(place) for place in root.member("data").objects()]
    declared = _declared(document, reading)
    contents = [_content(place, stored) for place in declared]
    contents += _overridden(root, declared, stored, contents)
    reading.warnings += repeated_keys(document)
    payments = _payments(root.member("payments").objects(), results)
    transaction_ids = {each.transaction_id for each in payments if each.transaction_id is not None}
    archive = Archive(
        reference=reference,
        event_at=_event_at(root),
        process_number=_first(each.process_number for each in sessions),
        template_id=_first(each.template_id for each in sessions),
        sessions=sessions,
        signatures=signatures,
        fields=tuple(_without_cards(each, transaction_ids) for each in fields),
        contents=tuple(contents),
        payments=payments,
        warnings=(),
    )
    return judge(archive, tuple(reading.warnings))


def _session(place: Node) -> Session:
    recipient = place.member("recipient")
    details = place.member("submission_details")
    return Session(
        where=place.path,
        id=place.member("id").identifier(),
        author=place.member("author").text(),
        reference=place.member("reference").text(),
        process_id=place.member("process_id").identifier(),
        process_number=_process_number(place),
        transaction_number=place.member("transaction_number").integer(),
        template_id=_template_id(place),
        recipient_id=recipient.member("id").identifier(),
        recipient_name=recipient.member("name").text(),
        recipient=recipient.mapping(),
        latitude=details.member("latitude").real(),
        longitude=details.member("longitude").real(),
        submission_details=details.mapping(),
        created_at=place.member("created_at").moment(),
        submitted_at=place.member("submitted_at").moment(),
        labels=place.member("labels").mapping(),
        invitations=_invitations(recipient),
        integrations=tuple(_integration(each) for each in place.member("integrations").objects()),
    )


def _invitations(recipient: Node) -> tuple[Invitation, ...]:
    otp = recipient.member("otp_destination")
    sent = [_invitation("invitation", place) for place in recipient.member("invitations").objects()]
    return tuple(sent) if otp.value is None else (_invitation("otp", otp), *sent)


def _invitation(purpose: str, place: Node) -> Invitation:
    return Invitation(
        purpose=purpose,
        type=place.member("type").text(),
        address=place.member("address").text(),
        provider=place.member("provider").text(),
        status=place.member("status").text(),
    )


def _integration(place: Node) -> Integration:
    return Integration(
        where=place.path,
        id=place.member("id").identifier(),
        type=place.member("type").text(),
        status=place.member("status").text(),
        executed_at=place.member("executed_at").moment(),
        error=place.member("error").anything(),
    )


def _signature(place: Node) -> Signature:
    signer = place.member("signed_by")
    return Signature(
        where=place.path,
        id=place.member("id").identifier(),
        signed_at=place.member("signed_at").moment(),
        signer_id=signer.member("id").identifier(),
        signer_name=signer.member("name").text(),
        labels=place.member("labels").mapping(),
    )


def _form_field(place: Node) -> FormField:
    kind = place.member("type").text()
    value = place.member("value").anything()
    latitude, longitude = coordinates(value) if kind == "location" else (None, None)
    return FormField(
        id=place.member("id").identifier(),
        type=kind,
        value=value,
        visible=place.member("visible").flag(),
        page=place.member("page").integer(),
        top=place.member("top").real(),
        left=place.member("left").real(),
        width=place.member("width").real(),
        height=place.member("height").real(),
        meta=place.member("meta").mapping(),
        latitude=latitude,
        longitude=longitude,
    )


def _without_cards(field: FormField, transaction_ids: Collection[str]) -> FormField:
    """Mask the card numbers in a form field, but no transaction id: it links a payment field to its payment."""
    names_transaction = field.type == "payment" and str(field.value).strip() in transaction_ids
    sent = {"meta": field.meta} | ({} if names_transaction else {"value": field.value})
    shown = {name: without_card_numbers(each) for name, each in sent.items()}
    return replace(field, **shown, unmasked={name: each for name, each in sent.items() if shown[name] != each})


def coordinates(value: Any) -> tuple[float | None, float | None]:
    """Return the degrees of a `location` value, "latitude,longitude"; None where they are no place on Earth."""
    numbers = [decimal_from(part) for part in value.split(",")] if isinstance(value, str) else []
    match numbers:
        case [latitude, longitude] if latitude is not None and longitude is not None:
            if abs(latitude) <= 90 and abs(longitude) <= 180:
                return float(latitude), float(longitude)
    return None, None


def _declared(document: dict[str, Any], reading: Reading) -> list[Node]:
    """Return the places of all files: the signed document first, then the attachments."""
    root = Node(document, "", reading)
    signed = root.member("signed_document")
    attachments = list(root.member("attachments").objects())
    return [signed, *attachments] if signed.is_object() else attachments


def _content(place: Node, stored: Sequence[StoredContent]) -> Content:
    signed = place.path == Role.SIGNED_DOCUMENT
    index = place.member("content").value
    return Content(
        where=place.path,
        role=Role.SIGNED_DOCUMENT if signed else Role.ATTACHMENT,
        element_id=place.member("id").identifier(),
        filename=place.member("filename").text(),
        media_type=place.member("mimetype").text(),
        # Only the scanner writes here: it replaces each content by the index of its cut.
        stored=None if index is None else stored[int(index)],
    )


def _overridden(
    root: Node, declared: Sequence[Node], stored: Sequence[StoredContent], contents: Iterable[Content]
) -> Iterator[Content]:
    """Yield the files that only an earlier value of a repeated key has, as attachments."""
    known = {content.stored.sha256 for content in contents if content.stored}
    for place, index in overridden_files(root, declared):
        found = stored[int(index)]
        if found.sha256 not in known:
            known.add(found.sha256)
            yield replace(_content(place, stored), role=Role.ATTACHMENT, stored=found)


def _payments(places: Iterable[Node], results: Collection[str]) -> tuple[Payment, ...]:
    """Group attempts into payments, each at the position of its first attempt."""
    attempts: dict[str | int, list[Attempt]] = {}
    for number, place in enumerate(places):
        attempt = _attempt(place, results)
        attempts.setdefault(attempt.transaction_id or number, []).append(attempt)
    return tuple(Payment(tuple(each)) for each in attempts.values())


def _attempt(place: Node, results: Collection[str]) -> Attempt:
    result = place.member("provider_transaction_result")
    return Attempt(
        transaction_id=_filled(place.member("transaction_id")),
        session_id=place.member("session_id").identifier(),
        type=_without_number(place.member("type").text()),
        status=_without_number(place.member("status").text()),
        amount=_plain_number(decimal_from(place.member("amount").value)),
        currency=_without_number(result.spelled("currency").text()),
        provider_total=_plain_number(result.spelled("total").number()),
        provider_reference=place.member("provider_transaction_reference").identifier(),
        card_mask=masked(_without_number(result.spelled("card_mask").text()) or "") or None,
        card_brand=_without_number(result.spelled("card_brand").text()),
        card_acquirer=_without_number(result.spelled("card_aquirer").text()),
        card_no_last4=last_four(result.spelled("card_no").identifier()),
        card_expires=expiry_month(result.spelled("card_expiration").identifier()),
        cguid=_filled(result.spelled("cguid")),
        authorisation=_filled(result.spelled("auth_number")),
        number_of_payments=_plain_number(result.spelled("numberOfPayments").number()),
        first_payment=_plain_number(result.spelled("firstPayment").number()),
        periodical_payment=_plain_number(result.spelled("periodicalPayment").number()),
        results={name: said for name in results if (said := _without_number(_filled(result.spelled(name))))},
    )


def _filled(place: Node) -> str | None:
    """Return an identifier without surrounding blanks, or None if it is blank."""
    return (place.identifier() or "").strip() or None


def _without_number(text: str | None) -> str | None:
    return None if text is None else str(without_card_numbers(text))


def _plain_number(number: Decimal | None) -> Decimal | None:
    """Return the number, or None if it contains a card number, which would be shown as an amount."""
    return None if number is not None and has_card_number(number_text(number)) else number

"""What cellar says: a code and its values. The catalogue (`domain/words`) words it in every language."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum, auto
from typing import Any, Literal, Self, TypeAlias, Union

Value: TypeAlias = Union[str, int, float, "Said", Mapping[str, Any], Sequence["Value"], None]
"""A text, a number, something said within it (or its JSON), or several of these: all that JSON knows."""

SentenceCode = Literal[
    "text", "meant", "moment",
    # the timeline of a process
    "body_refused", "version_made", "run_started", "run_ended", "run_failed", "finding_changed", "process_missing",
    "process_not_missing", "message_skipped", "message_skipped_because", "message_answered", "message_not_answered",
    "message_to", "event_unknown", "rerun_asked", "archive_exported", "body_accepted", "body_released",
    "body_dismissed", "dismissal_withdrawn",
    # what a discrepancy expected and found
    "none", "at_most", "more", "some_payment", "payment_field", "own_session", "missing_or_unknown", "not_a_number",
    "not_positive", "iso_currency", "whole_amount", "whole_total", "fraction_of_amount", "fraction_of_total",
    "in_attempt", "either", "in_instalments", "success_with", "success_authorised", "success_unauthorised",
    "failure_authorised", "failure_unauthorised", "card_ends_in", "card_valid_in", "valid_until", "charge_unknown",
    "charge_of", "released_within", "held_since", "in_one_archive", "in_one_payment", "also_in", "also_in_more",
    "several_in", "several_in_more", "payment_for", "one_payment_for", "no_money", "settled_by", "by_day", "amount_on",
    "kind_charge", "kind_refund", "kind_chargeback",
    # checks of the parts of the system
    "no_answer_within", "unknown_without", "receiver_ready", "receiver_processes", "receiver_lacks_processes",
    "prefect_answers", "workers_online", "search_complete", "search_without_index", "search_incomplete",
    "search_fills_in",
    "made_by_next_delivery", "nothing_waits", "inbox_waits", "inbox_is_late", "no_clamav", "clamav_answers",
    "disk_free", "no_source", "sources_known", "source_is_silent", "disabled_source_sends", "never_verified",
    "store_verified", "damage_found", "check_broke_off", "no_key_yet", "no_anchor", "anchored", "anchor_lacks",
    "anchor_key_gone", "no_witness", "clocks_right", "no_people", "people_hear", "no_data_folder", "pool_is_paused",
    "schedule_is_paused",
    # why a signed document, a signature or a certificate is judged so
    "not_valid", "untrusted_root", "invalid_then", "expired_then", "not_valid_yet", "weak_algorithm",
    "not_for_this_use", "certificate_untrusted", "no_roots", "no_roots_for_revocation", "issuer_revoked",
    "revocation_unreadable", "revoked_before", "revoked_unproven", "expired_unproven", "no_revocation_data",
    "old_revocation_data", "password_needed", "no_pdf", "too_expensive", "stray_signature", "fields_not_compared",
    "update_not_compared", "unknown_kind", "signature_damaged", "no_pss_parameters", "key_unusable", "not_mgf1",
    "key_too_short", "key_of_other_kind", "kind_not_computed", "kind_needs_attributes", "digest_not_named",
    "digest_unknown", "algorithm_unknown",
    # the verdict on a signed document
    "document_judged", "document_unjudged", "document_is", "document_sound", "document_fields_changed",
    "document_changed", "document_broken", "document_unsigned", "document_unreadable", "answer_yes", "answer_no",
    "answer_unknown", "not_judged", "answer_because", "change_archival", "change_form_filling",
    "change_annotations", "change_other", "change_permitted", "change_forbidden", "revoked", "not_revoked",
    "revoked_later", "by_ocsp", "by_crl", "kind_signature", "kind_time_stamp", "certificate_of",
    "certificate_of_nobody", "algorithm_is", "strength_strong", "strength_weak", "strength_unknown", "tier_plain",
    "tier_secure", "tier_certified", "tier_advanced", "tier_qualified", "time_from_time_stamp", "time_from_signer",
    "time_from_none", "kept_before",
    # why a message is skipped or given up, why an endpoint is disabled, why an attempt failed
    "by_a_person", "endpoint_removed", "endpoint_left", "endpoint_disabled", "unwanted_event", "unwanted_source",
    "unwanted_template", "unwanted_label", "endpoint_gone", "endpoint_answered", "not_confirmed_in_time",
    "message_dismissed",
    "nothing_confirmed_since", "endpoint_fails_until", "delivered_already", "attempt_under_way",
    "other_message_waits", "not_answered_yet", "rate_used_up", "message_is_skipped", "name_unresolved",
    "connection_slow", "nothing_came", "bad_certificate", "no_listener", "bad_url", "private_address",
    # kinds of values of a payload
    "json_text", "json_other_text", "json_whole_number", "json_number", "json_boolean", "json_object", "json_list",
    "json_null",
]  # fmt: skip
"""Codes of sentences. `text` is what a person or another system has written, which no language changes. `kept_before`
is what an earlier build kept in English, which is looked up whole."""


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence, or a part of one, before it has a language."""

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def said(code: SentenceCode, /, **values: Value) -> Said:
    """Return a sentence of the catalogue with its values."""
    return Said(code, values)


def verbatim(text: str) -> Said:
    """Return a text that stays as it was written."""
    return said("text", text=text)


def moment(at: datetime) -> Said:
    return said("moment", at=at.isoformat())


def said_of(kept: Mapping[str, Any]) -> Said:
    """Return what was said from its JSON. What is said within it stays JSON."""
    return Said(kept["code"], kept["values"])


def said_by(values: Mapping[str, Any], name: str, text: str | None) -> Said | None:
    """Return what an English text says, by the `values` beside it; as it is where an earlier build kept none."""
    if name in values:
        return said_of(values[name])
    return None if text is None else said("kept_before", text=text)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is wrong, and what to do, in English; `to_do` may be empty.

    `says_all`: the detail that the services keep beside the code has no value that the words lack.
    """

    what: str
    to_do: str = ""
    says_all: bool = False


class FindingCode(StrEnum):
    """Codes of findings. Each is the name of a `finding`, with its English.

    `detail` is what it says with its values, `short` what it means in a few words; either may be empty.
    """

    meaning: Meaning
    detail: str
    short: str

    def __new__(cls, code: str, meaning: Meaning | None = None, detail: str = "", short: str = "") -> Self:
        made = str.__new__(cls, code)
        made._value_, made.meaning, made.detail, made.short = code, meaning or Meaning(code), detail, short
        return made

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return name


def finding(what: str, to_do: str, detail: str = "", *, short: str = "") -> tuple[Any, Meaning, str, str]:
    """Return the declaration of a member of `FindingCode`, whose name is its code."""
    return auto(), Meaning(what, to_do), detail, short

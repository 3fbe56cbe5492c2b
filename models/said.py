"""What cellar says: a code and its values. The catalogue (`domain/words`) words it in every language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias, Union

Value: TypeAlias = Union[str, int, float, datetime, "Said", Sequence["Value"], None]
"""A number, a name, a moment, something said within it, or several of them."""

SentenceCode = Literal[
    "text", "meant",
    # the timeline of a process
    "body_refused", "version_made", "run_started", "run_ended", "run_failed", "finding_changed", "process_missing",
    "process_not_missing", "message_skipped", "message_skipped_because", "message_answered", "message_not_answered",
    "message_to", "event_unknown", "rerun_asked", "archive_exported", "body_accepted", "body_released",
    "body_dismissed",
    # checks of the parts of the system
    "no_answer_within", "unknown_without", "receiver_ready", "receiver_processes", "receiver_lacks_processes",
    "prefect_answers", "workers_online", "search_complete", "search_without_index", "search_incomplete",
    "made_by_next_delivery", "nothing_waits", "inbox_waits", "inbox_is_late", "no_clamav", "clamav_answers",
    "disk_free", "no_source", "sources_known", "source_is_silent", "disabled_source_sends", "never_verified",
    "verified", "damage_found", "check_broke_off", "no_key_yet", "no_anchor", "anchored", "anchor_lacks",
    "anchor_key_gone", "no_witness", "clocks_right", "no_people", "people_hear", "no_data_folder", "pool_is_paused",
    "schedule_is_paused",
]  # fmt: skip
"""Codes of sentences. `text` is what a person or another system has written, which no language changes."""


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence, or a part of one, before it has a language."""

    code: str
    values: Mapping[str, Value] = field(default_factory=dict)


def said(code: SentenceCode, /, **values: Value) -> Said:
    """Return a sentence of the catalogue with its values."""
    return Said(code, values)


def verbatim(text: str) -> Said:
    """Return a text that stays as it was written."""
    return said("text", text=text)

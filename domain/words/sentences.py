"""Sentences by their codes, which `SentenceCode` lists. A value stands in a sentence by its name."""

from collections.abc import Mapping

from domain.words.wording import N_

SENTENCES: Mapping[str, str] = {
    "text": "%(text)s",
    "meant": "%(what)s (%(code)s)",
    # the timeline of a process
    "body_refused": N_("refused: %(cause)s"),
    "version_made": N_("version %(number)s"),
    "run_started": N_("attempt %(number)s started by %(trigger)s"),
    "run_ended": N_("attempt %(number)s ended: %(state)s"),
    "run_failed": N_("attempt %(number)s ended: %(state)s. %(cause)s"),
    "finding_changed": N_("%(state)s: %(discrepancy)s"),
    "process_missing": N_("the process is missing: %(missing)s"),
    "process_not_missing": N_("the process is no longer missing: %(state)s"),
    "message_skipped": N_("%(message)s is skipped"),
    "message_skipped_because": N_("%(message)s is skipped: %(why)s"),
    "message_answered": N_("%(message)s, attempt %(number)s: HTTP %(status)s"),
    "message_not_answered": N_("%(message)s, attempt %(number)s: no answer (%(stage)s)"),
    "message_to": N_("%(event)s to %(endpoint)s"),
    "event_unknown": N_("%(event)s (an unknown type)"),
    "rerun_asked": N_("asked for a re-run"),
    "archive_exported": N_("exported the archive"),
    "body_accepted": N_("accepted what another source sent"),
    "body_released": N_("released a refused body"),
    "body_dismissed": N_("dismissed a refused body"),
}

"""Words for codes: states, outcomes, kinds, roles, conditions. A prefix distinguishes names of one kind of thing."""

from collections.abc import Mapping

from models.store.condition import ALL_CODES


def _spelled(codes: str, kind: str = "") -> dict[str, str]:
    """Return the words for codes that are words already: `signed_document` is "Signed document"."""
    return {f"{kind}{each}": each.replace("_", " ").capitalize() for each in codes.split()}


WORDS: Mapping[str, str] = {
    # states of archives, receipts and messages
    **_spelled("received processing completed failed delivered pending skipped"),
    "dead": "Given up",
    # states of runs, as Prefect names them
    **_spelled("Running Completed Failed Crashed Cancelled"),
    "AwaitingRetry": "Waiting",
    # what started a run
    "webhook": "a delivery",
    "rerun": "a person",
    "bulk": "a bulk re-run",
    "retry": "a retry",
    "sweep": "the sweep",
    # outcomes of deliveries
    **_spelled("new changed duplicate refused released set_aside"),
    # kinds of the timeline
    **_spelled("delivery version run finding message action event"),
    # kinds of what happens now
    "arrived": "Arrived",
    "acted": "Done by people",
    # roles of files
    **_spelled("signed_document attachment"),
    # standings of payments
    **_spelled("verified held charged settled unknown"),
    # discrepancies
    **_spelled("open explained closed"),
    # terms of a source
    "term_minor": "smallest units, like agorot",
    "term_major": "whole units, like shekels",
    "term_keep": "keep",
    "term_refuse": "refuse",
    # sides of a settlement report, and in what its row and a payment differ
    "side_taken_back": "Taken back",
    "side_missing_in_archive": "Without a payment",
    "side_missing_in_settlement": "Charges that no report has",
    "side_ambiguous": "Several payments fit",
    "side_differing": "Settled differently or late",
    "match_cguid": "another transaction",
    "match_authorisation": "another authorisation number",
    "match_card": "another card",
    "match_currency": "another currency",
    "match_amount": "another amount",
    "match_day": "another day",
    "match_standing": "no money was taken",
    # how a list of Cellosign and the archives differ
    "listed_missing": "missing",
    "listed_unknown_there": "unknown there",
    "listed_different_time": "different time",
    "listed_different_count": "different count",
    # kinds and changes of a difference
    **_spelled("added removed session file payment signature archive"),
    "field": "Form field",
    # bulk re-runs, their archives, redeliveries
    **_spelled("planned confirmed running paused resumed aborted done queued"),
    "batch_rerun": "Bulk re-run",
    "batch_redeliver": "Redelivery",
    "batch_erase": "Erasure",
    "started": "On its way",
    "completed since": "completed since",
    "on its way": "on its way",
    "gone": "gone",
    # endpoints, what people did with them, attempts
    **_spelled("active failing disabled enabled"),
    "rotated": "Secret rotated",
    "old key forgotten": "Old secret forgotten",
    "manual": "sent again by a person",
    "forced": "sent again by force",
    "resolve": "looking up the address",
    "connect": "connecting",
    "tls": "the encrypted connection",
    "write": "sending",
    "answer": "the answer",
    "status": "the HTTP status",
    # why findings are closed, or open
    **_spelled("archived submitted expired"),
    "continued": "Goes on",
    "deleted": "Deleted by Cellosign",
    "dismissed": "Dismissed by a person",
    "listed": "On Cellosign's list",
    # verdicts of checks
    **_spelled("off warning wrong"),
    "ok": "OK",
    # outcomes of a verdict
    **_spelled("sound fields_changed broken unsigned unreadable unaltered"),
    "covered": "Words covered by a stamp",
    **dict.fromkeys(("unproved", "undated"), "Unchanged since it was signed"),
    "unaltered_at_arrival": "Unaltered when it arrived",
    "no_verdict": "Not judged",
    **{str(each): each.short for each in ALL_CODES},
    # why a process is missing
    "missing_submitted": "submitted, and not archived",
    "missing_deleted": "deleted without an archive",
    "missing_expired": "expired without an archive",
    "missing_listed": "on Cellosign's list, and not archived",
    # how a person signed in
    **_spelled("password provider token", "by_"),
    "by_break_glass": "Break-glass",
    # roles, actions and outcomes of access
    **_spelled("viewer clerk operator data auditor administrator owner", "role_"),
    **_spelled("list_archives read_templates read_settings change_settings read_metrics", "action_"),
    **_spelled("allowed denied", "outcome_"),
    "action_read_archive": "Read an archive",
    "action_unmask": "Unmask a value",
    "action_download_file": "Download a file",
    "action_export_archive": "Export archives",
    "action_export_table": "Export a table",
    "action_read_troubles": "Read what is wrong",
    "action_find_person": "Find a person",
    "action_rerun": "Run archives again",
    "action_erase": "Erase archives",
    "action_hold": "Hold an archive",
    "action_decide": "Decide about a finding",
    "action_release": "Release a refused body",
    "action_redeliver": "Send messages again",
    "action_save_view": "Save a search",
    "action_change_templates": "Name templates",
    "action_read_people": "Read people and tokens",
    "action_change_people": "Change people and tokens",
    "action_read_links": "Read public links",
    "action_revoke_link": "Revoke a public link",
    "action_read_access": "Read the access log",
    "action_read_prefect": "Read in Prefect",
    "action_act_in_prefect": "Act in Prefect",
    "action_enter": "Use an own login",
    "title_process": "Process %(number)s",
    # types of form fields, as Cellosign names them
    **_spelled("text checkbox date number phone payment location signature initials", "type_"),
    **dict.fromkeys(("type_select", "type_radio", "type_dropdown", "type_list", "type_combo"), "Choice"),
    "type_email": "Mail address",
    "type_geolocation": "Location",
    # what runs wait for
    "waits_store": "the store",
    "waits_database": "the database",
    "waits_Prefect": "the Prefect server",
    "waits_ClamAV": "ClamAV",
    "waits_key": "the key of sealed values",
    "waits_endpoint": "an endpoint",
    "waits_other run": "another run of the same process",
    # what is due of archives
    "on_hold": "On legal hold",
    "review": "Review",
    "erase": "Erasure",
    # where a person is named
    **_spelled("recipient invitation signer session label payment file elsewhere", "stands_"),
    "stands_field": "Form field",
    "named_in_archive": "Archive",
    "named_in_event": "Session event",
    "named_in_refused": "Refused delivery",
    "named_in_waiting": "Delivery that is not an archive yet",
    # names of filters, and orders of a list
    **_spelled("reference references process_number transaction_number session label template source", "filter_"),
    **_spelled("state cause condition discrepancy warning verdict signer file_name due", "filter_"),
    **_spelled("received_after received_before paid_from paid_to since until span", "filter_"),
    **_spelled("action author person code currency kind list amount day card", "filter_"),
    "filter_mail": "Mail or phone",
    "filter_value": "Value of a person",
    "filter_message_id": "Chosen messages",
    "filter_attention": "Needs attention",
    "filter_held": "On legal hold",
    "filter_q": "Search",
    "filter_reason": "Ground",
    "filter_why": "Why missing",
    "filter_field": "Form field",
    "filter_standing": "Payment standing",
    "filter_acquirer": "Payment provider",
    "filter_undated": "Without a day",
    "filter_report": "Settlement report",
    "filter_after": "Later page",
    "filter_file": "File name",
    "filter_filename": "File name",
    "filter_sort": "Order",
    "sort_arrival": "Newest first",
    "sort_amount": "Largest amount first",
    "sort_deadline": "Nearest deadline first",
    # columns of settlement reports
    **_spelled("amount currency card fee kind instalment", "report_"),
    "report_settled_on": "Day of the payout",
    "report_paid_on": "Day of the transaction",
    "report_cguid": "Id of the transaction",
    "report_authorisation": "Authorisation number",
    # types of columns of tables
    **_spelled("text integer number", "column_"),
    "column_decimal": "Decimal number",
    "column_date": "Day",
    "column_boolean": "Yes or no",
    "column_choice": "One of few texts",
    "column_location": "Degrees",
    "column_time": "Moment",
    # names of the parts of the system
    **_spelled("receiver workers housekeeping database search store inbox sources witness", "part_"),
    "part_disk of data": "Disk of the data",
    "part_disk of inbox": "Disk of the inbox",
    "part_disk of store": "Disk of the store",
    "part_last verify": "Last check of the store",
    "part_last backup": "Last backup",
    "part_last drill": "Last drill: a backup restored for practice",
    "part_last anchor": "Last anchor",
    "part_last comparison": "Last comparison with an anchor",
    "part_seal key": "Key of sealed values",
    "part_anchor key": "Key of anchors",
    "part_time zones": "Time zones",
    "part_people": "Messages to people",
}

"""Creates the triggers that note changes of archives, in the transaction of the change, whichever program makes it.

On Postgres, `position` is the number of the transaction, which names an archive once for each kind. SQLite has one
writer at a time, and gives no position twice. Rows of a payload are replaced as a whole, so the first of a table stands
for all. A migration that makes a table anew on SQLite makes its triggers anew.
"""

from collections.abc import Iterator

from sqlalchemy import Connection

_PAYLOAD = (
    *("file", "form_field", "integration", "invitation", "label", "payment", "session", "signature"),
    *("signed_document", "warning"),
)
_CAUSE = "cause_code cause_task cause_error cause_sentence cause_attempt cause_since"
_ARCHIVE = "received_at template_id process_number current_receipt_id source read_on due_action due_at"
_MESSAGE = "state skipped_why attempts planned_at next_attempt_at expires_at delivered_at endpoint_name"
_FINDING = 'state transaction_id payment_id expected found "values"'
_DUPLICATE = "code IN ('DUPLICATE_PROVIDER_TRANSACTION', 'DUPLICATE_TRANSACTION')"
_FOLLOWED = (
    ("archive", "state", "INSERT", f"state completed_at {_CAUSE}", ""),
    ("archive", "content", "", _ARCHIVE, ""),
    ("archive", "erased", "DELETE", "", ""),
    ("tombstone", "erased", "INSERT", "", ""),  # as a rebuild restores it
    ("delivery", "delivery", "INSERT", "receipt_id received_at outcome flow_run_id source", ""),
    ("version", "version", "INSERT", "version event_at received_at is_from_future is_set_aside content_root", ""),
    ("run", "run", "INSERT", "trigger state failed_task cause_code cause_error cause_sentence started_at ended_at", ""),
    ("notification", "message", "INSERT", _MESSAGE, "{row}.event <> 'archive.attention' AND {row}.reference <> ''"),
    ("notification", "attention", "INSERT", _MESSAGE, "{row}.event = 'archive.attention' AND {row}.reference <> ''"),
    ("discrepancy", "finding", "INSERT", _FINDING, f"NOT {{row}}.{_DUPLICATE}"),
    ("discrepancy", "duplicate", "INSERT", _FINDING, f"{{row}}.{_DUPLICATE}"),
    ("condition", "finding", "INSERT DELETE", "", "{row}.kind = 'archive'"),
    ("settlement_entry", "settlement", "INSERT", "match reference payment_id", ""),
    ("search_entry", "content", "", "title", ""),
    ("search_facet", "content", "INSERT", "", "{row}.kind IN ('label', 'field')"),  # it may enter a clerk's scope
    *((table, "content", "INSERT DELETE", "", "{row}.position = 0") for table in _PAYLOAD),
    *((table, "content", "UPDATE", "", "") for table in _PAYLOAD),
)
"""Table, kind, events, columns of which an update is a change, and which rows count."""
_NAMED_BY = {"condition": "subject", "erased": "digest"}
_OF_FACET = "(SELECT reference FROM search_entry WHERE id = new.entry_id)"
_FUNCTION = """
CREATE OR REPLACE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE changed record; its text;
BEGIN
    IF TG_ARGV[1] = 'old' THEN changed := old; ELSE changed := new; END IF;
    IF TG_TABLE_NAME = 'condition' THEN its := changed.subject;
    ELSIF TG_TABLE_NAME = 'search_facet' THEN
        SELECT reference INTO its FROM search_entry WHERE id = changed.entry_id;
        IF its IS NULL THEN RETURN NULL; END IF;
    ELSIF TG_ARGV[0] = 'erased' THEN its := changed.digest;
    ELSE its := changed.reference; END IF;
    INSERT INTO change (position, reference, kind, at)
        VALUES (pg_current_xact_id()::text::bigint, its, TG_ARGV[0], clock_timestamp()) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$
"""
_ON_SQLITE = """
CREATE TRIGGER {name} AFTER {event} ON {table} WHEN {when} BEGIN
    INSERT INTO change (reference, kind, at) VALUES ({its}, '{kind}', strftime('%Y-%m-%d %H:%M:%f000', 'now'));
    DELETE FROM change WHERE position = last_insert_rowid() - 1 AND reference = {its} AND kind = '{kind}';
END
"""
_ON_POSTGRES = """
CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW WHEN ({when})
    EXECUTE FUNCTION note_change('{kind}', '{row}')
"""


def create_triggers(database: Connection) -> None:
    """Create the triggers that note changes."""
    is_sqlite = database.dialect.name == "sqlite"
    if not is_sqlite:
        database.exec_driver_sql(_FUNCTION)
    for trigger in _triggers("IS NOT" if is_sqlite else "IS DISTINCT FROM"):
        database.exec_driver_sql((_ON_SQLITE if is_sqlite else _ON_POSTGRES).format(**trigger))


def _triggers(differs: str) -> Iterator[dict[str, str]]:
    for table, kind, events, columns, only in _FOLLOWED:
        for event in [*events.split(), *(["UPDATE"] if columns else [])]:
            rows = ["old" if event == "DELETE" else "new"]
            if table == "settlement_entry" and event == "UPDATE":  # it may leave an archive for another
                rows.append("old")
            changed = " OR ".join(f"old.{name} {differs} new.{name}" for name in columns.split())
            for row in rows:
                its = f"{row}.{_NAMED_BY.get(table, _NAMED_BY.get(kind, 'reference'))}"
                if table == "search_facet":  # on Postgres, the function asks, since a condition must not
                    its = _OF_FACET if differs == "IS NOT" else "new.facet"
                is_other = f"({changed})" if changed and event == "UPDATE" else ""
                tests = [f"{its} IS NOT NULL", only.format(row=row), is_other]
                when = " AND ".join(filter(None, tests))
                name = f"change_of_{table}_{kind}_{event}_{row}".lower()
                yield {"name": name, "event": event, "table": table, "when": when, "its": its, "kind": kind, "row": row}

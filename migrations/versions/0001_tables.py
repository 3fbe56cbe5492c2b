"""Creates every table, the views of the ledger, and on SQLite the index of texts.

This migration is the schema of 1.0.0. A revision is named like its file.
"""

from alembic import op

from migrations.ledger import create_views

revision = "0001_tables"
down_revision = None
branch_labels = None
depends_on = None

_DIALECTS = ("sqlite", "postgresql")
_WORDS = {
    "moment": ("DATETIME", "TIMESTAMP WITH TIME ZONE"),
    "json": ("JSON", "JSONB"),
    "bytes": ("BLOB", "BYTEA"),
    "rowid": ("INTEGER", "BIGINT"),
    "false": ("0", "false"),
    "without_rowid": (" WITHOUT ROWID", ""),
}
"""What each dialect calls it."""

_TABLES = """
CREATE TABLE action (
    action_id VARCHAR(32) NOT NULL PRIMARY KEY, reference VARCHAR(255) NOT NULL, kind VARCHAR(16) NOT NULL,
    "by" VARCHAR NOT NULL, at {moment} NOT NULL);

CREATE TABLE archive (
    reference VARCHAR(255) NOT NULL PRIMARY KEY, state VARCHAR(16) NOT NULL, received_at {moment} NOT NULL,
    completed_at {moment}, template_id VARCHAR, process_number BIGINT, current_receipt_id VARCHAR(64),
    cause_code VARCHAR(64), cause_error VARCHAR(64), cause_sentence VARCHAR, cause_values {json},
    cause_task VARCHAR(64), cause_attempt INTEGER, cause_since {moment},
    source VARCHAR(64) NOT NULL DEFAULT 'default', read_on {json});
CREATE INDEX ix_archive_failed ON archive (cause_code, cause_task, cause_since, received_at) WHERE state = 'failed';

CREATE TABLE batch (
    id VARCHAR(36) NOT NULL PRIMARY KEY, kind VARCHAR(16) NOT NULL, state VARCHAR(16) NOT NULL, filter {json} NOT NULL,
    planned INTEGER NOT NULL, "by" VARCHAR NOT NULL, created_at {moment} NOT NULL, confirmed_at {moment},
    ended_at {moment}, "plan" {json} NOT NULL, flow_run_id VARCHAR(36), drivers INTEGER NOT NULL,
    actions {json} NOT NULL);

CREATE TABLE batch_item (
    batch_id VARCHAR(36) NOT NULL, position INTEGER NOT NULL, subject VARCHAR(255) NOT NULL, receipt_id VARCHAR(64),
    was VARCHAR(16) NOT NULL, state VARCHAR(16) NOT NULL, skipped VARCHAR(16), cause VARCHAR, sentence VARCHAR,
    "values" {json}, flow_run_id VARCHAR(36), started_at {moment}, ended_at {moment}, PRIMARY KEY (batch_id, position));
CREATE INDEX ix_batch_item_state ON batch_item (state, batch_id, position);

CREATE TABLE condition (
    kind VARCHAR(16) NOT NULL, subject VARCHAR(255) NOT NULL, code VARCHAR(32) NOT NULL, since {moment} NOT NULL,
    found_at {moment} NOT NULL, count INTEGER NOT NULL, "values" {json} NOT NULL, PRIMARY KEY (kind, subject, code));

CREATE TABLE damaged_report (report_id VARCHAR(64) NOT NULL PRIMARY KEY);

CREATE TABLE delivery (
    delivery_id VARCHAR(64) NOT NULL PRIMARY KEY, receipt_id VARCHAR(64) NOT NULL, reference VARCHAR(255) NOT NULL,
    received_at {moment} NOT NULL, outcome VARCHAR(16) NOT NULL, headers {json} NOT NULL, flow_run_id VARCHAR(36),
    source VARCHAR(64) NOT NULL DEFAULT 'default');
CREATE INDEX ix_delivery_receipt_id ON delivery (receipt_id, source);

CREATE TABLE derived (
    kind VARCHAR(24) NOT NULL PRIMARY KEY, version BIGINT NOT NULL, last VARCHAR(255), lacking INTEGER NOT NULL);

CREATE TABLE discrepancy (
    discrepancy_id VARCHAR(32) NOT NULL PRIMARY KEY, reference VARCHAR(255), code VARCHAR(64) NOT NULL,
    transaction_id VARCHAR, subject VARCHAR NOT NULL, payment_id VARCHAR(32), expected VARCHAR NOT NULL,
    found VARCHAR NOT NULL, "values" {json}, state VARCHAR(16) NOT NULL);
CREATE INDEX ix_discrepancy_standing ON discrepancy (code, discrepancy_id, state) WHERE state != 'closed';

CREATE TABLE discrepancy_event (
    discrepancy_id VARCHAR(32) NOT NULL, number INTEGER NOT NULL, state VARCHAR(16) NOT NULL, at {moment} NOT NULL,
    "by" VARCHAR, why VARCHAR, PRIMARY KEY (discrepancy_id, number));

CREATE TABLE discrepancy_log (
    reference VARCHAR(255) NOT NULL PRIMARY KEY, changes INTEGER NOT NULL, kept INTEGER NOT NULL);

CREATE TABLE endpoint (
    name VARCHAR(64) NOT NULL PRIMARY KEY, url VARCHAR NOT NULL, is_declared BOOLEAN NOT NULL,
    signature VARCHAR(16) NOT NULL, keys {json} NOT NULL, headers VARCHAR, events {json} NOT NULL,
    sources {json} NOT NULL, templates {json} NOT NULL, labels {json} NOT NULL, fields {json} NOT NULL,
    rate_per_s FLOAT, created_at {moment} NOT NULL, created_by VARCHAR, actions {json} NOT NULL, disabled_at {moment},
    disabled_why VARCHAR, "values" {json}, removed_at {moment}, failing_since {moment},
    failing_messages INTEGER NOT NULL, paused_until {moment}, pace_per_s FLOAT, free_at {moment});

CREATE TABLE event (
    event_id VARCHAR(64) NOT NULL PRIMARY KEY, type VARCHAR(64) NOT NULL, reference VARCHAR(255) NOT NULL,
    receipt_id VARCHAR(64) NOT NULL, source VARCHAR(64), template_id VARCHAR, labels {json} NOT NULL,
    at {moment} NOT NULL, body VARCHAR NOT NULL);

CREATE TABLE file (
    reference VARCHAR(255) NOT NULL, position INTEGER NOT NULL, role VARCHAR(16) NOT NULL, element_id VARCHAR,
    filename VARCHAR, media_type VARCHAR, size_bytes BIGINT NOT NULL, sha256 VARCHAR(64) NOT NULL, looks_like VARCHAR,
    infection VARCHAR, PRIMARY KEY (reference, position));

CREATE TABLE form_field (
    reference VARCHAR(255) NOT NULL, position INTEGER NOT NULL, id VARCHAR, type VARCHAR, value {json} NOT NULL,
    visible BOOLEAN, page BIGINT, top FLOAT, "left" FLOAT, width FLOAT, height FLOAT, meta {json} NOT NULL,
    latitude FLOAT, longitude FLOAT, PRIMARY KEY (reference, position));

CREATE TABLE integration (
    reference VARCHAR(255) NOT NULL, session_position INTEGER NOT NULL, position INTEGER NOT NULL, id VARCHAR,
    type VARCHAR, status VARCHAR, executed_at {moment}, error {json} NOT NULL,
    PRIMARY KEY (reference, session_position, position));

CREATE TABLE invitation (
    reference VARCHAR(255) NOT NULL, session_position INTEGER NOT NULL, position INTEGER NOT NULL,
    purpose VARCHAR(16) NOT NULL, type VARCHAR, address VARCHAR, provider VARCHAR, status VARCHAR,
    PRIMARY KEY (reference, session_position, position));

CREATE TABLE label (
    reference VARCHAR(255) NOT NULL, session_position INTEGER NOT NULL, position INTEGER NOT NULL,
    "key" VARCHAR NOT NULL, value VARCHAR NOT NULL, PRIMARY KEY (reference, session_position, position));

CREATE TABLE lease (
    kind VARCHAR(16) NOT NULL, subject VARCHAR(255) NOT NULL, holder VARCHAR(64) NOT NULL,
    expires_at {moment} NOT NULL, PRIMARY KEY (kind, subject));

CREATE TABLE letter (
    notice_id VARCHAR(32) NOT NULL, number INTEGER NOT NULL, address VARCHAR(64) NOT NULL, title VARCHAR NOT NULL,
    text VARCHAR NOT NULL, planned_at {moment} NOT NULL, attempts INTEGER NOT NULL, next_at {moment}, sent_at {moment},
    failed_at {moment}, failure VARCHAR, PRIMARY KEY (notice_id, number, address));

CREATE TABLE login (
    session VARCHAR(64) NOT NULL PRIMARY KEY, person VARCHAR(100) NOT NULL, token VARCHAR(64) NOT NULL,
    began_at {moment} NOT NULL, ends_at {moment} NOT NULL);

CREATE TABLE missing_process (
    missing_id VARCHAR(64) NOT NULL PRIMARY KEY, source VARCHAR(64) NOT NULL, reference VARCHAR(255),
    process_number BIGINT, transaction_number BIGINT, session_id VARCHAR(255), why VARCHAR(16) NOT NULL,
    since {moment} NOT NULL, deadline_at {moment} NOT NULL, alerted_h INTEGER, opened_at {moment} NOT NULL,
    announced_at {moment}, closed_at {moment}, closed_why VARCHAR(16), closed_by VARCHAR, closed_reason VARCHAR);
CREATE INDEX ix_missing_process_open ON missing_process (closed_at, deadline_at);

CREATE TABLE notice (
    notice_id VARCHAR(32) NOT NULL PRIMARY KEY, kind VARCHAR(32) NOT NULL, "key" VARCHAR(255) NOT NULL,
    detail {json}, level INTEGER NOT NULL, count INTEGER NOT NULL, most INTEGER NOT NULL,
    opened_at {moment} NOT NULL, last_at {moment} NOT NULL, gone_at {moment}, closed_at {moment},
    told_times INTEGER NOT NULL, told_at {moment}, told_count INTEGER NOT NULL, told_level INTEGER NOT NULL,
    told_last_at {moment});
CREATE UNIQUE INDEX ix_notice_open ON notice (kind, "key") WHERE closed_at IS NULL;

CREATE TABLE notification (
    message_id VARCHAR(64) NOT NULL PRIMARY KEY, reference VARCHAR(255) NOT NULL, receipt_id VARCHAR(64) NOT NULL,
    endpoint VARCHAR NOT NULL, event VARCHAR(64) NOT NULL, state VARCHAR(16) NOT NULL, planned_at {moment} NOT NULL,
    endpoint_name VARCHAR(64) NOT NULL DEFAULT '', event_id VARCHAR(64), skipped_why VARCHAR, "values" {json},
    attempts INTEGER NOT NULL DEFAULT '0', next_attempt_at {moment}, expires_at {moment}, claimed_until {moment},
    delivered_at {moment}, tried_before INTEGER NOT NULL DEFAULT '0', next_trigger VARCHAR(16), next_by VARCHAR);
CREATE INDEX ix_notification_endpoint ON notification (endpoint_name, planned_at, message_id);
CREATE INDEX ix_notification_skipped ON notification (planned_at) WHERE state = 'skipped';
CREATE INDEX ix_notification_undelivered ON notification (endpoint_name, planned_at, message_id, state)
    WHERE state IN ('pending', 'dead');

CREATE TABLE notification_attempt (
    message_id VARCHAR(64) NOT NULL, attempt INTEGER NOT NULL, attempted_at {moment} NOT NULL, status_code INTEGER,
    error VARCHAR, "values" {json}, "trigger" VARCHAR(16) NOT NULL DEFAULT 'automatic', "by" VARCHAR, url VARCHAR,
    duration_s FLOAT, stage VARCHAR(16), answer VARCHAR, next_attempt_at {moment}, PRIMARY KEY (message_id, attempt));

CREATE TABLE payment (
    reference VARCHAR(255) NOT NULL, position INTEGER NOT NULL, payment_id VARCHAR(32) NOT NULL,
    transaction_id VARCHAR, session_id VARCHAR, type VARCHAR, status VARCHAR, amount_minor BIGINT, currency VARCHAR,
    card_mask VARCHAR, card_brand VARCHAR, card_last4 VARCHAR(4), provider_reference VARCHAR,
    cguid_fingerprint VARCHAR(64), authorisation_fingerprint VARCHAR(64), standing VARCHAR(16) NOT NULL,
    attempts INTEGER NOT NULL, paid_on DATE, instalments INTEGER, first_minor BIGINT, periodical_minor BIGINT,
    PRIMARY KEY (reference, position));

CREATE TABLE payment_key (
    reference VARCHAR(255) NOT NULL, position INTEGER NOT NULL, payment_id VARCHAR(32) NOT NULL,
    cguid_fingerprint VARCHAR(64), authorisation_fingerprint VARCHAR(64), card_last4 VARCHAR(4), amount_minor BIGINT,
    currency VARCHAR, standing VARCHAR(16) NOT NULL, paid_on DATE, instalments INTEGER, first_minor BIGINT,
    periodical_minor BIGINT, PRIMARY KEY (reference, position));

CREATE TABLE receipt (
    receipt_id VARCHAR(64) NOT NULL PRIMARY KEY, reference VARCHAR(255) NOT NULL, state VARCHAR(16) NOT NULL,
    received_at {moment} NOT NULL, completed_at {moment}, size_bytes BIGINT NOT NULL, cause_code VARCHAR(64),
    cause_error VARCHAR(64), cause_sentence VARCHAR, cause_values {json}, cause_task VARCHAR(64),
    cause_attempt INTEGER, cause_since {moment}, source VARCHAR(64) NOT NULL DEFAULT 'default');
CREATE INDEX ix_receipt_completed_at ON receipt (completed_at, received_at);

CREATE TABLE refused (
    delivery_id VARCHAR(64) NOT NULL PRIMARY KEY, receipt_id VARCHAR(64) NOT NULL, received_at {moment} NOT NULL,
    size_bytes BIGINT NOT NULL, code VARCHAR(64) NOT NULL, "where" VARCHAR NOT NULL, detail VARCHAR NOT NULL,
    reference VARCHAR(255), process_number BIGINT, released_at {moment}, notified_at {moment}, message VARCHAR(64),
    source VARCHAR(64) NOT NULL DEFAULT 'default', dismissed_at {moment}, dismissed_by VARCHAR, dismissed_why VARCHAR);
CREATE INDEX ix_refused_unreleased ON refused (code, receipt_id) WHERE released_at IS NULL;

CREATE TABLE run (
    flow_run_id VARCHAR(36) NOT NULL, attempt INTEGER NOT NULL, reference VARCHAR(255) NOT NULL,
    receipt_id VARCHAR(64) NOT NULL, "trigger" VARCHAR(16) NOT NULL, state VARCHAR(16) NOT NULL, failed_task VARCHAR,
    started_at {moment} NOT NULL, ended_at {moment}, cause_code VARCHAR(64), cause_error VARCHAR(64),
    cause_sentence VARCHAR, cause_values {json}, PRIMARY KEY (flow_run_id, attempt, receipt_id));
CREATE INDEX ix_run_failed ON run (ended_at, cause_code) WHERE state = 'Failed';

CREATE TABLE saved_view (
    view_id VARCHAR(32) NOT NULL PRIMARY KEY, name VARCHAR(60) NOT NULL, "query" VARCHAR NOT NULL,
    saved_by VARCHAR NOT NULL, saved_at {moment} NOT NULL, ended_by VARCHAR, ended_at {moment});
CREATE UNIQUE INDEX ix_saved_view_shown ON saved_view (name) WHERE ended_at IS NULL;

CREATE TABLE search_entry (
    id {rowid} NOT NULL PRIMARY KEY, reference VARCHAR(255) NOT NULL, text VARCHAR NOT NULL,
    version BIGINT NOT NULL DEFAULT 0, UNIQUE (reference));

CREATE TABLE search_facet (
    entry_id BIGINT NOT NULL, kind VARCHAR(24) NOT NULL, facet BIGINT NOT NULL,
    PRIMARY KEY (entry_id, kind, facet)){without_rowid};
CREATE INDEX ix_search_facet_facet ON search_facet (facet, entry_id);

CREATE TABLE session (
    reference VARCHAR(255) NOT NULL, position INTEGER NOT NULL, id VARCHAR, author VARCHAR, process_id VARCHAR,
    process_number BIGINT, transaction_number BIGINT, template_id VARCHAR, recipient_id VARCHAR,
    recipient_name VARCHAR, recipient {json} NOT NULL, latitude FLOAT, longitude FLOAT,
    submission_details {json} NOT NULL, created_at {moment}, submitted_at {moment}, PRIMARY KEY (reference, position));

CREATE TABLE session_event (
    event_id VARCHAR(64) NOT NULL PRIMARY KEY, source VARCHAR(64) NOT NULL, type VARCHAR(64) NOT NULL,
    is_known BOOLEAN NOT NULL, reference VARCHAR(255), process_number BIGINT, transaction_number BIGINT,
    session_id VARCHAR(255), event_at {moment}, received_at {moment} NOT NULL, batch VARCHAR(80) NOT NULL DEFAULT '',
    decide_at {moment} DEFAULT '1970-01-01 00:00:00', is_answered BOOLEAN NOT NULL DEFAULT {false});

CREATE TABLE settlement_candidate (
    reference VARCHAR(255) NOT NULL, fingerprint VARCHAR(64) NOT NULL, PRIMARY KEY (reference, fingerprint));

CREATE TABLE settlement_entry (
    entry_id VARCHAR(32) NOT NULL PRIMARY KEY, report_id VARCHAR(64) NOT NULL, line INTEGER NOT NULL,
    kind VARCHAR(16) NOT NULL, settled_on DATE NOT NULL, paid_on DATE, amount_minor BIGINT NOT NULL, fee_minor BIGINT,
    currency VARCHAR(3) NOT NULL, cguid_fingerprint VARCHAR(64), authorisation_fingerprint VARCHAR(64),
    card_last4 VARCHAR(4), instalment INTEGER, instalments INTEGER, "match" VARCHAR(16) NOT NULL,
    reference VARCHAR(255), payment_id VARCHAR(32));

CREATE TABLE settlement_report (
    report_id VARCHAR(64) NOT NULL PRIMARY KEY, imported_at {moment} NOT NULL, covers_from DATE, covers_to DATE,
    entries INTEGER NOT NULL, is_judged BOOLEAN NOT NULL);

CREATE TABLE signature (
    reference VARCHAR(255) NOT NULL, position INTEGER NOT NULL, id VARCHAR, signed_at {moment}, signer_id VARCHAR,
    signer_name VARCHAR, labels {json} NOT NULL, PRIMARY KEY (reference, position));

CREATE TABLE signed_document (
    reference VARCHAR(255) NOT NULL, position INTEGER NOT NULL, outcome VARCHAR(16) NOT NULL, verdict {json} NOT NULL,
    roots VARCHAR(64), judgements {json} NOT NULL DEFAULT '[]', PRIMARY KEY (reference, position));

CREATE TABLE stored_object ("key" VARCHAR(255) NOT NULL PRIMARY KEY, checked_at {moment}, anchored_at {moment});

CREATE TABLE task_result (
    flow_run_id VARCHAR(36) NOT NULL, name VARCHAR(255) NOT NULL, content {bytes} NOT NULL,
    PRIMARY KEY (flow_run_id, name));

CREATE TABLE version (
    receipt_id VARCHAR(64) NOT NULL PRIMARY KEY, reference VARCHAR(255) NOT NULL, version INTEGER NOT NULL,
    event_at {moment}, received_at {moment} NOT NULL, skeleton {bytes} NOT NULL,
    is_from_future BOOLEAN NOT NULL DEFAULT {false}, is_set_aside BOOLEAN NOT NULL DEFAULT {false},
    UNIQUE (reference, version));

CREATE TABLE waiting (
    flow_run_id VARCHAR(36) NOT NULL PRIMARY KEY, reference VARCHAR(255) NOT NULL, receipt_id VARCHAR(64) NOT NULL,
    waits_for VARCHAR(16) NOT NULL, since {moment} NOT NULL, attempts INTEGER NOT NULL);

CREATE TABLE warning (
    reference VARCHAR(255) NOT NULL, position INTEGER NOT NULL, code VARCHAR(64) NOT NULL, "where" VARCHAR NOT NULL,
    "values" {json} NOT NULL, PRIMARY KEY (reference, position));

CREATE TABLE wrong_tokens (
    "key" VARCHAR(100) NOT NULL PRIMARY KEY, number INTEGER NOT NULL, ends_at {moment} NOT NULL);
"""

_INDEXED = {
    "action": ("reference",),
    "archive": ("cause_code", "process_number", "received_at", "source", "state"),
    "batch": ("created_at", "state"),
    "delivery": ("received_at", "reference"),
    "discrepancy": ("code", "reference", "state"),
    "discrepancy_event": ("at",),
    "event": ("at", "receipt_id", "reference"),
    "file": ("sha256",),
    "lease": ("holder",),
    "letter": ("failed_at", "next_at", "sent_at"),
    "login": ("ends_at",),
    "missing_process": ("opened_at", "process_number", "reference", "source", "transaction_number"),
    "notice": ("closed_at",),
    "notification": ("delivered_at", "event_id", "next_attempt_at", "planned_at", "receipt_id", "reference"),
    "payment": ("authorisation_fingerprint", "cguid_fingerprint", "paid_on", "payment_id"),
    "payment_key": ("authorisation_fingerprint", "cguid_fingerprint"),
    "receipt": ("reference",),
    "refused": ("message", "notified_at", "process_number", "receipt_id", "received_at", "reference"),
    "run": ("receipt_id", "reference"),
    "search_entry": ("version",),
    "session": ("process_number", "transaction_number"),
    "session_event": ("decide_at", "process_number", "received_at", "reference", "transaction_number"),
    "settlement_entry": (
        "authorisation_fingerprint",
        "cguid_fingerprint",
        "match",
        "payment_id",
        "reference",
        "report_id",
        "settled_on",
    ),
    "signed_document": ("outcome",),
    "version": ("reference",),
    "waiting": ("receipt_id", "waits_for"),
    "warning": ("code",),
    "wrong_tokens": ("ends_at",),
}
"""Columns with an index of their own."""
_INDEXED_BY_HASH = {"archive": "template_id", "label": "value", "payment": "transaction_id", "session": "id"}
"""Columns that are compared with a value of any length."""

_TEXT_INDEX = (
    "CREATE VIRTUAL TABLE search_text USING fts5(text, content='search_entry', content_rowid='id', "
    "tokenize='trigram', detail='none', columnsize=0)"
)
"""The index of trigrams keeps no positions: a found text is compared with the whole term anyway."""
_TRIGGERS = {
    "search_entry_added": "INSERT ON search_entry BEGIN {add}; END",
    "search_entry_removed": "DELETE ON search_entry BEGIN {remove}; END",
    "search_entry_changed": "UPDATE OF id, text ON search_entry BEGIN {remove}; {add}; END",
}
_ADD = "INSERT INTO search_text (rowid, text) VALUES (new.id, new.text)"
_REMOVE = "INSERT INTO search_text (search_text, rowid, text) VALUES ('delete', old.id, old.text)"


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    words = {name: each[_DIALECTS.index(dialect)] for name, each in _WORDS.items()}
    for statement in _TABLES.strip().format(**words).split(";\n"):
        op.execute(statement)
    for table, columns in _INDEXED.items():
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])
    for table, column in _INDEXED_BY_HASH.items():
        op.create_index(f"ix_{table}_{column}", table, [column], postgresql_using="hash")
    if dialect == "sqlite":
        op.execute(_TEXT_INDEX)
        for name, body in _TRIGGERS.items():
            op.execute(f"CREATE TRIGGER {name} AFTER {body.format(add=_ADD, remove=_REMOVE)}")
    create_views()

"""What cellar says: a code and its values. The catalogue (`domain/words`) words it in every language."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import Enum, StrEnum, auto
from typing import Any, Self, TypeAlias, Union

Value: TypeAlias = Union[str, int, float, "Said", Mapping[str, Any], Sequence["Value"], None]
"""A text, a number, something said within it (or its JSON), or several of these: all that JSON knows."""


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence, or a part of one, before it has a language."""

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Sentence(Enum):
    """A sentence of the catalogue, whose name is its code. Called with its values, it is said.

    `text` is what a person or another system has written, which no language changes.
    """

    english: str

    def __new__(cls, english: str) -> Self:
        made = object.__new__(cls)
        made._value_, made.english = len(cls.__members__), english  # two codes may have one text
        return made

    def __call__(self, **values: Value) -> Said:
        return Said(self.name, values)

    text = "%(text)s"
    meant = "%(what)s (%(code)s)"
    moment = "%(at)s"
    # the timeline of a process
    body_refused = "refused: %(cause)s"
    version_made = "version %(number)s"
    run_started = "attempt %(number)s started by %(trigger)s"
    run_ended = "attempt %(number)s ended: %(state)s"
    run_failed = "attempt %(number)s ended: %(state)s. %(cause)s"
    finding_changed = "%(state)s: %(discrepancy)s"
    process_missing = "the process is missing: %(missing)s"
    process_not_missing = "the process is no longer missing: %(state)s"
    message_skipped = "%(message)s is skipped"
    message_skipped_because = "%(message)s is skipped: %(why)s"
    message_answered = "%(message)s, attempt %(number)s: HTTP %(status)s"
    message_not_answered = "%(message)s, attempt %(number)s: no answer (%(stage)s)"
    message_to = "%(event)s to %(endpoint)s"
    event_unknown = "%(event)s (an unknown type)"
    archive_damaged = "found by a check: %(condition)s"
    archive_whole = "found whole again by a check"
    rerun_asked = "asked for a re-run"
    archive_exported = "exported the archive"
    body_accepted = "accepted what another source sent"
    process_given = "gave the process to the source %(source)s"
    body_released = "released a refused body"
    body_dismissed = "dismissed a refused body"
    dismissal_withdrawn = "took the dismissal back"
    hold_put = "put the archive on legal hold"
    hold_released = "released a legal hold of the archive"
    batch_changed = "%(batch)s: %(state)s"
    # who may do what
    forbidden = "the role %(role)s may not do this: %(action)s; an administrator gives another role"
    filter_of_others = "this filter is not for a login that sees the archives of one facet: it may tell of others"
    too_many_days = "expected 92 days at most, since they are added up; choose three months or less"
    scope_missing = "no archive is seen by this login: it lacks a facet, such as source=haifa or label:branch=Haifa"
    scope_unsearchable = "no archive is seen by this login: %(facet)s is no longer a facet; let it be one again"
    # why a body is refused
    at_byte = "at byte %(byte)s of the body: %(reason)s"
    # what a discrepancy expected and found
    none = "none"
    at_most = "at most %(number)s of this kind"
    more = "%(number)s more"
    some_payment = "a payment"
    payment_field = "a payment field"
    own_session = "a session of this archive"
    missing_or_unknown = "missing or unknown"
    not_a_number = "missing or not a number"
    not_positive = "zero or negative for a charge"
    iso_currency = "an ISO 4217 currency"
    whole_amount = "an amount in whole minor units"
    whole_total = "a provider's total in whole minor units"
    fraction_of_amount = "a fraction of a minor unit, or beyond 64 bits"
    fraction_of_total = "a fraction, or beyond 64 bits"
    in_attempt = "%(found)s, in attempt %(number)s"
    either = "%(amount)s or %(more)s"
    in_instalments = "%(amount)s in instalments"
    success_with = "a success with the %(member)s %(result)s"
    success_authorised = "a success with an authorisation number"
    success_unauthorised = "a success without an authorisation number"
    failure_authorised = "a failure with an authorisation number"
    failure_unauthorised = "a failure without an authorisation number"
    card_ends_in = "a card that ends in %(digits)s"
    card_valid_in = "a card valid in %(month)s"
    valid_until = "valid until %(month)s"
    charge_unknown = "a charge"
    charge_of = "a charge of %(amount)s"
    released_within = "charged or released within %(days)s days"
    held_since = "held since %(day)s"
    in_one_archive = "the transaction in one archive only"
    in_one_payment = "the provider's transaction in one payment only"
    also_in = "also in %(named)s"
    also_in_more = "also in %(named)s and others"
    several_in = "several payments, in %(named)s"
    several_in_more = "several payments, in %(named)s and others"
    payment_for = "a payment for the %(kind)s of %(amount)s settled on %(day)s"
    one_payment_for = "one payment for the %(kind)s of %(amount)s settled on %(day)s"
    no_money = "a payment that took no money"
    settled_by = "%(amount)s settled by %(day)s"
    by_day = "by %(day)s"
    amount_on = "%(amount)s on %(day)s"
    kind_charge = "charge"
    kind_refund = "refund"
    kind_chargeback = "chargeback"
    # checks of the parts of the system
    no_answer_within = "no answer within %(seconds)s seconds"
    unknown_without = "not known while %(system)s does not answer"
    receiver_ready = "%(url)s is ready"
    receiver_processes = "%(url)s is ready, with %(count)s processes"
    receiver_lacks_processes = "%(url)s is ready, with %(count)s of %(expected)s processes"
    prefect_answers = "%(url)s, version %(version)s"
    workers_online = "online: %(count)s (%(names)s)"
    housekeeping_in_time = "nothing is overdue, the next is due at %(at)s"
    housekeeping_is_late = "overdue since %(at)s"
    housekeeping_fails = "failed at its last run: %(names)s"
    housekeeping_unplanned = "Prefect has planned none: its schedules are paused, or its services do not run"
    search_complete = "archives are found by all filters and by text"
    search_fills_in = "archives that are not indexed yet: %(count)s"
    search_without_index = "texts are searched without an index, since the server lacks pg_trgm"
    search_incomplete = "archives are not all found by the present settings, or by an upgrade's new filters"
    made_by_next_delivery = "%(path)s does not exist; the next delivery makes it"
    nothing_waits = "nothing waits"
    inbox_waits = "receipts that wait: %(count)s, the oldest for %(age)s"
    inbox_is_late = "receipts that wait: %(count)s, the oldest for %(age)s"
    no_clamav = "CELLAR_CLAMD is not set: files are not scanned"
    clamav_answers = "clamd at %(address)s answers"
    disk_free = "%(free)s of %(all)s GiB are free at %(path)s"
    encrypted_disk = "%(path)s is encrypted by %(by)s"
    unencrypted_disk = "this machine does not encrypt the disk of %(path)s; the drive or its provider may"
    encryption_unknown = "not known: %(place)s lies on %(kind)s, which does not say it here"
    encrypted_bucket = "the bucket %(bucket)s encrypts by %(by)s what is written to it"
    unencrypted_bucket = "the bucket %(bucket)s encrypts nothing by default; the disks of its server may be encrypted"
    bucket_encryption_unknown = "not known: the bucket %(bucket)s does not say how it encrypts: %(reason)s"
    no_source = "no source besides the URL without a name"
    sources_known = "sources with a URL of their own: %(count)s, disabled: %(disabled)s"
    source_is_silent = "nothing has come from %(names)s"
    disabled_source_sends = "disabled, and refused so many times: %(names)s"
    never_verified = "no check of the whole store has ended yet"
    store_verified = "Completed at %(at)s"
    damage_found = "%(last)s; found: %(damage)s"
    check_broke_off = "%(last)s; the scheduled check of %(at)s broke off"
    no_data_folder = "%(path)s does not exist"
    pool_is_paused = "%(pool)s is paused: no run starts"
    schedule_is_paused = "its schedule is paused"
    no_key_yet = "none yet: it is made when it is needed first"
    no_anchor = "no anchor yet: the first is made within a day"
    anchored = "anchor %(number)s of %(at)s"
    anchor_lacks = "anchor %(number)s of %(at)s; %(lacks)s"
    anchor_key_gone = "%(path)s is gone; no anchor is made without it"
    no_witness = (
        "CELLAR_WITNESS_URL is not set: whoever can write the store, the database and the data folder can remove, "
        "rewrite or put back anything, make all anchors again, and no check finds it. Only a root that was noted "
        "elsewhere does"
    )
    never_compared = "the store was not compared with an anchor yet"
    compared_with_witness = (
        "compared at %(at)s with anchor %(number)s of the witness; archives that it does not cover yet: %(count)s"
        "; archives that were erased: %(erased)s"
    )
    compared_with_itself = (
        "compared at %(at)s with anchor %(number)s of the store itself; archives that it does not cover yet: %(count)s"
        "; archives that were erased: %(erased)s"
    )
    not_as_anchored = "%(last)s; not as anchored: %(count)s"
    comparison_broke_off = "%(last)s; a later comparison broke off: %(why)s"
    never_backed_up = "no backup was made yet"
    backed_up = "the backup of %(at)s at %(place)s has every file"
    backup_damaged = "%(last)s; damaged or missing in the store then: %(count)s; see `cellar verify`"
    backup_lacks = "the backup of %(at)s at %(place)s lacks files that could not be read: %(count)s"
    backup_broke_off = "%(last)s; a later backup broke off: %(why)s"
    backup_has_erased = "%(last)s; the last copies of what was erased end with the backup after %(at)s"
    never_drilled = "no backup was restored for practice yet"
    drilled = "restored for practice at %(at)s in %(seconds)s s; archives: %(count)s"
    drill_failed = "the restore for practice at %(at)s broke off: %(why)s"
    drill_differs = "restored for practice at %(at)s; archives that are not as here or damaged: %(count)s"
    clocks_right = "no source states times of another zone"
    no_people = "no address is set in CELLAR_PEOPLE_URLS: nobody hears of outages"
    people_hear = "addresses: %(count)s; the last message to each of them has arrived"
    # why a signed document, a signature or a certificate is judged so
    not_valid = "it is not valid"
    untrusted_root = "its certificate does not lead to a trusted root"
    invalid_then = "its certificate was not valid at the time of signing"
    expired_then = "its certificate had expired at the time of signing"
    not_valid_yet = "its certificate was not valid yet at the time of signing"
    weak_algorithm = "it, or a certificate above it, uses an algorithm that is too weak"
    not_for_this_use = "its certificate, or one above it, is not for this use"
    certificate_untrusted = "its certificate is not trusted"
    no_roots = "no trusted roots were configured"
    no_lists = "no trust list was given"
    no_roots_for_revocation = "without a trusted root, OCSP answers and CRLs cannot be checked"
    issuer_revoked = "the certificate of an issuer was revoked"
    revocation_unreadable = "the OCSP answers and CRLs in the document cannot be read"
    revoked_before = "its certificate was revoked before it signed"
    revoked_unproven = "its certificate was revoked, and no trusted time stamp proves that it signed before"
    expired_unproven = "its certificate has expired, and no trusted time stamp proves that it signed before"
    no_revocation_data = "no OCSP answer and no CRL for the certificate was found in the document"
    old_revocation_data = "the OCSP answers and CRLs in the document are older than the signature"
    password_needed = "it opens with a password only"  # noqa: S105 -- a sentence
    no_pdf = "it is not a PDF, or its structure is damaged"
    too_expensive = "its examination would take more time or memory than one document may"
    stray_signature = "it has a signature that no form field leads to"
    fields_not_compared = "its form fields cannot be compared"
    update_not_compared = "the document before and after a later update cannot be compared"
    unknown_kind = "a signature is of an unknown kind"
    signature_damaged = "a signature is damaged, or made in a way that cellar does not know"
    no_pss_parameters = "the parameters of RSA-PSS are missing"
    key_unusable = "the public key of the certificate cannot be used here"
    not_mgf1 = "the mask generation of RSA-PSS is not MGF1"
    key_too_short = "the RSA key is too short for the digest"
    key_of_other_kind = "the certificate's key is not for signatures of the kind %(kind)s"
    kind_not_computed = "signatures of the kind %(kind)s with %(digest)s cannot be computed here"
    kind_needs_attributes = "signatures of the kind %(kind)s are computed only over signed attributes"
    digest_not_named = "the digest algorithm of the signature is not known here"
    digest_unknown = "the digest algorithm %(name)s is not known here"
    algorithm_unknown = "the signature algorithm %(name)s is not known here"
    # the verdict on a signed document
    document_judged = "%(what)s."
    document_unjudged = "%(what)s, because %(why)s."
    document_is = "%(outcome)s: %(judged)s"
    document_is_half_proved = "%(outcome)s. %(judged)s"
    document_sound = "unchanged since it was signed. Who signed is proved, and when"
    document_unproved = "Who signed is not proved"
    document_undated = "Who signed is proved. When is not: only the signer says so"
    signed_by = "%(who)s"
    signed_and_sealed_by = "%(who)s (as Cellosign says), sealed by %(service)s"
    document_fields_changed = "a form field that was filled when somebody signed was filled again later"
    document_covered = (
        "every signature is intact and valid. The stamp of a later signature stands over words or an image that was "
        "signed before"
    )
    document_changed = "the document was changed after it was signed. No signature is known to be broken"
    document_broken = "a signature or its time stamp does not match what it covers"
    document_unsigned = "the document has no digital signature"
    document_unreadable = "the signatures of the document cannot be judged"
    answer_yes = "yes"
    answer_no = "no"
    answer_unknown = "unknown"
    not_judged = "not judged"
    answer_because = "%(answer)s: %(why)s"
    change_archival = "validation data or time stamps"
    change_form_filling = "form fields or further signatures"
    change_annotations = "annotations"
    change_other = "other changes"
    change_permitted = "%(change)s, permitted"
    change_forbidden = "%(change)s, not permitted"
    revoked = "yes, at %(at)s, by %(source)s of %(said_at)s"
    not_revoked = "no, by %(source)s of %(said_at)s"
    revoked_later = "no, by %(source)s of %(said_at)s; revoked later, at %(at)s"
    by_ocsp = "an OCSP answer"
    by_crl = "a CRL"
    kind_signature = "signature"
    kind_time_stamp = "time stamp"
    certificate_of = "%(issuer)s (certificate %(serial)s)"
    certificate_of_nobody = "nobody named (certificate %(serial)s)"
    algorithm_is = "%(algorithm)s, %(strength)s"
    strength_strong = "strong"
    strength_weak = "weak"
    strength_unknown = "strength unknown"
    tier_unknown = "electronic signature (Electronic Signature Law, 5761-2001), not known whether secure or certified"
    tier_plain = "electronic signature (Electronic Signature Law, 5761-2001); no trust list says secure or certified"
    tier_secure = "secure electronic signature (Electronic Signature Law, 5761-2001), by the trust list"
    tier_certified = "certified electronic signature (Electronic Signature Law, 5761-2001), by the trust list"
    tier_advanced = "advanced, with a certificate of a listed authority (eIDAS)"
    tier_qualified = "qualified certificate (eIDAS)"
    indication_passed = "passed"
    indication_indeterminate = "indeterminate"
    indication_failed = "failed"
    time_from_time_stamp = "a trusted time stamp"
    time_from_signer = "the signer's own clock"
    time_from_none = "nothing: no time is stated"
    # why a message is skipped or given up, why an endpoint is disabled, why an attempt failed
    by_a_person = "by a person"
    message_dismissed = "%(by)s has dismissed it: %(why)s"
    endpoint_removed = "the endpoint was removed"
    endpoint_left = "the endpoint is disabled or removed"
    endpoint_disabled = "the endpoint is disabled: %(why)s"
    unwanted_event = "the endpoint's filter by event"
    unwanted_source = "the endpoint's filter by source"
    endpoint_gone = "the endpoint answered 410 Gone"
    endpoint_answered = "the endpoint answered %(status)s"
    not_confirmed_in_time = "the endpoint has not confirmed it in time"
    nothing_confirmed_since = "it has confirmed nothing since %(since)s"
    endpoint_fails_until = "the endpoint fails and is tried again at %(at)s"
    delivered_already = "another attempt has delivered it"
    attempt_under_way = "another attempt is under way"
    other_message_waits = "another message still waits for its answer"
    not_answered_yet = "the endpoint has not answered yet"
    message_is_skipped = "it is skipped"
    name_unresolved = "the name does not resolve: %(error)s"
    connection_slow = "the connection takes too long"
    nothing_came = "nothing came within %(seconds)s s"
    bad_certificate = "the certificate is wrong: %(fault)s"
    no_listener = "the connection is refused: no server listens at the port"
    bad_url = "the endpoint is not a URL; expected http or https and a host"
    private_address = (
        "the endpoint is on a private address; set CELLAR_NOTIFY_ALLOW_PRIVATE=true to allow private addresses"
    )
    # what errors say
    at_place = "%(where)s: %(detail)s"
    fault_of_cellar = (
        "an unexpected %(name)s, which is a fault of cellar; report the trace in the run's log, and run the archive "
        "again after an update"
    )
    run_cancelled = "a person cancelled the run in Prefect; go on with `cellar rerun REFERENCE`"
    run_crashed = (
        "the run has killed its worker for three days, or was killed with its worker; see the log of the worker, give "
        "it more memory, and run the archive again with `cellar rerun REFERENCE`"
    )
    run_too_long = "the run has worked for %(seconds)s s; set CELLAR_RUN_TIMEOUT_S higher and run the archive again"
    cause_not_kept = "the archive failed before cellar kept causes; `cellar show REFERENCE` has the address of its run"
    process_busy = "another run has worked on this process for %(seconds)s s"
    stood_still = "this process stood still for so long that another process may have taken over its work"
    written_by_other = "another run has written version %(number)s of this archive; this run starts again"
    ended_unseen = "%(count)s runs of receipt %(receipt)s ended unseen; examine them in Prefect"
    database_silent = "the database does not answer: %(reason)s"
    database_busy = "every connection to the database is in use"
    database_denies = "the database denies access to a table: grant its user all rights on every table"
    database_no_file = "the database is not an SQLite file"
    database_absent = "the database does not exist"
    database_differs = "the database has other tables than this cellar expects: run `cellar migrate`"
    version_differs = "version %(number)s is another receipt in the database than in the store; see `cellar rebuild`"
    the_folder = "the folder"
    the_bucket = "the bucket"
    storage_return = "%(storage)s does not return a file: %(reason)s"
    storage_describe = "%(storage)s does not describe a file: %(reason)s"
    storage_list = "%(storage)s does not list files: %(reason)s"
    storage_store = "%(storage)s does not store a file: %(reason)s"
    storage_remove = "%(storage)s does not remove a file: %(reason)s"
    file_unreadable = "a file cannot be read: %(reason)s"
    spool_full = "the spool folder of the store does not take more: %(reason)s"
    backups_not_opened = (
        "the password does not open the backups there; put the right one into `secrets/backup` or "
        "CELLAR_BACKUP_PASSWORD"
    )
    backup_disk_full = "a disk is full: that of the backups, or that of the restored data"
    backup_locked = "another process removes old backups there; try again later"
    backup_failed = "restic %(what)s ended with status %(status)s"
    prefect_silent = "Prefect at %(url)s does not answer: %(reason)s"
    prefect_answered = "Prefect at %(url)s answered %(status)s to %(asked)s"
    prefect_no_api = "the server at %(url)s does not answer as Prefect's API; check PREFECT_API_URL"
    client_of_prefect = "Prefect does not answer: %(reason)s"
    clamd_silent = "clamd at %(address)s does not answer: %(reason)s"
    clamd_fails = "clamd at %(address)s could not scan: %(answer)s"
    examiner_killed = "the process that examines a signed document was killed; try again"
    examiner_not_started = "the examination of a signed document could not be started: %(reason)s"
    no_trust_root = "a file of CELLAR_TRUST_ROOTS contains no certificate; expected PEM or DER"
    no_trust_list = (
        "a file of CELLAR_TRUST_LISTS is not a trust list, or is not signed with a certificate beside it; see "
        "docs/archives.md"
    )
    trust_unreadable = "a file of CELLAR_TRUST_ROOTS or CELLAR_TRUST_LISTS cannot be read: %(reason)s"
    object_damaged = "the object in %(folder)s is damaged; see `cellar verify`"
    part_damaged = "part of receipt %(receipt)s is damaged; send the archive again"
    part_lost = "the store has lost a part of receipt %(receipt)s; send the archive again"
    delivery_damaged = "the delivery record of receipt %(receipt)s is damaged; send the archive again"
    body_damaged = "receipt %(receipt)s is damaged: its body does not match the receipt id; send it again"
    body_missing = "neither inbox nor store has the body of receipt %(receipt)s"
    receipt_lost = "the store does not have receipt %(receipt)s; run the archive again"
    erased = "erased at %(at)s by %(by)s, confirmed by %(confirmed_by)s: %(ground)s; its tombstone is %(digest)s"
    receipt_unknown = "expected a receipt of this process; leave it out for the current one"
    receipt_of_other = "receipt %(receipt)s is an archive of another process, not of this one"
    not_repairable = "receipt %(receipt)s cannot be repaired; `cellar verify` names the damaged files"
    history_damaged = "a history is damaged; remove it to continue without its rows"
    history_of_other = "a history belongs to another receipt or process; remove it to continue without it"
    verdict_unreadable = "the verdict on a signed document cannot be read"
    judgement_damaged = "a judgement is damaged, or belongs to another version"
    cuts_newer = "expected cuts of format %(number)s, got a newer format; use a newer cellar"
    cuts_damaged = "the cuts of an archived request are damaged; verify the archive"
    skeleton_damaged = "the skeleton of an archived request is damaged; verify the archive"
    sealed_damaged = "a sealed value is damaged, or its key was replaced; send the archive again"
    key_gone = "the key %(key)s is gone, so its sealed values cannot be opened; restore it from a backup"
    key_damaged = "the key %(key)s is damaged; restore it from a backup"
    key_newer = "expected the key %(key)s in format %(number)s, got a newer format; use a newer cellar"
    key_not_opened = "no key of CELLAR_SEAL_KEYS opens %(key)s; add the key that wrapped it, or restore `secrets/seal`"
    file_damaged = "%(path)s is damaged; restore the file from a backup"
    body_differs = "the body in the store does not match receipt %(receipt)s; run the archive again"
    skeleton_differs = "the skeleton in the database is not of receipt %(receipt)s; run the archive again"
    rows_differ = "expected %(expected)s rows in %(table)s, got %(found)s; run the archive again"
    version_changed = "the current version changed while its archive was completed; run the archive again"
    discrepancies_differ = "expected %(expected)s discrepancies of the payload, got others; run the archive again"
    endpoint_unconfirmed = "an endpoint has not confirmed its message: %(why)s"
    # what a batch would do
    archives_again = "Archives that would be run again, with files, data, payments and notifications: %(count)s."
    no_archive_again = "No archive would be run again."
    right_stays = "What is right already stays as it is. Delivered messages are not repeated."
    complete_among = "Complete archives among these, which stay complete if their run fails: %(count)s."
    undelivered_again = "Messages that no endpoint has confirmed, and that would be delivered: %(count)s."
    archives_notify = "Archives that would notify endpoints (%(endpoints)s) once complete: %(count)s."
    archives_on_way = "Archives that are left out, since their run is on its way already: %(count)s."
    archives_take = (
        "It takes about %(duration)s, by the runs of the last 24 h (%(count)s), at most %(at_once)s at once. "
        "New archives go first."
    )
    archives_take_unknown = "It takes an unknown time, since no run has ended in the last 24 h. New archives go first."
    messages_again = "Messages that would be sent again, each under its own id, and tried for 75 hours: %(count)s."
    no_message_again = "No message would be sent again."
    messages_confirmed = "Messages that were confirmed before, and would arrive once more: %(count)s."
    messages_left_out = "Messages that are left out, since the endpoint %(name)s is disabled or removed: %(count)s."
    messages_filtered = "Messages that are left out, since the filters of their endpoints leave them out: %(count)s."
    endpoint_fails_now = "The endpoint %(name)s fails now: one message is tried at once, until one is confirmed."
    messages_take_unknown = "It takes as long as the endpoints need, four messages at a time. New messages go first."
    archives_erased = "Archives that would be erased for good: %(count)s. Files: %(files)s (%(size)s)."
    no_archive_erased = "No archive would be erased."
    archives_held = "Archives that are left out, since a legal hold forbids it: %(count)s."
    erasure_locked = "The bucket's Object Lock keeps versions until %(until)s. Cellar removes them after that."
    erasure_events = "Prefect keeps their events for up to %(count)s days, since its server is not cellar's own."
    erasure_backups = "Backups have them until these expire."
    erasure_second = "Another person must confirm this plan."
    # kinds of values of a payload
    json_text = "text"
    json_other_text = "other text"
    json_whole_number = "a whole number of at most 64 bits"
    json_number = "a number"
    json_boolean = "true or false"
    json_object = "an object"
    json_list = "a list"
    json_null = "null"


def in_english(told: Said | Mapping[str, Any]) -> str:
    """Return in English what a sentence says, or its JSON, with plain values or sentences. Pure."""
    said = told if isinstance(told, Said) else said_of(told)
    values = {
        name: in_english(each) if isinstance(each, Said | Mapping) else each for name, each in said.values.items()
    }
    known = Sentence.__members__.get(said.code)
    return known.english % values if known else said.code


def because(**reasons: Said | None) -> dict[str, Any]:
    """Return members of a verdict that give reasons, each in English, with `values` that say them by code. Pure."""
    given = {name: each for name, each in reasons.items() if each}
    english = {name: in_english(each) for name, each in given.items()}
    return english | {"values": {name: each.as_json() for name, each in given.items()}}


def verbatim(text: str) -> Said:
    """Return a text that stays as it was written."""
    return Said("text", {"text": text})


def moment(at: datetime) -> Said:
    return Said("moment", {"at": at.isoformat()})


def said_of(kept: Mapping[str, Any]) -> Said:
    """Return what was said from its JSON. What is said within it stays JSON."""
    return Said(kept["code"], kept["values"])


def said_by(values: Mapping[str, Any], name: str) -> Said | None:
    """Return what an English text says, by the `values` beside it; None if there is no text."""
    return said_of(values[name]) if name in values else None


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

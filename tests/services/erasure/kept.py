"""Why a table has nothing of an archive, and what becomes of what each folder of store and inbox has of it.

A table or a folder that is in no list is a red test. Tables that have something of an archive are in the lists of
`services/erasure/traces.py`.
"""

from collections.abc import Mapping

from sqlmodel import SQLModel

from models.access import AccessRow, UnsentAccessRow
from models.erasures import TombstoneMarkRow, TombstoneRow
from models.messages.notification import EndpointRow
from models.people import AddressRow, LastUseRow, LoginRow, WrongTokensRow
from models.settlements.settlement import DamagedReportRow, SettlementReportRow
from models.tables import FormColumnRow
from models.templates import TemplateRow

KEEPS_NOTHING: Mapping[type[SQLModel], str] = {
    AccessRow: "names an archive by the keyed digest of its reference alone, and is never changed",
    UnsentAccessRow: "numbers of rows of the access log",
    TombstoneRow: "what stays of an erased archive",
    TombstoneMarkRow: "keyed digests by which what comes again is known",
    EndpointRow: "settings of a receiver of messages",
    TemplateRow: "what people say about a template, and no value of an archive",
    FormColumnRow: "the name and the type of a field of a template, and no value of an archive",
    SettlementReportRow: "a report as a whole",
    DamagedReportRow: "a report as a whole",
    LoginRow: "a person of the console",
    AddressRow: "counts by codes, causes, sources, endpoints and templates",
    WrongTokensRow: "a network",
    LastUseRow: "a token or a link, by a name that is no secret",
}
"""Tables that have nothing of an archive, each with the reason."""

FOLDERS: Mapping[str, str] = {
    "archives": "the object of the archive is removed with its versions",
    "keys": "the key of the archive is destroyed first",
    "happened": "lines that name it are replaced by their digests",
    "events": "lines of its session events are replaced by their digests, and its large bodies removed",
    "anchors": "leaves that name it are replaced by their digests",
    "links": "names a receipt whose link a person revoked, by its digest, so that the link stays closed",
    "settlements": "reports have fingerprints in place of secrets; findings about no archive that name it are redacted",
    "access-log": "names an archive by the keyed digest of its reference alone",
    "endpoints": "nothing of an archive",
    "sources": "nothing of an archive",
    "templates": "nothing of an archive",
    "tokens": "nothing of an archive",
    "users": "nothing of an archive",
    "identities": "nothing of an archive",
    "spool": "files of killed writers; a sweep removes what is older than a day",
    "inbox/waiting": "its bodies and the records of its deliveries are removed",
    "inbox/imported": "its imported bodies and their records are removed",
    "inbox/quarantine": "its refused bodies and their records are removed",
    "inbox/events": "its session events enter the store within a minute; what is left is known by its tombstone",
}
"""What each folder of store and inbox has of an archive, and what becomes of it."""

"""Keeps what people say about templates in the store, beside the sources, so that the database can be rebuilt."""

from adapters.files.store import store
from adapters.store.records import Records
from models.templates import Template, key_of

RECORDS = Records("templates", Template, "template", lambda each: key_of(each.id))


def keep(template: Template) -> None:
    """Keep what people say about a template in place of what they said before."""
    store().overwrite_bytes(template.model_dump_json(indent=1).encode(), key_in_store(template.id))


def key_in_store(template_id: str) -> str:
    return RECORDS.key_of(key_of(template_id))

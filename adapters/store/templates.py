"""Keeps what people say about templates in the store, beside the sources, so that the database can be rebuilt."""

from collections.abc import Callable, Iterator

from adapters.files.store import store
from models.errors import Unreadable
from models.templates import Template, key_of

FOLDER = "templates"


def keep(template: Template) -> None:
    """Keep what people say about a template in place of what they said before."""
    store().overwrite_bytes(template.model_dump_json(indent=1).encode(), key_in_store(template.id))


def kept(on_damaged: Callable[[str], None]) -> Iterator[Template]:
    """Yield the templates in the store. A damaged one is passed to `on_damaged` by its key, and blocks no other."""
    for key, _ in list(store().listed(FOLDER)):
        try:
            found = Template.model_validate_json(store().read_bytes(key))
            if key != key_in_store(found.id):
                raise ValueError("a template has the name of another")
        except (ValueError, Unreadable):
            on_damaged(key)
        else:
            yield found


def key_in_store(template_id: str) -> str:
    return f"{FOLDER}/{key_of(template_id)}.json"

"""What people did with archives, in the database."""

from collections.abc import Iterable

from adapters.database.transactions import writing
from models.people.action import ActionRow


def add(actions: Iterable[ActionRow]) -> None:
    with writing() as session:
        session.add_all(actions)

"""The migrations make the very tables that the models name, and take them away again."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlmodel import SQLModel, select

import migrations
from adapters.database.migration import migrate
from adapters.database.transactions import engine, reading
from adapters.platform.settings import Settings
from domain.payments.identity import payment_id
from models.errors import Transient
from models.payments.payment import PaymentKeyRow
from tests.payments import booked, payment, settled


def config(connection: Connection | None = None) -> Config:
    made = Config()
    made.set_main_option("script_location", str(Path(migrations.__file__).parent))
    made.attributes["connection"] = connection
    return made


def tables() -> set[str]:
    with engine().connect() as connection:
        return set(inspect(connection).get_table_names()) - {"alembic_version"}


@pytest.mark.usefixtures("installation")
def test_models_and_migrations_agree() -> None:
    with engine().connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})

        assert compare_metadata(context, SQLModel.metadata) == []


@pytest.mark.usefixtures("installation")
def test_every_table_of_the_models_is_made() -> None:
    assert tables() == set(SQLModel.metadata.tables)


@pytest.mark.usefixtures("installation")
def test_migrating_again_changes_nothing() -> None:
    before = tables()

    migrate()

    assert tables() == before


@pytest.mark.usefixtures("installation")
def test_all_the_way_down_and_up_again() -> None:
    with engine().connect() as connection:
        command.downgrade(config(connection), "base")
        connection.commit()
    assert tables() == set()

    migrate()

    assert tables() == set(SQLModel.metadata.tables)


@pytest.mark.usefixtures("installation")
def test_ledger_of_a_database_with_payments_is_made_again_and_what_is_built_on_it_stays() -> None:
    booked("r", payment("r", "t", paid_on=date(2026, 1, 1)))
    settled(payment_id("r", "t", ""), 2100, date(2026, 1, 3))
    settled(payment_id("r", "t", ""), 500, date(2026, 1, 4), kind="refund")
    with engine().connect() as connection:
        command.downgrade(config(connection), "0005")
        connection.execute(text("CREATE VIEW of_others AS SELECT reference, settled_minor FROM payment_ledger"))
        connection.commit()

    migrate()

    with engine().connect() as connection:
        columns = "o.settled_minor, l.refunded_minor, l.revenue_minor"
        asked = f"SELECT {columns} FROM of_others o JOIN payment_ledger l USING (reference)"
        assert connection.execute(text(asked)).all() == [(2100, 500, 1600)]


@pytest.mark.usefixtures("installation")
def test_attempts_of_before_say_what_their_payments_say() -> None:
    made = payment("r", "t", paid_on=date(2026, 1, 1), instalments=3)
    booked("r", made)
    with engine().connect() as connection:
        command.downgrade(config(connection), "0008")
        key = {"reference": "r", "payment_id": made["payment_id"]}
        inserted = "INSERT INTO payment_key (reference, position, payment_id) VALUES (:reference, 0, :payment_id)"
        connection.execute(text(inserted), key)
        connection.commit()

    migrate()

    with reading() as session:
        (row,) = session.exec(select(PaymentKeyRow))
    assert (row.standing, row.amount_minor, row.currency) == ("charged", 2100, "ILS")
    assert (row.paid_on, row.instalments) == (date(2026, 1, 1), 3)


def test_history_is_one_line() -> None:
    assert len(ScriptDirectory.from_config(config()).get_heads()) == 1


def test_folder_of_the_database_is_made(configure: Callable[..., Settings], tmp_path: Path) -> None:
    configure(database_url=f"sqlite:///{tmp_path}/a/b/c.db")

    migrate()

    assert (tmp_path / "a" / "b" / "c.db").exists()


def test_database_that_is_away_is_transient(configure: Callable[..., Settings]) -> None:
    configure(database_url="postgresql://u@127.0.0.1:1/cellar")

    with pytest.raises(Transient):
        migrate()

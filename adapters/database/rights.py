"""Two users of Postgres: one owns the tables and migrates them, the other runs cellar and changes no table itself.

So whatever a program of cellar is made to do, it drops no trigger that keeps the rows of the access log.
"""

from sqlalchemy import Connection, make_url, text

_STATEMENTS = (
    "GRANT USAGE ON SCHEMA {schema} TO {user}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {user}",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {user}",
    "REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {user}",
    "REVOKE UPDATE ON access FROM {user}",
)


def let_run(connection: Connection, location: str) -> None:
    """Give the user of a URL of Postgres the rights to run, unless it is the user who migrates.

    Args:
        connection: that of the user who migrates.
    """
    user = make_url(location).username
    if user is None or user == connection.engine.url.username:
        return
    quote = connection.dialect.identifier_preparer.quote
    names = {"schema": quote(connection.dialect.default_schema_name or "public"), "user": quote(user)}
    for each in _STATEMENTS:
        connection.execute(text(each.format(**names)))

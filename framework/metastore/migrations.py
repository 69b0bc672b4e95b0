"""Our tables, in Airflow's own shape, and who may make them.

A SQLite file that we made is ours: it has the table `framework_version`, in the shape that Alembic gives
its own. Another's database is used as it is: rows are written into the tables that it has, none is made.
"""

from __future__ import annotations

from framework import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from framework.metastore.database import Database, Transaction

VERSION_TABLE = "framework_version"
VERSION = "0001"
SECRETS_TABLE = "config_secret"

#: Airflow 3.3's connection and variable without the foreign keys to its teams; `team_name` stays empty here.
_TABLES = {
    "connection": """
        id INTEGER NOT NULL PRIMARY KEY,
        conn_id VARCHAR(250) NOT NULL UNIQUE,
        conn_type VARCHAR(500) NOT NULL,
        description VARCHAR(5000),
        host VARCHAR(500),
        "schema" VARCHAR(500),
        login TEXT,
        port INTEGER,
        team_name VARCHAR(50),
        password TEXT,
        extra TEXT,
        is_encrypted BOOLEAN NOT NULL,
        is_extra_encrypted BOOLEAN NOT NULL""",
    "variable": """
        id INTEGER NOT NULL PRIMARY KEY,
        "key" VARCHAR(250) NOT NULL UNIQUE,
        val TEXT NOT NULL,
        description TEXT,
        is_encrypted BOOLEAN NOT NULL,
        team_name VARCHAR(50)""",
    SECRETS_TABLE: """
        id INTEGER NOT NULL PRIMARY KEY,
        name VARCHAR(250) NOT NULL UNIQUE,
        value TEXT NOT NULL,
        is_encrypted BOOLEAN NOT NULL""",
}


def columns_for_writing(database: Database, transaction: Transaction, table: str) -> tuple[str, ...]:
    """The columns of a table that is about to be written; a file of ours gets its tables here, at the first write.

    Raises:
        MetastoreError: the table is missing and is not ours to make.
    """
    columns = transaction.columns(table)
    if columns:
        return columns
    tables = transaction.tables()
    if not tables and database.makes_tables:
        for name in _TABLES:
            _make(transaction, name)
        transaction.execute(f'CREATE TABLE "{VERSION_TABLE}" (version_num VARCHAR(32) NOT NULL PRIMARY KEY)')
        transaction.execute(f'INSERT INTO "{VERSION_TABLE}" (version_num) VALUES (:version)', [{"version": VERSION}])
        return transaction.columns(table)
    if table == SECRETS_TABLE and tables and VERSION_TABLE not in tables:
        raise errors.MetastoreError(
            "the database belongs to another application and has no table for config secrets",
            where=database.where,
            hint="Add it with: python -m framework db migrate --add-secrets-table",
        )
    raise errors.MetastoreError(
        f"the database has no table {table!r}",
        where=database.where,
        hint="Name a database of this application in [database] sql_alchemy_conn, or let its owner migrate it.",
    )


def add_secrets_table(database: Database) -> bool:
    """Add our table for config secrets to another's database: `db migrate --add-secrets-table`.

    Returns:
        Whether the table was missing.
    """
    with database.write() as transaction:
        missing = not transaction.columns(SECRETS_TABLE)
        if missing:
            _make(transaction, SECRETS_TABLE)
    return missing


def _make(transaction: Transaction, table: str) -> None:
    transaction.execute(f'CREATE TABLE "{table}" ({_TABLES[table]})')

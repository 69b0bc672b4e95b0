"""Our tables: who may create them, and how they are migrated to their newest shape.

The steps are Alembic's, in `versions/`. A database of ours has the table `framework_version`. A foreign database
belongs to another application and is used as it is: rows are written into its tables. Only the table for config secrets
can be added to it, with a version of its own.
"""

from __future__ import annotations

from framework import errors
from framework.metastore.base import MIGRATE, persistently

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    import sqlalchemy

    from framework.metastore.base import Database, T, Transaction

VERSION = "0001"
#: The modules in `versions/`.
STEPS = ("v0001_first_tables",)
VERSION_TABLE = "framework_version"
SECRETS_TABLE = "config_secret"
SECRETS_VERSION_TABLE = "framework_secrets_version"
TABLES = ("connection", "variable", SECRETS_TABLE)

_FOREIGN = "the database belongs to another application"
_ADD_SECRETS_TABLE = "Add it with: python -m framework db migrate --add-secrets-table"


class State:
    """What is in a database.

    Attributes:
        tables: the names of all its tables.
        version: of our tables (in a foreign database, of the one for config secrets); empty if there is none.
    """

    __slots__ = ("tables", "version")

    def __init__(self, tables: set[str], version: str) -> None:
        self.tables, self.version = tables, version

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and (self.tables, self.version) == (other.tables, other.version)

    __hash__ = None  # type: ignore[assignment]

    @property
    def ours(self) -> bool:
        return VERSION_TABLE in self.tables

    @property
    def is_foreign(self) -> bool:
        return bool(self.tables) and not self.ours

    @property
    def is_current(self) -> bool:
        """Whether nothing is left to be migrated."""
        return (not self.version and self.is_foreign) or self.version == VERSION


def state(database: Database, reader: Transaction | None = None) -> State:
    """Look into a database, or into what one of its transactions sees; raises as the reader's `read` does."""
    tables = database.tables(reader)
    return State(tables, next((_version(reader or database, t) for t in _VERSION_TABLES if t in tables), ""))


def columns_for_writing(database: Database, transaction: Transaction, table: str) -> tuple[str, ...]:
    """The columns of a table that is about to be written; a file of ours gets its tables here, at the first write.

    Raises:
        MetastoreError: the table is missing and is not ours to make.
    """
    columns = transaction.columns(table)
    if columns:
        return columns
    found = state(database, transaction)
    if not found.tables and database.makes_tables:
        _upgrade(transaction, VERSION_TABLE)
        return transaction.columns(table)
    if table == SECRETS_TABLE and found.is_foreign:
        raise errors.MetastoreError(
            f"{_FOREIGN} and has no table for config secrets", where=database.where, hint=_ADD_SECRETS_TABLE
        )
    if database.create and not found.is_foreign:
        raise errors.MetastoreError(f"the database has no table {table!r}", where=database.where, hint=MIGRATE + ".")
    raise errors.MetastoreError(
        f"the database has no table {table!r}",
        where=database.where,
        hint="Name a database of this application in [database] sql_alchemy_conn, or let its owner migrate it.",
    )


def migrate(database: Database) -> str:
    """Migrate our tables to their newest shape, or create them in an empty database.

    Returns:
        Their version before; empty if there were none.

    Raises:
        MetastoreError: the database belongs to another application, was migrated by a newer release, or refuses.
    """

    def step(transaction: Transaction, found: State) -> str:
        if found.is_foreign:
            raise errors.MetastoreError(
                f"{_FOREIGN}, which alone migrates it",
                where=database.where,
                hint="Name an empty database in [database] sql_alchemy_conn; or use this one as it is. A table for "
                "config secrets can be added: python -m framework db migrate --add-secrets-table",
            )
        if not found.tables and not database.create:
            raise errors.MetastoreError(
                "the database is empty", where=database.where, hint="Its owner makes the tables: airflow db migrate"
            )
        _refuse_newer(database, found)
        if not found.is_current:
            _upgrade(transaction, VERSION_TABLE)
        return found.version

    return _together(database, step)


def add_secrets_table(database: Database) -> bool:
    """Add our table for config secrets to a database of another application, or migrate it to its newest shape.

    Returns:
        Whether there was anything to do.

    Raises:
        MetastoreError: the database is empty or refuses.
    """

    def step(transaction: Transaction, found: State) -> bool:
        if not found.tables:
            raise errors.MetastoreError(
                "the database is empty, and the table alone is only for a database of another application",
                where=database.where,
                hint="Let its owner create its tables first, or create all tables of "
                "framework: python -m framework db migrate",
            )
        _refuse_newer(database, found)
        if found.ours or found.version == VERSION:
            return False
        _upgrade(transaction, SECRETS_VERSION_TABLE, secrets_only=True)
        return True

    return _together(database, step)


def reset(database: Database) -> None:
    """Remove all rows, by creating our tables again.

    Raises:
        MetastoreError: the database is not ours, or was migrated by a newer release, or refuses.
    """

    def empty() -> None:
        with database.write() as transaction:
            found = state(database, transaction)
            if not found.ours:
                what = _FOREIGN if found.tables else "the database is empty"
                raise errors.MetastoreError(f"{what}: there are no tables of framework to reset", where=database.where)
            _refuse_newer(database, found)
            # First of all, for MariaDB undoes none of this: `db migrate` then ends what was broken off.
            transaction.execute(f'DELETE FROM "{VERSION_TABLE}"')
            for table in TABLES:
                transaction.execute(f'DROP TABLE IF EXISTS "{table}"')

    persistently(database, empty)
    migrate(database)


_VERSION_TABLES = (VERSION_TABLE, SECRETS_VERSION_TABLE)


def _version(reader: Database | Transaction, table: str) -> str:
    rows = reader.read(f'SELECT version_num FROM "{table}"', {})
    return str(rows[0]["version_num"]) if rows else ""


def _refuse_newer(database: Database, found: State) -> None:
    if found.version > VERSION:
        raise errors.MetastoreError(
            f"its tables have the version {found.version}, and this release knows {VERSION} at most",
            where=database.where,
            hint="Install the newer release.",
        )


def _upgrade(transaction: Transaction, version_table: str, *, secrets_only: bool = False) -> None:
    def run(connection: sqlalchemy.Connection) -> None:
        from importlib import import_module

        from alembic.migration import MigrationContext
        from alembic.operations import Operations
        from alembic.runtime.migration import MigrationStep
        from alembic.script import Script
        from alembic.script.revision import RevisionMap

        # Without Alembic's `op` and `context`, which are one for the process: the application may be using them. And
        # without a folder of scripts, which there is not in an archive, nor in a frozen application.
        modules = [import_module(f"{__name__}.versions.{name}") for name in STEPS]
        known = RevisionMap(lambda: [Script(module, module.revision, module.__name__) for module in modules])

        def steps(heads: Any, _: object) -> object:
            after: list[Any] = list(known.iterate_revisions("head", heads, implicit_base=True))
            return [MigrationStep.upgrade_from_script(known, script) for script in reversed(after)]

        options = {"version_table": version_table, "fn": steps}
        context = MigrationContext.configure(connection, opts=options)
        context.run_migrations(op=Operations(context), secrets_only=secrets_only)

    transaction.through_sqlalchemy(run)


def _together(database: Database, step: Callable[[Transaction, State], T]) -> T:
    """Do a step in a transaction, and again where another process did a part of it meanwhile.

    A server has no lock for what is not there yet, and MariaDB shows every table at once.
    """

    def attempt() -> T:
        while True:
            seen: list[State] = []
            try:
                with database.write() as transaction:
                    seen.append(state(database, transaction))
                    return step(transaction, seen[0])
            except errors.MetastoreError:
                if not seen or state(database) == seen[0]:
                    raise

    return persistently(database, attempt)

"""What the store asks of a database, in one SQL: parameters as `:name`, names in double quotes (`"key"` is reserved).

What a driver says is never printed or chained, for it can hold values: errors are made anew, outside the `except`.
"""

from __future__ import annotations

from framework import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import Any, TypeVar

    import sqlalchemy

    Row = dict[str, Any]
    T = TypeVar("T")

OPTION = "[database] sql_alchemy_conn"
MIGRATE = "Run: python -m framework db migrate"


class Database:
    """A database that is opened by its first use.

    Attributes:
        where: the path, or the URL without user, password and options, for messages.
        create: `db migrate` may make our tables where there are none at all.
        makes_tables: the first write may do so as well.
        bounded: texts have lengths, as Airflow's tables say; SQLite takes any.
        exact: names that differ are different for it. MariaDB may take `A` or `a ` for `a`.
        timeout: seconds to wait for a lock or a server.
    """

    __slots__ = ("where", "create", "makes_tables", "timeout")

    where: str
    create: bool
    makes_tables: bool
    timeout: float

    bounded = True

    @property
    def exact(self) -> bool:
        return True

    def read(self, sql: str, params: Mapping[str, object]) -> list[Row]:
        """The rows of one SELECT, each as column -> value. What does not exist (file, table) has no rows.

        Raises:
            BackendUnavailable: the database does not answer.
            AccessDenied: it refuses the user.
            InvalidSecret: it is no database, or holds what is not text.
            BackendError: the driver is not installed, or the URL makes no sense to it.
        """
        raise NotImplementedError

    def columns(self, table: str) -> tuple[str, ...]:
        """The columns of a table; none if it does not exist."""
        raise NotImplementedError

    def tables(self, reader: Database | Transaction | None = None) -> set[str]:
        """The names of all tables, as the database or one of its transactions sees them."""
        raise NotImplementedError

    def product(self) -> str:
        """What answers, and its version: `SQLite 3.40.1`. Raises as `read` does."""
        raise NotImplementedError

    def url(self) -> str:
        """The URL with its secrets masked."""
        raise NotImplementedError

    def write(self) -> Transaction:
        """One transaction: `with database.write() as transaction`; committed at the end, rolled back by any error."""
        raise NotImplementedError

    def insert(self, table: str, columns: Iterable[str]) -> str:
        """The SQL that inserts a row, and fails if the key is taken."""
        names = list(columns)
        values = ", ".join(f":{name}" for name in names)
        return f'INSERT INTO "{table}" ({", ".join(map(quoted, names))}) VALUES ({values})'

    def upsert(self, table: str, columns: Iterable[str], key: str, changed: Iterable[str]) -> str:
        """The SQL that inserts a row, or changes the columns `changed` of the row with that key."""
        changes = ", ".join(f'"{name}" = excluded."{name}"' for name in changed)
        return f'{self.insert(table, columns)} ON CONFLICT ("{key}") DO UPDATE SET {changes}'

    def close(self) -> None:
        """Give up what is held; the next use opens it again."""


class Transaction:
    """A transaction that is open between `__enter__` and `__exit__`; every method raises MetastoreError."""

    __slots__ = ()

    def __enter__(self) -> Transaction:
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError

    def read(self, sql: str, params: Mapping[str, object]) -> list[Row]:
        """The rows of one SELECT."""
        raise NotImplementedError

    def execute(self, sql: str, rows: list[dict[str, object]] | None = None) -> int:
        """Run one statement, once or once for each of `rows`, and say how many rows it touched.

        MariaDB counts a row twice that an upsert changed.
        """
        raise NotImplementedError

    def columns(self, table: str) -> tuple[str, ...]:
        """The columns of a table; none if it does not exist."""
        raise NotImplementedError

    def through_sqlalchemy(self, act: Callable[[sqlalchemy.Connection], None]) -> None:
        """Do something in this transaction that needs SQLAlchemy: a migration."""
        raise NotImplementedError


class Overtaken(errors.MetastoreError):
    """Another transaction was in the way (a deadlock): nothing was written, and trying again is right."""


def persistently(database: Database, act: Callable[[], T]) -> T:
    """Do what is one transaction, and do it again while others are in the way, for as long as one waits for a lock."""
    from os import urandom
    from time import monotonic, sleep

    end, pause = monotonic() + database.timeout, 0.001
    while True:
        try:
            return act()
        except Overtaken:
            if monotonic() > end:
                raise
        sleep(pause * urandom(1)[0] / 256)  # so that two do not meet again
        pause = min(pause * 2, 0.5)


def quoted(name: str) -> str:
    """A column or table as SQL wants it."""
    return f'"{name}"'


def has_utf8(text: str) -> bool:
    """Whether a text has a UTF-8 form; bytes that Python could not decode have none."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_storable(name: str) -> bool:
    """Whether a name can be in a database at all."""
    return "\0" not in name and has_utf8(name)

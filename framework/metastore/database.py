"""Databases, spoken to in one SQL: parameters as `:name`, names in double quotes (`"key"` and `"schema"` are reserved).

`SQLite` uses Python's own driver. A class for other databases goes beside it and into `open`. What a driver
says is never printed or chained, for it can hold values: errors are made anew, outside the `except`.
"""

from __future__ import annotations

import os

from framework import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping
    from types import TracebackType
    from typing import Any

    Row = dict[str, Any]

OPTION = "[database] sql_alchemy_conn"
_WRITE = "Write sqlite:////absolute/path.db: three slashes, then the path."

#: A thread's connection that belonged to a parent process: kept for good, because SQLite forbids a child to close it.
_left_by_fork: list[object] = []


class Database:
    """What the store asks of a database.

    Attributes:
        where: the path or the URL without credentials, for messages.
        makes_tables: the first write may make our tables, where there are none at all.
    """

    __slots__ = ("where", "makes_tables")

    where: str
    makes_tables: bool

    def read(self, sql: str, params: Mapping[str, object]) -> list[Row]:
        """The rows of one SELECT, each as column -> value. What does not exist (file, table) has no rows.

        Raises:
            BackendUnavailable: the database does not answer.
            InvalidSecret: it is no database, or holds what is no text.
        """
        raise NotImplementedError

    def columns(self, table: str) -> tuple[str, ...]:
        """The columns of a table; none if it does not exist."""
        raise NotImplementedError

    def write(self) -> Transaction:
        """One transaction: `with database.write() as transaction`; committed at the end, rolled back by any error."""
        raise NotImplementedError

    def upsert(self, table: str, columns: Iterable[str], key: str, changed: Iterable[str]) -> str:
        """The SQL that inserts a row, or changes the columns `changed` of the row with that key."""
        names = list(columns)
        values = ", ".join(f":{name}" for name in names)
        changes = ", ".join(f'"{name}" = excluded."{name}"' for name in changed)
        into = f'INSERT INTO "{table}" ({", ".join(map(quoted, names))}) VALUES ({values})'
        return f'{into} ON CONFLICT ("{key}") DO UPDATE SET {changes}'

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
        """Run one statement, once or once for each of `rows`, and say how many rows it touched."""
        raise NotImplementedError

    def columns(self, table: str) -> tuple[str, ...]:
        """The columns of a table; none if it does not exist."""
        raise NotImplementedError

    def tables(self) -> set[str]:
        """The names of all tables."""
        raise NotImplementedError


def open(url: str, timeout: float = 30.0, *, create: bool = True) -> Database:
    """The database that a URL names. Opening it touches nothing.

    Args:
        url: `sqlite:///relative` or `sqlite:////absolute`.
        timeout: seconds to wait for a lock or a server.
        create: the first write may make a SQLite file and our tables in it (not under Airflow's schema).

    Raises:
        BackendError: the URL names no file, or a kind of database that is not served.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in ("sqlite", "sqlite+pysqlite"):
        raise errors.BackendError("only SQLite is served so far", where=OPTION, hint=_WRITE)
    # What follows "?" tells SQLAlchemy's driver how to behave, and it is not used here.
    path = rest.partition("?")[0][1:] if rest.startswith("/") else ""
    if not path or "\0" in path or path.startswith((":memory:", "file:")):
        raise errors.BackendError("the URL names no file", where=OPTION, hint=_WRITE)
    return SQLite(path, timeout, create=create)


def quoted(name: str) -> str:
    """A column or table as SQL wants it."""
    return f'"{name}"'


class SQLite(Database):
    """A SQLite file through Python's own driver.

    Reads go through a connection that each thread keeps, opened read-only; it is left alone after a
    fork and opened again when the file was replaced. A write opens a connection of its own. The
    journal mode is never changed: WAL would make reads write files.

    Args:
        path: the file; need not exist.
        timeout: seconds to wait for a lock.
        create: the first write may make the file and our tables.
    """

    __slots__ = ("path", "timeout", "_held")

    def __init__(self, path: str, timeout: float = 30.0, *, create: bool = True) -> None:
        from threading import local

        self.path = os.path.abspath(path)
        self.timeout, self.where, self.makes_tables = timeout, self.path, create
        self._held = local()

    def read(self, sql: str, params: Mapping[str, object]) -> list[Row]:
        return self._read(sql, params)[1]

    def columns(self, table: str) -> tuple[str, ...]:
        return self._read(f'SELECT * FROM "{table}" WHERE 1 = 0', {})[0]

    def write(self) -> Transaction:
        return _SQLiteTransaction(self)

    def close(self) -> None:
        from threading import local

        self._held = local()  # each thread's connection is closed as the last one to hold it lets go

    def _read(self, sql: str, params: Mapping[str, object]) -> tuple[tuple[str, ...], list[Row]]:
        held = self._open_for_reading()
        if held is None:
            return (), []
        import sqlite3

        try:
            return _fetch(held.connection, sql, params)
        except UnicodeEncodeError:
            return (), []  # a name with no UTF-8 form is in no database
        except sqlite3.Error as error:
            said = str(error)
        if said.startswith("no such table"):
            return (), []
        if "readonly" not in said:
            raise _read_error(said, self.path)
        # A writer was killed: its journal must be rolled back before anyone can read, and only a writer may do that.
        try:
            recovering = _Held(self._connect("rw"))
            return _fetch(recovering.connection, sql, params)
        except sqlite3.Error as error:
            said = str(error)
        raise _read_error(said, self.path)

    def _open_for_reading(self) -> _Held | None:
        held: _Held | None = getattr(self._held, "reader", None)
        said = ""
        try:
            now = os.stat(self.path)
        except FileNotFoundError:
            self._held.reader = None
            return None
        except OSError as error:
            said = error.strerror or "it cannot be read"
        if said:
            raise errors.BackendUnavailable(
                f"the database cannot be opened ({said})", where=self.path, hint="Check the path and its permissions."
            )
        file = now.st_dev, now.st_ino
        if held is not None and held.pid != os.getpid():
            _left_by_fork.append(held)
            held = None
        if held is None or held.file != file:
            import sqlite3

            try:
                held = _Held(self._connect("ro"), file)
            except sqlite3.Error as error:
                said = str(error)
            if said:
                raise _read_error(said, self.path)
            self._held.reader = held
        return held

    def _connect(self, mode: str) -> sqlite3.Connection:
        import sqlite3

        path = self.path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        if os.name == "nt":
            path = "/" + path.replace("\\", "/")
        return sqlite3.connect(
            f"file://{path}?mode={mode}", uri=True, timeout=self.timeout, isolation_level=None, check_same_thread=False
        )


class _Held:
    """A connection, closed with its last owner unless another process opened it."""

    __slots__ = ("connection", "file", "pid")

    def __init__(self, connection: sqlite3.Connection, file: tuple[int, int] = (0, 0)) -> None:
        self.connection, self.file, self.pid = connection, file, os.getpid()

    def __del__(self) -> None:
        if self.pid == os.getpid():
            self.connection.close()
        else:
            _left_by_fork.append(self.connection)


class _SQLiteTransaction(Transaction):
    __slots__ = ("_database", "_connection", "_held")

    def __init__(self, database: SQLite) -> None:
        self._database = database

    def __enter__(self) -> Transaction:
        import sqlite3

        path = self._database.path
        if self._database.makes_tables:
            _make_file(path)
        elif not os.path.exists(path):
            raise errors.MetastoreError(
                "there is no database",
                where=path,
                hint="It is made by the application that owns it: airflow db migrate",
            )
        try:
            self._held = _Held(self._database._connect("rw"))
            self._connection = self._held.connection
            self._connection.execute("BEGIN IMMEDIATE")
            return self
        except sqlite3.Error as error:
            said = str(error)
        raise _write_error(said, path)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import sqlite3

        said = ""
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        except sqlite3.Error as failure:
            said = str(failure)
        finally:
            try:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            except sqlite3.Error:  # closing rolls back as well
                pass
            self._connection.close()
        if said:
            raise _write_error(said, self._database.path)

    def read(self, sql: str, params: Mapping[str, object]) -> list[Row]:
        import sqlite3

        try:
            return _fetch(self._connection, sql, params)[1]
        except UnicodeEncodeError:
            said = "surrogate"
        except sqlite3.Error as error:
            said = str(error)
        raise _write_error(said, self._database.path)

    def execute(self, sql: str, rows: list[dict[str, object]] | None = None) -> int:
        import sqlite3

        try:
            if rows is None:
                return self._connection.execute(sql).rowcount
            return self._connection.executemany(sql, rows).rowcount
        except UnicodeEncodeError:
            said = "surrogate"
        except OverflowError:
            said = "overflow"
        except sqlite3.Error as error:
            said = str(error)
        raise _write_error(said, self._database.path)

    def columns(self, table: str) -> tuple[str, ...]:
        import sqlite3

        try:
            return _fetch(self._connection, f'SELECT * FROM "{table}" WHERE 1 = 0', {})[0]
        except sqlite3.Error as error:
            said = str(error)
        if said.startswith("no such table"):
            return ()
        raise _write_error(said, self._database.path)

    def tables(self) -> set[str]:
        rows = self.read("SELECT name FROM sqlite_master WHERE type = 'table'", {})
        return {row["name"] for row in rows if not row["name"].startswith("sqlite_")}


def _fetch(connection: sqlite3.Connection, sql: str, params: Mapping[str, object]) -> tuple[tuple[str, ...], list[Row]]:
    cursor = connection.execute(sql, params)
    names = tuple(column[0] for column in cursor.description)
    return names, [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _make_directory(path: str) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:  # another process was faster
        pass


def _make_file(path: str) -> None:
    """Make the file, readable by its owner alone, before SQLite would make it with the usual rights."""
    failed = ""
    try:
        if not os.path.isdir(os.path.dirname(path)):
            _make_directory(os.path.dirname(path))
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        failed = error.strerror or "no reason given"
    if failed:
        raise errors.MetastoreError(
            f"the database cannot be made ({failed})",
            where=path,
            hint=f"Make its directory, or name another in {OPTION}.",
        )


#: What SQLite says (these words are the same in all its versions) -> what happened, what to do.
_SAID = {
    "locked": ("another process kept it locked for too long", "Try again when that process has finished."),
    "not a database": ("it is not a SQLite database", f"Name another file in {OPTION}."),
    "malformed": ("it is damaged", "Restore it from a backup."),
    "unable to open": ("it cannot be opened", "Check that it exists, and its permissions and its directory's."),
    "disk I/O": ("it cannot be read or written", "Check that it is a file, and the disk."),
    "readonly": ("it cannot be written", "Check its permissions and its directory's."),
    "full": ("the disk is full", "Make room and try again."),
    "UTF-8": ("it holds a text that is not UTF-8", "Find and correct the row; nothing else is hurt."),
    "surrogate": ("the text holds characters that UTF-8 cannot store (lone surrogates)", "Correct the value."),
    "overflow": ("a number is too large for the database", "Correct the value."),
    "too big": ("the value is too large for the database", "Keep it in a file and name that."),
    "no such column": ("its tables are of a shape that is not known", "Run: python -m framework db check"),
    "constraint failed": ("a row breaks a rule of the table", "Look for a row of that name."),
}


def _explain(said: str) -> tuple[str, str]:
    for words, answer in _SAID.items():
        if words in said:
            return answer
    return "SQLite failed", "Check the disk, and the database with SQLite's own tools."


def _read_error(said: str, path: str) -> errors.SecretsError:
    what, hint = _explain(said)
    senseless = any(words in said for words in ("not a database", "malformed", "UTF-8", "no such column"))
    return (errors.InvalidSecret if senseless else errors.BackendUnavailable)(what, where=path, hint=hint)


def _write_error(said: str, path: str) -> errors.MetastoreError:
    what, hint = _explain(said)
    return errors.MetastoreError(what, where=path, hint=hint)

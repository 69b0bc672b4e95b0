"""SQLite through Python's own driver: neither reads nor writes of rows import SQLAlchemy."""

from __future__ import annotations

import os

from framework import errors
from framework.files import trust
from framework.metastore.base import MIGRATE, OPTION, Database, Outage, Transaction
from framework.metastore.gate import ForkGate

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Any

    import sqlalchemy

    from framework.metastore.base import Row

#: Connections of threads of a parent process. They are never closed, because SQLite forbids that in a child.
_left_by_fork: list[object] = []

#: Guards every call of SQLite, so that no fork happens while another thread holds one of its locks.
_calls = ForkGate()


class SQLite(Database):
    """A SQLite file through Python's own driver.

    Each thread keeps a read-only connection. It is not used after a fork, and replaced if the file was replaced. A
    write opens its own connection. The journal mode is never changed: with WAL, reads would write files.

    Args:
        path: the file; need not exist.
        timeout: seconds to wait for a lock.
        create: the first write may create the file and our tables.
    """

    __slots__ = ("path", "_held")

    bounded = False

    def __init__(self, path: str, timeout: float = 30.0, *, create: bool = True) -> None:
        from threading import local

        self.path = trust.with_trust_of(path, os.path.abspath(path))
        self.timeout, self.where, self.create, self.makes_tables = timeout, self.path, create, create
        self.outage, self._held = Outage(0.0), local()

    def read(self, sql: str, params: Mapping[str, object]) -> list[Row]:
        return self._read(sql, params)[1]

    def columns(self, table: str) -> tuple[str, ...]:
        return self._read(f'SELECT * FROM "{table}" WHERE 1 = 0', {})[0]

    def tables(self, reader: Database | Transaction | None = None) -> set[str]:
        rows = (reader or self).read("SELECT name FROM sqlite_master WHERE type = 'table'", {})
        return {row["name"] for row in rows if not row["name"].startswith("sqlite_")}

    def product(self) -> str:
        import sqlite3

        self.tables()
        return f"SQLite {sqlite3.sqlite_version}"

    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def write(self) -> Transaction:
        return _SQLiteTransaction(self)

    def close(self) -> None:
        from threading import local

        self._held = local()  # a connection is closed when nothing refers to it any more

    def _read(self, sql: str, params: Mapping[str, object]) -> tuple[tuple[str, ...], list[Row]]:
        held = self._open_for_reading()
        if held is None:
            return (), []
        import sqlite3

        try:
            return _fetch(held.connection, sql, params)
        except UnicodeEncodeError:
            return (), []  # no database can hold a name that is not valid UTF-8
        except sqlite3.Error as error:
            problem = str(error)
        if problem.startswith("no such table"):
            return (), []
        if "readonly" not in problem:
            raise _read_error(problem, self.path)
        # A writer was killed: its journal must be rolled back before a read, and only a writer can do that.
        try:
            recovering = _Held(self._connect("rw"))
            return _fetch(recovering.connection, sql, params)
        except sqlite3.Error as error:
            problem = str(error)
        raise _read_error(problem, self.path)

    def _open_for_reading(self) -> _Held | None:
        held: _Held | None = getattr(self._held, "reader", None)
        problem = ""
        try:
            now = os.stat(self.path)
        except FileNotFoundError:
            self._held.reader = None
            return None
        except OSError as error:
            problem = error.strerror or "it cannot be read"
        if problem:
            raise errors.BackendUnavailable(
                f"the database cannot be opened ({problem})",
                where=self.path,
                hint="Check the path and its permissions.",
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
                problem = str(error)
            if problem:
                raise _read_error(problem, self.path)
            self._held.reader = held
        return held

    def check(self, kind: type[errors.FrameworkError]) -> None:
        """Refuse a file that was only found and is not to be trusted, and one that is not a regular file.

        Raises:
            kind: the file is refused.
        """
        try:
            return trust.check_database(self.path)
        except trust.Untrusted as doubt:
            refusal = kind(doubt.what, where=doubt.where, hint=doubt.hint)
        except OSError as error:
            reason = error.strerror or "no reason given"
            refusal = kind(f"the database cannot be opened ({reason})", where=self.path, hint="Correct the path.")
        raise refusal

    def _connect(self, mode: str) -> sqlite3.Connection:
        import sqlite3

        self.check(errors.MetastoreError if mode == "rw" else errors.AccessDenied)
        path = self.path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        if os.name == "nt":
            path = "/" + path.replace("\\", "/")
        with _calls:
            return sqlite3.connect(
                f"file://{path}?mode={mode}",
                uri=True,
                timeout=self.timeout,
                isolation_level=None,
                check_same_thread=False,
            )


class _Held:
    """A connection that is closed with its last owner, unless another process opened it."""

    __slots__ = ("connection", "file", "pid")

    def __init__(self, connection: sqlite3.Connection, file: tuple[int, int] = (0, 0)) -> None:
        self.connection, self.file, self.pid = connection, file, os.getpid()

    def __del__(self) -> None:
        if self.pid == os.getpid():
            with _calls:
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
        self._database.check(errors.MetastoreError)  # before anything is created there
        if self._database.makes_tables:
            _make_file(path)
        elif not os.path.exists(path):
            hint = "It is created by the application that owns it: airflow db migrate"
            raise errors.MetastoreError("there is no database", where=path, hint=hint)
        try:
            self._held = _Held(self._database._connect("rw"))
            self._connection = self._held.connection
            with _calls:
                self._connection.execute("BEGIN IMMEDIATE")
            return self
        except sqlite3.Error as error:
            problem = str(error)
        raise _write_error(problem, path)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import sqlite3

        problem = ""
        try:
            if kind is None:
                with _calls:
                    self._connection.execute("COMMIT")
        except sqlite3.Error as failure:
            problem = str(failure)
        finally:
            with _calls:
                try:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                except sqlite3.Error:  # closing rolls back as well
                    pass
                self._connection.close()
        if problem:
            raise _write_error(problem, self._database.path)

    def read(self, sql: str, params: Mapping[str, object]) -> list[Row]:
        import sqlite3

        try:
            return _fetch(self._connection, sql, params)[1]
        except UnicodeEncodeError:
            problem = "surrogate"
        except sqlite3.Error as error:
            problem = str(error)
        raise _write_error(problem, self._database.path)

    def execute(self, sql: str, rows: list[dict[str, object]] | None = None) -> int:
        import sqlite3

        try:
            with _calls:
                if rows is None:
                    return self._connection.execute(sql).rowcount
                return self._connection.executemany(sql, rows).rowcount
        except UnicodeEncodeError:
            problem = "surrogate"
        except OverflowError:
            problem = "overflow"
        except sqlite3.Error as error:
            problem = str(error)
        raise _write_error(problem, self._database.path)

    def columns(self, table: str) -> tuple[str, ...]:
        import sqlite3

        try:
            return _fetch(self._connection, f'SELECT * FROM "{table}" WHERE 1 = 0', {})[0]
        except sqlite3.Error as error:
            problem = str(error)
        if problem.startswith("no such table"):
            return ()
        raise _write_error(problem, self._database.path)

    def through_sqlalchemy(self, act: Callable[[sqlalchemy.Connection], None]) -> None:
        import sqlalchemy

        lent: Any = _Lent(self._connection)
        engine = sqlalchemy.create_engine(
            "sqlite://", creator=lambda: lent, poolclass=sqlalchemy.pool.StaticPool, hide_parameters=True
        )
        try:
            with _calls, engine.connect() as connection, connection.begin():
                return act(connection)
        except sqlalchemy.exc.SQLAlchemyError as error:
            problem = str(getattr(error, "orig", ""))
        raise _write_error(problem, self._database.path)


class _Lent:
    """A connection lent to SQLAlchemy, which cannot end the transaction that is open on it."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def commit(self) -> None:
        pass

    rollback = close = commit

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def _fetch(connection: sqlite3.Connection, sql: str, params: Mapping[str, object]) -> tuple[tuple[str, ...], list[Row]]:
    with _calls:
        cursor = connection.execute(sql, params)
        names = tuple(column[0] for column in cursor.description)
        return names, [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _make_directory(path: str) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:  # another process was faster
        pass


def _make_file(path: str) -> None:
    """Create the file, readable only by its owner, because SQLite would create it with the usual permissions."""
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
        raise errors.MetastoreUnavailable(
            f"the database cannot be created ({failed})",
            where=path,
            hint=f"Create its directory, or name another in {OPTION}.",
        )


#: Words of SQLite's error (the same in all versions) -> what happened, what to do.
_MEANINGS = {
    "locked": ("another process kept it locked for too long", "Try again when that process has finished."),
    "not a database": ("it is not a SQLite database", f"Name another file in {OPTION}."),
    "malformed": ("it is damaged", "Restore it from a backup."),
    "unable to open": ("it cannot be opened", "Check that it exists, and its permissions and those of its directory."),
    "disk I/O": ("it cannot be read or written", "Check that it is a file, and the disk."),
    "readonly": ("it cannot be written", "Check its permissions and those of its directory."),
    "is full": ("the disk is full", "Free some space, and try again."),
    "UTF-8": ("it holds text that is not UTF-8", "Find and correct the row; nothing else is affected."),
    "surrogate": ("the text holds characters that UTF-8 cannot store (lone surrogates)", "Correct the value."),
    "overflow": ("a number is too large for the database", "Correct the value."),
    "too big": ("the value is too large for the database", "Keep it in a file and name that."),
    "no such table": ("the table does not exist", MIGRATE),
    "no such column": ("its tables have an unknown structure", "Run: python -m framework db check"),
    "has no column": ("its tables have an unknown structure", "Run: python -m framework db check"),
    "ON CONFLICT clause": (
        "its table does not keep names unique, as in old versions",
        "Let the table's owner migrate it.",
    ),
    "constraint failed": ("a row violates a constraint of the table", "Look for a row of that name."),
    "binding": ("a value is of a type that the database cannot store", "Write text or a number."),
    "out of memory": ("the memory is full", "Free some memory, and try again."),
    "interrupted": ("the statement was interrupted", "Try again."),
}
_INVALID = ("not a database", "malformed", "UTF-8", "no such column")


def _explain(problem: str) -> tuple[str, str]:
    for words, answer in _MEANINGS.items():
        if words in problem:
            return answer
    return "SQLite refused the statement", "Look into the database with SQLite's own tools, or run db check."


def _read_error(problem: str, path: str) -> errors.SecretsError:
    what, hint = _explain(problem)
    is_invalid = any(words in problem for words in _INVALID)
    return (errors.InvalidSecret if is_invalid else errors.BackendUnavailable)(what, where=path, hint=hint)


def _write_error(problem: str, path: str) -> errors.MetastoreError:
    what, hint = _explain(problem)
    down = "unable to open" in problem or "disk I/O" in problem
    return (errors.MetastoreUnavailable if down else errors.MetastoreError)(what, where=path, hint=hint)

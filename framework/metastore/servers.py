"""PostgreSQL, MySQL, MariaDB and compatible servers, through SQLAlchemy, which the first use imports."""

from __future__ import annotations

import os
from time import monotonic

from framework import errors
from framework.metastore.base import OPTION, Database, Outage, Transaction, is_storable, persistently
from framework.metastore.failures import LOST, Failure, explain, is_about_arguments
from framework.metastore.hosts import Hosts
from framework.metastore.pools import Pools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    import sqlalchemy

    from framework.metastore.base import Row, T

_TABLES = {
    "postgresql": "SELECT tablename AS name FROM pg_catalog.pg_tables WHERE schemaname = current_schema()",
    "mysql": "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()",
}
#: How many seconds a server on this machine may take to start.
_START = 2.0
#: The options of a URL that may be shown; all others may hold a password, as may a misspelt name.
_HARMLESS = frozenset(
    (
        *("host", "hostaddr", "load_balance_hosts", "port"),
        *("application_name", "charset", "connect_timeout", "keepalives", "keepalives_idle", "read_timeout", "ssl"),
        *("ssl_ca", "ssl_mode", "sslmode", "sslrootcert", "target_session_attrs", "tcp_user_timeout", "write_timeout"),
    )
)


class Server(Database):
    """A database on a server, behind a pool of connections for each process.

    Args:
        url: SQLAlchemy's URL, also with several hosts; without a driver it means psycopg or PyMySQL.
        timeout: seconds to wait for the server, a lock, or a connection of the pool.
        create: `db migrate` may create our tables.
        failover: seconds for which an outage is waited for.
        wants: which of several hosts to use, if the URL does not say so in `target_session_attrs`.
        option: the option that the URL is from, for messages.
    """

    __slots__ = ("_url", "_hosts", "_pools", "_engines")

    def __init__(
        self,
        url: str,
        timeout: float = 30.0,
        *,
        create: bool = True,
        failover: float = 0.0,
        wants: str = "read-write",
        option: str = OPTION,
    ) -> None:
        self._url, self._hosts = url, Hosts(url, wants, option)
        self.where = self._hosts.where()
        self.timeout, self.create, self.makes_tables = timeout, create, False
        self.outage = Outage(failover)
        self._pools = Pools(self._hosts, timeout, failover, f"{option}: {self.where}")
        self._engines: dict[tuple[int, bool], sqlalchemy.Engine] = {}

    @property
    def exact(self) -> bool:
        return not self._is_mysql()

    def read(self, sql: str, params: Mapping[str, object]) -> list[Row]:
        if not all(is_storable(value) for value in params.values() if isinstance(value, str)):
            return []  # no database can hold such a name
        return persistently(self, lambda: self._ask(lambda connection: _fetch(connection, sql, params))) or []

    def columns(self, table: str) -> tuple[str, ...]:
        return persistently(self, lambda: self._ask(lambda connection: _columns(connection, table))) or ()

    def tables(self, reader: Database | Transaction | None = None) -> set[str]:
        rows = (reader or self).read(_TABLES["mysql" if self._is_mysql() else "postgresql"], {})
        return {row["name"] for row in rows}

    def patience(self) -> float:
        """Briefly, if nothing listens on this machine and nothing ever has: there is nothing that could fail over."""
        wait = self.outage.seconds
        if wait <= _START or self.outage.has_answered or not self._hosts.is_nobody_here():
            return wait
        return _START

    def product(self) -> str:
        version = str(self.read("SELECT version() AS version", {})[0]["version"])
        if not self._is_mysql():
            return " ".join(version.split()[:2])  # PostgreSQL 18.6 on x86_64…
        return f"{'MariaDB' if 'mariadb' in version.lower() else 'MySQL'} {version.partition('-')[0]}"

    def url(self) -> str:
        from framework.masking import REPLACEMENT

        url = self._engine(True).url
        hidden = {name: REPLACEMENT for name, text in url.query.items() if name not in _HARMLESS or "@" in text}
        return self._hosts.whole(url.update_query_dict(hidden).render_as_string(hide_password=True))

    def write(self) -> Transaction:
        return _ServerTransaction(self)

    def upsert(self, table: str, columns: Iterable[str], key: str, changed: Iterable[str]) -> str:
        if not self._is_mysql():
            return super().upsert(table, columns, key, changed)
        changes = ", ".join(f'"{name}" = VALUES("{name}")' for name in changed)
        return f"{self.insert(table, columns)} ON DUPLICATE KEY UPDATE {changes}"

    def close(self) -> None:
        for reading in (True, False):
            engine = self._engines.pop((os.getpid(), reading), None)
            if engine is not None:
                engine.dispose()

    def connect(self, *, reading: bool) -> sqlalchemy.Connection:
        """A connection of a pool; one that broke while it was idle is replaced.

        Args:
            reading: each statement is its own transaction, which saves two of four messages to the server.

        Raises:
            BackendError: SQLAlchemy or the driver is not installed, or the URL is not valid.
        """
        engine, began = self._engine(reading), monotonic()
        try:
            return engine.connect()
        except Exception as error:
            if not is_about_arguments(error):
                if explain(error).kind in LOST:  # the time that a silent server has taken is a part of the outage
                    self.outage.seen(began, monotonic())
                raise
        hint = "Correct the options after the ?."
        raise errors.BackendError("the driver does not know an option of the URL", where=self.where, hint=hint)

    def _is_mysql(self) -> bool:
        return self._url.startswith(("mysql", "mariadb"))

    def _ask(self, question: Callable[[sqlalchemy.Connection], T]) -> T | None:
        """The answer, after a second try if the connection broke: a read may be repeated. None: no such table."""
        for last in (False, True):
            asked = False
            try:
                with self.connect(reading=True) as connection:
                    asked = True
                    return question(connection)
            except errors.FrameworkError:
                raise
            except Exception as error:
                failure = self.explain(error)
                broke = asked and getattr(error, "connection_invalidated", False)
            if failure.kind == "no table":
                return None
            if last or not broke:
                break
        raise failure.for_reading(self.where)

    def explain(self, error: BaseException) -> Failure:
        """The meaning of an error of SQLAlchemy or of a driver."""
        failure = explain(error)
        if failure.kind == "read only" and self._hosts.wants in ("standby", "read-only"):
            return Failure("no standby")
        if failure.kind == "read only" and len(self._hosts.each) > 1:
            return Failure("no primary")
        return failure

    def _engine(self, reading: bool) -> sqlalchemy.Engine:
        """A pool of this process. The pool of a parent process is neither used nor closed."""
        mine = os.getpid(), reading
        engine = self._engines.get(mine)
        if engine is None:
            engine = self._engines.setdefault(mine, self._pools.make(reading))
        return engine


class _ServerTransaction(Transaction):
    __slots__ = ("_database", "_connection")

    def __init__(self, database: Server) -> None:
        self._database = database

    def __enter__(self) -> Transaction:
        self._connection: sqlalchemy.Connection = self._try(lambda: self._database.connect(reading=False))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._try(self._connection.commit, ending=True)
        finally:
            self._close()

    def read(self, sql: str, params: Mapping[str, object]) -> list[Row]:
        return self._try(lambda: _fetch(self._connection, sql, params))

    def execute(self, sql: str, rows: list[dict[str, object]] | None = None) -> int:
        import sqlalchemy

        return self._try(lambda: self._connection.execute(sqlalchemy.text(sql), rows).rowcount)

    def columns(self, table: str) -> tuple[str, ...]:
        try:
            with self._connection.begin_nested():  # in PostgreSQL an error ends a transaction, but only up to here
                return _columns(self._connection, table)
        except Exception as error:
            failure = self._database.explain(error)
        if failure.kind == "no table":
            return ()
        raise failure.for_writing(self._database.where)

    def through_sqlalchemy(self, act: Callable[[sqlalchemy.Connection], None]) -> None:
        self._try(lambda: act(self._connection))

    def _try(self, act: Callable[[], T], *, ending: bool = False) -> T:
        try:
            return act()
        except errors.FrameworkError:
            raise
        except Exception as error:
            failure = self._database.explain(error)
        raise failure.for_writing(self._database.where, ending=ending)

    def _close(self) -> None:
        from contextlib import suppress

        try:
            self._connection.close()  # rolls back what is not committed
        except Exception:  # it broke, which rolls back as well
            with suppress(Exception):
                self._connection.invalidate()


def _fetch(connection: sqlalchemy.Connection, sql: str, params: Mapping[str, object]) -> list[Row]:
    import sqlalchemy

    return [dict(row) for row in connection.execute(sqlalchemy.text(sql), params).mappings()]


def _columns(connection: sqlalchemy.Connection, table: str) -> tuple[str, ...]:
    import sqlalchemy

    return tuple(connection.execute(sqlalchemy.text(f'SELECT * FROM "{table}" WHERE 1 = 0')).keys())

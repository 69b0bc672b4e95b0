"""PostgreSQL, MySQL, MariaDB and compatible servers, through SQLAlchemy, which the first use imports."""

from __future__ import annotations

import os

from framework import errors
from framework.metastore.base import OPTION, Database, Transaction, is_storable
from framework.metastore.failures import explain, is_about_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import Any

    import sqlalchemy

    from framework.metastore.base import Row, T

#: Scheme of a URL -> SQLAlchemy's name for it, and the driver if the URL names none.
_SCHEMES = {
    "postgres": ("postgresql", "psycopg"),
    "postgresql": ("postgresql", "psycopg"),
    "cockroachdb": ("postgresql", "psycopg"),
    "mysql": ("mysql", "pymysql"),
    "mariadb": ("mariadb", "pymysql"),
}
#: Airflow's usual drivers -> ours, which connect if those are not installed.
_STAND_INS = {"psycopg2": "psycopg", "mysqldb": "pymysql"}

_TABLES = {
    "postgresql": "SELECT tablename AS name FROM pg_catalog.pg_tables WHERE schemaname = current_schema()",
    "mysql": "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()",
}
#: MySQL: strict, so that a text that is too long is refused and not cut; double quotes for names, as in our SQL.
_MYSQL_SESSION = (
    "SET SESSION sql_mode = CONCAT_WS(',', NULLIF(@@sql_mode, ''), 'ANSI_QUOTES', 'STRICT_ALL_TABLES'), "
    "innodb_lock_wait_timeout = {seconds}"
)
#: The first statement of each connection.
_SESSIONS = {
    "postgresql": "SET statement_timeout = '{seconds}s'",
    "mysql": _MYSQL_SESSION,
    "mariadb": _MYSQL_SESSION,
}


#: The options of a URL that may be shown; all others may hold a password, as may a misspelt name.
_HARMLESS = frozenset(
    (
        *("application_name", "charset", "connect_timeout", "keepalives", "keepalives_idle", "read_timeout", "ssl"),
        *("ssl_ca", "ssl_mode", "sslmode", "sslrootcert", "target_session_attrs", "tcp_user_timeout", "write_timeout"),
    )
)


class Server(Database):
    """A database on a server, behind a pool of connections for each process.

    Args:
        url: SQLAlchemy's URL; without a driver it means psycopg or PyMySQL.
        timeout: seconds to wait for the server, a lock, or a connection of the pool.
        create: `db migrate` may create our tables.
    """

    __slots__ = ("_url", "_engines")

    def __init__(self, url: str, timeout: float = 30.0, *, create: bool = True) -> None:
        self.where = _without_secrets(url)
        self._url, self.timeout, self.create, self.makes_tables = url, timeout, create, False
        self._engines: dict[tuple[int, bool], sqlalchemy.Engine] = {}

    @property
    def exact(self) -> bool:
        return not self._is_mysql()

    def read(self, sql: str, params: Mapping[str, object]) -> list[Row]:
        if not all(is_storable(value) for value in params.values() if isinstance(value, str)):
            return []  # no database can hold such a name
        return self._ask(lambda connection: _fetch(connection, sql, params)) or []

    def columns(self, table: str) -> tuple[str, ...]:
        return self._ask(lambda connection: _columns(connection, table)) or ()

    def tables(self, reader: Database | Transaction | None = None) -> set[str]:
        rows = (reader or self).read(_TABLES["mysql" if self._is_mysql() else "postgresql"], {})
        return {row["name"] for row in rows}

    def product(self) -> str:
        version = str(self.read("SELECT version() AS version", {})[0]["version"])
        if not self._is_mysql():
            return " ".join(version.split()[:2])  # PostgreSQL 18.6 on x86_64…
        return f"{'MariaDB' if 'mariadb' in version.lower() else 'MySQL'} {version.partition('-')[0]}"

    def url(self) -> str:
        from framework.masking import REPLACEMENT

        url = self._engine(True).url
        hidden = {name: REPLACEMENT for name in url.query if name not in _HARMLESS}
        return url.update_query_dict(hidden).render_as_string(hide_password=True)

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
        engine = self._engine(reading)
        try:
            return engine.connect()
        except Exception as error:
            if not is_about_arguments(error):
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
                failure, broke = explain(error), asked and getattr(error, "connection_invalidated", False)
            if failure.kind == "no table":
                return None
            if last or not broke:
                break
        raise failure.for_reading(self.where)

    def _engine(self, reading: bool) -> sqlalchemy.Engine:
        """A pool of this process. The pool of a parent process is neither used nor closed."""
        mine = os.getpid(), reading
        engine = self._engines.get(mine)
        if engine is None:
            engine = self._engines.setdefault(mine, self._make_engine(reading))
        return engine

    def _make_engine(self, reading: bool) -> sqlalchemy.Engine:
        try:
            import sqlalchemy

            url = sqlalchemy.make_url(self._url)
        except ImportError:
            problem, hint = "SQLAlchemy is not installed", "Install it: pip install SQLAlchemy"
        except Exception:
            problem, hint = "SQLAlchemy cannot read the URL", "Write postgresql://user:password@host/name."
        else:
            backend, usual = _SCHEMES[url.drivername.partition("+")[0]]
            driver = url.drivername.partition("+")[2] or usual
            extra = "postgres" if backend == "postgresql" else "mysql"
            problem = f"the driver {driver} is not installed"
            hint = f"Install ours: pip install 'framework[{extra}]', and write {backend}://… without a driver."
            for name in dict.fromkeys((driver, _STAND_INS.get(driver, driver))):
                try:
                    engine = self._pool(url.set(drivername=f"{backend}+{name}"), reading)
                except ImportError:
                    continue
                except Exception:  # of an unknown driver, or a port that is not a number
                    break
                if not engine.dialect.is_async:
                    return engine
                problem = f"the driver {driver} is an asynchronous one"
        raise errors.BackendError(problem, where=f"{OPTION}: {self.where}", hint=hint)

    def _pool(self, url: sqlalchemy.URL, reading: bool) -> sqlalchemy.Engine:
        import sqlalchemy

        wait = max(2, int(self.timeout))  # psycopg's minimum is two
        if url.get_backend_name() == "postgresql":
            usual: dict[str, object] = {
                "connect_timeout": wait,
                "keepalives_idle": wait,  # a silent server is noticed, whatever is in between
                "keepalives_interval": 5,
                "keepalives_count": 3,
                "tcp_user_timeout": wait * 1000,
                "client_encoding": "utf8",
            }
        else:
            usual = {"connect_timeout": wait, "read_timeout": wait + 5, "write_timeout": wait + 5, "charset": "utf8mb4"}
        arguments = {name: value for name, value in usual.items() if name not in url.query}
        options: dict[str, Any] = {}
        if url.get_driver_name() == "psycopg":
            # Prepared statements break when another application alters the table, and behind pgbouncer.
            arguments["prepare_threshold"] = None
            options["use_native_hstore"] = False
        engine = sqlalchemy.create_engine(
            url,
            connect_args=arguments,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT" if reading else "READ COMMITTED",
            pool_reset_on_return=None if reading else "rollback",
            pool_pre_ping=True,
            pool_timeout=self.timeout,
            **options,
        )
        seconds = max(1, int(self.timeout))
        setting = _SESSIONS[url.get_backend_name()].format(seconds=seconds)
        if url.get_backend_name() == "postgresql":
            _tolerate_other_names(engine.dialect)

        def prepare(connection: Any, record: object) -> None:
            with connection.cursor() as cursor:
                cursor.execute(setting)
            connection.commit()  # PostgreSQL would undo the setting together with the first transaction

        sqlalchemy.event.listen(engine, "connect", prepare, insert=True)  # before SQLAlchemy reads the sql_mode
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
            failure = explain(error)
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
            failure = explain(error)
        raise failure.for_writing(self._database.where, ending=ending)

    def _close(self) -> None:
        try:
            self._connection.close()  # rolls back what is not committed
        except Exception:  # it broke, which rolls back as well
            self._connection.invalidate()


def _without_secrets(url: str) -> str:
    """Scheme, host, port and name of the database; only the scheme if a password could be among them."""
    import re

    scheme, _, rest = url.partition("://")
    scheme = scheme.partition("+")[0]
    place, _, query = rest.partition("?")
    place = place.rpartition("@")[2]
    is_place = re.fullmatch(r"([\w.-]*|\[[\w.:%-]*\])(:[0-9]{0,5})?(/[^#;&=@:]*)?", place)
    return f"{scheme}://{place if is_place and '@' not in query else '…'}"


def _fetch(connection: sqlalchemy.Connection, sql: str, params: Mapping[str, object]) -> list[Row]:
    import sqlalchemy

    return [dict(row) for row in connection.execute(sqlalchemy.text(sql), params).mappings()]


def _columns(connection: sqlalchemy.Connection, table: str) -> tuple[str, ...]:
    import sqlalchemy

    return tuple(connection.execute(sqlalchemy.text(f'SELECT * FROM "{table}" WHERE 1 = 0')).keys())


def _tolerate_other_names(dialect: Any) -> None:
    """Treat CockroachDB as an old PostgreSQL: it has another name, which SQLAlchemy does not accept."""
    ask = dialect._get_server_version_info

    def version(connection: sqlalchemy.Connection) -> tuple[int, ...]:
        try:
            return tuple(ask(connection))
        except AssertionError:
            return (13, 0)

    dialect._get_server_version_info = version

"""SQLAlchemy engines from connections.

    from framework.integrations.sqlalchemy import create_engine

    engine = create_engine(app, "warehouse", pool_size=10)

`docs/guides/integrations/sqlalchemy.md` says what becomes of each field.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy.exc import DisconnectionError, NoSuchModuleError

from framework import given
from framework.dialects import ASYNC_DRIVERS, url_and_arguments
from framework.errors import BackendError, InvalidConnection, public
from framework.integrations.rotation import Credentials, Rotating

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Dialect
    from sqlalchemy.ext.asyncio import AsyncEngine
    from sqlalchemy.pool import ConnectionPoolEntry

    from framework.app import App
    from framework.connection import Connection

#: The extra of this package that installs a driver.
_EXTRAS = {"psycopg": "postgres", "pymysql": "mysql"}
#: The packages of dialects that SQLAlchemy does not have itself.
_PACKAGES = {
    "bigquery": "sqlalchemy-bigquery",
    "clickhouse": "clickhouse-sqlalchemy",
    "cockroachdb": "sqlalchemy-cockroachdb",
    "databricks": "databricks-sqlalchemy",
    "duckdb": "duckdb-engine",
    "exasol": "sqlalchemy-exasol",
    "hive": "pyhive",
    "presto": "pyhive",
    "redshift": "sqlalchemy-redshift",
    "snowflake": "snowflake-sqlalchemy",
    "teradatasql": "teradatasqlalchemy",
    "trino": "trino[sqlalchemy]",
    "vertica": "vertica-sqlalchemy-dialect",
}
#: How drivers call login and password.
_CREDENTIALS = ("user", "username", "password", "passwd")

#: Where a pooled connection notes the lease that it was opened with, and that it was not checked out yet.
_LEASE, _NEW = "framework_lease", "framework_new"


@public
def create_engine(
    app: App, conn_id: str, *, driver: str | None = None, rotation_timeout: float = 10.0, **options: object
) -> sqlalchemy.Engine:
    """An engine for a connection of the application, which survives a rotation of its password: see `attach`.

    If its login was issued to this process, what was opened with a lease that has ended is replaced at checkout.

    Args:
        app: whose connection it is.
        conn_id: its name.
        driver: instead of the usual one: psycopg for PostgreSQL, PyMySQL for MySQL and MariaDB.
        rotation_timeout: see `attach`.
        options: what `sqlalchemy.create_engine` takes. `connect_args` is added to what `extra` gives, and wins.

    Raises:
        ConnectionNotFound: no link of the chain has the connection.
        SecretsError: a link failed.
        InvalidConnection: it is not a connection of a database that SQLAlchemy knows.
        BackendError: the driver is not installed.
    """
    connection = app.get_connection(conn_id)
    url = _url(connection, driver, options)
    with _plain_errors(connection, url):
        engine = sqlalchemy.create_engine(url, **options)
    _attach(engine, Rotating(conn_id, app, rotation_timeout))
    return engine


@public
def create_async_engine(
    app: App, conn_id: str, *, driver: str | None = None, rotation_timeout: float = 10.0, **options: object
) -> AsyncEngine:
    """The same for asyncio: psycopg for PostgreSQL, aiomysql for MySQL and MariaDB, aiosqlite for SQLite.

    Args, Raises: as `create_engine`. In a running event loop, read the connection before: `await
    app.aget_connection(conn_id)` keeps it at hand.
    """
    from sqlalchemy.ext.asyncio import create_async_engine

    connection = app.get_connection(conn_id)
    url = _url(connection, driver or ASYNC_DRIVERS.get(connection.conn_type or ""), options)
    with _plain_errors(connection, url):
        engine = create_async_engine(url, **options)
    _attach(engine.sync_engine, Rotating(conn_id, app, rotation_timeout))
    return engine


@public
def attach(
    engine: sqlalchemy.Engine | AsyncEngine, conn_id: str, *, app: App | None = None, rotation_timeout: float = 10.0
) -> None:
    """Let an engine log in with a connection's login and password, so that a rotation goes unnoticed.

    What is open stays open. A new connection of the pool logs in with what the application keeps; if that is refused,
    with what worked last, then with what the store has now, and so on. The rest of the engine's URL stays as it is.
    An engine for SQLite stays as it is.

    Args:
        engine: as SQLAlchemy makes it, synchronous or not.
        conn_id: the connection of the application.
        app: whose connection it is; None: the current application's.
        rotation_timeout: how many seconds a new connection waits for a login that works. Afterwards the server's own
            error is raised.

    Raises:
        InvalidArgument: `engine` is not an engine.
        InvalidConnection: the engine takes login and password in another way.
    """
    inner = getattr(engine, "sync_engine", engine)
    if not isinstance(inner, sqlalchemy.Engine):
        raise given.wrong(engine, "engine", "an engine of SQLAlchemy")
    rotating, where = Rotating(conn_id, app, rotation_timeout), f"connection {conn_id!r}"
    if not getattr(inner.pool._creator, "__module__", "").startswith("sqlalchemy.engine."):
        what = "the engine was made with creator=, which logs in by itself"
        raise InvalidConnection(what, where=where, hint="Make the engine without it.")
    if not _attach(inner, rotating) and inner.dialect.name != "sqlite":
        what = f"the driver {inner.driver} does not take login and password as arguments"
        raise InvalidConnection(what, where=where, hint="Use another driver.")


def _attach(engine: sqlalchemy.Engine, rotating: Rotating) -> bool:
    """Whether the engine could be attached: its driver takes login and password by name."""
    url, dialect = engine.url, engine.dialect
    if dialect.name == "sqlite":
        return False

    def credentials(one: Connection | Credentials) -> dict[str, object]:
        named = dialect.create_connect_args(url.set(username=one.login or None, password=one.password))[1]
        return {name: named[name] for name in _CREDENTIALS if name in named}

    if len(credentials(Credentials("a", "b"))) != 2:
        return False
    if rotating.login.good is None and url.password is not None:
        rotating.login.good = Credentials(url.username, str(url.password))

    @sqlalchemy.event.listens_for(engine, "do_connect")
    def connect(
        used: Dialect, record: ConnectionPoolEntry | None, arguments: tuple[object, ...], options: dict[str, object]
    ) -> object:
        ours = dict(options)
        listeners = list(used.dispatch.do_connect)
        for listener in listeners[listeners.index(connect) + 1 :]:  # added later: they would not be asked any more
            made = listener(used, record, arguments, options)
            if made is not None:
                return made
        if any(options.get(name) != ours.get(name) for name in _CREDENTIALS):
            return used.connect(*arguments, **options)  # a listener has a password of its own
        rest = {name: value for name, value in options.items() if name not in _CREDENTIALS}

        def attempt(one: Connection | Credentials) -> object:
            made = used.connect(*arguments, **{**rest, **credentials(one)})
            lifetime = getattr(one, "lifetime", None)
            if record is not None and lifetime is not None and lifetime.is_lease:
                record.info[_LEASE], record.info[_NEW] = lifetime, True
            return made

        return (rotating.run_in_greenlet if used.is_async else rotating.run)(attempt)

    @sqlalchemy.event.listens_for(engine, "checkout")
    def check_lease(made: object, record: ConnectionPoolEntry, proxy: object) -> None:
        lease, is_new = record.info.get(_LEASE), record.info.pop(_NEW, False)
        if lease is not None and not is_new and not lease.is_current:  # the server has accepted a new one just now
            raise DisconnectionError("the lease of its login has ended")  # the pool connects again

    return True


def _url(connection: Connection, driver: str | None, options: dict[str, Any]) -> sqlalchemy.URL:
    """The connection's URL; what a URL cannot hold is added to the `connect_args` of the options."""
    url, arguments = url_and_arguments(connection, driver)
    options["connect_args"] = arguments | (options.get("connect_args") or {})
    return url


@contextmanager
def _plain_errors(connection: Connection, url: sqlalchemy.URL) -> Iterator[None]:
    where, missing = f"connection {connection.conn_id!r}", ""
    dialect, _, driver = url.drivername.partition("+")
    try:
        yield
        return
    except NoSuchModuleError:
        pass
    except ImportError as error:
        missing = error.name or driver
    if missing:
        package = f"'framework[{_EXTRAS[missing]}]'" if missing in _EXTRAS else missing
        raise BackendError(f"the driver {missing} is not installed", where=where, hint=f"Run: pip install {package}")
    what = f"SQLAlchemy has no dialect {dialect!r}" + (f" with the driver {driver!r}" if driver else "")
    if dialect in _PACKAGES:
        raise BackendError(
            f"{what}: its package is not installed", where=where, hint=f"Run: pip install '{_PACKAGES[dialect]}'"
        )
    raise InvalidConnection(what, where=where, hint="Set conn_type to postgres, mysql, sqlite or another dialect.")

"""SQLAlchemy engines from connections.

    from framework.integrations.sqlalchemy import create_engine

    engine = create_engine(app, "warehouse", pool_size=10)

`docs/guides/integrations/sqlalchemy.md` says what becomes of each field.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy.exc import NoSuchModuleError

from framework.dialects import ASYNC_DRIVERS, url_and_arguments
from framework.errors import BackendError, InvalidConnection, public

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from framework.app import App
    from framework.connection import Connection

#: The extra of this package that installs a driver.
_EXTRAS = {"psycopg": "postgres", "pymysql": "mysql"}


@public
def create_engine(app: App, conn_id: str, *, driver: str | None = None, **options: Any) -> sqlalchemy.Engine:
    """An engine for a connection of the application.

    Args:
        app: whose connection it is.
        conn_id: its name.
        driver: instead of the usual one: psycopg for PostgreSQL, PyMySQL for MySQL and MariaDB.
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
        return sqlalchemy.create_engine(url, **options)


@public
def create_async_engine(app: App, conn_id: str, *, driver: str | None = None, **options: Any) -> AsyncEngine:
    """The same for asyncio: psycopg for PostgreSQL, aiomysql for MySQL and MariaDB, aiosqlite for SQLite.

    Args, Raises: as `create_engine`. In a running event loop, read the connection before: `await
    app.aget_connection(conn_id)` keeps it at hand.
    """
    from sqlalchemy.ext.asyncio import create_async_engine

    connection = app.get_connection(conn_id)
    url = _url(connection, driver or ASYNC_DRIVERS.get(connection.conn_type or ""), options)
    with _plain_errors(connection, url):
        return create_async_engine(url, **options)


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
    raise InvalidConnection(what, where=where, hint="Set conn_type to postgres, mysql, sqlite or another dialect.")

"""A connection as SQLAlchemy's URL, and what the driver takes beside it.

SQLAlchemy hides the password of a URL when it shows one, and shows its query. So a secret in `extra` never becomes a
part of the URL: it goes to the driver as an argument.
"""

from __future__ import annotations

from framework.errors import InvalidConnection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Protocol

    from sqlalchemy import URL

    class Connection(Protocol):
        """The fields of a `framework.Connection`."""

        conn_id: str | None
        conn_type: str | None
        host: str | None
        login: str | None
        password: str | None
        schema: str | None
        port: int | None

        @property
        def extra_dejson(self) -> dict[str, Any]: ...


#: `conn_type` -> SQLAlchemy's dialect and driver. Any other type is taken for the name of a dialect.
DIALECTS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "cockroachdb": "cockroachdb+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "mssql": "mssql+pyodbc",
    "oracle": "oracle+oracledb",
}
#: The drivers for asyncio, where the usual one has no asynchronous form.
ASYNC_DRIVERS = {"mysql": "aiomysql", "mariadb": "aiomysql", "sqlite": "aiosqlite", "mssql": "aioodbc"}
#: What Airflow's hooks read in `extra` and no driver knows.
_OF_HOOKS = frozenset(("sqlalchemy_scheme", "sqlalchemy_query", "cursor", "client", "iam", "aws_conn_id"))
#: What libpq passes on to the server.
_SETTINGS = ("application_name", "options")
_POSTGRES = ("postgresql", "cockroachdb")
#: Dialects whose URL has the schema behind what `extra` names: `trino://host/catalog/schema`.
_IN_PATH = {"snowflake": "database", "trino": "catalog", "presto": "catalog"}


def url_and_arguments(connection: Connection, driver: str | None = None) -> tuple[URL, dict[str, Any]]:
    """SQLAlchemy's URL, and the rest of `extra`: secrets and tables, as arguments for the driver's `connect`.

    Args:
        connection: its `conn_type` names the dialect; `extra` becomes the query, `sqlalchemy_scheme` in it names
            dialect and driver, and `sqlalchemy_query` is a table of more parameters, as in Airflow.
        driver: such as `asyncpg`, instead of the usual one.

    Raises:
        InvalidConnection: it has no type, or fields that such a URL cannot hold.
    """
    import sqlalchemy

    extra = connection.extra_dejson
    name = _drivername(connection, extra, driver)
    query, arguments = _query_and_arguments(connection, extra)
    fields: dict[str, Any] = {
        "username": connection.login or None,
        "password": connection.password,
        "host": connection.host or None,
        "port": connection.port,
        "database": connection.schema or None,
    }
    dialect, _, driver_name = name.partition("+")
    if dialect == "sqlite":
        path = connection.schema or connection.host or None
        fields = {"database": path}
    elif dialect in _IN_PATH:
        _put_in_path(fields, query, dialect)
    elif fields["host"] and fields["host"].startswith("/"):
        query["host" if dialect in _POSTGRES else "unix_socket"] = fields["host"]
        if dialect in _POSTGRES and fields["port"]:  # it is a part of the socket's name
            query["port"] = str(fields["port"])
        fields["host"] = fields["port"] = None
    elif fields["host"] and "," in fields["host"]:
        query["host"] = _several_hosts(connection, dialect)
        fields["host"] = fields["port"] = None
    if driver_name == "asyncpg":
        _name_as_asyncpg(query, arguments)
    return sqlalchemy.URL.create(name, query=query, **fields), arguments


def _name_as_asyncpg(query: dict[str, Any], arguments: dict[str, Any]) -> None:
    """Give asyncpg what psycopg takes by other names, so that one connection is for both."""
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    settings = {name: query.pop(name) for name in _SETTINGS if name in query}
    if settings:
        arguments["server_settings"] = {**settings, **(arguments.get("server_settings") or {})}
    seconds = query.get("connect_timeout")
    if isinstance(seconds, str) and seconds.isdecimal():
        del query["connect_timeout"]
        arguments["timeout"] = int(seconds) or None  # 0: without end


def url_alone(connection: Connection, driver: str | None = None) -> URL:
    """The URL of a connection that needs nothing beside it. Args and Raises: as `url_and_arguments`."""
    url, arguments = url_and_arguments(connection, driver)
    if arguments:
        raise InvalidConnection(
            f"a URL cannot hold {', '.join(map(repr, arguments))} of its extra, because it is a secret or a table",
            where=_place(connection),
            hint="Use framework.integrations.sqlalchemy.create_engine(app, conn_id), which gives them to the driver.",
        )
    return url


def _drivername(connection: Connection, extra: Mapping[str, object], driver: str | None) -> str:
    kind = connection.conn_type or ""
    name = extra.get("sqlalchemy_scheme") or DIALECTS.get(kind) or kind
    if not isinstance(name, str) or not name:
        what = "it has no conn_type" if not name else "sqlalchemy_scheme in its extra is not text"
        raise InvalidConnection(what, where=_place(connection), hint="Write for example postgres.")
    return f"{name.partition('+')[0]}+{driver}" if driver else name


def _query_and_arguments(connection: Connection, extra: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, Any]]:
    from framework.masking import should_hide_value_for_name

    more = extra.get("sqlalchemy_query") or {}
    if not isinstance(more, dict):
        what = "sqlalchemy_query in its extra is not a table"
        raise InvalidConnection(what, where=_place(connection), hint='Write {"sqlalchemy_query": {"name": "text"}}.')
    query: dict[str, Any] = {}
    arguments: dict[str, Any] = {}
    for name, value in {**extra, **more}.items():
        if value is None or name in _OF_HOOKS:
            continue
        text = None if should_hide_value_for_name(name) else _query_text(value)
        if text is None:
            arguments[name] = value
        else:
            query[name] = text
    return query, arguments


def _query_text(value: object) -> str | tuple[str, ...] | None:
    """A parameter as the query of a URL holds it; None for a table."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, (str, int, float)) for item in value):
        return tuple(str(item) for item in value)
    return None


def _put_in_path(fields: dict[str, object], query: dict[str, object], dialect: str) -> None:
    """Put what Airflow's connections have in `extra` where the URL of such a dialect has it."""
    first = query.pop(_IN_PATH[dialect], None)
    if first is not None:
        fields["database"] = f"{first}/{fields['database']}" if fields["database"] else first
    if dialect == "snowflake" and not fields["host"] and (account := query.pop("account", None)) is not None:
        region = query.pop("region", None)
        fields["host"] = f"{account}.{region}" if region else account


def _several_hosts(connection: Connection, dialect: str) -> tuple[str, ...]:
    """Every host with its port, as psycopg and asyncpg read them."""
    if dialect not in _POSTGRES:
        what = f"it has several hosts, and a URL of {dialect} has one"
        raise InvalidConnection(what, where=_place(connection), hint="Name one host.")
    port = f":{connection.port or 5432}"
    hosts = [host.strip() for host in (connection.host or "").split(",") if host.strip()]
    if any(host.count(":") > 1 for host in hosts):
        what = "it has several hosts, and one of them is an IPv6 address, which such a URL cannot hold"
        raise InvalidConnection(what, where=_place(connection), hint="Write names of hosts.")
    return tuple(host if ":" in host else host + port for host in hosts)


def _place(connection: Connection) -> str:
    return f"connection {connection.conn_id!r}" if connection.conn_id else "connection"

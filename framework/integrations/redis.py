"""Connections of Redis and Valkey clients that survive a rotation of their password.

    from framework.integrations.redis import connection_class

    pool = redis.ConnectionPool(connection_class=connection_class("cache", redis.Connection))
    client = redis.Redis(connection_pool=pool)

Neither client is imported here: the class to extend says which one it is.
"""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from framework import given
from framework.integrations.rotation import Rotating

if TYPE_CHECKING:
    from framework.app import App
    from framework.connection import Connection


def connection_class(
    conn_id: str, base: type | None = None, *, app: App | None = None, rotation_timeout: float = 10.0
) -> Any:
    """A class of connections that log in by the rule of rotation.

    Args:
        conn_id: the connection of the application. Its host (or the path of a socket), port and schema (the number of
            the database) count where the pool names none; its login and password always do.
        base: the class to extend: `Connection`, `SSLConnection` or `UnixDomainSocketConnection` of `redis`,
            `redis.asyncio`, `valkey` or `valkey.asyncio`. None: `redis.Connection`.
        app: whose connection it is; None: the current application's.
        rotation_timeout: how many seconds to search for a login that works.
    """
    if base is None:
        import redis

        base = redis.Connection
    if not isinstance(base, type) or not hasattr(base, "on_connect"):
        raise given.wrong(base, "base", "a class of connections", "For example redis.asyncio.Connection.")
    rotating = Rotating(conn_id, app, rotation_timeout)
    # redis-py retries `connect` as a whole, also after a refused login: here that is up to the rule.
    name = "connect_check_health" if hasattr(base, "connect_check_health") else "connect"
    connect: Any = getattr(base, name)
    first: Any = getattr(base, "__init__")  # noqa: B009 - mypy takes `base` for an instance

    def prepare(connection: Any, one: Connection) -> None:
        connection.username, connection.password = one.login or None, one.password
        connection.credential_provider = None  # it would win over them
        if "path" not in connection.named and hasattr(connection, "path") and one.host:
            connection.path = one.host
        if "host" not in connection.named and one.host:
            connection.host = one.host
        if "port" not in connection.named and one.port:
            connection.port = int(one.port)
        if "db" not in connection.named and one.schema:
            connection.db = int(one.schema)

    def init(connection: Any, *arguments: object, **options: Any) -> None:
        connection.named = options
        first(connection, *arguments, **options)

    methods: dict[str, Any] = {"__init__": init}
    if iscoroutinefunction(connect):

        async def alogin(connection: Any, **how: object) -> None:
            async def attempt(one: Connection) -> None:
                prepare(connection, one)
                await connect(connection, **how)

            if not connection.is_connected:
                await rotating.arun(attempt)

        methods |= {"connect": alogin, name: alogin}
    else:

        def login(connection: Any, **how: object) -> None:
            def attempt(one: Connection) -> None:
                prepare(connection, one)
                connect(connection, **how)

            if not connection._sock:
                rotating.run(attempt)

        methods |= {"connect": login, name: login}
    return type(base)(f"Rotating{base.__name__}", (base,), methods)

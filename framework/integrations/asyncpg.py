"""Connections of asyncpg that survive a rotation of their password.

from framework.integrations.asyncpg import connect

connection = await connect("warehouse")
pool = await asyncpg.create_pool("warehouse", connect=connect)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg

from framework.integrations.rotation import Rotating, driver_arguments

if TYPE_CHECKING:
    from framework.app import App
    from framework.connection import Connection

#: What SQLAlchemy's dialect reads for itself.
_OF_SQLALCHEMY = ("prepared_statement_cache_size", "prepared_statement_name_func", "async_fallback")


async def connect(conn_id: str, *, app: App | None = None, rotation_timeout: float = 10.0, **options: Any) -> Any:
    """`asyncpg.connect` for a connection of the application, by the rule of rotation.

    Args:
        conn_id: the connection, instead of the DSN.
        app: whose connection it is; None: the current application's.
        rotation_timeout: how many seconds to search for a login that works.
        options: what `asyncpg.connect` takes; they win over the connection's host, database and parameters.
    """

    async def attempt(one: Connection) -> object:
        made = driver_arguments(one, "asyncpg")
        login: dict[str, Any] = {name: made[name] for name in ("user", "password") if name in made}
        arguments: dict[str, Any] = {name: value for name, value in made.items() if name not in _OF_SQLALCHEMY}
        return await asyncpg.connect(**{**arguments, **options, **login})

    return await Rotating(conn_id, app, rotation_timeout).arun(attempt)

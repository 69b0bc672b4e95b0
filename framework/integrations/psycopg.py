"""Connections of psycopg that survive a rotation of their password.

from framework.integrations.psycopg import connection_class

pool = psycopg_pool.ConnectionPool(connection_class=connection_class("warehouse"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from framework.integrations.rotation import Rotating, driver_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from framework.app import App
    from framework.connection import Connection

Base = TypeVar("Base", bound="psycopg.Connection[Any] | psycopg.AsyncConnection[Any]")


def connection_class(
    conn_id: str,
    *,
    app: App | None = None,
    rotation_timeout: float = 10.0,
    base: type[Base] = psycopg.Connection,  # type: ignore[assignment]
) -> type[Base]:
    """A class whose `connect` logs in by the rule of rotation.

    Args:
        conn_id: the connection of the application. Its host, database and parameters count where the caller of
            `connect` names none; its login and password always do.
        app: whose connection it is; None: the current application's.
        rotation_timeout: how many seconds to search for a login that works.
        base: the class to extend, such as `psycopg.AsyncConnection`.
    """
    rotating = Rotating(conn_id, app, rotation_timeout)

    def arguments(one: Connection, conninfo: str, given: Mapping[str, object]) -> dict[str, Any]:
        named = {**conninfo_to_dict(conninfo), **given}
        made = {**driver_arguments(one, "psycopg"), **named}
        credentials = {"user": one.login or None, "password": one.password}
        return {**made, **{name: value for name, value in credentials.items() if value is not None}}

    if issubclass(base, psycopg.AsyncConnection):

        class Async(base):  # type: ignore[valid-type, misc]
            @classmethod
            async def connect(cls, conninfo: str = "", **given: Any) -> Any:
                connect = super().connect
                return await rotating.arun(lambda one: connect(**arguments(one, conninfo, given)))

        return Async

    class Sync(base):  # type: ignore[valid-type, misc]
        @classmethod
        def connect(cls, conninfo: str = "", **given: Any) -> Any:
            connect = super().connect
            return rotating.run(lambda one: connect(**arguments(one, conninfo, given)))

    return Sync

"""A service whose password is rotated: a real server, a store with the login, and clients of all drivers.

For the tests of `framework.integrations`, and for `benchmarks/rotation.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import servers
import sqlalchemy

from framework import App, BaseSecretsBackend, errors
from framework.chain.cache import Cache
from framework.chain.link import Link
from framework.integrations import rotation
from framework.integrations.sqlalchemy import create_async_engine, create_engine

#: Which side of a rotation changes first; or there are two users for a while.
ORDERS = ("store first", "server first", "both valid")

_numbers = itertools.count(1)


class Store(BaseSecretsBackend):
    """One connection, which a test changes, behind a link that keeps its answers."""

    def __init__(self, **fields: Any) -> None:
        self.fields, self.asked, self.is_down = fields, 0, False

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        self.asked += 1
        if self.is_down:
            raise errors.BackendUnavailable("it is down")
        return json.dumps(self.fields)


def app_over(store: Store, tmp_path: Path) -> App:
    class Over(App):
        def custom_links(self) -> list[Link]:
            return [Link("store", 1, lambda: store, cache=Cache(900, 60))]

    return Over("billing", home=tmp_path, environ={})


class Service:
    """A server with one user whose password can be changed, and a store that holds it.

    Attributes:
        refusals: counts logins with a wrong password, as the rule counts them.
    """

    def __init__(self, tmp_path: Path) -> None:
        self.user, self.number = f"rotated{next(_numbers)}", 0
        self.store = Store(**self.fields(), login=self.user, password=self.password(0))
        self.create(self.password(0))
        self.app = app_over(self.store, tmp_path)

    def password(self, number: int) -> str:
        return f"pass@w:rd/%?#{number}"

    def in_store(self) -> None:
        self.store.fields = {**self.store.fields, "password": self.password(self.number)}

    def in_server(self) -> None:
        self.change(self.password(self.number))

    def rotate(self, order: str, between: Callable[[], object]) -> None:
        """Change the password to the next one.

        Args:
            order: one of `ORDERS`.
            between: is called after the first side has changed; waits before the other one does.
        """
        self.number += 1
        if order == "store first":
            self.in_store()
            self.app.get_connection("books", max_age=0)
            between()
            self.in_server()
        elif order == "server first":
            self.in_server()
            between()
            self.in_store()
        else:
            self.user = f"{self.user}x"
            self.create(self.password(self.number))
            self.store.fields |= {"login": self.user, "password": self.password(self.number)}
            self.app.get_connection("books", max_age=0)

    def fields(self) -> dict[str, Any]:
        raise NotImplementedError

    def create(self, password: str) -> None:
        raise NotImplementedError

    def change(self, password: str) -> None:
        raise NotImplementedError

    def clients(self) -> dict[str, Callable[[], Callable[[], object]]]:
        """Name -> makes a client; that is a function which logs in anew and asks something."""
        raise NotImplementedError

    @property
    def login(self) -> rotation.Login:
        return rotation._logins[self.app]["books"]


class Database(Service):
    kind = ""
    drivers: tuple[str, ...] = ()

    def __init__(self, tmp_path: Path) -> None:
        self.server = servers.server(self.kind)
        super().__init__(tmp_path)

    def clients(self) -> dict[str, Callable[[], Callable[[], object]]]:
        def synchronous() -> Callable[[], object]:
            engine = create_engine(self.app, "books", poolclass=sqlalchemy.NullPool)

            def ask() -> object:
                with engine.connect() as connection:
                    return connection.execute(sqlalchemy.text("SELECT 42")).scalar()

            return ask

        def asynchronous(driver: str) -> Callable[[], object]:
            engine = create_async_engine(self.app, "books", driver=driver, poolclass=sqlalchemy.NullPool)

            async def ask() -> object:
                async with engine.connect() as connection:
                    return (await connection.execute(sqlalchemy.text("SELECT 42"))).scalar()

            return lambda: asyncio.run(ask())

        return {
            "sqlalchemy": synchronous,
            **{f"sqlalchemy {driver}": partial(asynchronous, driver) for driver in self.drivers},
        }


class PostgreSQL(Database):
    kind, drivers = "postgresql", ("psycopg", "asyncpg")

    def fields(self) -> dict[str, Any]:
        return {"conn_type": "postgres", "host": "127.0.0.1", "port": self.server.port, "schema": "postgres"}

    def create(self, password: str) -> None:
        self.server.execute(f"CREATE ROLE {self.user} LOGIN PASSWORD '{password}'")

    def change(self, password: str) -> None:
        self.server.execute(f"ALTER ROLE {self.user} PASSWORD '{password}'")

    def clients(self) -> dict[str, Callable[[], Callable[[], object]]]:
        def psycopg_alone() -> Callable[[], object]:
            from framework.integrations.psycopg import connection_class

            made: Any = connection_class("books", app=self.app)

            def ask() -> object:
                with made.connect() as connection:
                    return connection.execute("SELECT 42").fetchone()[0]

            return ask

        def psycopg_async() -> Callable[[], object]:
            import psycopg

            from framework.integrations.psycopg import connection_class

            made = connection_class("books", app=self.app, base=psycopg.AsyncConnection)

            async def ask() -> object:
                async with await made.connect() as connection:
                    return (await (await connection.execute("SELECT 42")).fetchone())[0]  # type: ignore[index]

            return lambda: asyncio.run(ask())

        def asyncpg_alone() -> Callable[[], object]:
            from framework.integrations.asyncpg import connect

            async def ask() -> object:
                connection = await connect("books", app=self.app)
                try:
                    return await connection.fetchval("SELECT 42")
                finally:
                    await connection.close()

            return lambda: asyncio.run(ask())

        more = {"psycopg": psycopg_alone, "psycopg async": psycopg_async, "asyncpg": asyncpg_alone}
        return {**super().clients(), **more}


class MariaDB(Database):
    kind, drivers = "mysql", ("aiomysql",)

    def fields(self) -> dict[str, Any]:
        return {"conn_type": "mysql", "host": "127.0.0.1", "port": self.server.port}

    def create(self, password: str) -> None:
        self.server.execute(f"CREATE USER '{self.user}'@'%' IDENTIFIED BY '{password}'".replace("%?", "%%?"[1:]))

    def change(self, password: str) -> None:
        self.server.execute(f"ALTER USER '{self.user}'@'%' IDENTIFIED BY '{password}'")


class Valkey(Service):
    def __init__(self, tmp_path: Path, port: int) -> None:
        import redis

        self.port = port
        self.admin = redis.Redis(port=port)
        super().__init__(tmp_path)

    def fields(self) -> dict[str, Any]:
        return {"conn_type": "redis", "host": "127.0.0.1", "port": self.port, "schema": "1"}

    def create(self, password: str) -> None:
        self.admin.acl_setuser(self.user, enabled=True, passwords=[f"+{password}"], keys="*", commands=["+@all"])

    def change(self, password: str) -> None:
        self.admin.acl_setuser(self.user, enabled=True, reset_passwords=True, passwords=[f"+{password}"])

    def clients(self) -> dict[str, Callable[[], Callable[[], object]]]:
        from framework.integrations.redis import connection_class

        def synchronous(module: Any, name: str) -> Callable[[], object]:
            made = connection_class("books", module.Connection, app=self.app)

            def ask() -> object:
                client = getattr(module, name)(connection_pool=module.ConnectionPool(connection_class=made))
                try:
                    return 42 if str(client.client_info()["db"]) == "1" else "another database"
                finally:
                    client.connection_pool.disconnect()

            return ask

        def asynchronous(module: Any, name: str) -> Callable[[], object]:
            made = connection_class("books", module.Connection, app=self.app)

            async def ask() -> object:
                client = getattr(module, name)(connection_pool=module.ConnectionPool(connection_class=made))
                try:
                    return 42 if await client.ping() else None
                finally:
                    await client.connection_pool.disconnect()

            return lambda: asyncio.run(ask())

        import redis
        import redis.asyncio
        import valkey
        import valkey.asyncio

        return {
            "redis": lambda: synchronous(redis, "Redis"),
            "redis async": lambda: asynchronous(redis.asyncio, "Redis"),
            "valkey": lambda: synchronous(valkey, "Valkey"),
            "valkey async": lambda: asynchronous(valkey.asyncio, "Valkey"),
        }


@contextlib.contextmanager
def service_of(kind: str, tmp_path: Path) -> Iterator[Service]:
    if kind == "valkey":
        with servers.valkey(tmp_path) as port:
            yield Valkey(tmp_path, port)
    else:
        yield {"postgresql": PostgreSQL, "mysql": MariaDB}[kind](tmp_path)


CLIENTS = {
    "postgresql": ("sqlalchemy", "sqlalchemy psycopg", "sqlalchemy asyncpg", "psycopg", "psycopg async", "asyncpg"),
    "mysql": ("sqlalchemy", "sqlalchemy aiomysql"),
    "valkey": ("redis", "redis async", "valkey", "valkey async"),
}

"""Passwords that are rotated while services run: real servers, real drivers, and nobody notices."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy
from patience import GUARD, until
from rotating import CLIENTS, ORDERS, PostgreSQL, Store, Valkey, app_over, service_of

from framework import errors
from framework.integrations import rotation
from framework.integrations.sqlalchemy import attach, create_engine

EACH = [(kind, client) for kind, clients in CLIENTS.items() for client in clients]


@pytest.mark.parametrize("kind, client", EACH)
def test_a_client_logs_in_whichever_side_changes_first(kind: str, client: str, tmp_path: Path) -> None:
    with service_of(kind, tmp_path) as service:
        ask = service.clients()[client]()
        assert ask() == 42
        # The store first: what is fresh does not work yet, and what worked last does.
        service.number = 1
        service.in_store()
        service.app.get_connection("books", max_age=0)
        assert ask() == 42
        refused = service.login.refused
        assert refused <= 1
        service.in_server()
        assert ask() == 42
        # The server first: the search waits for the store.
        service.number = 2
        service.in_server()
        asked = service.store.asked
        late = threading.Thread(target=lambda: (until(lambda: service.store.asked > asked), service.in_store()))
        late.start()
        assert ask() == 42
        late.join(GUARD)
        # Both before the first question: one refused login, and one read of the store.
        service.number, refused, asked = 3, service.login.refused, service.store.asked
        service.in_store()
        service.in_server()
        assert ask() == 42
        assert (service.login.refused - refused, service.store.asked - asked) == (1, 1)
        # The store is down: what worked last still works.
        service.store.is_down = True
        service.app.chain.links[0].cache._kept.clear()
        assert ask() == 42


class Load:
    """Threads that ask again and again while the block lasts.

    Args:
        ask: gives 42.
        requests: `some_requests` waits until each thread has had more than a number of answers.
    """

    def __init__(self, ask: Callable[[], object], *, threads: int, requests: int) -> None:
        self._ask, self._requests, self._is_over = ask, requests, threading.Event()
        self._done, self.faults = [0] * threads, list[Exception]()
        self._threads = [threading.Thread(target=self._client, args=(number,)) for number in range(threads)]

    def _client(self, number: int) -> None:
        while not self._is_over.is_set():
            try:
                assert self._ask() == 42
            except Exception as fault:
                self.faults.append(fault)
            self._done[number] += 1

    def some_requests(self) -> None:
        before, more = list(self._done), self._requests
        until(lambda: self.faults or all(now > then + more for now, then in zip(self._done, before, strict=True)))

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(GUARD)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", CLIENTS)
def test_under_load_no_request_fails(kind: str, order: str, tmp_path: Path) -> None:
    """Eight threads log in again and again through three rotations, in each of which both sides take their time."""
    with service_of(kind, tmp_path) as service:
        ask = next(iter(service.clients().values()))()
        with Load(ask, threads=8, requests=1) as load:
            load.some_requests()
            for _ in range(3):
                searches = service.login.searches

                def other_side_is_asked(searches: int = searches) -> None:
                    if order == "server first":
                        until(lambda: service.login.searches > searches)
                    else:
                        load.some_requests()

                service.rotate(order, other_side_is_asked)
                load.some_requests()
        assert load.faults == []
        # All eight may be logging in when the server changes. What was never accepted is tried by one.
        assert service.login.refused <= 3 * (8 + 3)


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_login_that_never_works_ends_with_the_error_of_the_server(kind: str, tmp_path: Path) -> None:
    with service_of(kind, tmp_path) as service:
        service.number = 1
        service.in_server()
        made = rotation.Rotating("books", service.app, 0.2)
        tried: list[str] = []
        import psycopg

        def attempt(one: Any) -> None:
            tried.append(one.password)
            if kind == "postgresql":
                psycopg.connect(host="127.0.0.1", port=service.server.port, user=one.login, password=one.password)  # type: ignore[attr-defined]
            elif kind == "mysql":
                import pymysql

                pymysql.connect(host="127.0.0.1", port=service.server.port, user=one.login, password=one.password)  # type: ignore[attr-defined]
            else:
                import redis

                redis.Redis(port=service.port, username=one.login, password=one.password).ping()  # type: ignore[attr-defined]

        with pytest.raises(Exception, match=r"(?i)password|access denied|invalid") as caught:
            made.run(attempt)
        assert rotation.is_refused(caught.value)
        assert service.password(0) not in str(caught.value)
        assert len(tried) <= 3, "a refused login is not repeated at once"


class Refused(Exception):
    sqlstate = "28P01"


def refusing(service: Any, tried: list[Any]) -> Callable[[Any], str]:
    def attempt(one: Any) -> str:
        tried.append(one.password)
        if one.password != service.valid:
            raise Refused("password authentication failed")
        return f"in as {one.password}"

    return attempt


class Memory:
    """A server in memory that knows one password."""

    def __init__(self, tmp_path: Path) -> None:
        self.valid = "p0"
        self.store = Store(conn_type="postgres", login="me", password="p0")
        self.app = app_over(self.store, tmp_path)


def test_one_thread_searches_and_the_others_use_what_it_finds(tmp_path: Path) -> None:
    service, tried = Memory(tmp_path), list[Any]()
    made = rotation.Rotating("books", service.app, GUARD)
    attempt = refusing(service, tried)
    assert made.run(attempt) == "in as p0"
    service.valid = "p1"
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(made.run(attempt))) for _ in range(20)]
    for thread in threads:
        thread.start()
    until(lambda: service.store.asked > 2)  # the search has begun
    service.store.fields["password"] = "p1"
    for thread in threads:
        thread.join(GUARD)
    assert answers == ["in as p1"] * 20
    assert made.login.searches == 1


def test_what_is_not_a_refusal_is_raised_at_once(tmp_path: Path) -> None:
    service = Memory(tmp_path)
    made = rotation.Rotating("books", service.app, GUARD)

    def attempt(one: Any) -> None:
        raise OSError("connection refused")

    with pytest.raises(OSError, match="connection refused"):
        made.run(attempt)
    assert (service.store.asked, made.login.refused) == (1, 0)


def test_another_reason_than_the_password_is_raised_at_once(tmp_path: Path) -> None:
    with service_of("postgresql", tmp_path) as service:
        assert isinstance(service, PostgreSQL)
        ask = service.clients()["psycopg"]()
        assert ask() == 42
        asked = service.store.asked
        service.server.execute(f"ALTER ROLE {service.user} CONNECTION LIMIT 0")
        with pytest.raises(psycopg.OperationalError, match="too many connections"):
            ask()
        service.server.execute(f"ALTER ROLE {service.user} CONNECTION LIMIT -1")
        service.store.fields["schema"] = "nowhere"
        service.app.get_connection("books", max_age=0)
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            ask()
        assert (service.store.asked, service.login.refused) == (asked + 1, 0)


def test_a_store_that_fails_is_reported_if_no_login_is_known(tmp_path: Path) -> None:
    service = Memory(tmp_path)
    service.store.is_down = True
    with pytest.raises(errors.BackendUnavailable, match="it is down"):
        rotation.Rotating("books", service.app, GUARD).run(refusing(service, []))


def test_a_search_that_is_cancelled_lets_another_one_begin(tmp_path: Path) -> None:
    service, tried = Memory(tmp_path), list[Any]()
    service.valid = "unknown"
    made = rotation.Rotating("books", service.app, GUARD)

    async def attempt(one: Any) -> str:
        return refusing(service, tried)(one)

    async def cancelled() -> None:
        task = asyncio.create_task(made.arun(attempt))
        while not made.login._is_searched:
            await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert not made.login._is_searched
    service.valid = service.store.fields["password"] = "p1"
    assert asyncio.run(made.arun(attempt)) == "in as p1"


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_of_a_fork_searches_for_itself(tmp_path: Path) -> None:
    service, tried = Memory(tmp_path), list[Any]()
    service.valid = "p1"
    made = rotation.Rotating("books", service.app, GUARD)
    thread = threading.Thread(target=lambda: made.run(refusing(service, tried)))
    thread.start()
    until(lambda: made.login._is_searched)
    child = os.fork()
    if child == 0:
        service.store.fields["password"] = "p1"
        os._exit(0 if made.run(refusing(service, tried)) == "in as p1" else 1)
    assert os.waitpid(child, 0)[1] == 0
    service.store.fields["password"] = "p1"
    thread.join(GUARD)


# Engines and pools


def test_an_engine_that_exists_is_attached(tmp_path: Path) -> None:
    with service_of("postgresql", tmp_path) as service:
        url = sqlalchemy.URL.create(
            "postgresql+psycopg",
            "nobody",
            "wrong",
            "127.0.0.1",
            service.server.port,
            "postgres",  # type: ignore[attr-defined]
        )
        engine = sqlalchemy.create_engine(url, pool_size=2)
        attach(engine, "books", app=service.app, rotation_timeout=GUARD)
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("SELECT current_user")).scalar() == service.user
        engine.dispose()


def test_listeners_of_the_application_are_asked_as_well(tmp_path: Path) -> None:
    with service_of("postgresql", tmp_path) as service:
        engine = create_engine(service.app, "books", poolclass=sqlalchemy.NullPool)
        seen: list[Any] = []

        @sqlalchemy.event.listens_for(engine, "do_connect")
        def changes(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> None:
            seen.append(1)
            options["application_name"] = "by a listener"

        name = sqlalchemy.text("SELECT current_setting('application_name')")
        with engine.connect() as connection:
            assert connection.execute(name).scalar() == "by a listener"
        assert seen == [1]

        @sqlalchemy.event.listens_for(engine, "do_connect")
        def has_its_own(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> None:
            options["password"] = "a token of its own"

        with pytest.raises(sqlalchemy.exc.OperationalError), engine.connect():
            pass
        assert service.login.refused == 0


def test_what_cannot_be_attached(tmp_path: Path) -> None:
    app = Memory(tmp_path).app
    with pytest.raises(errors.InvalidArgument, match="engine"):
        attach("sqlite://", "books", app=app)  # type: ignore[arg-type]
    attach(sqlalchemy.create_engine("sqlite://"), "books", app=app)
    with pytest.raises(errors.InvalidConnection, match="creator="):
        attach(sqlalchemy.create_engine("postgresql+psycopg://", creator=psycopg.connect), "books", app=app)
    with pytest.raises(errors.InvalidArgument, match="rotation_timeout"):
        attach(sqlalchemy.create_engine("sqlite://"), "books", app=app, rotation_timeout=0)


def test_pools_log_in_by_the_rule(tmp_path: Path) -> None:
    psycopg_pool = pytest.importorskip("psycopg_pool")
    import asyncpg

    from framework.integrations.asyncpg import connect
    from framework.integrations.psycopg import connection_class

    with service_of("postgresql", tmp_path) as service:
        with psycopg_pool.ConnectionPool(
            connection_class=connection_class("books", app=service.app), min_size=1, max_size=2
        ) as pool:
            service.number = 1
            service.in_store()
            service.in_server()
            with pool.connection() as one, pool.connection() as two:
                assert one.execute("SELECT 42").fetchone() == two.execute("SELECT 42").fetchone() == (42,)

        async def ask() -> Any:
            async with asyncpg.create_pool("books", connect=connect, app=service.app, min_size=1, max_size=2) as pool:
                service.number = 2
                service.in_store()
                service.in_server()
                async with pool.acquire() as one, pool.acquire() as two:
                    return await one.fetchval("SELECT 40") + await two.fetchval("SELECT 2")

        assert asyncio.run(ask()) == 42


@pytest.mark.external
def test_every_class_of_redis_connections_logs_in_by_the_rule(tmp_path: Path) -> None:
    import redis.asyncio
    from servers import valkey

    from framework.integrations.redis import connection_class

    path = str(tmp_path / "socket")
    with valkey(tmp_path, "--unixsocket", path) as port:
        service = Valkey(tmp_path, port)
        service.store.fields["host"] = path
        made = connection_class("books", redis.asyncio.UnixDomainSocketConnection, app=service.app)

        async def ask() -> Any:
            client = redis.asyncio.Redis(connection_pool=redis.asyncio.ConnectionPool(connection_class=made))
            try:
                return await client.ping()
            finally:
                await client.connection_pool.disconnect()

        assert asyncio.run(ask())
        service.number = 1
        service.in_store()
        service.in_server()
        assert asyncio.run(ask())
        wrong = redis.UsernamePasswordCredentialProvider("somebody", "wrong")
        made = connection_class("books", redis.Connection, app=service.app)
        pool = redis.ConnectionPool(connection_class=made, host="127.0.0.1", credential_provider=wrong)
        assert redis.Redis(connection_pool=pool).ping()
        pool.disconnect()


# httpx


@pytest.fixture
def site() -> Iterator[Any]:
    class Handler(BaseHTTPRequestHandler):
        valid, seen = "", list[str]()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b""
            sent = self.headers.get("Authorization", "")
            Handler.seen.append(sent)
            self.send_response(200 if sent == Handler.valid else 401)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    Handler.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Handler.url = f"http://127.0.0.1:{server.server_port}/"  # type: ignore[attr-defined]
    yield Handler
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("is_async", [False, True])
def test_a_request_is_repeated_once_with_the_new_password(is_async: bool, site: Any, tmp_path: Path) -> None:
    httpx = pytest.importorskip("httpx")
    from framework.integrations.httpx import Auth

    service = Memory(tmp_path)
    auth = Auth("books", app=service.app, scheme="bearer")

    def post(content: Any = b"body") -> Any:
        if not is_async:
            with httpx.Client(auth=auth) as client:
                return client.post(site.url, content=content)

        async def send() -> Any:
            async with httpx.AsyncClient(auth=auth) as client:
                return await client.post(site.url, content=content)

        return asyncio.run(send())

    site.valid = "Bearer p0"
    assert post().status_code == 200
    site.valid, service.store.fields["password"] = "Bearer p1", "p1"
    answer = post()
    assert (answer.status_code, answer.content) == (200, b"body")
    assert site.seen == ["Bearer p0", "Bearer p0", "Bearer p1"]
    site.valid = "Bearer p2"
    assert post().status_code == 401, "the store has nothing else"
    assert len(site.seen) == 4
    site.valid, service.store.is_down = "Bearer p1", True
    service.app.chain.links[0].cache._kept.clear()
    assert post().status_code == 200, "what worked last is used"
    with pytest.raises(errors.BackendUnavailable, match="it is down"):
        httpx.get(site.url, auth=Auth("others", app=service.app))


def test_a_stream_is_not_sent_twice_and_a_login_makes_it_basic(site: Any, tmp_path: Path) -> None:
    httpx = pytest.importorskip("httpx")
    from framework.integrations.httpx import Auth

    service = Memory(tmp_path)
    site.valid, service.store.fields["password"] = "nothing", "p:1"
    with httpx.Client(auth=Auth("books", app=service.app)) as client:
        assert client.post(site.url, content=iter([b"a", b"b"])).status_code == 401
    (sent,) = site.seen
    assert b64decode(sent.removeprefix("Basic ")) == b"me:p:1"
    with pytest.raises(errors.InvalidArgument, match="scheme"):
        Auth("books", app=service.app, scheme="digest")

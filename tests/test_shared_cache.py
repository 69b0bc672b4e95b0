"""The shared cache on a real Valkey: what is asked of the store, what is trusted, and what can be seen."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.backoff
import redis.retry
from cryptography.fernet import Fernet
from patience import GUARD, PATIENT_SHOP, Clock, in_threads, until
from servers import free_port, valkey

from framework import App, BaseSecretsBackend, Connection, errors
from framework.chain.sealed import Sealed

KEY = Fernet.generate_key().decode()
PASSWORD = "canary-password-of-the-cache"


class Ledger(BaseSecretsBackend):
    """A remote store in this process, which counts what it is asked.

    Attributes:
        rows: (kind, name) -> the value, or the error that it raises.
        asked: the names of each call.
        wait: called in the middle of each call.
    """

    rows: dict[tuple[str, str], Any] = {}
    asked: list[list[str]] = []
    wait: Callable[[], object] = staticmethod(lambda: None)

    def __init__(self, who: str = "", batch: bool = True) -> None:
        self.who = who
        self.batch_size = None if batch else 1

    def identity(self) -> str | None:
        return self.who

    def _row(self, kind: str, name: str) -> Any:
        value = Ledger.rows.get((kind, name))
        if isinstance(value, Exception):
            raise value
        if self.who == "denied":
            raise errors.AccessDenied("no", where=name)
        return value

    def _one(self, kind: str, name: str) -> Any:
        Ledger.asked.append([name])
        Ledger.wait()
        return self._row(kind, name)

    def get_connection(self, conn_id: str, team_name: str | None = None) -> Any:
        return self._one("connection", conn_id)

    def get_variable(self, key: str, team_name: str | None = None) -> Any:
        return self._one("variable", key)

    def get_config(self, key: str) -> Any:
        return self._one("config", key)

    def get_many(self, kind: str, names: Any) -> Any:
        names = list(names)
        Ledger.asked.append(names)
        Ledger.wait()
        found = {}
        for name in names:
            try:
                found[name] = self._row(kind, name)
            except errors.SecretsError as fault:
                found[name] = fault
        return {name: value for name, value in found.items() if value is not None}


class Silent(Ledger):
    """A backend that does not name its principal."""

    def identity(self) -> str | None:
        return None


class Plain(BaseSecretsBackend):
    """A backend from before there was a shared cache."""

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        return "x"


class Local(Ledger):
    remote = False


@pytest.fixture(autouse=True)
def ledger() -> type[Ledger]:
    Ledger.rows, Ledger.asked = {}, []
    Ledger.wait = staticmethod(lambda: None)
    return Ledger


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with valkey(tmp_path_factory.mktemp("valkey")) as port:
        yield port


@pytest.fixture
def port(server: int) -> int:
    redis.Redis(port=server).flushall()
    return server


def application(
    home: Path, url: str, backend: str = "Ledger", kwargs: Any = None, *, access_log: Any = None, **options: Any
) -> App:
    """One process of a fleet: its chain, caches and connections are its own."""
    environ = {
        "SHOP__SECRETS__BACKEND": f"test_shared_cache.{backend}",
        "SHOP__SECRETS__BACKEND_KWARGS": json.dumps(kwargs or {}),
        "SHOP__SECRETS__SHARED_CACHE_URL": url,
        "SHOP__SECRETS__SHARED_CACHE_KEY": KEY,
        **PATIENT_SHOP,
        **{f"SHOP__SECRETS__{name.upper()}": str(value) for name, value in options.items()},
    }
    return App("shop", home=home, environ=environ, access_log=access_log)


@pytest.fixture
def make(tmp_path: Path, port: int) -> Callable[..., App]:
    return lambda *given, **more: application(tmp_path, f"redis://127.0.0.1:{port}/0", *given, **more)


def shared(app: App) -> dict[str, int]:
    return {name: number for name, number in app.stats()[0].items() if name.startswith("shared")}


# What is shared


def test_a_connection_a_variable_and_a_secret_are_asked_for_once(make: Callable[..., App]) -> None:
    warehouse = Connection("w", "postgres", host="h", login="u", password="p", port=5432, extra={"a": [1, None]})
    Ledger.rows = {("connection", "w"): warehouse, ("variable", "v"): {"deep": [1]}, ("config", "s"): "text ✓"}
    for _ in range(3):
        app = make()
        assert app.get_connection("w") == warehouse
        assert app.get_variable("v") == {"deep": [1]}
        assert app.chain.config("s")[0] == "text ✓"
    assert sorted(map(tuple, Ledger.asked)) == [("s",), ("v",), ("w",)]
    assert shared(app) == {"shared hits": 3, "shared misses": 0, "shared faults": 0}
    assert app.stats()[0]["calls"] == 0


def test_absence_is_shared_and_failures_are_not(make: Callable[..., App]) -> None:
    Ledger.rows = {
        ("variable", "denied"): errors.AccessDenied("no"),
        ("variable", "down"): errors.BackendUnavailable("x"),
    }
    for _ in range(2):
        app = make()
        assert app.get_variable("nowhere", default="default") == "default"
        for name, error in (("denied", errors.AccessDenied), ("down", errors.BackendUnavailable)):
            with pytest.raises(error):
                app.get_variable(name)
    assert [name for names in Ledger.asked for name in names] == ["nowhere", "denied", "down", "denied", "down"]


def test_who_is_denied_never_reads_what_another_fetched(make: Callable[..., App]) -> None:
    Ledger.rows = {("config", "s"): "secret"}
    assert make(kwargs={"who": "allowed"}).chain.config("s")[0] == "secret"
    with pytest.raises(errors.AccessDenied):
        make(kwargs={"who": "denied"}).chain.config("s")
    assert make(kwargs={"who": "allowed"}).chain.config("s")[0] == "secret"
    assert len(Ledger.asked) == 2


def test_versions_kinds_kwargs_and_applications_are_kept_apart(make: Callable[..., App]) -> None:
    Ledger.rows = {("config", "x"): "secret", ("variable", "x"): "variable"}
    assert make().chain.config("x")[0] == "secret"
    assert make().get_variable("x") == "variable"
    Ledger.rows["config", "x"] = "of other kwargs"
    assert make(kwargs={"batch": False}).chain.config("x")[0] == "of other kwargs"


def test_local_links_do_not_use_it(make: Callable[..., App], port: int) -> None:
    Ledger.rows = {("variable", "v"): "x"}
    assert make("Local").get_variable("v") == "x"
    assert redis.Redis(port=port).keys("*") == []


def test_an_answer_of_another_class_is_not_shared(make: Callable[..., App], port: int) -> None:
    class Issued(Connection):
        """As of a lease: it ends before the cache's time."""

    Ledger.rows = {("connection", "w"): Issued("w", "postgres", login="u", password="p")}
    for _ in range(2):
        assert make().get_connection("w").login == "u"
    assert len(Ledger.asked) == 2
    assert redis.Redis(port=port).keys("*") == []


def test_a_backend_that_does_not_say_who_asks_is_not_shared(make: Callable[..., App], port: int) -> None:
    Ledger.rows = {("variable", "v"): "x"}
    with pytest.warns(UserWarning, match="nothing is shared, because Silent does not name its principal") as warned:
        app = make("Silent")
        assert app.get_variable("v") == "x" and app.get_variable("other", default=1) == 1
    assert len(warned) == 1
    assert redis.Redis(port=port).keys("*") == []


def test_max_age_passes_it_and_writes_the_fresh_value(make: Callable[..., App]) -> None:
    Ledger.rows = {("variable", "v"): "old"}
    app = make()
    assert app.get_variable("v") == "old"
    Ledger.rows = {("variable", "v"): "new"}
    assert make().get_variable("v") == "old"
    assert app.get_variable("v", max_age=0) == "new"
    assert make().get_variable("v") == "new"
    assert len(Ledger.asked) == 2


def test_a_fleet_that_reads_an_option_first_after_a_refresh_asks_once(make: Callable[..., App]) -> None:
    Ledger.rows = {("config", "k"): "old"}
    override = {("s", "password_secret"): "k"}

    def read(app: App) -> str:
        with app.conf.override(override):
            return app.conf.get("s", "password")

    assert read(make()) == "old"
    Ledger.rows = {("config", "k"): "new"}
    fleet = [make() for _ in range(3)]
    for app in fleet:
        assert app.refresh() == {}
    assert [read(app) for app in fleet] == ["new"] * 3
    assert len(Ledger.asked) == 2


def test_an_answer_is_as_old_here_as_it_is_there(
    make: Callable[..., App], clock_of_entries: Callable[[float], None]
) -> None:
    Ledger.rows = {("variable", "v"): "x"}
    make().get_variable("v")
    clock_of_entries(600)
    app = make()
    app.get_variable("v")
    assert 599 < app.chain.custom[0].cache.age(("variable", "v", None)) < 700  # type: ignore[operator]
    clock_of_entries(500)  # older than the time to live
    make().get_variable("v")
    assert len(Ledger.asked) == 2


@pytest.fixture
def clock_of_entries(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets this many seconds pass for the entries."""
    now = [time.time()]
    monkeypatch.setattr("framework.chain.shared.time", lambda: now[0])

    def go_on(seconds: float) -> None:
        now[0] += seconds

    return go_on


def test_threads_ask_once_and_tasks_too(make: Callable[..., App]) -> None:
    Ledger.rows = {("variable", f"v{number}"): number for number in range(20)}
    apps = [make() for _ in range(4)]
    in_threads(lambda: [app.get_variable(f"v{number}") for app in apps for number in range(20)], 6)
    assert len(Ledger.asked) == 20

    async def read(app: App) -> list[Any]:
        return await asyncio.gather(*(app.aget_variable(f"v{number}") for number in range(20)))

    assert asyncio.run(read(make())) == list(range(20))
    assert len(Ledger.asked) == 20


def test_a_child_of_a_fork_has_a_connection_of_its_own(make: Callable[..., App], port: int) -> None:
    Ledger.rows = {("variable", "a"): "A", ("variable", "b"): "B"}
    make().get_variable("b")
    app = make()
    app.get_variable("a")
    server = app.chain.custom[0].shared_cache()._server  # type: ignore[union-attr]
    with server:  # a connection is open
        server.run(lambda client: client.ping())
        child = os.fork()
        if not child:
            status = 1
            try:
                status = 0 if app.get_variable("b") == "B" and app.get_variable("a") == "A" else 2
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert server.run(lambda client: client.ping())


def test_no_connection_stays_open(make: Callable[..., App], port: int) -> None:
    make().get_variable("v", default=None)
    admin = redis.Redis(port=port)
    until(lambda: len(admin.client_list()) == 1)


def test_while_one_process_asks_the_others_wait_for_it(make: Callable[..., App]) -> None:
    Ledger.rows = {("variable", "v"): "x"}
    asked, go = threading.Event(), threading.Event()
    Ledger.wait = staticmethod(lambda: asked.set() or go.wait(GUARD))
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(make().get_variable("v"))) for _ in range(8)]
    threads[0].start()
    assert asked.wait(GUARD)
    for thread in threads[1:]:
        thread.start()
    time.sleep(0.1)  # the others look at least once
    go.set()
    for thread in threads:
        thread.join()
    assert found == ["x"] * 8
    assert len(Ledger.asked) == 1


def test_a_process_that_dies_while_it_asks_is_not_waited_for_longer_than_its_lease(
    make: Callable[..., App], port: int
) -> None:
    Ledger.rows = {("variable", "v"): "x"}
    app = make()
    lease(redis.Redis(port=port), app, seconds=0.2)
    assert app.get_variable("v") == "x"
    assert len(Ledger.asked) == 1
    assert shared(app)["shared faults"] == 0


def lease(client: redis.Redis, app: App, seconds: float) -> None:
    """As if another process had begun to ask for the variable `v`."""
    client.set(f"{entry(app, 'v')}:lease", sealed(app).lease(V, "asking"), px=int(seconds * 1000))


def test_a_lease_is_renewed_while_its_holder_asks(
    make: Callable[..., App], port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from framework.chain.server import Server

    Ledger.rows = {("variable", "v"): "x"}
    app, renewed, renew = make(shared_cache_lease_seconds=0.3), threading.Semaphore(0), Server.renew

    def counted(self: Server, leases: dict[str, bytes], seconds: float) -> None:
        renew(self, leases, seconds)
        renewed.release()

    monkeypatch.setattr(Server, "renew", counted)
    Ledger.wait = staticmethod(lambda: [renewed.acquire(timeout=GUARD) for _ in range(5)])
    assert app.get_variable("v") == "x"
    client = redis.Redis(port=port)
    assert client.keys("*:lease") == []
    lease(client, app, seconds=60)
    server = app.chain.custom[0].shared_cache()._server  # type: ignore[union-attr]
    names = {f"{entry(app, 'v')}:lease": b"asks", "given-back": b"asks"}
    server.renew(names, 600)
    assert client.pttl(f"{entry(app, 'v')}:lease") > 500_000
    assert not client.exists("given-back")


def test_where_no_thread_can_be_started_the_lease_is_not_renewed(
    make: Callable[..., App], port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    Ledger.rows, app = {("variable", "v"): "x", ("variable", "w"): "y"}, make()
    assert app.get_variable("w") == "y"  # its threads are there

    def refuse(work: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("framework.chain.runner.start_thread", refuse)
    assert app.get_variable("v") == "x"
    assert redis.Redis(port=port).keys("*:lease") == []


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it would have waited for other processes, pause by pause."""
    found: list[float] = []
    monkeypatch.setattr("framework.chain.shared.sleep", found.append)
    return found


def test_the_waiting_ends_after_three_turns_and_costs_one_read_for_each_pause(
    make: Callable[..., App], port: int, pauses: list[float]
) -> None:
    Ledger.rows = {("variable", "v"): "x"}
    app, client = make(shared_cache_wait_seconds=5), redis.Redis(port=port)
    lease(client, app, seconds=600)
    client.config_resetstat()
    assert app.get_variable("v") == "x"
    assert 15 <= sum(pauses) <= 15.25
    calls = {name: stats["calls"] for name, stats in client.info("commandstats").items()}
    assert calls["cmdstat_set"] <= 2  # the lease at first, the entry in the end
    assert calls["cmdstat_mget"] <= len(pauses) + 4


def test_the_waiting_leaves_the_store_half_of_the_time(
    tmp_path: Path, port: int, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framework.chain.shared.monotonic", lambda: time.monotonic() + sum(pauses))
    Ledger.rows = {("config", name): f"value of {name}" for name in "ab"}
    schema = {"web": {"options": {name: {"type": "string", "sensitive": True} for name in "ab"}}}
    environ = {
        "SHOP__SECRETS__BACKEND": "test_shared_cache.Ledger",
        "SHOP__SECRETS__SHARED_CACHE_URL": f"redis://127.0.0.1:{port}/0",
        "SHOP__SECRETS__SHARED_CACHE_KEY": KEY,
        **PATIENT_SHOP,
        **{f"SHOP__WEB__{name.upper()}_SECRET": name for name in "ab"},
    }
    app = App("shop", home=tmp_path, schema=schema, environ=environ)
    one = sealed(app)
    for key in (("config", name, None) for name in "ab"):
        redis.Redis(port=port).set(f"{one.name(key)}:lease", one.lease(key, "asking"), px=int(GUARD * 1000))
    assert app.prefetch() == {}
    assert 0 < sum(pauses) < GUARD / 2 + 1
    assert app.conf.get("web", "a") == "value of a"


# A refused value


def refusing(app: App, bad: set[Any]) -> Any:
    from framework.chain.level import refused

    token = refused.set(lambda value: value in bad)
    try:
        return app.get_variable("v", max_age=0)
    finally:
        refused.reset(token)


def test_a_refused_value_is_asked_for_once_by_a_fleet(make: Callable[..., App]) -> None:
    Ledger.rows = {("variable", "v"): "old"}
    apps = [make() for _ in range(30)]
    assert {app.get_variable("v") for app in apps} == {"old"}
    Ledger.rows = {("variable", "v"): "new"}
    found: list[Any] = []
    rest = list(apps)
    in_threads(lambda: found.extend(refusing(rest.pop(), {"old"}) for _ in range(5)), 6)
    assert found == ["new"] * 30
    assert len(Ledger.asked) == 2
    assert {app.get_variable("v") for app in apps} == {"new"}  # it took the place of the kept one
    assert len(Ledger.asked) == 2


def test_while_the_store_lags_a_fleet_asks_it_once_a_second(make: Callable[..., App]) -> None:
    Ledger.rows = {("variable", "v"): "old"}
    apps = [make() for _ in range(10)]
    for app in apps:
        app.get_variable("v")
    began = time.monotonic()
    for _ in range(4):
        assert [refusing(app, {"old"}) for app in apps] == ["old"] * 10
    assert len(Ledger.asked) <= 2 + int(time.monotonic() - began)
    Ledger.rows = {("variable", "v"): "new"}
    while refusing(apps[0], {"old"}) == "old":
        time.sleep(0.05)
    assert [refusing(app, {"old"}) for app in apps] == ["new"] * 10


@pytest.mark.parametrize(("version", "least", "most"), [(None, 0, 1_000), ("AWSPREVIOUS", 5_000, 10_000)])
def test_other_versions_of_a_refused_value_are_asked_for_less_often(
    make: Callable[..., App], port: int, version: str | None, least: int, most: int
) -> None:
    from framework.chain.level import refused

    cache, key = make().chain.custom[0].shared_cache(), ("connection", "w", version)
    assert cache is not None
    token = refused.set(lambda value: True)
    try:
        assert cache.get_many([key], lambda keys: ["old"], None) == ["old"]
    finally:
        refused.reset(token)
    assert least <= redis.Redis(port=port).pttl(f"{cache._sealed.name(key)}:lease") <= most


@pytest.mark.parametrize("way", ["threads", "tasks"])
def test_clients_that_a_server_refused_ask_the_store_once(make: Callable[..., App], port: int, way: str) -> None:
    from framework.integrations.rotation import Rotating

    admin = redis.Redis(port=port)

    def change(password: str) -> None:
        admin.acl_setuser("books", enabled=True, reset_passwords=True, passwords=[f"+{password}"], commands=["+ping"])

    def store(password: str) -> None:
        Ledger.rows = {("connection", "books"): Connection("books", "redis", login="books", password=password)}

    def log_in(one: Connection) -> bool:
        once = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
        with redis.Redis(port=port, username=one.login, password=one.password, retry=once) as client:
            return bool(client.ping())

    async def alog_in(one: Connection) -> bool:
        return await asyncio.to_thread(log_in, one)

    async def in_tasks() -> list[bool]:
        return await asyncio.gather(*(client.arun(alog_in) for client in clients))

    def all_log_in() -> None:
        if way == "tasks":
            assert asyncio.run(in_tasks()) == [True] * len(clients)
            return
        done: list[bool] = []
        rest = list(clients)
        in_threads(lambda: done.extend([rest.pop().run(log_in), rest.pop().run(log_in)]), len(clients) // 2)
        assert done == [True] * len(clients)

    clients = [Rotating("books", make(), GUARD) for _ in range(16)]
    change("first")
    store("first")
    all_log_in()
    assert len(Ledger.asked) == 1
    change("second")
    store("second")
    all_log_in()
    assert len(Ledger.asked) == 2
    change("third")  # the store comes later
    began = time.monotonic()
    late = threading.Timer(1.5, lambda: store("third"))
    late.start()
    all_log_in()
    late.join()
    assert len(Ledger.asked) <= 3 + int(time.monotonic() - began) + 1
    admin.acl_deluser("books")


def test_refresh_asks_the_store_and_writes(tmp_path: Path, port: int) -> None:
    Ledger.rows = {("config", "s"): "old"}
    schema = {"web": {"options": {"password": {"type": "string", "sensitive": True}}}}
    environ = {
        "SHOP__SECRETS__BACKEND": "test_shared_cache.Ledger",
        "SHOP__SECRETS__SHARED_CACHE_URL": f"redis://127.0.0.1:{port}/0",
        "SHOP__SECRETS__SHARED_CACHE_KEY": KEY,
        **PATIENT_SHOP,
        "SHOP__WEB__PASSWORD_SECRET": "s",
    }
    first, second = (App("shop", home=tmp_path, schema=schema, environ=environ) for _ in range(2))
    assert first.conf.get("web", "password") == second.conf.get("web", "password") == "old"
    Ledger.rows = {("config", "s"): "new"}
    assert first.refresh() == {}
    assert first.conf.get("web", "password") == "new"
    third = App("shop", home=tmp_path, schema=schema, environ=environ)
    assert third.conf.get("web", "password") == "new"
    assert len(Ledger.asked) == 2


def test_one_process_of_a_fleet_that_refreshes_in_the_background_asks_the_store(
    tmp_path: Path, port: int, clock: Clock, clock_of_entries: Callable[[float], None]
) -> None:
    from framework.following import _refresh_in_time

    Ledger.rows = {("config", "s"): "old", ("config", "t"): "t"}
    schema = {"web": {"options": {name: {"type": "string", "sensitive": True} for name in ("password", "token")}}}
    environ = {
        "SHOP__SECRETS__BACKEND": "test_shared_cache.Ledger",
        "SHOP__SECRETS__SHARED_CACHE_URL": f"redis://127.0.0.1:{port}/0",
        "SHOP__SECRETS__SHARED_CACHE_KEY": KEY,
        **PATIENT_SHOP,
        "SHOP__SECRETS__REFRESH_INTERVAL_SECONDS": "600",
        "SHOP__WEB__PASSWORD_SECRET": "s",
        "SHOP__WEB__TOKEN_SECRET": "t",
    }
    apps = [App("shop", home=tmp_path, schema=schema, environ=environ) for _ in range(5)]
    assert apps[0].prefetch() == {}
    clock_of_entries(100)
    assert all(app.prefetch() == {} for app in apps[1:])
    Ledger.rows["config", "s"] = "new"

    def refreshed() -> int:
        Ledger.asked = []
        for app in apps:
            _refresh_in_time(app)  # type: ignore[arg-type]
        return len(Ledger.asked)

    assert refreshed() == 0  # the entries are younger than half of the interval
    assert all(", 100 s old, refreshed 0 s ago" in str(app.conf.explain("web", "password")) for app in apps[1:])
    assert {app.conf.get("web", "password") for app in apps} == {"old"}
    fresh: list[str] = []
    for app in apps:
        app.on_change("web", "password", lambda *_, app=app: fresh.append(app.get_variable("v", max_age=0)))
    clock_of_entries(301)
    Ledger.rows["variable", "v"] = "of now"
    assert refreshed() == 1 + len(apps), "what a function of on_change asks for is asked of the store"
    assert fresh == ["of now"] * len(apps)
    assert {app.conf.get("web", "password") for app in apps} == {"new"}
    Ledger.asked = []
    assert all(app.refresh() == {} for app in apps)
    assert len(Ledger.asked) == 5  # who refreshes now wants what the store has now


# Whatever is wrong with it, the store is asked


def sealed(app: App) -> Sealed:
    return app.chain.custom[0].shared_cache()._sealed  # type: ignore[union-attr]


def entry(app: App, name: str) -> str:
    return sealed(app).name(("variable", name, None))


Poison = Callable[[redis.Redis, App], None]

V = ("variable", "v", None)


def _other_key(client: redis.Redis, app: App) -> None:
    client.set(entry(app, "v"), Fernet(Fernet.generate_key()).encrypt(b'{"x": ["value", "wrong"]}'))


def _same_key(client: redis.Redis, app: App) -> None:
    client.set(entry(app, "v"), Fernet(KEY).encrypt(b"of another program"))


def _too_deep(client: redis.Redis, app: App) -> None:
    client.set(entry(app, "v"), Fernet(KEY).encrypt(b"[" * 100_000))


def _swapped(client: redis.Redis, app: App) -> None:
    client.set(entry(app, "v"), sealed(app).seal(("variable", "w", None), "wrong", time.time()) or b"")


def _garbage(client: redis.Redis, app: App) -> None:
    client.set(entry(app, "v"), os.urandom(500))


def _forged(client: redis.Redis, app: App) -> None:
    token = bytearray(sealed(app).seal(V, "wrong", time.time()) or b"")
    token[60] ^= 1
    client.set(entry(app, "v"), bytes(token))


def _replayed(client: redis.Redis, app: App) -> None:
    client.set(entry(app, "v"), sealed(app).seal(V, "wrong", time.time() - 1000) or b"")


def _future(client: redis.Redis, app: App) -> None:
    client.set(entry(app, "v"), sealed(app).seal(V, "wrong", time.time() + 100) or b"")


def _wrong_type(client: redis.Redis, app: App) -> None:
    client.lpush(entry(app, "v"), "wrong")


def _out_of_memory(client: redis.Redis, app: App) -> None:
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")


def _password(client: redis.Redis, app: App) -> None:
    client.config_set("requirepass", PASSWORD)
    client.execute_command("CLIENT", "KILL", "TYPE", "normal")


def _endless_lease(client: redis.Redis, app: App) -> None:
    client.lpush(f"{entry(app, 'v')}:lease", "wrong")


def _forged_lease(client: redis.Redis, app: App) -> None:
    client.set(f"{entry(app, 'v')}:lease", "asking")


POISONS = [
    *(_other_key, _same_key, _too_deep, _swapped, _garbage, _forged, _replayed),
    *(_future, _wrong_type, _out_of_memory, _password, _endless_lease, _forged_lease),
]


@pytest.mark.parametrize("poison", POISONS, ids=lambda poison: poison.__name__.strip("_"))
def test_a_poisoned_cache_gives_no_wrong_value(
    poison: Poison, tmp_path: Path, pauses: list[float], timed_out: list[str]
) -> None:
    with valkey(tmp_path) as port:
        Ledger.rows = {("variable", "v"): "right"}
        app = application(tmp_path, f"redis://127.0.0.1:{port}/0")
        app.chain.custom[0].shared_cache()
        poison(redis.Redis(port=port), app)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            assert app.get_variable("v") == "right"
            assert app.get_variable("v", max_age=0) == "right"
            assert app.get_variable("v") == "right"
        assert len(warned) <= 1, [str(warning.message) for warning in warned]
        assert len(Ledger.asked) == 2
        assert pauses == [] and len(timed_out) <= 2
        assert not any("wrong" in str(warning.message) or KEY in str(warning.message) for warning in warned)


def test_a_poisoned_entry_is_replaced(make: Callable[..., App], port: int) -> None:
    Ledger.rows = {("variable", "v"): "right"}
    _garbage(redis.Redis(port=port), make())
    with pytest.warns(UserWarning, match="was written with another key, or was changed"):
        make().get_variable("v")
    app = make()
    assert app.get_variable("v") == "right"
    assert len(Ledger.asked) == 1


def test_a_server_that_is_full_is_warned_of_once_and_read(tmp_path: Path) -> None:
    Ledger.rows = {("variable", f"v{number}"): number for number in range(10)}
    with valkey(tmp_path) as port:
        application(tmp_path, f"redis://127.0.0.1:{port}/0").get_variable("v0")
        _out_of_memory(redis.Redis(port=port), None)  # type: ignore[arg-type]
        app = application(tmp_path, f"redis://127.0.0.1:{port}/0")
        with pytest.warns(UserWarning, match="cannot be used .OutOfMemoryError.") as warned:
            for number in reversed(range(10)):
                assert app.get_variable(f"v{number}") == number
        assert len(warned) == 1 and len(Ledger.asked) == 10


@pytest.fixture
def timed_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The connections that were tried or used in vain; a server that has failed is left alone from then on."""
    from framework.chain.server import Server

    monkeypatch.setattr("framework.chain.server._LEFT_ALONE", 10 * GUARD)
    faults: list[str] = []
    run = Server.run

    def counted(self: Server, *commands: Any) -> Any:
        before = self._in_a_row
        answer = run(self, *commands)
        faults.extend(["fault"] * (self._in_a_row > before))
        return answer

    monkeypatch.setattr(Server, "run", counted)
    return faults


def test_a_dead_server_costs_two_attempts_and_one_warning(tmp_path: Path, timed_out: list[str]) -> None:
    Ledger.rows = {("variable", f"v{number}"): number for number in range(30)}
    app = application(tmp_path, f"redis://127.0.0.1:{free_port()}/0")
    with pytest.warns(UserWarning) as warned:
        for number in range(30):
            assert app.get_variable(f"v{number}") == number
    assert len(timed_out) == 2
    assert [str(warning.message).partition(" (")[0] for warning in warned] == [
        "[secrets] shared_cache_url: the shared cache cannot be used"
    ]


def test_a_server_that_hangs_costs_two_time_outs(tmp_path: Path, timed_out: list[str]) -> None:
    Ledger.rows = {("variable", f"v{number}"): number for number in range(30)}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/0"
        app = application(tmp_path, url, shared_cache_timeout_seconds=0.1)
        with pytest.warns(UserWarning, match="TimeoutError") as warned:
            in_threads(lambda: [app.get_variable(f"v{number}") for number in range(30)], 4)
        assert len(timed_out) == 2
        assert len(warned) == 1 and PASSWORD not in str(warned[0].message)


def test_a_server_that_stops_and_comes_back_is_used_again(
    tmp_path: Path, timed_out: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Ledger.rows = {("variable", f"v{number}"): number for number in range(10)}
    with valkey(tmp_path) as port:
        app = application(tmp_path, f"redis://127.0.0.1:{port}/0")
        app.get_variable("v0")
        process = int(redis.Redis(port=port).info("server")["process_id"])
        os.kill(process, signal.SIGSTOP)
        server = app.chain.custom[0].shared_cache()._server  # type: ignore[union-attr]
        server._seconds = 0.1
        with pytest.warns(UserWarning, match="cannot be used"):
            assert [app.get_variable(f"v{number}") for number in range(1, 8)] == list(range(1, 8))
        assert len(timed_out) == 2
        os.kill(process, signal.SIGCONT)
        server._seconds, server._client, server._alone_until = GUARD, None, 0.0
        assert app.get_variable("v8") == 8
        assert application(tmp_path, f"redis://127.0.0.1:{port}/0").get_variable("v8") == 8
        assert len(Ledger.asked) == 9


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b":5\r\n", b"*-1\r\n", b"*0\r\n", b"+OK\r\n"])
def test_a_program_that_is_not_valkey_costs_two_attempts(tmp_path: Path, timed_out: list[str], said: bytes) -> None:
    Ledger.rows = {("variable", f"v{number}"): number for number in range(5)}
    with socket.create_server(("127.0.0.1", 0)) as web:

        def answer() -> None:
            while True:
                try:
                    client, _ = web.accept()
                except OSError:
                    return
                client.sendall(said + os.urandom(100))
                client.close()

        threading.Thread(target=answer, daemon=True).start()
        app = application(tmp_path, f"redis://127.0.0.1:{web.getsockname()[1]}/0")
        with pytest.warns(UserWarning, match="cannot be used"):
            assert [app.get_variable(f"v{number}") for number in range(5)] == list(range(5))
    assert len(timed_out) == 2


def test_a_server_that_sends_its_answer_byte_by_byte_costs_two_attempts(tmp_path: Path, timed_out: list[str]) -> None:
    Ledger.rows = {("variable", f"v{number}"): number for number in range(5)}
    with socket.create_server(("127.0.0.1", 0)) as slow:

        def answer(client: socket.socket) -> None:
            with client, contextlib.suppress(OSError):
                client.sendall(b"$1000000000\r\n")
                while True:
                    client.sendall(b"x")
                    time.sleep(0.02)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=answer, args=(slow.accept()[0],), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        url = f"redis://127.0.0.1:{slow.getsockname()[1]}/0"
        app = application(tmp_path, url, shared_cache_timeout_seconds=0.2)
        with pytest.warns(UserWarning, match="cannot be used .TimeoutError.") as warned:
            assert [app.get_variable(f"v{number}") for number in range(5)] == list(range(5))
    assert len(timed_out) == 2 and len(warned) == 1


def test_a_host_whose_addresses_are_not_found_in_time_costs_two_attempts(
    tmp_path: Path, timed_out: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Ledger.rows = {("variable", f"v{number}"): number for number in range(5)}
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **more: over.wait(GUARD) and [])
    app = application(tmp_path, "redis://cache.example.com/0", shared_cache_timeout_seconds=0.1)
    with pytest.warns(UserWarning, match="cannot be used .TimeoutError."):
        assert [app.get_variable(f"v{number}") for number in range(5)] == list(range(5))
    over.set()
    assert len(timed_out) == 2


# What can be seen


def test_neither_names_nor_values_are_seen_in_valkey(make: Callable[..., App], port: int, tmp_path: Path) -> None:
    canary = Connection("canary-id", "postgres", host="canary-host", login="canary-login", password="canary-pass")
    Ledger.rows = {("connection", "canary-id"): canary, ("config", "canary-name"): "canary-value"}
    program = [
        sys.executable,
        "-c",
        f"import redis\nfor one in redis.Redis(port={port}).monitor().__enter__().listen(): print(one, flush=True)",
    ]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as monitor:
        assert monitor.stdout is not None
        admin = redis.Redis(port=port)
        until(lambda: any(client["cmd"] == "monitor" for client in admin.client_list()))
        for _ in range(2):
            app = make()
            app.get_connection("canary-id")
            app.chain.config("canary-name")
            app.get_variable("canary-absent", default=None)
        admin.echo("the end of it")
        seen = ""
        for line in monitor.stdout:
            seen += line
            if "the end of it" in line:
                break
        monitor.kill()
    keys = admin.keys("*")
    assert len(keys) == 3 and "MGET" in seen
    everything = seen + repr(keys) + repr([admin.get(key) for key in keys])
    assert "canary" not in everything and "ledger" not in everything.lower() and KEY not in everything


def test_the_password_of_the_url_is_masked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from framework.masking import redact

    app = application(tmp_path, f"redis://shop:{PASSWORD}@127.0.0.1:{free_port()}/0")
    with pytest.warns(UserWarning) as warned:
        app.get_variable("v", default=None)
    assert not any(PASSWORD in str(warning.message) for warning in warned)
    assert PASSWORD not in str(redact(f"the password {PASSWORD}"))
    assert PASSWORD not in repr(app.conf.explain("secrets", "shared_cache_url"))
    assert PASSWORD not in repr(app.chain.custom[0].shared_cache()._server)  # type: ignore[union-attr]


def test_the_access_log_and_explain_name_the_shared_cache(
    tmp_path: Path, port: int, clock: Clock, clock_of_entries: Callable[[float], None]
) -> None:
    Ledger.rows = {("variable", "v"): "x"}
    url = f"redis://127.0.0.1:{port}/0"
    application(tmp_path, url).get_variable("v")
    entries: list[dict[str, Any]] = []
    app = application(tmp_path, url, access_log=entries.append)
    for _ in range(2):
        assert app.get_variable("v") == "x"
    found = [(one["cached"], one.get("shared")) for one in entries if one["kind"] == "variable"]
    assert found == [(False, True), (True, None)]
    assert "found (in the shared cache, asked for 0 s ago)" in dict(app.chain.explain("variable", "v")).values()


# Servers with users, with TLS, and behind a socket


def test_a_user_with_the_least_rights_is_enough(tmp_path: Path) -> None:
    Ledger.rows = {("variable", "v"): "x"}
    acl = f"user shop on >{PASSWORD} ~framework:* -@all +mget +set +del +multi +exec +select"
    with valkey(tmp_path, "--user", *acl.split()[1:]) as port:
        for _ in range(2):
            app = application(tmp_path, f"redis://shop:{PASSWORD}@127.0.0.1:{port}/0")
            assert app.get_variable("v") == "x"
        assert len(Ledger.asked) == 1
        assert shared(app)["shared faults"] == 0
        with pytest.warns(UserWarning, match="cannot be used .AuthenticationError."):
            other = application(tmp_path, f"redis://shop:wrong@127.0.0.1:{port}/0")
            assert other.get_variable("v") == "x"


def test_tls_with_a_private_authority(tmp_path: Path, port: int) -> None:
    from servers_tls import Authority

    Ledger.rows = {("variable", "v"): "x"}
    authority = Authority(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as plain:
        relayed = authority.context()

        def serve() -> None:
            while True:
                try:
                    client, _ = plain.accept()
                except OSError:
                    return
                threading.Thread(target=relay, args=(client,), daemon=True).start()

        def relay(client: socket.socket) -> None:
            import select

            try:
                outer = relayed.wrap_socket(client, server_side=True)
            except OSError:
                return
            with outer, socket.create_connection(("127.0.0.1", port)) as inner:
                while True:
                    ready = [outer] if outer.pending() else select.select([outer, inner], [], [])[0]
                    for one in ready:
                        data = one.recv(65536)
                        if not data:
                            return
                        (inner if one is outer else outer).sendall(data)

        threading.Thread(target=serve, daemon=True).start()
        url = f"rediss://127.0.0.1:{plain.getsockname()[1]}/0"
        for _ in range(2):
            assert application(tmp_path, f"{url}?ssl_ca_certs={authority.pem}").get_variable("v") == "x"
        assert len(Ledger.asked) == 1
        with pytest.warns(UserWarning, match="cannot be used .SSLCertVerificationError."):
            assert application(tmp_path, url).get_variable("v") == "x"  # an authority that nobody trusts
        assert len(Ledger.asked) == 2


def test_the_scheme_may_be_in_capitals(tmp_path: Path, port: int) -> None:
    for _ in range(2):
        assert application(tmp_path, f"REDIS://127.0.0.1:{port}/0").get_variable("v", default=None) is None
    assert len(Ledger.asked) == 1


def test_a_server_that_refuses_to_write_says_why(tmp_path: Path, port: int) -> None:
    client = redis.Redis(port=port)
    client.config_set("min-replicas-to-write", "1")
    try:
        with pytest.warns(UserWarning, match="cannot be used .ResponseError: NOREPLICAS."):
            application(tmp_path, f"redis://127.0.0.1:{port}/0").get_variable("v", default=None)
    finally:
        client.config_set("min-replicas-to-write", "0")


def test_a_unix_socket(tmp_path: Path) -> None:
    Ledger.rows = {("variable", "v"): "x"}
    with valkey(tmp_path, "--unixsocket", str(tmp_path / "s")):
        for _ in range(2):
            assert application(tmp_path, f"unix://{tmp_path}/s?db=1").get_variable("v") == "x"
    assert len(Ledger.asked) == 1
    with pytest.warns(UserWarning, match="cannot be used .(FileNotFound|ConnectionRefused)Error."):
        assert application(tmp_path, f"unix://{tmp_path}/s").get_variable("v") == "x"


# Wrong options


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("cache.example.com:6379", "it is not a URL of redis://, rediss:// or unix://"),
        ("http://cache.example.com", "it is not a URL of redis://"),
        ("redis:///0", "it has no host"),
        ("unix://", "it has no socket path"),
        ("redis://h:port/0", "the port after the host is not a number"),
        ("redis://h:65536/0", "the port after the host is not a number"),
        (f"redis://shop:{PASSWORD}@h h/0", "its host is not a name or an address"),
        (f"redis://shop:{PASSWORD}@[::1/0", "it is not a URL of redis://"),
        ("unix:///s?db=one", "its parameter db is not a number"),
        ("redis://h/0?ssl_ca_certs=/dev/null", "its parameter ssl_ca_certs is for rediss:// only"),
        ("rediss://h/0?ssl_ca_certs=/nowhere/ca.pem", "the file of its parameter ssl_ca_certs does not exist"),
        ("redis://h/zero", "the database after the host is not a number"),
        ("redis://h/0?socket_timeout=100", "it has the parameter 'socket_timeout'"),
    ],
)
def test_a_wrong_url_is_an_error(tmp_path: Path, url: str, what: str) -> None:
    app = application(tmp_path, url)
    with pytest.raises(errors.BackendError, match=r"SHOP__SECRETS__SHARED_CACHE_URL: .*shared_cache_url") as caught:
        app.get_variable("v", default=None)
    assert what in str(caught.value) and PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "what"),
    [("", "is not"), ("short", "32 bytes"), (f"{KEY},{KEY}", "32 bytes"), (KEY[:-2] + "$=", "32 bytes")],
    ids=["none", "short", "two keys", "not base64"],
)
def test_a_missing_or_wrong_key_is_an_error_that_says_how_to_make_one(
    make: Callable[..., App], key: str, what: str
) -> None:
    with pytest.raises(errors.BackendError, match="framework fernet generate") as caught:
        make(shared_cache_key=key).get_variable("v", default=None)
    assert what in str(caught.value) and KEY[:20] not in str(caught.value)
    assert not Ledger.asked


@pytest.mark.parametrize("keys", [KEY, f"{Fernet.generate_key().decode()}, {KEY}"], ids=["one", "two"])
def test_the_key_of_the_metastore_is_refused(tmp_path: Path, port: int, keys: str) -> None:
    environ = {
        "SHOP__CORE__FERNET_KEY": keys,
        "SHOP__SECRETS__BACKEND": "test_shared_cache.Ledger",
        "SHOP__SECRETS__SHARED_CACHE_URL": f"redis://127.0.0.1:{port}/0",
        "SHOP__SECRETS__SHARED_CACHE_KEY": KEY,
        **PATIENT_SHOP,
    }
    with pytest.raises(errors.BackendError, match=r"SHARED_CACHE_KEY: .*it is \[core\] fernet_key") as caught:
        App("shop", home=tmp_path, environ=environ).get_variable("v", default=None)
    assert KEY not in str(caught.value) and not Ledger.asked
    del environ["SHOP__CORE__FERNET_KEY"]
    environ["SHOP__CORE__FERNET_KEY_SECRET"] = "the-link-is-not-asked-for-it"
    assert App("shop", home=tmp_path, environ=environ).get_variable("v", default=1) == 1
    assert Ledger.asked == [["v"]]


@pytest.mark.parametrize("name", ["cache_ttl_seconds", "negative_cache_ttl_seconds", "shared_cache_lease_seconds"])
def test_times_without_end_are_possible(make: Callable[..., App], name: str) -> None:
    Ledger.rows = {("variable", "v"): "x"}
    for _ in range(2):
        app = make(**{name: "inf"})
        assert (app.get_variable("v"), app.get_variable("absent", default=1)) == ("x", 1)
    assert len(Ledger.asked) == 2
    assert shared(app) == {"shared hits": 2, "shared misses": 0, "shared faults": 0}


def test_the_key_may_be_a_pointer_below_the_link(tmp_path: Path, port: int) -> None:
    Ledger.rows = {("variable", "v"): "x"}
    environ = {
        "SHOP__SECRETS__BACKEND": "test_shared_cache.Ledger",
        "SHOP__SECRETS__SHARED_CACHE_URL": f"redis://127.0.0.1:{port}/0",
        "SHOP__SECRETS__SHARED_CACHE_KEY_SECRET": "key-of-the-cache",
        "SHOP_SECRET_KEY_OF_THE_CACHE": KEY,
        **PATIENT_SHOP,
    }
    for _ in range(2):
        assert App("shop", home=tmp_path, environ=environ).get_variable("v") == "x"
    assert Ledger.asked == [["v"]]
    del environ["SHOP_SECRET_KEY_OF_THE_CACHE"]
    with pytest.raises(errors.PointerError):  # the link itself is not asked for it
        App("shop", home=tmp_path, environ=environ).get_variable("v")
    assert Ledger.asked == [["v"]]


def test_a_refreshed_key_is_used_by_all_links(tmp_path: Path, port: int) -> None:
    Ledger.rows = {("variable", "v"): "x"}
    environ = {
        "SHOP__SECRETS__BACKENDS": "first, second",
        **{f"SHOP__SECRETS_{name}__BACKEND": "test_shared_cache.Ledger" for name in ("FIRST", "SECOND")},
        "SHOP__SECRETS_SECOND__BACKEND_KWARGS": '{"who": "another"}',
        "SHOP__SECRETS__SHARED_CACHE_URL": f"redis://127.0.0.1:{port}/0",
        "SHOP__SECRETS__SHARED_CACHE_KEY_SECRET": "key-of-the-cache",
        "SHOP_SECRET_KEY_OF_THE_CACHE": KEY,
        **PATIENT_SHOP,
    }
    app = App("shop", home=tmp_path, environ=environ)

    def names() -> list[str]:
        return [link.shared_cache()._sealed.name(V) for link in app.chain.custom]  # type: ignore[union-attr]

    before = names()
    environ["SHOP_SECRET_KEY_OF_THE_CACHE"] = Fernet.generate_key().decode()
    assert app.refresh() == {}
    assert not set(before) & set(names())


def test_nothing_is_loaded_unless_the_option_is_set(tmp_path: Path) -> None:
    code = (
        "import sys; from framework import App; app = App('shop', home=sys.argv[1], environ={"
        "'SHOP__SECRETS__BACKEND': 'test_shared_cache.Ledger'}); app.get_variable('v', default=None);"
        "assert app.stats()[0]['calls'] == 1; print(*(name for name in sys.modules if name.startswith('framework.')))"
    )
    # The module of these tests loads Redis and more itself, so only ours are looked at.
    code = "import sys; before = set()\n" + code
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    stub = tmp_path / "test_shared_cache.py"
    stub.write_text(
        "from framework import BaseSecretsBackend\nclass Ledger(BaseSecretsBackend):\n"
        "    def get_variable(self, key): return None\n"
    )
    environment["PYTHONPATH"] = str(tmp_path)
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert {
        "framework.sharing",
        "framework.chain.shared",
        "framework.chain.sealed",
        "framework.chain.server",
    }.isdisjoint(done.stdout.split())


# The commands

PATIENTLY = f"shared_cache_timeout_seconds = {GUARD}\n"


def checked(world: Any, **options: str) -> str:
    lines = "".join(f"{name} = {text}\n" for name, text in options.items())
    world.project()
    world.write("billing.cfg", f"[secrets]\nbackend = test_shared_cache.Ledger\n{lines}")
    _, out, err = world.run("check")
    assert "Traceback" not in out + err
    return " ".join((out + err).split())


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"shared_cache_url": "cache:6379", "shared_cache_key": KEY}, "it is not a URL of redis://"),
        ({"shared_cache_url": "redis://h/0"}, "the key of the entries is not"),
        ({"shared_cache_url": "redis://h/0", "shared_cache_key": "short"}, "is not 32 bytes as URL-safe base64"),
        ({"shared_cache_url": "redis://h/0", "use_cache": "false"}, "shared_cache_url has no effect"),
        ({"shared_cache_url": "redis://h/0", "cache_ttl_seconds": "0"}, "shared_cache_url has no effect"),
        ({"shared_cache_url": "redis://h/0", "shared_cache_timeout_seconds": "0"}, "shared_cache_timeout_seconds"),
    ],
)
def test_check_validates_the_options(world: Any, options: dict[str, str], what: str) -> None:
    assert what in checked(world, **options)


def test_check_says_which_links_share_nothing(world: Any, port: int) -> None:
    options = {"shared_cache_url": f"redis://127.0.0.1:{port}/0", "shared_cache_key": f"{KEY}\n{PATIENTLY}"}
    world.project()
    for backend, what in (
        ("Plain", "Plain has no method `identity`"),
        ("Local", "no link asks another machine"),
        ("Ledger", None),
    ):
        lines = "".join(f"{name} = {text}\n" for name, text in options.items())
        world.write("billing.cfg", f"[secrets]\nbackend = test_shared_cache.{backend}\n{lines}")
        _, out, err = world.run("check")
        assert ("shared" in out + err) is bool(what), out + err
        assert (what or "") in " ".join((out + err).split()) and PASSWORD not in out + err


def test_check_finds_the_key_of_the_metastore(world: Any) -> None:
    world.project()
    keys = f"shared_cache_url = redis://h/0\nshared_cache_key = {KEY}\n[core]\nfernet_key = {KEY}\n"
    world.write("billing.cfg", f"[secrets]\nbackend = test_shared_cache.Ledger\n{keys}")
    _, out, err = world.run("check")
    assert "is [core] fernet_key" in out + err and KEY not in out + err


@pytest.mark.parametrize("is_there", [True, False])
def test_commands_say_whether_it_can_be_used(world: Any, port: int, is_there: bool) -> None:
    world.project()
    server = f"shop:{PASSWORD}@127.0.0.1:{free_port()}" if not is_there else f"127.0.0.1:{port}"
    options = f"shared_cache_url = redis://{server}/0\nshared_cache_key = {KEY}\n{PATIENTLY}"
    world.write("billing.cfg", f"[secrets]\nbackend = test_shared_cache.Ledger\n{options}[a]\npassword_secret = s\n")
    Ledger.rows = {("config", "s"): "x"}
    state = "ok" if is_there else "unavailable (ConnectionRefusedError)"
    seen = ""
    for words in (["check"], ["check", "--offline"], ["stats", "-o", "json"], ["backend-test", "-o", "json"]):
        _, out, err = world.run(*words)
        seen += out + err
        if words == ["check"]:
            assert (f"the shared cache is {state}" in out + err) is not is_there
        elif words[0] == "check":
            assert "the shared cache" not in out + err
        elif words[0] == "stats":
            assert json.loads(out)[0]["cache server"] == state
        else:
            assert [row["answer"] for row in json.loads(out) if row["what"] == "shared cache"] == [state]
    assert PASSWORD not in seen and KEY not in seen


def test_an_error_of_an_option_is_reported_once(world: Any) -> None:
    world.project()
    options = f"shared_cache_url = redis://h/0\nshared_cache_key = {KEY}\nshared_cache_timeout_seconds = -1\n"
    world.write("billing.cfg", f"[secrets]\nbackend = test_shared_cache.Ledger\n{options}")
    _, out, err = world.run("check")
    assert (out + err).count("expected at least 0.01") == 1


def test_stats_has_columns_for_it(world: Any, port: int) -> None:
    world.project()
    options = f"shared_cache_url = redis://127.0.0.1:{port}/0\nshared_cache_key = {KEY}\n{PATIENTLY}"
    world.write("billing.cfg", f"[secrets]\nbackend = test_shared_cache.Ledger\n{options}")
    status, out, _ = world.run("stats", "-o", "json")
    assert status == 0
    assert {"shared hits", "shared misses", "shared faults"} <= set(json.loads(out)[0])

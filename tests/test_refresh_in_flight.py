"""A refresh that begins while something is being read: afterwards nothing older is kept, and no reader notices."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD, until
from test_refresh import Store, read

from framework import App, errors
from framework.chain.cache import Cache
from framework.chain.link import Link
from framework.lifetime import refuse_if_looking
from framework.locks import ProcessLock
from framework.metastore import database as databases
from framework.metastore import migrations
from framework.metastore.crypto import Keys, generate
from framework.metastore.store import Store as Rows
from framework.options.pointers import Pointers


@dataclass
class Section:
    user: str
    password: str
    token: str


@dataclass
class Settings:
    s: Section


class World:
    """An application whose values are all `old` or all `new`: in a store, a file, and the output of a command."""

    def __init__(self, folder: Path, cache: Callable[[], Cache] = lambda: Cache(900, 60), **options: str) -> None:
        self.folder, self.store = folder, Store()
        self.say("old")
        lines = "".join(f"{key} = {value}\n" for key, value in options.items())
        (folder / "billing.cfg").write_text(
            f"[secrets]\n{lines}[s]\nuser_secret = login#/user\npassword_secret = login#/password\n"
            f"token_secret = token\nother_secret = other\nby_file_file = {folder}/value\n"
            f"by_cmd_cmd = cat {folder}/value\n"
        )
        store = self.store

        class Over(App):
            def custom_links(self) -> list[Link]:
                return [Link("store", 1, lambda: store, cache=cache())]

        self.app = Over(
            "billing", home=folder, environ={"PATH": os.environ["PATH"]}, sensitive=["s.*"], schema=Settings
        )

    def say(self, word: str) -> None:
        self.store.values = dict.fromkeys(("token", "other"), word)
        self.store.values["login"] = f'{{"user": "{word}", "password": "{word}"}}'
        (self.folder / "value").write_text(word)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


#: Whether this is a call of a `Flight`: what another test has left behind may still refresh in the background.
_is_flight: ContextVar[bool] = ContextVar("is_flight", default=False)


class Flight:
    """A call in its own thread.

    Attributes:
        outcome: what it returned or raised, once it is over.
    """

    def __init__(self, call: Callable[[], Any]) -> None:
        self.outcome: list[Any] = []
        self._thread = threading.Thread(target=self._run, args=(call,))
        self._thread.start()

    def _run(self, call: Callable[[], Any]) -> None:
        _is_flight.set(True)
        try:
            self.outcome.append(call())
        except Exception as fault:
            self.outcome.append(fault)

    def land(self) -> Any:
        self._thread.join(GUARD)
        assert self.outcome, "it is not over"
        return self.outcome[0]


@contextmanager
def in_the_store(world: World, call: Callable[[], Any]) -> Iterator[Flight]:
    """Inside the block a call waits for the store, which has found the answer."""
    asked, go = len(world.store.calls), threading.Event()
    world.store.holds = [go]
    flight = Flight(call)
    until(lambda: len(world.store.calls) > asked)
    try:
        yield flight
    finally:
        go.set()
        flight.land()


@contextmanager
def not_noted_yet(world: World, call: Callable[[], Any]) -> Iterator[Flight]:
    """Inside the block a call has the value of its first pointer, and has not noted it."""
    found, go, ask = threading.Event(), threading.Event(), Pointers.ask

    def ask_and_wait(*args: Any, **more: Any) -> Any:
        answer = ask(*args, **more)
        if _is_flight.get() and not found.is_set():  # the others pass
            found.set()
            assert go.wait(GUARD)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pointers, "ask", ask_and_wait)
        flight = Flight(call)
        assert found.wait(GUARD)
        try:
            yield flight
        finally:
            go.set()
            flight.land()


READS: dict[str, Callable[[App], Any]] = {
    "get": lambda app: app.conf.get("s", "token"),
    "value": lambda app: app.conf.value("s", "token"),
    "getsection": lambda app: app.conf.getsection("s"),
    "as_dict": lambda app: app.conf.as_dict(display_sensitive=True)["s"],
    "prefetch": lambda app: app.prefetch(),
    "prefetch of one": lambda app: app.prefetch([("s", "token")]),
    "awaited prefetch": lambda app: asyncio.run(app.aprefetch()),
    "settings": lambda app: app.settings,
    "bind": lambda app: app.bind(Section, "s"),
}


def everything(app: App) -> set[str]:
    return {*read(app, "user", "password", "token", "other"), app.settings.s.token, app.settings.s.user}


@pytest.mark.parametrize("hold", [in_the_store, not_noted_yet])
@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("holding", ["nothing", "what is the same", "what has changed"])
@pytest.mark.parametrize("ttl", [900, 0])
def test_a_first_read_under_way_keeps_nothing_older(
    tmp_path: Path, hold: Any, name: str, holding: str, ttl: float
) -> None:
    world = World(tmp_path, lambda: Cache(ttl, min(ttl, 60)))
    if holding != "nothing":
        world.app.conf.get("s", "other")
    if holding == "what is the same":
        world.store.values["other"] = "new"
        world.app.refresh()
    with hold(world, lambda: READS[name](world.app)) as flight:
        world.say("new")
        assert world.app.refresh() == {}
    assert not isinstance(flight.outcome[0], Exception), flight.outcome
    assert everything(world.app) == {"new"}
    world.say("newest")
    world.app.refresh()
    assert everything(world.app) == {"newest"}


@pytest.mark.parametrize("key", ["by_file", "by_cmd", "token"])
def test_an_option_by_name_under_way_keeps_nothing_older(world: World, key: str) -> None:
    with not_noted_yet(world, lambda: read(world.app, key)):
        world.say("new")
        assert world.app.refresh([("s", key)]) == {}
    assert read(world.app, key) == ["new"]
    with not_noted_yet(world, lambda: read(world.app, "user")):
        world.say("newest")
        assert asyncio.run(world.app.arefresh(("s", "user"))) == {}
    assert read(world.app, "user") == ["newest"]


@pytest.mark.parametrize("ask", [lambda app: app.chain.config("token"), lambda app: app.conf.get("s", "again")])
def test_what_is_first_read_after_a_refresh_does_not_come_from_before_it(world: World, ask: Any) -> None:
    with world.app.conf.override({("s", "again_secret"): "token"}):
        ask(world.app)
    world.say("new")
    world.app.refresh()
    assert read(world.app, "token") == ["new"]
    asked = len(world.store.calls)
    world.app.prefetch()
    assert len(world.store.calls) == asked + 1, "the rest in one call"


def test_a_question_to_the_store_from_before_is_not_joined(world: World) -> None:
    with in_the_store(world, lambda: world.app.chain.config("token")):
        world.say("new")
        world.app.refresh()
        assert read(world.app, "token") == ["new"]
    assert read(world.app, "token") == ["new"]
    world.app.refresh()
    assert read(world.app, "token") == ["new"]


def test_an_absence_from_before_a_refresh_does_not_count(world: World) -> None:
    del world.store.values["token"]
    with pytest.raises(errors.PointerError, match="not found"):
        read(world.app, "token")
    world.say("new")
    assert world.app.refresh() == {}
    assert read(world.app, "token") == ["new"]


def test_while_the_store_is_down_what_was_kept_counts_for_a_first_read(world: World) -> None:
    world.app.chain.config("token")
    world.store.is_down = True
    world.app.refresh()
    with pytest.warns(errors.FrameworkWarning, match="is used meanwhile"):
        assert read(world.app, "token") == ["old"]
    with pytest.raises(errors.PointerError, match="it is down"):
        read(world.app, "other")


def test_while_the_primary_is_down_a_replica_counts_for_a_first_read(tmp_path: Path) -> None:
    replica, key = f"sqlite:///{tmp_path}/replica.db", generate()
    store = Rows(databases.open(replica), Keys(key))
    migrations.migrate(store.database)
    migrations.add_secrets_table(store.database)
    for name in ("a", "b"):
        store.set_config(name, f"value of {name}")
    (tmp_path / "billing.cfg").write_text(
        f"[core]\nfernet_key = {key}\n[database]\nsql_alchemy_conn = postgresql://127.0.0.1:1/d\n"
        f"sql_alchemy_conn_read = {replica}\nfailover_timeout_seconds = 0\n[s]\na_secret = a\nb_secret = b\n"
    )
    app = App("billing", home=tmp_path, environ={}, sensitive=["s.*"])
    assert read(app, "a") == ["value of a"]
    assert list(app.refresh()) == [("s", "a")]
    assert read(app, "a", "b") == ["value of a", "value of b"]


def test_what_is_too_old_does_not_come_back_from_a_cache(tmp_path: Path) -> None:
    world = World(tmp_path, refresh_max_age_seconds="0.01")
    read(world.app, "token")
    world.store.is_down = True
    for names in (None, ("s", "token")):

        def is_gone(names: Any = names) -> bool:
            world.app.refresh(names)
            try:
                read(world.app, "token")
            except errors.PointerError:
                return True
            return False

        until(is_gone)
        world.store.is_down = False
        assert read(world.app, "token") == ["old"]
        world.store.is_down = True


def test_readers_of_an_older_value_learn_that_it_has_changed(world: World) -> None:
    notified: list[Any] = []
    world.app.on_change("s", "token", lambda *name: notified.append((name, read(world.app, "token"))))
    with in_the_store(world, lambda: read(world.app, "token")) as reading:
        world.say("new")
        hold = threading.Event()
        world.store.holds.append(hold)
        asked = len(world.store.calls)
        refreshing = Flight(world.app.refresh)
        until(lambda: len(world.store.calls) > asked)
    assert reading.outcome == [["old"]], "it waits for no refresh"
    hold.set()
    assert refreshing.land() == {}
    assert notified == [(("s", "token"), ["new"])]


def test_a_value_under_way_stays_if_the_refresh_fails(world: World) -> None:
    with not_noted_yet(world, lambda: read(world.app, "token")) as reading:
        world.store.is_down = True
        assert world.app.refresh() == {}, "nothing was in use"
    assert reading.outcome == [["old"]]
    assert read(world.app, "token") == ["old"]
    assert list(world.app.refresh()) == [("s", "token")]


@pytest.mark.parametrize("is_used", [False, True])
def test_a_refresh_has_nothing_issued_for_a_prefetch_under_way(
    world: World, is_used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued, read_many = list[int](), world.store.read_many

    def issuing(names: list[str]) -> Any:
        if "token" in names:
            refuse_if_looking("it", "token")
            issued.append(1)
        return read_many(names)

    monkeypatch.setattr(world.store, "read_many", issuing)
    monkeypatch.setattr(Store, "batch_size", 1)
    if is_used:
        read(world.app, "token")
    with in_the_store(world, world.app.prefetch) as prefetching:
        assert world.app.refresh() == {}
    assert (prefetching.outcome, len(issued)) == ([{}], 2 * is_used)
    assert read(world.app, "token") == ["old"]


def test_one_who_reads_waits_for_no_refresh(tmp_path: Path) -> None:
    world = World(tmp_path, refresh_interval_seconds="3600")
    hold = threading.Event()
    world.store.holds = [hold]
    refreshing = Flight(lambda: world.app.refresh(("s", "token")))
    until(lambda: world.store.calls)
    assert read(world.app, "other") == ["old"], "the first one that is read begins the refreshes in the background"
    assert not refreshing.outcome
    hold.set()
    assert refreshing.land() == {}


def test_a_link_that_is_built_during_a_refresh_may_read_a_secret(tmp_path: Path) -> None:
    (tmp_path / "billing.cfg").write_text(
        "[secrets]\nbackends = first, second\nrefresh_interval_seconds = 3600\nresolve_timeout_seconds = 100\n"
        "[secrets.first]\nbackend = ignored\n"
        "[secrets.second]\nbackend = ignored\nbackend_kwarg_word_secret = word\n[s]\ntoken_secret = token\n"
    )
    first, second = Store(word="a word"), Store(token="a token")

    class Over(App):
        def custom_links(self) -> list[Link]:
            def make() -> Store:
                assert self.conf.get("secrets.second", "backend_kwarg_word") == "a word"
                return second

            return [
                Link("first", 1, lambda: first, cache=Cache(900, 60)),
                Link("second", 2, make, cache=Cache(900, 60)),
            ]

    app = Over("billing", home=tmp_path, environ={}, sensitive=["s.*"])
    assert Flight(lambda: app.refresh(("s", "token"))).land() == {}
    assert read(app, "token") == ["a token"]


class Noted(ProcessLock):
    """A lock that notes that somebody has to wait for it."""

    def __init__(self, lock: ProcessLock) -> None:
        self._locks, self.is_waited_for = lock._locks, False

    def __enter__(self) -> None:
        lock = self._locks[os.getpid()]
        if not lock.acquire(blocking=False):
            self.is_waited_for = True
            lock.acquire()


def test_a_reload_under_way_keeps_nothing_older(world: World) -> None:
    assert world.app.settings.s.token == "old"
    with in_the_store(world, world.app.reload) as reloading:
        world.say("new")
        world.app._changing = waiting = Noted(world.app._changing)
        refreshing = Flight(world.app.refresh)
        until(lambda: waiting.is_waited_for or refreshing.outcome)
    assert (reloading.outcome, refreshing.land()) == ([None], {})
    assert everything(world.app) == {"new"}


def test_a_reload_during_a_refresh_counts(world: World) -> None:
    assert everything(world.app) == {"old"}
    with in_the_store(world, world.app.refresh) as refreshing:
        world.say("new")
        reloading = Flight(world.app.reload)
    assert (refreshing.outcome, reloading.land()) == ([{}], None)
    assert everything(world.app) == {"new"}


@pytest.mark.parametrize("make", [lambda app: app.settings.s, lambda app: app.bind(Section, "s")])
@pytest.mark.parametrize("reread", ["refresh", "reload"])
def test_settings_are_not_made_of_old_and_new_parts(world: World, make: Any, reread: str) -> None:
    resolve, found, go = world.app.engine.resolve, threading.Event(), threading.Event()
    world.app.prefetch()

    def resolve_and_wait(mention: Any, *more: Any) -> Any:
        answer = resolve(mention, *more)
        if mention.key == "user" and not found.is_set():
            found.set()
            assert go.wait(GUARD)
        return answer

    world.app.engine.resolve = resolve_and_wait  # type: ignore[method-assign]
    making = Flight(lambda: make(world.app))
    assert found.wait(GUARD)
    world.say("new")
    getattr(world.app, reread)()
    go.set()
    assert making.land() == Section("new", "new", "new")


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_what_was_under_way_in_the_parent_is_not_in_the_child_of_a_fork(world: World) -> None:
    with in_the_store(world, lambda: read(world.app, "token")):
        child = os.fork()
        if child == 0:
            asked = len(world.store.calls)
            os._exit(0 if world.app.refresh() == {} and len(world.store.calls) == asked else 1)
        assert os.waitpid(child, 0)[1] == 0

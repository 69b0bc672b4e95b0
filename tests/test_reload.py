"""No answer that was found before a reload is kept after it, and a reload that fails changes nothing."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD

import framework
from framework import App, BaseSecretsBackend, Variable, current, errors
from framework.layers.base import Layer
from framework.masking import should_hide_value_for_name

SCHEMA: dict[str, Any] = {
    "s": {
        "options": {
            "plain": {"type": "string"},
            "number": {"type": "integer"},
            "renamed": {"type": "string", "renamed_from": [{"section": "s", "key": "older", "since": "1"}]},
            **{key: {"type": "string", "sensitive": True} for key in ("by_cmd", "by_secret", "by_file")},
        }
    },
    "core": {"options": {"sensitive_var_conn_names": {"type": "string", "default": ""}}},
}


class Gate:
    """Holds back one answer, after it was found, until the gate opens."""

    def __init__(self) -> None:
        self.found, self.go = threading.Event(), threading.Event()
        self.is_shut = False

    def shut(self) -> None:
        self.is_shut = True

    def pass_through(self) -> None:
        if self.is_shut:
            self.is_shut = False  # the others pass
            self.found.set()
            assert self.go.wait(GUARD)


class Store(BaseSecretsBackend):
    """Returns what `values` holds, and then waits at the gate."""

    values: dict[str, str] = {}
    gate = Gate()

    def _said(self, name: str) -> str | None:
        value = self.values.get(name)
        self.gate.pass_through()
        return value

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        return self._said(conn_id)

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        return self._said(key)

    def get_config(self, key: str) -> str | None:
        return self._said(key)


class World:
    """An application in which every value is `old` or `new`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.say("old")
        self.app = App("billing", schema=SCHEMA, home=str(folder), dotenv=str(folder / ".env"), environ={})

    def say(self, word: str) -> None:
        number = len(word) + (word == "new")
        (self.folder / "secret.txt").write_text(word)
        (self.folder / ".env").write_text(f"BILLING__S__FROM_DOTENV={word}\n")
        Store.values = dict.fromkeys(("name", "key"), word) | {"id": f"http://{word}"}
        (self.folder / "billing.cfg").write_text(
            f"[s]\nplain = {word}\nnumber = {number}\nolder = {word}\nfrom_dotenv = shadowed\n"
            f"by_cmd_cmd = {sys.executable} -c 'print(\"{word}\")'\nby_secret_secret = name\n"
            f"by_file_file = {self.folder / 'secret.txt'}\n"
            f"[secrets]\nbackend = {__name__}.Store\n"
            "[database]\nsql_alchemy_conn =\n"
        )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(Store, "gate", Gate())
    return World(tmp_path)


@contextmanager
def in_flight(read: Callable[[], Any], gate: Gate) -> Iterator[None]:
    """Inside the block a read of another thread has found its answer, and has not kept it yet."""
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.append(read())
        except Exception as fault:
            outcome.append(fault)

    gate.shut()
    thread = threading.Thread(target=work)
    thread.start()
    assert gate.found.wait(GUARD)
    yield
    gate.go.set()
    thread.join(GUARD)
    assert outcome and not isinstance(outcome[0], Exception), outcome


READS: dict[str, Callable[[App], Any]] = {
    "plain": lambda app: app.conf.get("s", "plain"),
    "capitals": lambda app: app.conf.get("S", "Plain"),
    "typed": lambda app: app.conf.value("s", "number"),
    "getint": lambda app: app.conf.getint("s", "number"),
    "old name": lambda app: app.conf.get("s", "renamed"),
    "by old name": lambda app: app.conf.get("s", "older"),
    "dotenv": lambda app: app.conf.get("s", "from_dotenv"),
    "cmd": lambda app: app.conf.get("s", "by_cmd"),
    "secret": lambda app: app.conf.get("s", "by_secret"),
    "file": lambda app: app.conf.get("s", "by_file"),
    "value of a secret": lambda app: app.conf.value("s", "by_secret"),
    "section": lambda app: app.conf.getsection("s"),
    "as_dict": lambda app: app.conf.as_dict(display_sensitive=True)["s"],
    "connection": lambda app: app.get_connection("id").host,
    "variable": lambda app: app.get_variable("key"),
    "config secret": lambda app: app.chain.config("name"),
    "prefetch": lambda app: (app.prefetch(), app.conf.get("s", "by_secret"))[1],
    "async connection": lambda app: asyncio.run(app.aget_connection("id")).host,
    "async variable": lambda app: asyncio.run(app.aget_variable("key")),
    "async prefetch": lambda app: (asyncio.run(app.aprefetch()), app.conf.get("s", "by_cmd"))[1],
}


def hold_at_the_end(app: App, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every resolved option and every question to the chain waits at the gate before anything of it is kept."""
    resolve, search = app.engine.resolve, type(app.chain)._search

    def resolve_and_wait(*args: Any) -> Any:
        answer = resolve(*args)
        gate.pass_through()
        return answer

    def search_and_wait(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = search(self, *args, **kwargs)
        gate.pass_through()
        return found

    monkeypatch.setattr(app.engine, "resolve", resolve_and_wait)
    monkeypatch.setattr(type(app.chain), "_search", search_and_wait)


@pytest.mark.parametrize("held", ["in the store", "at the end"])
@pytest.mark.parametrize("name", READS)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_read_in_flight_is_not_kept(world: World, name: str, held: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = READS[name]
    before = read(App("billing", schema=SCHEMA, home=str(world.folder), dotenv=str(world.folder / ".env"), environ={}))
    if held == "at the end":
        hold_at_the_end(world.app, Store.gate, monkeypatch)
    elif name in ("plain", "capitals", "typed", "getint", "old name", "by old name", "dotenv", "cmd", "file"):
        pytest.skip("no store is asked")
    with in_flight(lambda: read(world.app), Store.gate):
        world.say("new")
        world.app.reload()
    after = read(world.app)
    assert "old" not in repr(after)
    assert after != before
    assert read(world.app) == after


def test_a_pointer_overridden_in_a_block_is_followed_again(world: World) -> None:
    with world.app.conf.override({("s", "by_secret_secret"): "key"}):
        with in_flight_in_this_context(lambda: world.app.conf.get("s", "by_secret"), Store.gate):
            world.say("new")
            world.app.reload()
        assert world.app.conf.get("s", "by_secret") == "new"


@contextmanager
def in_flight_in_this_context(read: Callable[[], Any], gate: Gate) -> Iterator[None]:
    from contextvars import copy_context

    context = copy_context()
    with in_flight(lambda: context.run(read), gate):
        yield


def test_a_chain_in_the_making_is_not_kept(world: World) -> None:
    """The links are built from options, so a chain that was begun with the old options is discarded as well."""
    from framework import assembly as wiring

    gate, build = Gate(), wiring.build_chain

    def build_and_wait(app: App) -> Any:
        chain = build(app)
        gate.pass_through()
        return chain

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "build_chain", build_and_wait)
        with in_flight(lambda: world.app.chain, gate):
            world.app.reload()
        first = world.app.chain
    assert world.app.chain is first


def test_an_answer_of_an_old_chain_is_dropped_with_it(world: World) -> None:
    """The pointer was found before the reload, and is followed after it."""
    (mention, *_) = world.app.engine.mentions("s", "by_secret")
    world.app.engine.resolve(mention)
    world.say("new")
    world.app.reload()
    world.app.engine.resolve(mention)
    world.say("newest")
    assert world.app.conf.get("s", "by_secret") == "newest"


def test_the_reload_that_read_last_wins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, layers = Gate(), world.app._layers

    def read_and_wait(*args: Any) -> list[Layer]:
        found = layers(*args)
        gate.pass_through()
        return found

    monkeypatch.setattr(world.app, "_layers", read_and_wait)
    second = threading.Thread(target=world.app.reload)
    with in_flight(world.app.reload, gate):
        world.say("new")
        second.start()
    second.join(GUARD)
    assert world.app.conf.get("s", "plain") == "new"


def test_the_front_door_keeps_nothing_of_the_application_before(tmp_path: Path) -> None:
    gate = Gate()

    class Slow(App):
        @property
        def chain(self) -> Any:
            found = super().chain
            gate.pass_through()
            return found

    first = Slow("billing", home=str(tmp_path), environ={"BILLING_VAR_X": "first"})
    other = App("billing", home=str(tmp_path), environ={"BILLING_VAR_X": "other"})
    front = current.CurrentProxy("chain")
    before = current.use(first)
    try:
        with in_flight(lambda: front.variable, gate):
            other.use()
        assert front.variable("x")[0] == "other"
        assert Variable.get("x") == "other"
        assert framework.conf.get("core", "fernet_key", fallback="") == ""
    finally:
        current.use(before)


def test_names_that_look_secret_follow_a_reload(world: World) -> None:
    before = current.use(None)
    try:
        world.app.use()
        assert not should_hide_value_for_name("harmless")
        with (world.folder / "billing.cfg").open("a") as file:
            file.write("[core]\nsensitive_var_conn_names = harmless\n")
        world.app.reload()
        assert should_hide_value_for_name("harmless")
        world.say("new")
        world.app.reload()
        assert not should_hide_value_for_name("harmless")
    finally:
        current.use(before)


@pytest.mark.parametrize("broken", ["billing.cfg", ".env", "more.toml"])
def test_a_reload_that_fails_changes_nothing(world: World, broken: str) -> None:
    more = world.folder / "more.toml"
    more.write_text('[s]\nextra = "old"\n')
    app = App(
        "billing",
        schema=SCHEMA,
        home=str(world.folder),
        config_files=[str(more)],
        dotenv=str(world.folder / ".env"),
        environ={},
    )
    names = ("plain", "from_dotenv", "by_cmd", "by_secret", "extra")
    before = {name: app.conf.get("s", name) for name in names}
    chain, connection = app.chain, app.get_connection("id").host
    world.say("new")
    more.write_text('[s]\nextra = "new"\n')
    good = (world.folder / broken).read_text()
    (world.folder / broken).write_text("[s\nthis is = = nothing [\n'")
    with pytest.raises(errors.ConfigFileError):
        app.reload()
    assert {name: app.conf.get("s", name) for name in names} == before
    assert {name: app.conf.value("s", name) for name in names} == before
    assert app.chain is chain
    assert app.get_connection("id").host == connection
    (world.folder / broken).write_text(good)
    app.reload()
    assert {app.conf.get("s", name) for name in names} == {"new"}


def test_reading_costs_no_more_after_a_reload(world: World) -> None:
    Context().run(world.app.conf.get, "s", "plain")
    world.app.reload()
    Context().run(world.app.conf.get, "s", "plain")
    asked: list[str] = []
    mentions = world.app.engine.mentions
    world.app.engine.mentions = lambda *args, **kwargs: asked.append("") or mentions(*args, **kwargs)  # type: ignore
    assert Context().run(world.app.conf.get, "s", "plain") == "old"
    assert not asked

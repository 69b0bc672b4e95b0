"""Connections and variables that are at hand: masked once, copied for each caller, and read without a thread."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
from collections.abc import Awaitable, Callable, Iterator
from copy import copy
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD, Clock, clock_from, until

from framework import App, BaseSecretsBackend, Connection, connection, errors, masking
from framework.chain import deadline, turns
from framework.masking import search
from framework.metastore.crypto import generate

URI = "postgres://me:{password}@host/db?api_key=key-of-the-api&region=alps"


class Store(BaseSecretsBackend):
    """Has every name that does not begin with `no`, and counts what it is asked."""

    asked: list[str] = []
    password = "first-password"
    values: dict[str, Any] = {}
    wait: Callable[[], object] = staticmethod(lambda: None)

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        self.asked.append(conn_id)
        self.wait()
        return None if conn_id.startswith("no") else URI.format(password=self.password)

    def get_variable(self, key: str, team_name: str | None = None) -> Any:
        self.asked.append(key)
        self.wait()
        return None if key.startswith("no") else self.values.get(key, f"value of {key}")


class Local(Store):
    remote = False


class Second(Store):
    """Another store, so that a chain has two that may hang."""


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"asked": [], "values": {}, "password": "first-password"}.items():
        monkeypatch.setattr(Store, name, value)
    end = threading.Event()
    monkeypatch.setattr(Store, "end", end, raising=False)
    yield
    end.set()


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., App]:
    def make(*backends: type, database: bool = False, environ: dict[str, str] | None = None, **options: str) -> App:
        variables = {} if environ is None else environ
        if not database:
            variables["BILLING__DATABASE__SQL_ALCHEMY_CONN"] = ""
        if backends:
            variables["BILLING__SECRETS__BACKENDS"] = ",".join(kind.__name__ for kind in backends)
        for kind in backends:
            variables[f"BILLING__SECRETS_{kind.__name__.upper()}__BACKEND"] = f"{__name__}.{kind.__name__}"
        for name, text in options.items():
            variables[f"BILLING__SECRETS__{name.upper()}"] = text
        return App("billing", home=tmp_path, environ=variables)

    return make


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is given to the masker."""
    seen: list[Any] = []
    for module in (connection, __import__("framework.chain.translate", fromlist=["translate"])):
        add = module.add_mask
        monkeypatch.setattr(module, "add_mask", lambda secret, add=add: (seen.append(secret), add(secret)))
    return seen


def hidden(*texts: str) -> bool:
    return all(masking.redact_text(f"<{text}>") == "<***>" for text in texts)


# Masking


def test_a_kept_connection_is_masked_once(make: Callable[..., App], masked: list[Any]) -> None:
    app = make(Store)
    for _ in range(50):
        assert app.get_connection("warehouse").password == "first-password"
    assert sorted(masked) == ["first-password", "key-of-the-api"]
    assert Store.asked == ["warehouse"]
    assert hidden(*masked)


def test_a_connection_of_the_environment_is_masked_once_for_each_text(
    make: Callable[..., App], masked: list[Any]
) -> None:
    environ: dict[str, str] = {}
    app = make(environ=environ)
    for password in ("first-password", "second-password", "first-password"):
        environ["BILLING_CONN_WAREHOUSE"] = URI.format(password=password)
        for _ in range(20):
            assert app.get_connection("warehouse").password == password
    assert masked == [word for p in ("first", "second", "first") for word in (f"{p}-password", "key-of-the-api")]
    assert hidden(*masked)
    del environ["BILLING_CONN_WAREHOUSE"]
    with pytest.raises(errors.ConnectionNotFound):
        app.get_connection("warehouse")


def test_a_new_password_of_the_store_is_masked(make: Callable[..., App], clock: Clock) -> None:
    app = make(Store)
    app.get_connection("warehouse")
    Store.password = "second-password"
    clock.now += 1000
    assert app.get_connection("warehouse").password == "second-password"
    assert hidden("first-password", "second-password")


def test_what_is_kept_is_masked_again_when_the_masker_changes(make: Callable[..., App]) -> None:
    app = make(Store)
    app.get_connection("warehouse")
    app.get_variable("my_token")
    assert not hidden("alps!")
    masking.reset()
    assert not hidden("first-password")
    app.get_connection("warehouse")
    app.get_variable("my_token")
    assert hidden("first-password", "key-of-the-api", "value of my_token")
    masking.configure(names=["region"], min_length=4)
    app.get_connection("warehouse")
    assert hidden("alps")
    assert Store.asked == ["warehouse", "my_token"]


def test_a_connection_that_its_backend_changes_is_masked_again(
    make: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Connection("warehouse", "http", password="first-password")
    monkeypatch.setattr(Local, "get_connection", lambda *_: held, raising=False)
    app = make(Local)
    app.get_connection("warehouse")
    held.password = "second-password"
    assert app.get_connection("warehouse").password == "second-password"
    held.extra = '{"token": "token-of-the-extra"}'
    app.get_connection("warehouse")
    assert hidden("first-password", "second-password", "token-of-the-extra")


def test_a_connection_of_a_custom_class_keeps_its_class(
    make: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Own(Connection):
        def secrets(self) -> Iterator[str]:
            yield from (*super().secrets(), "secret-of-its-own")

    held = Own("warehouse", "http", password="first-password")
    held.note = "kept"  # type: ignore[attr-defined]
    monkeypatch.setattr(Local, "get_connection", lambda *_: held, raising=False)
    found = make(Local).get_connection("warehouse")
    assert type(found) is Own and found is not held
    assert found.note == "kept"  # type: ignore[attr-defined]
    assert hidden("first-password", "secret-of-its-own")


@pytest.mark.parametrize("read", ["sync", "async"])
def test_a_variable_with_the_name_of_a_secret_is_masked(make: Callable[..., App], read: str) -> None:
    app = make(Store, environ={"BILLING_VAR_NO_PASSWORD": "word-of-the-environment"})
    for key in ("api_token", "no_password", "region"):
        app.get_variable(key) if read == "sync" else asyncio.run(app.aget_variable(key))
    assert hidden("value of api_token", "word-of-the-environment")
    assert not hidden("value of region")


def test_the_same_secret_is_taken_apart_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    parts = search.parts
    monkeypatch.setattr(
        "framework.masking.search.parts", lambda data, names: (seen.append(data), parts(data, names))[1]
    )
    for _ in range(10):
        masking.add_mask("secret-of-today")
    assert seen == [b"secret-of-today"]
    masking.configure()
    masking.add_mask("secret-of-today")
    assert len(seen) == 2


# Copies


@pytest.mark.parametrize("source", [Store, Local, None])
def test_changing_a_returned_value_changes_it_for_no_other_caller(
    make: Callable[..., App], source: type | None
) -> None:
    app = make(*filter(None, [source]), environ={"BILLING_CONN_NO1": URI.format(password="first-password")})
    conn_id = "no1" if source is None else "x"
    first = app.get_connection(conn_id)
    assert first == app.get_connection(conn_id) == copy(first) == pickle.loads(pickle.dumps(first))
    assert app.get_connection(conn_id) is not first
    first.password, first.host, first.extra = "mine", "elsewhere", None
    second = app.get_connection(conn_id)
    assert (second.password, second.host) == ("first-password", "host")
    assert second.extra_dejson == {"api_key": "key-of-the-api", "region": "alps"}


@pytest.mark.parametrize("source", [Store, Local])
def test_a_variable_that_is_a_list_or_a_table_is_copied(make: Callable[..., App], source: type) -> None:
    Store.values = {"list": [1, {"a": [2]}], "table": {"a": [1]}, "text": "x"}
    app = make(source)
    for key, wanted in (("list", [1, {"a": [2]}]), ("table", {"a": [1]})):
        app.get_variable(key).clear()
        assert app.get_variable(key) == wanted
        assert asyncio.run(app.aget_variable(key)) == wanted
    app.get_variable("list")[1]["a"].append(3)
    assert app.get_variable("list")[1]["a"] == [2]


# Without a thread


@pytest.fixture
def no_thread(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def forbid() -> None:
        def start(*_: Any) -> None:
            raise AssertionError("a thread was started, or asked")

        monkeypatch.setattr(deadline.Threads, "ask", start)
        monkeypatch.setattr(threading.Thread, "start", start)

    return forbid


def test_what_is_at_hand_takes_no_thread(make: Callable[..., App], no_thread: Callable[[], None]) -> None:
    environ = {"BILLING_CONN_NO1": URI.format(password="word-of-the-environment"), "BILLING_VAR_NO2": "[1]"}
    app = make(Store, Second, environ=environ)

    async def read() -> list[Any]:
        connections = [await app.aget_connection(name) for name in ("warehouse", "no1")]
        variables = [await app.aget_variable("v"), await app.aget_variable("no2", deserialize_json=True)]
        absent = [await app.aget_variable("no3", default="-")]
        with pytest.raises(errors.ConnectionNotFound, match="'no4' not found"):
            await app.aget_connection("no4")
        return [*(found.password for found in connections), *variables, *absent]

    wanted = ["first-password", "word-of-the-environment", "value of v", [1], "-"]
    assert asyncio.run(read()) == wanted
    asked = list(Store.asked)
    no_thread()
    assert asyncio.run(read()) == wanted
    assert asked == Store.asked
    assert hidden("first-password", "word-of-the-environment")


@pytest.mark.parametrize("call", ["aget_connection", "aget_variable"])
@pytest.mark.parametrize("wrong", [None, 5, b"x"])
def test_a_name_that_is_not_text_is_refused(make: Callable[..., App], call: str, wrong: Any) -> None:
    app = make(Store)
    for _ in range(2):
        with pytest.raises(errors.InvalidArgument, match="expected text"):
            asyncio.run(getattr(app, call)(wrong))
        app.get_variable("v")  # now there is a chain


def test_a_store_on_this_machine_is_read_beside_the_loop(make: Callable[..., App], monkeypatch: Any) -> None:
    """A file may lie on a disk that does not answer, a database may be locked."""
    app, threads = make(Local), set[int]()
    monkeypatch.setattr(Store, "wait", staticmethod(lambda: threads.add(threading.get_ident())))
    app.get_variable("v")
    assert threads == {threading.get_ident()}
    threads.clear()
    asyncio.run(app.aget_variable("v"))
    assert threads and threading.get_ident() not in threads


def test_the_metastore_is_read_outside_the_event_loop(make: Callable[..., App]) -> None:
    app = make(database=True, environ={"BILLING__CORE__FERNET_KEY": generate()})
    app.store.set_variable("v", "stored", None)
    (link,) = [link for link in app.chain.links if link.role == "metastore"]
    threads, read = set[int](), link.backend.get_variable
    link.backend.get_variable = lambda key: (threads.add(threading.get_ident()), read(key))[1]
    assert asyncio.run(app.aget_variable("v")) == "stored"
    assert threads and threading.get_ident() not in threads


def test_nothing_old_is_read_after_a_reload(make: Callable[..., App]) -> None:
    app = make(Store)
    assert asyncio.run(app.aget_connection("warehouse")).password == "first-password"
    Store.password = "second-password"
    app.reload()
    assert asyncio.run(app.aget_connection("warehouse")).password == "second-password"
    assert app.get_connection("warehouse").password == "second-password"


def test_a_kept_answer_leaves_the_memory_when_it_expires(make: Callable[..., App], clock: Clock) -> None:
    app = make(Store, cache_ttl_seconds="100")
    (link,) = app.chain.custom
    app.get_variable("old")
    clock.now += 90
    app.get_variable("new")
    clock.now += 20
    assert app.get_variable("new") == "value of new"
    assert list(link.cache._kept) == [("variable", "new", None)]
    assert link.cache.counts["hits"] == 1


def test_each_read_of_what_is_kept_is_counted(make: Callable[..., App]) -> None:
    app = make(Store)
    for _ in range(3):
        app.get_variable("v")
        asyncio.run(app.aget_variable("v"))
    (stats,) = app.stats()
    assert (stats["calls"], stats["hits"]) == (1, 5)


# Many at once


class Crowd:
    """Counts the threads of the process while a store is asked; lets the questions go when enough have come."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, together: int) -> None:
        self.before, self.most, self.calls = threading.active_count(), 0, 0
        self._inside, self._together, self._change = 0, together, threading.Condition()
        self._open = False
        monkeypatch.setattr(Store, "wait", staticmethod(self._enter))

    def _enter(self) -> None:
        with self._change:
            self._inside += 1
            self._open = self._open or self._inside >= self._together
            self._change.notify_all()
            assert self._change.wait_for(lambda: self._open, GUARD)
            self.calls = max(self.calls, self._inside)
            self.most = max(self.most, threading.active_count() - self.before)
            self._inside -= 1


QUESTIONS: dict[str, Callable[[App, int], Awaitable[Any]]] = {
    "distinct connections": lambda app, n: app.aget_connection(f"c{n}"),
    "distinct variables": lambda app, n: app.aget_variable(f"v{n}"),
    "names that nobody has": lambda app, n: app.aget_variable(f"no{n}", default=None),
    "both": lambda app, n: app.aget_connection(f"c{n}") if n % 2 else app.aget_variable(f"v{n}"),
    "few names again and again": lambda app, n: app.aget_variable(f"v{n % 20}"),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("links", [1, 2, 3])
def test_hundreds_of_questions_take_few_threads(
    make: Callable[..., App], monkeypatch: pytest.MonkeyPatch, question: str, links: int
) -> None:
    class Third(Store):
        pass

    monkeypatch.setitem(globals(), "Third", Third)
    app = make(*[Store, Second, Third][:links], max_workers="12")
    crowd = Crowd(monkeypatch, 12 // (1 + links))

    async def main() -> list[Any]:
        return await asyncio.gather(*(QUESTIONS[question](app, n) for n in range(300)))

    answers = asyncio.run(main())
    assert len(answers) == 300
    assert 12 // (1 + links) <= crowd.calls
    assert crowd.most <= 12
    assert len(Store.asked) == len(set(Store.asked)) * (links if question.startswith("names") else 1)


def test_several_loops_share_the_threads(make: Callable[..., App], monkeypatch: pytest.MonkeyPatch) -> None:
    app = make(Store, max_workers="4")
    app.chain.custom[0].backend  # noqa: B018 - built
    crowd = Crowd(monkeypatch, 2)

    def loop(first: int) -> None:
        async def main() -> None:
            await asyncio.gather(*(app.aget_variable(f"v{n}") for n in range(first, first + 40)))

        asyncio.run(main())

    loops = [threading.Thread(target=loop, args=(number * 100,)) for number in range(5)]
    for thread in loops:
        thread.start()
    for thread in loops:
        thread.join()
    assert len(Store.asked) == 200
    assert crowd.most <= 4 + len(loops)


def test_the_threads_end_with_the_questions(make: Callable[..., App]) -> None:
    app = make(Store)

    async def main() -> None:
        await asyncio.gather(*(app.aget_variable(f"v{n}") for n in range(100)))

    asyncio.run(main())
    waiting = app._turns
    until(lambda: not waiting._running)
    assert not waiting._waiting


def test_an_override_is_seen_in_the_turn(make: Callable[..., App], monkeypatch: pytest.MonkeyPatch) -> None:
    app, seen = make(Store), list[str]()
    monkeypatch.setattr(Store, "wait", staticmethod(lambda: seen.append(app.conf.get("s", "x", fallback="none"))))

    async def one(number: int) -> None:
        with app.conf.override({("s", "x"): str(number)}):
            await app.aget_variable(f"v{number}")

    async def main() -> None:
        await asyncio.gather(*(one(number) for number in range(50)))

    asyncio.run(main())
    assert sorted(seen) == sorted(map(str, range(50)))


def test_a_lookup_that_no_caller_waits_for_is_not_made(
    make: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make(Store, max_workers="2")
    go = threading.Event()
    monkeypatch.setattr(Store, "wait", staticmethod(lambda: go.wait(GUARD)))

    async def main() -> None:
        first = asyncio.ensure_future(app.aget_variable("first"))
        others = [asyncio.ensure_future(app.aget_variable(f"v{n}")) for n in range(5)]
        while not Store.asked:
            await asyncio.sleep(0.005)
        for other in others:
            other.cancel()
        await asyncio.wait(others)
        go.set()
        await first
        assert await app.aget_variable("last") == "value of last"

    asyncio.run(main())
    assert Store.asked == ["first", "last"]


def test_a_store_that_hangs_fails_those_that_wait_too(
    make: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first ones by their deadline, the others as soon as their turn comes."""
    app = make(Store, max_workers="4", resolve_timeout_seconds="0.2")
    monkeypatch.setattr(Store, "wait", staticmethod(Store.end.wait))  # type: ignore[attr-defined]
    monkeypatch.setattr(turns, "monotonic", clock_from(lambda: len(Store.asked) >= 4))

    async def main() -> list[Any]:
        questions = (app.aget_variable(f"v{n}") for n in range(100))
        return await asyncio.gather(*questions, return_exceptions=True)

    faults = asyncio.run(main())
    assert {type(fault) for fault in faults} == {errors.BackendUnavailable}
    texts = list(map(str, faults))
    assert any("store: variable 'v0': there was no answer within 0.2 s" in text for text in texts)
    assert any("it was not asked for, because no other question was answered within 0.2 s" in text for text in texts)
    assert len(Store.asked) < 50


def test_a_slow_store_is_waited_for_as_long_as_it_answers(
    make: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make(Store, max_workers="2")
    now = 0.0

    def answer() -> None:
        nonlocal now
        now += 20  # seconds for each answer, while a question waits for its turn for 30 at most

    monkeypatch.setattr(turns, "monotonic", lambda: now)
    monkeypatch.setattr(Store, "wait", staticmethod(answer))

    async def main() -> list[Any]:
        return await asyncio.gather(*(app.aget_variable(f"v{n}") for n in range(10)))

    assert asyncio.run(main()) == [f"value of v{n}" for n in range(10)]


def test_a_child_has_threads_of_its_own(make: Callable[..., App], monkeypatch: pytest.MonkeyPatch) -> None:
    app = make(Store, max_workers="2")
    go, asked = threading.Event(), threading.Event()
    monkeypatch.setattr(Store, "wait", staticmethod(lambda: (asked.set(), go.wait(GUARD))))
    busy = threading.Thread(target=lambda: asyncio.run(app.aget_variable("first")))
    busy.start()
    assert asked.wait(GUARD)
    child = os.fork()
    if not child:
        go.set()
        os._exit(0 if asyncio.run(app.aget_variable("second")) == "value of second" else 1)
    go.set()
    busy.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_when_the_system_gives_no_thread_the_caller_gets_an_error(
    make: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make(Store)

    def refuse(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as context:
        context.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            asyncio.run(app.aget_variable("v"))
    assert asyncio.run(app.aget_variable("w")) == "value of w"
    assert Store.asked == ["w"]

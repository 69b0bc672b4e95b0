"""Many secrets at once: batches, parallel calls, the cache, one look-up at a time, and forked processes."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD, Clock, clock_from, in_threads, until

from framework import App, errors
from framework.backends.base import StoreBackend
from framework.chain import cache
from framework.chain import deadline as bounded
from framework.chain import runner as parallel
from framework.chain.cache import Cache
from framework.chain.link import Link
from framework.chain.runner import Runner


class Store(StoreBackend):
    """A store in memory that counts its calls, may wait before it answers, and may have a batch call."""

    batch_size = 10

    def __init__(self, values: dict[str, str], wait: Callable[[], object] = lambda: None) -> None:
        super().__init__(config_prefix="", variables_prefix="v", connections_prefix=None)
        self.values, self.wait = values, wait
        self.reads: list[str] = []
        self.answers: list[str] = []
        self.batches: list[list[str]] = []
        self.failing: dict[str, errors.SecretsError] = {}

    def read(self, name: str, version: str | None = None) -> str | None:
        self.reads.append(name if version is None else f"{name}@{version}")
        self.wait()
        self.answers.append(name)
        if name in self.failing:
            raise self.failing[name]
        return self.values.get(name)


class BatchStore(Store):
    def read_many(self, names: list[str]) -> Mapping[str, str | errors.SecretsError]:
        self.batches.append(names)
        found: dict[str, str | errors.SecretsError] = {n: self.values[n] for n in names if n in self.values}
        return {**found, **{n: fault for n, fault in self.failing.items() if n in names}}


@pytest.fixture
def never() -> Iterator[Callable[[], object]]:
    """A wait that ends with the test, for stores that hang."""
    end = threading.Event()
    yield lambda: end.wait(GUARD)
    end.set()


def time_begins_when_all_are_asked(
    monkeypatch: pytest.MonkeyPatch, store: Store, count: int, behind: float = 0.0
) -> None:
    """For so many questions at once: a busy machine may take longer to start their threads than the time allows.

    Args:
        behind: by how many seconds the clock of the links is behind that of the prefetch.
    """
    now, start = clock_from(lambda: len(store.reads) == count), parallel.start_thread

    def start_and_wait(work: Callable[[], None]) -> threading.Thread:
        before, thread = len(store.reads), start(work)
        until(lambda: len(store.reads) > before)
        return thread

    monkeypatch.setattr(parallel, "monotonic", now)
    monkeypatch.setattr(parallel, "start_thread", start_and_wait)
    monkeypatch.setattr(bounded, "monotonic", lambda: now() - behind)


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each look-up that finds another thread making the same one, before it waits for the answer."""
    found, outcome = list[int](), cache._Flight.outcome
    monkeypatch.setattr(cache._Flight, "outcome", lambda flight: (found.append(1), outcome(flight))[1])
    return found


def app_over(tmp_path: Path, *stores: Any, cfg: str = "", count: int = 0, **options: str) -> App:
    pointers = "".join(f"k{i}_secret = s{i}\n" for i in range(count))
    (tmp_path / "billing.cfg").write_text(f"[s]\n{pointers}{cfg}")
    environ = {"PATH": os.environ["PATH"], **{f"BILLING__SECRETS__{k.upper()}": v for k, v in options.items()}}

    class Over(App):
        def custom_links(self) -> list[Link]:
            from framework.assembly import _cache

            return [
                Link(f"store{i}", i + 1, lambda store=store: store, cache=_cache(self))
                for i, store in enumerate(stores)
            ]

    return Over("billing", home=str(tmp_path), environ=environ, sensitive=["s.*"])


def values(count: int) -> dict[str, str]:
    return {f"s{i}": f"value {i}" for i in range(count)}


def test_batches_for_all_options(tmp_path: Path) -> None:
    store = BatchStore(values(50))
    app = app_over(tmp_path, store, count=50)
    assert app.prefetch() == {}
    assert [len(batch) for batch in store.batches] == [10] * 5
    assert app.conf.get("s", "k7") == "value 7"
    assert store.reads == []


def test_threads_are_for_what_is_waited_for_alone(tmp_path: Path) -> None:
    done: list[int] = []
    app = app_over(tmp_path, BatchStore(values(50)), count=50, cfg="a_cmd = echo 1\nb_cmd = echo 2\n")
    assert app.prefetch(progress=done.append) == {}
    assert done == [1] * 7, "five batches and two commands"


def test_without_a_batch_call_reads_run_in_parallel(tmp_path: Path) -> None:
    store = Store(values(32), lambda: until(lambda: len(store.reads) >= 4))  # answers when four are under way
    app = app_over(tmp_path, store, count=32)
    assert app.prefetch() == {}
    assert sorted(store.reads) == sorted(values(32))
    assert {app.conf.get("s", f"k{i}") for i in range(32)} == set(values(32).values())
    assert len(store.reads) == 32


def test_the_next_link_is_asked_for_what_is_missing_alone(tmp_path: Path) -> None:
    first, second = BatchStore({"s0": "first"}), BatchStore({"s0": "second", "s1": "second", "s2": "second"})
    app = app_over(tmp_path, first, second, count=3)
    assert app.prefetch() == {}
    assert [app.conf.get("s", f"k{i}") for i in range(3)] == ["first", "second", "second"]
    assert second.batches == [["s1", "s2"]]
    assert app.answer("s", "k0").link == "store0"


def test_each_failure_is_reported_by_option_and_no_other_link_answers(tmp_path: Path) -> None:
    first, second = BatchStore(values(3)), BatchStore(values(4))
    first.failing["s1"] = errors.AccessDenied("not for you")
    app = app_over(tmp_path, first, second, count=4, cfg="gone_secret = nobody\nbad_secret = a b\n")
    failures = app.prefetch()
    assert set(failures) == {("s", "k1"), ("s", "gone"), ("s", "bad")}
    assert "store0: config 's1': not for you" in str(failures["s", "k1"])
    assert "secret 'nobody' not found" in str(failures["s", "gone"])
    assert "looks like a value" in str(failures["s", "bad"])
    assert app.conf.get("s", "k3") == "value 3"


def test_a_batch_that_fails_as_a_whole_fails_every_name(tmp_path: Path) -> None:
    class Down(BatchStore):
        def read_many(self, names: list[str]) -> Mapping[str, str | errors.SecretsError]:
            raise errors.BackendUnavailable("down")

    failures = app_over(tmp_path, Down({}), BatchStore(values(3)), count=3).prefetch()
    assert len(failures) == 3
    assert all("down" in str(fault) for fault in failures.values())


def test_one_fetch_serves_all_parts_of_a_secret(tmp_path: Path) -> None:
    store = Store({"db": json.dumps({"user": "u", "password": "p-p-p"})})
    app = app_over(tmp_path, store, cfg="user_secret = db#/user\npassword_secret = db#/password\nboth_secret = db\n")
    assert app.prefetch() == {}
    assert (app.conf.get("s", "user"), app.conf.get("s", "password")) == ("u", "p-p-p")
    assert store.reads == ["db"]


def test_versions_are_asked_one_by_one(tmp_path: Path) -> None:
    store = BatchStore(values(3))
    app = app_over(tmp_path, store, count=3, cfg="old_secret = s0?version=7\n")
    assert app.prefetch() == {}
    assert store.reads == ["s0@7"]


def test_one_deadline_for_everything(tmp_path: Path, never: Callable[[], object]) -> None:
    store = Store(values(3), never)
    app = app_over(tmp_path, store, count=3, resolve_timeout_seconds="0.2")
    failures = app.prefetch()
    assert store.answers == [], "nobody waited for the store"
    assert len(failures) == 3
    assert all("no answer within 0.2 s" in str(fault) for fault in failures.values())


def test_commands_run_side_by_side(tmp_path: Path) -> None:
    """Each ends when two have begun, or when its time is over."""
    log, script = tmp_path / "log", tmp_path / "script"
    script.write_text(f"echo in >> {log}\nuntil [ $(wc -l < {log}) -ge 2 ]; do sleep 0.01; done\necho $1\n")
    app = app_over(tmp_path, cfg="".join(f"c{i}_cmd = sh {script} {i}\n" for i in range(8)))
    assert app.prefetch() == {}
    assert app.conf.get("s", "c5") == "5"


def test_a_thousand_reads_by_32_threads_ask_each_secret_once(tmp_path: Path) -> None:
    store = Store({f"v/x{i}": str(i) for i in range(50)}, lambda: time.sleep(0.002))  # so that others come meanwhile
    app = app_over(tmp_path, store)
    wrong: list[Any] = []

    def read() -> None:
        for i in range(32):
            if app.get_variable(f"x{i % 50}") != str(i % 50):
                wrong.append(i)

    in_threads(read, 32)
    assert wrong == []
    assert len(store.reads) == len(set(store.reads)) == 32


def test_absence_is_kept_for_its_own_time_and_failure_never(tmp_path: Path, clock: Clock) -> None:
    store = Store({})
    app = app_over(tmp_path, store, negative_cache_ttl_seconds="0.2")
    for _ in range(3):
        with pytest.raises(errors.VariableNotFound):
            app.get_variable("x")
    assert store.reads == ["v/x"]
    clock.now += 0.25
    store.values["v/x"] = "now"
    assert app.get_variable("x") == "now"
    store.failing["v/y"] = errors.BackendUnavailable("down")
    for _ in range(2):
        with pytest.raises(errors.BackendUnavailable):
            app.get_variable("y")
    assert store.reads.count("v/y") == 2


def test_an_old_value_may_stand_in_for_a_store_that_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr("framework.chain.cache._DOWN_FOR", 0)
    store = Store({"v/x": "good"})
    app = app_over(tmp_path, store, cache_ttl_seconds="0.05", stale_if_error_seconds="60")
    assert app.get_variable("x") == "good"
    store.failing["v/x"] = errors.BackendUnavailable("down")
    clock.now += 0.1
    with pytest.warns(errors.FrameworkWarning, match=r"down. Its answer from 0 s ago is used meanwhile"):
        assert app.get_variable("x") == "good"
    store.failing["v/x"] = errors.AccessDenied("no longer yours")
    with pytest.raises(errors.AccessDenied):
        app.get_variable("x")
    assert app.stats()[0]["stale"] == 1


def test_no_cache_asks_each_time_and_reload_forgets(tmp_path: Path) -> None:
    store = Store({"v/x": "1"})
    app = app_over(tmp_path, store, use_cache="false")
    app.get_variable("x")
    app.get_variable("x")
    assert store.reads == ["v/x", "v/x"]
    kept = Store({"v/x": "1"})
    app = app_over(tmp_path, kept)
    app.get_variable("x")
    app.get_variable("x")
    app.reload()
    app.get_variable("x")
    assert kept.reads == ["v/x", "v/x"]


def test_expired_secrets_leave_the_memory_and_the_cache_is_bounded(clock: Clock) -> None:
    cache = Cache(0.05, 0.05)
    for i in range(10):
        cache.get(("config", str(i), None), lambda: "secret")
    clock.now += 0.1
    assert "secret" in str(cache._kept), "nobody has looked yet"
    cache.get(("config", "last", None), lambda: None)
    assert "secret" not in str(cache._kept), "the next question, whatever it is, drops them"
    assert len(cache) == 1
    cache = Cache(900)
    for i in range(10_100):
        cache.get(("config", str(i), None), lambda: "secret")
    assert len(cache) <= 10_000
    assert "secret" not in repr(cache)


def test_a_fork_in_the_middle_of_a_question_does_not_hang_the_child() -> None:
    cache = Cache(900)
    asked, answer = threading.Event(), threading.Event()

    def slow() -> str:
        asked.set()
        answer.wait(GUARD)
        return "parent"

    thread = threading.Thread(target=cache.get, args=(("config", "x", None), slow))
    thread.start()
    assert asked.wait(GUARD)
    child = os.fork()
    if not child:
        os._exit(0 if cache.get(("config", "x", None), lambda: "child") == "child" else 1)
    answer.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_async_calls_leave_the_loop_free_and_share_the_question(tmp_path: Path) -> None:
    """The store answers when the loop has done something else after the question."""
    asked, ticked = threading.Event(), threading.Event()
    waits = list[bool]()
    store = Store({"v/x": "1", **values(3)}, lambda: (ticked.clear(), asked.set(), waits.append(ticked.wait(GUARD))))
    app = app_over(tmp_path, store, count=3)

    async def main() -> list[Any]:
        async def tick() -> None:
            while True:
                await asyncio.sleep(0.01)
                if asked.is_set():
                    ticked.set()

        ticking = asyncio.create_task(tick())
        answers = await asyncio.gather(*(app.aget_variable("x") for _ in range(5)))
        assert await app.aprefetch() == {}
        ticking.cancel()
        return answers

    assert asyncio.run(main()) == ["1"] * 5
    assert store.reads.count("v/x") == 1
    assert waits == [True] * 4


def test_threads_see_the_overrides_of_their_caller(tmp_path: Path) -> None:
    app = app_over(tmp_path, Store(values(4)), count=2)
    with app.conf.override({("s", "k2_secret"): "s2", ("s", "k3_secret"): "s3"}):
        assert app.prefetch() == {}
        assert app.conf.get("s", "k3") == "value 3"


def test_the_plan_makes_no_call(tmp_path: Path) -> None:
    from framework.options.prefetch import Plan

    store = BatchStore(values(25))
    app = app_over(tmp_path, store, count=25, cfg="c_cmd = touch nothing\n")
    rows = Plan(app.engine).calls(app.chain)
    assert rows[0] == {"by": "this process", "call": "run a command", "for": "[s] c"}
    assert rows[1] == {"by": "store0", "call": "at most 3 calls", "for": "25 secrets"}
    assert (store.batches, store.reads) == ([], [])


def test_stats_name_what_is_missed_most(tmp_path: Path) -> None:
    store = Store({"v/x": "1"})
    app = app_over(tmp_path, store, negative_cache_ttl_seconds="0")
    for key in ("x", "x", "gone", "gone"):
        app.get_variable(key, default=None)
    [row] = app.stats()
    assert (row["calls"], row["hits"], row["absent"]) == (3, 1, 2)
    assert row["most missed"] == "gone (2)"


def test_stats_are_read_while_other_threads_ask(tmp_path: Path) -> None:
    app = app_over(tmp_path, Store({}), negative_cache_ttl_seconds="0")
    app.get_variable("gone", default=None)

    class Unshown(set[str]):
        """While a name is looked up, another one is missed."""

        def __contains__(self, name: object) -> bool:
            app.chain.custom[0].cache.misses[f"{name}-too"] = 1
            return False

    app.chain.unshown = Unshown()
    [row] = app.stats()
    assert row["most missed"] == "gone (1)"


def test_a_company_format_by_configuration_alone(tmp_path: Path) -> None:
    secret = {"username": "app", "password": "pw", "endpoint": {"address": "db.example", "port": 5432}}
    (tmp_path / "c.json").write_text(json.dumps({"db": json.dumps(secret)}))
    fields = {"login": "username", "password": "password", "host": "endpoint.address", "port": "endpoint.port"}
    environ = {
        "BILLING__SECRETS__BACKEND": "tests_company.Stored",
        "BILLING__SECRETS__CONNECTION_MAP": json.dumps({**fields, "conn_type": {"const": "postgres"}}),
    }
    import sys
    import types

    from framework import BaseSecretsBackend

    class Stored(BaseSecretsBackend):
        def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
            return json.dumps(secret)

    module = types.ModuleType("tests_company")
    module.Stored = Stored  # type: ignore[attr-defined]
    sys.modules["tests_company"] = module
    connection = App("billing", home=str(tmp_path), environ=environ).get_connection("db")
    assert connection.get_uri() == "postgres://app:pw@db.example:5432"


def test_a_runner_keeps_the_order_and_the_errors() -> None:
    def fail() -> None:
        raise ValueError("x")

    tasks: Iterable[Any] = [lambda: 1, fail, lambda: 3]
    one, fault, three = Runner(4, 5, lambda: TimeoutError()).run(list(tasks))
    assert (one, three, type(fault)) == (1, 3, ValueError)


def test_a_cached_connection_is_copied_for_each_caller(tmp_path: Path) -> None:
    class Connections(Store):
        def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
            self.reads.append(conn_id)
            return "http://h"

        def asks_for(self, kind: str, name: str) -> bool:
            return True

    store = Connections({})
    app = app_over(tmp_path, store)
    app.get_connection("c").host = "changed"
    assert app.get_connection("c").host == "h"
    assert store.reads == ["c"]


def test_a_class_without_a_batch_call_is_asked_one_by_one(tmp_path: Path) -> None:
    class Duck:
        def get_config(self, key: str) -> str | None:
            return f"duck {key}"

    app = app_over(tmp_path, Duck(), count=3)
    assert app.prefetch() == {}
    assert app.conf.get("s", "k2") == "duck s2"


def test_a_link_that_cannot_be_built_fails_only_the_lookups_that_reach_it(tmp_path: Path) -> None:
    store = BatchStore(values(2))
    app = app_over(tmp_path, store, count=2, cfg="other_secret = elsewhere\n")
    broken = Link("broken", 2, lambda: (_ for _ in ()).throw(errors.BackendError("no class")))
    app.chain.links.insert(1, broken)
    failures = app.prefetch()
    assert set(failures) == {("s", "other")}
    assert "[s] other_secret" in str(failures["s", "other"])
    assert app.conf.get("s", "k1") == "value 1"


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("behind", [0.0, 0.5, -0.1], ids=["at once", "the link is late", "the link is early"])
def test_a_late_answer_is_the_same_error_whichever_thread_notices_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, never: Callable[[], object], count: int, behind: float
) -> None:
    """The thread that asks the link, or the one that waits for all: a busy machine runs either first."""
    store = Store(values(count), never)
    time_begins_when_all_are_asked(monkeypatch, store, count, behind)
    failures = app_over(tmp_path, store, count=count, resolve_timeout_seconds="0.2").prefetch()
    assert store.answers == [], "nobody waited for the store"
    for i in range(count):
        assert f"from store0: config 's{i}': there was no answer within 0.2 s" in str(failures["s", f"k{i}"])


def test_no_link_is_asked_when_no_time_is_left(tmp_path: Path) -> None:
    store = Store({"v/x": "1"})
    app = app_over(tmp_path, store)
    over = bounded.Deadline(time.monotonic() - 1, 0.2)
    token = bounded.deadline.set(over)
    try:
        with pytest.raises(errors.BackendUnavailable, match="store0: variable 'x': there was no answer within 0.2 s"):
            app.get_variable("x")
        assert store.reads == []
        over.is_settled = True  # as in a thread that a backend left behind
        assert app.get_variable("x") == "1"
    finally:
        bounded.deadline.reset(token)


def test_a_context_that_outlives_its_question_is_under_no_deadline(tmp_path: Path) -> None:
    contexts = []
    store = Store({"v/x": "1"}, lambda: contexts.append(copy_context()))
    app_over(tmp_path, store).get_variable("x")
    [result] = Runner(1, 5, lambda: TimeoutError()).run([copy_context])
    for context in (*contexts, result):
        assert context[bounded.deadline].is_settled


def test_the_making_of_a_link_is_under_the_deadline(tmp_path: Path, never: Callable[[], object]) -> None:
    app, made = app_over(tmp_path, count=2, resolve_timeout_seconds="0.2"), list[Store]()
    app.chain.links.insert(0, Link("slow", 1, lambda: (never(), made.append(Store({})), made[0])[2]))
    failures = app.prefetch()
    assert made == [], "nobody waited for the link"
    assert len(failures) == 2


def test_a_late_answer_names_link_and_secret_and_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    store = Store(values(2), lambda: answer.wait(GUARD))
    time_begins_when_all_are_asked(monkeypatch, store, 2)
    app = app_over(tmp_path, store, count=2, resolve_timeout_seconds="0.2")
    failures = app.prefetch()
    assert "from store0: config 's0': there was no answer within 0.2 s" in str(failures["s", "k0"])
    until(lambda: store.reads)
    answer.set()
    until(lambda: app.chain.links[0].cache.peek(("config", "s0", None))[0])
    assert app.conf.get("s", "k0") == "value 0"
    assert store.reads.count("s0") == 1


def test_no_more_calls_at_once_than_max_workers(tmp_path: Path) -> None:
    running, most, lock, three = [0], [0], threading.Lock(), threading.Barrier(3)

    class Counting(Store):
        def read(self, name: str, version: str | None = None) -> str | None:
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            three.wait(GUARD)
            time.sleep(0.01)  # a fourth would be seen
            with lock:
                running[0] -= 1
            return self.values.get(name)

    app = app_over(tmp_path, Counting(values(30)), count=30, max_workers="3")
    assert app.prefetch() == {}
    assert most == [3]


def test_the_plan_makes_no_link(tmp_path: Path) -> None:
    """Its kwargs may be a pointer, which is a separate call in the plan."""
    (tmp_path / "billing.cfg").write_text(
        "[secrets]\nbackends = corp, team\n[secrets.corp]\nbackend = vault\nbackend_kwargs_cmd = touch ran\n"
        "[secrets.team]\nbackend = aws_ssm\nbackend_kwargs_secret = team-kwargs\n[s]\n"
        + "".join(f"k{i}_secret = s{i}\n" for i in range(25))
    )
    from framework.options.prefetch import Plan

    app = App("billing", home=str(tmp_path), environ={"BILLING__DATABASE__SQL_ALCHEMY_CONN": ""}, sensitive=["s.*"])
    assert Plan(app.engine).calls(app.chain)[:4] == [
        {"by": "this process", "call": "run a command", "for": "[secrets.corp] backend_kwargs"},
        {"by": "corp or environment", "call": "look up", "for": "[secrets.team] backend_kwargs"},
        {"by": "corp", "call": "at most 25 calls", "for": "25 secrets"},
        {"by": "team", "call": "at most 3 calls", "for": "what is still missing of 25 secrets"},
    ]
    assert all(link._backend is None for link in app.chain.links)


def test_kinds_that_are_never_asked_for_are_reported_and_not_counted(tmp_path: Path) -> None:
    app = app_over(tmp_path, Store({}))
    assert app.chain.explain("connection", "x")[0] == ("store0", "is never asked for it")
    with pytest.raises(
        errors.ConnectionNotFound, match=r"asked: environment \(BILLING_CONN_X\), metastore\). store0 is never asked"
    ):
        app.get_connection("x")
    assert app.stats()[0]["calls"] == 0


def test_a_store_that_keeps_no_versions_is_not_asked_for_one_and_serves_the_rest(tmp_path: Path) -> None:
    class Unversioned(Store):
        keeps_versions = False

    app = app_over(tmp_path, Unversioned(values(1)), count=1, cfg="old_secret = s0?version=3\nother_secret = s1\n")
    failures = app.prefetch()
    assert "asked: no link). No versions are kept by store0, environment, metastore" in str(failures["s", "old"])
    assert "asked: store0, environment (BILLING_SECRET_S1), metastore" in str(failures["s", "other"])
    assert app.chain.explain("config", "s0")[0] == ("store0", "found")


def test_batches_and_single_questions_share_one_flight(tmp_path: Path, joined: list[int]) -> None:
    asked = threading.Event()

    class Shared(BatchStore):
        def read_many(self, names: list[str]) -> Mapping[str, str | errors.SecretsError]:
            asked.set()
            until(lambda: len(joined) == 3)
            return super().read_many(names)

    store = Shared(values(5))
    app = app_over(tmp_path, store, count=5)
    threads = [threading.Thread(target=app.prefetch) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert asked.wait(GUARD)
    assert app.conf.get("s", "k2") == "value 2"
    for thread in threads:
        thread.join()
    assert (len(store.batches), store.reads) == (1, [])


def test_a_store_that_is_down_is_left_alone_for_a_while_when_old_answers_do(tmp_path: Path, clock: Clock) -> None:
    store = Store({"v/x": "good"})
    app = app_over(tmp_path, store, cache_ttl_seconds="0.05", stale_if_error_seconds="60")
    assert app.get_variable("x") == "good"
    store.failing["v/x"] = errors.BackendUnavailable("down")
    clock.now += 0.1
    for _ in range(5):
        with pytest.warns(errors.FrameworkWarning, match="is used meanwhile"):
            assert app.get_variable("x") == "good"
    assert store.reads == ["v/x", "v/x"]
    clock.now += cache._DOWN_FOR
    with pytest.warns(errors.FrameworkWarning, match="is used meanwhile"):
        assert app.get_variable("x") == "good"
    assert store.reads == ["v/x"] * 3


def test_a_fork_while_another_thread_makes_the_link_does_not_hang_the_child(tmp_path: Path) -> None:
    making, made, parent = threading.Event(), threading.Event(), os.getpid()

    def make() -> Any:
        if os.getpid() == parent:
            making.set()
            made.wait(GUARD)
        return Store({"v/x": "1"})

    app = app_over(tmp_path)
    app.chain.links.insert(0, Link("slow", 1, make))
    thread = threading.Thread(target=lambda: app.get_variable("x"))
    thread.start()
    assert making.wait(GUARD)
    child = os.fork()
    if not child:
        os._exit(0 if app.get_variable("x") == "1" else 1)
    made.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_hung_store_does_not_hold_up_the_end_of_a_loop(tmp_path: Path, never: Callable[[], object]) -> None:
    store = Store({}, never)
    app = app_over(tmp_path, store)

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(app.aget_variable("x"), 0.1)

    asyncio.run(main())
    assert store.answers == [], "nobody waited for the store"


def test_a_lookup_that_cannot_begin_fails_for_each_option(tmp_path: Path) -> None:
    app = app_over(tmp_path, Store(values(2)), count=2, config_links="nobody")
    failures = app.prefetch()
    assert set(failures) == {("s", "k0"), ("s", "k1")}
    assert all("config_links names 'nobody', which is not a link" in str(fault) for fault in failures.values())


def test_a_store_that_hangs_does_not_keep_a_command_from_running(tmp_path: Path) -> None:
    """It hangs until the command has run, or its time is over."""
    (tmp_path / "file").write_text("from a file")
    cfg = f"c_cmd = sh -c 'touch {tmp_path}/ran; echo hi'\nf_file = file\n"
    store = Store({}, lambda: until((tmp_path / "ran").exists))
    store.failing = {f"s{i}": errors.BackendUnavailable("it hung") for i in range(3)}
    app = app_over(tmp_path, store, count=3, cfg=cfg, max_workers="1")
    assert set(app.prefetch()) == {("s", f"k{i}") for i in range(3)}
    assert (app.conf.get("s", "c"), app.conf.get("s", "f")) == ("hi", "from a file")


def test_one_bad_name_fails_no_other(tmp_path: Path) -> None:
    store = Store(values(20))
    store.failing = {f"s{i}": errors.BackendUnavailable("its key is gone") for i in range(3)}
    failures = app_over(tmp_path, store, count=20, max_workers="1").prefetch()
    assert set(failures) == {("s", f"k{i}") for i in range(3)}


def test_a_store_that_is_down_is_not_asked_for_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_A_WHILE", 0)
    store = Store({})
    store.batch_size = 1
    store.failing = {f"s{i}": errors.BackendUnavailable("down") for i in range(40)}
    failures = app_over(tmp_path, store, count=40, max_workers="4").prefetch()
    assert len(failures) == 40
    assert len(store.reads) <= 7, "four failed, and three were under way"
    assert any("it was not asked for" in str(fault) for fault in failures.values())


def test_what_fails_at_once_is_not_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(parallel, "monotonic", lambda: now[0])
    down, both, up = parallel.Outage(2), parallel.Outage(2), parallel.Outage(2)
    for outage, outcomes in ((down, ["down", "down"]), (both, ["down", "up", "down"]), (up, ["up"])):
        for outcome in outcomes:
            outage.note([errors.BackendUnavailable("no") if outcome == "down" else "value"])
    assert down.over() is None
    now[0] = parallel._A_WHILE
    assert down.over() is not None
    assert both.over() is up.over() is None


def test_what_is_followed_is_not_asked_for_again(tmp_path: Path) -> None:
    store = BatchStore(values(3))
    app = app_over(tmp_path, store, count=3, use_cache="false")
    assert app.prefetch() == app.prefetch() == {}
    assert (len(store.batches), store.reads) == (1, [])


def test_concurrent_prefetches_do_not_disturb_each_other(tmp_path: Path) -> None:
    store = Store(values(20), lambda: time.sleep(0.01))  # so that others come meanwhile
    app = app_over(tmp_path, store, count=20, use_cache="false")
    threads = [threading.Thread(target=app.prefetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.reads) <= 4 * 20
    assert app.conf.get("s", "k7") == "value 7"


def test_a_refusal_ends_what_an_old_answer_could_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr("framework.chain.cache._DOWN_FOR", 0)
    store = Store({"v/x": "good"})
    app = app_over(tmp_path, store, cache_ttl_seconds="0.05", stale_if_error_seconds="60")
    assert app.get_variable("x") == "good"
    clock.now += 0.1
    for fault in (errors.AccessDenied("no longer yours"), errors.BackendUnavailable("down")):
        store.failing["v/x"] = fault
        with pytest.raises(type(fault)):
            app.get_variable("x")


def test_a_warning_raised_as_an_error_causes_no_hang(clock: Clock) -> None:
    import warnings

    cache = Cache(0.01, 0.01, 100)
    cache.get(("variable", "b", None), lambda: "old")
    clock.now += 0.05
    down = errors.BackendUnavailable("down", where="store: variable 'b'")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(errors.FrameworkWarning):
            cache.get_many([("variable", n, None) for n in ("a", "b")], lambda keys: [down for _ in keys])
    assert cache.get(("variable", "a", None), lambda: "fine") == "fine"


def test_each_who_waited_gets_an_error_of_its_own(joined: list[int]) -> None:
    cache, faults = Cache(900), list[Exception]()
    fault = errors.BackendUnavailable("down", where="x")

    def fail() -> Any:
        until(lambda: len(joined) == 3)
        raise fault

    def ask() -> None:
        try:
            cache.get(("config", "x", None), fail)
        except errors.BackendUnavailable as error:
            faults.append(error)

    in_threads(ask, 4)
    assert len({id(error) for error in faults}) == 4


def test_a_backend_that_raises_what_ends_a_process_ends_nothing(tmp_path: Path) -> None:
    class Panic(BaseException):
        """As extensions written in other languages have it."""

    class Broken(Store):
        def read(self, name: str, version: str | None = None) -> str | None:
            raise Panic("canary")

    app = app_over(tmp_path, Broken({}), count=2)
    failures = app.prefetch()
    assert all("the backend raised Panic" in str(fault) for fault in failures.values())
    with pytest.raises(errors.BackendUnavailable, match="the backend raised Panic") as caught:
        asyncio.run(app.aget_variable("x"))
    assert "canary" not in str(caught.value)


def test_absence_may_be_kept_longer_than_values(clock: Clock) -> None:
    cache, asked = Cache(0.01, 100), list[int]()
    for _ in range(2):
        cache.get(("config", "x", None), lambda: asked.append(1))
        clock.now += 0.05
    assert asked == [1]


def test_a_secret_that_was_resolved_while_the_application_reloads_is_not_kept(tmp_path: Path) -> None:
    store = Store({"s0": "old"})
    app = app_over(tmp_path, store, count=1)
    assert app.conf.get("s", "k0") == "old"
    become = app.engine.become

    def ask_and_become(other: Any) -> None:
        app.conf.get("s", "k0")  # as another thread might
        store.values["s0"] = "new"
        become(other)

    app.engine.become = ask_and_become  # type: ignore[method-assign]
    app.reload()
    assert app.conf.get("s", "k0") == "new"

"""`max_age`: a read that is no older than a number of seconds, counted from the question."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD, Clock, until

from framework import App, BaseSecretsBackend, errors
from framework.chain.cache import Cache
from framework.chain.link import Link
from framework.lifetime import Preferred


class Store(BaseSecretsBackend):
    """A store that counts what it is asked; each question may wait for an event before it answers."""

    def __init__(self) -> None:
        self.version, self.asked = "old", 0
        self.holds: list[threading.Event] = []
        self.is_down = False

    def _value(self) -> str:
        self.asked += 1
        version = self.version  # as it is when the question arrives
        if self.holds:
            assert self.holds.pop(0).wait(GUARD)
        if self.is_down:
            raise errors.BackendUnavailable("it is down")
        return version

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        return f"postgres://me:{self._value()}@host/db"

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        return self._value()


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    yield made
    for hold in made.holds:
        hold.set()


def app_over(store: Store, tmp_path: Path, cache: Cache) -> App:
    class Over(App):
        def custom_links(self) -> list[Link]:
            return [Link("store", 1, lambda: store, cache=cache)]

    return Over("billing", home=tmp_path, environ={})


READS: dict[str, Callable[[App, float | None], Any]] = {
    "connection": lambda app, age: app.get_connection("a", max_age=age).password,
    "variable": lambda app, age: app.get_variable("a", max_age=age),
    "awaited connection": lambda app, age: asyncio.run(app.aget_connection("a", max_age=age)).password,
    "awaited variable": lambda app, age: asyncio.run(app.aget_variable("a", max_age=age)),
}


@pytest.fixture(params=READS)
def read(request: pytest.FixtureRequest) -> Callable[[App, float | None], Any]:
    return READS[request.param]


def test_an_answer_counts_only_while_it_is_young_enough(
    read: Callable[..., Any], store: Store, tmp_path: Path, clock: Clock
) -> None:
    app = app_over(store, tmp_path, Cache(900, 60))
    assert read(app, None) == "old"
    store.version = "new"
    clock.now += 10
    assert (read(app, None), read(app, 11), store.asked) == ("old", "old", 1)
    assert (read(app, 10), store.asked) == ("new", 2)
    assert (read(app, None), store.asked) == ("new", 2), "what was read is kept for all"
    assert (read(app, 0), store.asked) == ("new", 3), "0 asks even if the clock has not moved"


def test_an_answer_does_not_live_longer_than_it_is_kept(store: Store, tmp_path: Path, clock: Clock) -> None:
    app = app_over(store, tmp_path, Cache(5, 60))
    assert app.get_variable("a") == "old"
    store.version = "new"
    clock.now += 6
    assert app.get_variable("a", max_age=100) == "new"


def test_a_fresh_read_does_not_join_an_older_question(read: Callable[..., Any], store: Store, tmp_path: Path) -> None:
    app = app_over(store, tmp_path, Cache(900, 60))
    hold = threading.Event()
    store.holds.append(hold)
    older: list[Any] = []
    thread = threading.Thread(target=lambda: older.append(read(app, None)))
    thread.start()
    until(lambda: store.asked == 1)
    store.version = "new"
    assert read(app, 0) == "new"
    hold.set()
    thread.join(GUARD)
    assert older == ["old"]
    assert read(app, None) == "new", "the late answer to the older question replaces nothing"
    assert store.asked == 2


def test_threads_that_ask_with_some_tolerance_share_one_question(store: Store, tmp_path: Path) -> None:
    app = app_over(store, tmp_path, Cache(900, 60))
    hold = threading.Event()
    store.holds.append(hold)
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(app.get_variable("a", max_age=GUARD))) for _ in range(5)]
    for thread in threads:
        thread.start()
    until(lambda: store.asked == 1)
    hold.set()
    for thread in threads:
        thread.join(GUARD)
    assert (answers, store.asked) == (["old"] * 5, 1)


def test_the_age_counts_from_the_question_and_not_from_the_answer(store: Store, tmp_path: Path, clock: Clock) -> None:
    app = app_over(store, tmp_path, Cache(900, 60))
    hold = threading.Event()
    store.holds.append(hold)
    thread = threading.Thread(target=lambda: app.get_variable("a"))
    thread.start()
    until(lambda: store.asked == 1)
    clock.now += 20
    store.version = "new"
    hold.set()
    thread.join(GUARD)
    assert (app.get_variable("a", max_age=25), app.get_variable("a", max_age=15)) == ("old", "new")


def test_no_older_value_replaces_a_fresh_one(store: Store, tmp_path: Path, clock: Clock) -> None:
    app = app_over(store, tmp_path, Cache(5, 60, 3600))
    assert app.get_variable("a") == "old"
    clock.now += 10
    store.is_down = True
    with pytest.warns(errors.FrameworkWarning, match="Its answer from 10 s ago is used meanwhile"):
        assert app.get_variable("a") == "old"
    with pytest.raises(errors.BackendUnavailable, match="it is down"):
        app.get_variable("a", max_age=0)
    assert store.asked == 3, "the store was asked although it was down a moment ago"


@pytest.mark.filterwarnings("ignore:store. variable")
def test_one_who_takes_older_answers_gets_one_though_the_fresh_question_that_it_joined_failed(
    store: Store, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from framework.chain import cache

    joined, outcome = list[int](), cache._Flight.outcome
    monkeypatch.setattr(cache._Flight, "outcome", lambda flight: (joined.append(1), outcome(flight))[1])
    app = app_over(store, tmp_path, Cache(5, 60, 3600))
    assert app.get_variable("a") == "old"
    clock.now += 10
    hold = threading.Event()
    store.holds.append(hold)
    store.is_down = True
    outcomes: dict[str, Any] = {}

    def fresh() -> None:
        try:
            app.get_variable("a", max_age=0)
        except errors.BackendUnavailable as fault:
            outcomes["fresh"] = fault.what

    threads = [threading.Thread(target=fresh)]
    threads[0].start()
    until(lambda: store.asked == 2)
    threads.append(threading.Thread(target=lambda: outcomes.update(other=app.get_variable("a"))))
    threads[1].start()
    until(lambda: joined)
    hold.set()
    for thread in threads:
        thread.join(GUARD)
    assert outcomes == {"fresh": "it is down", "other": "old"}


def test_threads_that_need_answers_newer_than_a_refresh_share_a_question_also_with_a_shared_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from framework.chain import cache

    joined, outcome = list[int](), cache._Flight.outcome
    monkeypatch.setattr(cache._Flight, "outcome", lambda flight: (joined.append(1), outcome(flight))[1])
    made, hold, asked = Cache(900, 60), threading.Event(), list[float]()
    made.is_shared = True

    def reading(since: float) -> threading.Thread:
        def ask() -> str:
            asked.append(since)
            assert hold.wait(GUARD)
            return "x"

        thread = threading.Thread(target=lambda: made.get(("config", "s", None), ask, since))
        thread.start()
        return thread

    refreshes = [Preferred(time.monotonic() - 1), Preferred(time.monotonic())]
    threads = [reading(refreshes[0])]
    until(lambda: len(asked) == 1)
    threads.append(reading(refreshes[0]))
    until(lambda: joined or len(asked) == 2)
    threads.append(reading(refreshes[1]))
    until(lambda: len(asked) > 1)
    hold.set()
    for thread in threads:
        thread.join(GUARD)
    assert asked == refreshes, "once for each refresh"


@pytest.mark.parametrize("age", [-1, "5", True, float("nan")])
def test_a_wrong_age_is_refused(age: Any, store: Store, tmp_path: Path) -> None:
    app = app_over(store, tmp_path, Cache())
    with pytest.raises(errors.InvalidArgument, match="max_age"):
        app.get_connection("a", max_age=age)
    with pytest.raises(errors.InvalidArgument, match="max_age"):
        asyncio.run(app.aget_variable("a", max_age=age))

"""Options that follow their secrets: `refresh`, in the background too, and `on_change`."""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import os
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD, Clock, threads_named, until

from framework import App, errors
from framework.backends.base import StoreBackend
from framework.chain.cache import Cache
from framework.chain.link import Link
from framework.following import _refresh_in_time


@dataclass
class Section:
    user: str
    token: str = ""


@dataclass
class Settings:
    s: Section


@dataclass
class PickySection(Section):
    def __post_init__(self) -> None:
        assert self.token == "token 0"


@dataclass
class Picky:
    s: PickySection


LOGIN = "user_secret = login#/user\npassword_secret = login#/password\ntoken_secret = token\n"


class Store(StoreBackend):
    """A store with a batch call, which counts its calls and can be down, or hold its answer."""

    batch_size = 20

    def __init__(self, **values: str) -> None:
        super().__init__(config_prefix="", variables_prefix="v", connections_prefix="c")
        self.values, self.calls = values, list[list[str]]()
        self.is_down, self.failing = False, dict[str, errors.SecretsError]()
        self.holds: list[threading.Event] = []

    def read(self, name: str, version: str | None = None) -> str | None:
        found = self.read_many([name]).get(name)
        if isinstance(found, Exception):
            raise found
        return found

    def read_many(self, names: list[str]) -> Mapping[str, str | errors.SecretsError]:
        self.calls.append(names)
        values = dict(self.values)  # as they are when the question arrives
        if self.holds:
            assert self.holds.pop(0).wait(GUARD)
        if self.is_down:
            raise errors.BackendUnavailable("it is down")
        return {name: self.failing.get(name, values[name]) for name in names if name in values}  # type: ignore[misc]

    def rotate(self, number: int) -> None:
        self.values["login"] = json.dumps({"user": f"user {number}", "password": f"password {number}"})


def app_over(tmp_path: Path, store: Store, cfg: str = LOGIN, *, schema: Any = None, **options: str) -> App:
    lines = "".join(f"{key} = {value}\n" for key, value in options.items())
    (tmp_path / "billing.cfg").write_text(f"[secrets]\n{lines}[s]\n{cfg}")

    class Over(App):
        def custom_links(self) -> list[Link]:
            return [Link("store", 1, lambda: store, cache=Cache(900, 60))]

    return Over("billing", home=tmp_path, environ=dict(os.environ), sensitive=["s.*"], schema=schema)


@pytest.fixture
def store() -> Store:
    made = Store(token="token 0")
    made.rotate(0)
    return made


def read(app: App, *keys: str) -> list[str]:
    return [app.conf.get("s", key) for key in keys]


def test_what_has_changed_is_replaced(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store)
    assert read(app, "user", "password", "token") == ["user 0", "password 0", "token 0"]
    store.rotate(1)
    store.calls.clear()
    assert read(app, "user", "password") == ["user 0", "password 0"], "nothing changes by itself"
    assert (app.refresh(), read(app, "user", "password", "token")) == ({}, ["user 1", "password 1", "token 0"])
    assert store.calls == [["login", "token"]]


def test_a_hundred_secrets_take_as_many_calls_as_there_are_batches(tmp_path: Path) -> None:
    store = Store(**{f"s{number}": "old" for number in range(100)})
    app = app_over(tmp_path, store, "".join(f"k{number}_secret = s{number}\n" for number in range(100)))
    app.prefetch()
    store.values = dict.fromkeys(store.values, "new")
    store.calls.clear()
    assert app.refresh() == {}
    assert len(store.calls) == 5
    assert {app.conf.get("s", f"k{number}") for number in range(100)} == {"new"}


def test_only_what_is_held_is_asked_for(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store)
    assert (app.refresh(), store.calls) == ({}, [])
    app.conf.get("s", "token")
    store.calls.clear()
    assert (app.refresh(), store.calls) == ({}, [["token"]])


def test_the_last_value_stays_on_any_failure(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store)
    before = read(app, "user", "password", "token")
    store.is_down = True
    failures = app.refresh()
    assert sorted(failures) == [("s", "password"), ("s", "token"), ("s", "user")]
    assert "it is down" in str(failures["s", "token"])
    assert isinstance(failures["s", "token"], errors.PointerError)
    assert read(app, "user", "password", "token") == before
    store.is_down = False
    store.failing["token"] = errors.AccessDenied("it is denied")
    store.rotate(1)
    assert list(app.refresh()) == [("s", "token")]
    assert read(app, "user", "password", "token") == ["user 1", "password 1", "token 0"]
    store.failing.clear()
    del store.values["token"]
    assert "not found" in str(app.refresh()["s", "token"])
    assert read(app, "token") == ["token 0"]


def test_a_user_keeps_its_password_if_a_part_is_missing(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store)
    read(app, "user", "password")
    store.values["login"] = '{"user": "user 1"}'
    failures = app.refresh()
    assert "no such part" in str(failures["s", "password"])
    assert "another option cannot be read from the same secret" in str(failures["s", "user"])
    assert read(app, "user", "password") == ["user 0", "password 0"]


def test_names_choose_the_options_and_files_and_commands_are_read_by_name(tmp_path: Path, store: Store) -> None:
    (tmp_path / "file").write_text("file 0")
    app = app_over(tmp_path, store, f"{LOGIN}path_file = {tmp_path}/file\nrun_cmd = cat {tmp_path}/file\n")
    assert read(app, "path", "run", "token") == ["file 0", "file 0", "token 0"]
    (tmp_path / "file").write_text("file 1")
    store.values["token"] = "token 1"
    app.refresh()
    assert read(app, "path", "run", "token") == ["file 0", "file 0", "token 1"]
    store.values["token"] = "token 2"
    assert app.refresh([("S", "Path"), ("s", "run")]) == {}
    assert read(app, "path", "run", "token") == ["file 1", "file 1", "token 1"]
    (tmp_path / "file").unlink()
    assert list(app.refresh(("s", "path"))) == [("s", "path")]
    assert read(app, "path") == ["file 1"]


def test_a_named_option_that_was_never_read_is_read_now(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store)
    app.chain.config("token")  # now it is in the cache of the link
    store.values["token"] = "token 1"
    app.refresh([("s", "token"), ("s", "plain")])
    assert read(app, "token") == ["token 1"]


@pytest.mark.parametrize("ask", [App.refresh, App.prefetch])
def test_a_named_option_that_does_not_exist_is_a_failure(
    tmp_path: Path, store: Store, ask: Callable[..., dict[tuple[str, str], errors.FrameworkError]]
) -> None:
    app = app_over(tmp_path, store, f"{LOGIN}plain = text\n")
    failures = ask(app, [("s", "tokne"), ("s", "token"), ("s", "plain"), ("mial", "password")])
    assert list(failures) == [("s", "tokne"), ("mial", "password")]
    assert "Did you mean [s] token?" in str(failures["s", "tokne"])
    assert ask(app, ("core", "fernet_key")) == {}  # declared, and not set


def test_awaited(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store)
    read(app, "user")
    store.rotate(1)
    assert asyncio.run(app.arefresh()) == {}
    assert read(app, "user") == ["user 1"]


@pytest.mark.parametrize("reread", ["refresh", "reload"])
def test_a_pair_is_never_torn(tmp_path: Path, store: Store, reread: str) -> None:
    """Readers that see the same user before and after the password see the password of that user."""
    app = app_over(tmp_path, store)
    read(app, "user", "password")  # only what was read before is refreshed
    torn, faults, is_over = list[Any](), list[Exception](), threading.Event()

    def reader() -> None:
        while not is_over.is_set():
            try:
                user, password, again = read(app, "user", "password", "user")
            except errors.FrameworkError as fault:
                faults.append(fault)
                return
            if user == again and password != user.replace("user", "password"):
                torn.append((user, password))

    threads = [threading.Thread(target=reader) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 41):
        store.rotate(number)
        store.is_down = reread == "refresh" and number % 3 == 0
        getattr(app, reread)()
        store.is_down = False
    is_over.set()
    for thread in threads:
        thread.join(GUARD)
    assert (torn, faults) == ([], [])
    assert read(app, "user") == ["user 40"]


def test_a_secret_first_read_during_a_refresh_is_not_older_than_the_others(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store)
    assert read(app, "user") == ["user 0"]
    app.reload()
    store.rotate(0)
    first, second = threading.Event(), threading.Event()
    read(app, "user")
    store.holds = [first, second]
    refreshing = threading.Thread(target=app.refresh)
    store.calls.clear()
    store.rotate(1)
    refreshing.start()
    until(lambda: store.calls)
    late: list[Any] = []
    reading = threading.Thread(target=lambda: late.extend(read(app, "password")))
    reading.start()  # from the old cache, or from the question under way
    first.set()
    second.set()
    refreshing.join(GUARD)
    reading.join(GUARD)
    assert read(app, "user", "password") == ["user 1", "password 1"]


def test_settings_follow(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store, schema=Settings)
    before = app.settings
    assert before.s.user == "user 0"
    store.rotate(1)
    app.refresh()
    assert (app.settings.s.user, before.s.user) == ("user 1", "user 0")
    same = app.settings
    app.refresh()
    assert app.settings is same


def test_a_link_is_built_again_from_a_refreshed_secret(tmp_path: Path) -> None:
    built: list[str] = []

    class Second(StoreBackend):
        def __init__(self, word: str) -> None:
            super().__init__(config_prefix="", variables_prefix="v", connections_prefix="c")
            built.append(word)

        def read(self, name: str, version: str | None = None) -> str | None:
            return f"{name} by {built[-1]}"

    (tmp_path / "billing.cfg").write_text(
        "[secrets]\nbackends = first, second\n[secrets.first]\nbackend = ignored\n"
        "[secrets.second]\nbackend = ignored\nbackend_kwarg_word_secret = word\n[s]\ntoken_secret = token\n"
    )
    store = Store(word="one")

    class Over(App):
        def custom_links(self) -> list[Link]:
            word: Callable[[], str] = lambda: self.conf.get("secrets.second", "backend_kwarg_word")  # noqa: E731
            return [
                Link("first", 1, lambda: store, cache=Cache(900, 60)),
                Link("second", 2, lambda: Second(word()), cache=Cache(900, 60)),
            ]

    app = Over("billing", home=tmp_path, environ={}, sensitive=["s.*"])
    assert app.conf.get("s", "token") == "token by one"
    store.values["word"] = "two"
    assert app.refresh() == {}
    app.refresh()
    assert app.conf.get("s", "token") == "token by two"


# Who is notified


def test_functions_are_called_after_the_swap(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store)
    read(app, "user", "password", "token")
    seen: list[Any] = []
    app.on_change("s", "user", lambda *name: seen.append((name, read(app, "user", "password"))))
    end = app.on_change("S", "TOKEN", lambda *name: seen.append(name))
    app.refresh()
    assert seen == []
    store.rotate(1)
    app.refresh()
    assert seen == [(("s", "user"), ["user 1", "password 1"])]
    store.values["token"] = "token 1"
    app.refresh()
    assert seen[1:] == [("s", "token")]
    end()
    end()
    store.values["token"] = "token 2"
    app.refresh()
    assert len(seen) == 2


def test_an_error_of_one_function_is_a_warning_and_the_others_are_called(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store)
    notified: list[Any] = []

    def fails(section: str, key: str) -> None:
        raise ValueError(f"cannot use {read(app, 'token')[0]}")

    app.on_change("s", "token", fails)
    app.on_change("s", "token", lambda *name: notified.append(name))
    read(app, "token")
    store.values["token"] = "a-secret-that-must-not-be-shown"
    with pytest.warns(errors.FrameworkWarning, match=r"\[s\] token has changed.*ValueError") as noted:
        app.refresh()
    assert notified == [("s", "token")]
    assert "must-not-be-shown" not in str(noted[0].message)


def test_a_function_may_refresh_and_reload(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store)
    read(app, "token")
    done = threading.Event()

    def again(section: str, key: str) -> None:
        thread = threading.Thread(target=lambda: (app.refresh(), app.reload(), done.set()))
        thread.start()
        thread.join(GUARD)

    app.on_change("s", "token", again)
    store.values["token"] = "token 1"
    app.refresh()
    assert done.is_set(), "no lock is held while a function is called"


def test_reload_tells_what_has_changed(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store, LOGIN + "plain = 1\nsame = 1\ngone = 1\n")
    notified: list[Any] = []
    for key in ("plain", "same", "gone", "token", "user", "new"):
        app.on_change("s", key, lambda *name: notified.append(name))
    read(app, "token")
    store.values["token"] = "token 1"
    store.rotate(1)
    (tmp_path / "billing.cfg").write_text(f"[s]\n{LOGIN}plain = 2\nsame = 1\nnew = 1\n")
    app.reload()
    assert sorted(notified) == [("s", key) for key in ("gone", "new", "plain", "token")], "nobody had read the user"


async def _awaitable(section: str, key: str) -> None:
    pass


class _Awaitable:
    async def method(self, section: str, key: str) -> None:
        pass


@pytest.mark.parametrize("fn", [None, "text", 5, _awaitable, functools.partial(_awaitable), _Awaitable().method])
def test_what_is_not_a_function_is_refused(tmp_path: Path, store: Store, fn: Any) -> None:
    with pytest.raises(errors.InvalidArgument, match="fn"):
        app_over(tmp_path, store).on_change("s", "token", fn)


# In the background


def test_in_the_background_values_follow(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store, refresh_interval_seconds="0.02")
    notified = threading.Event()
    app.on_change("s", "user", lambda *name: notified.set())
    read(app, "user")
    store.rotate(1)
    assert notified.wait(GUARD)
    assert read(app, "user", "password") == ["user 1", "password 1"]


def test_a_function_that_ends_its_thread_does_not_end_the_refreshes(tmp_path: Path, store: Store) -> None:
    app, notified = app_over(tmp_path, store, refresh_interval_seconds="0.02"), list[str]()

    def leave(section: str, key: str) -> None:
        notified.append(read(app, "token")[0])
        raise SystemExit

    app.on_change("s", "token", leave)
    read(app, "token")
    for value in ("token 1", "token 2"):
        store.values["token"] = value
        until(lambda value=value: value in notified)


def refreshers() -> list[threading.Thread]:
    gc.collect()  # a thread may just have held an application that nobody else holds
    return threads_named("framework-refresh")


def test_no_thread_is_started_for_nothing(tmp_path: Path, store: Store) -> None:
    until(lambda: not refreshers())
    app = app_over(tmp_path, store, "plain = 1\n" + LOGIN, refresh_interval_seconds="3600")
    app.conf.get("s", "plain")
    assert not refreshers(), "no secret is held"
    read(app, "token", "user")
    (thread,) = refreshers()
    assert thread.daemon
    app_over(tmp_path, store).conf.get("s", "token")
    assert refreshers() == [thread]
    app.on_change("s", "token", lambda *name, app=app: None)  # what is called may hold the application
    del app
    until(lambda: not refreshers())


def test_a_reload_may_change_the_interval(tmp_path: Path, store: Store) -> None:
    until(lambda: not refreshers())
    app = app_over(tmp_path, store, refresh_interval_seconds="3600")
    read(app, "token")
    (tmp_path / "billing.cfg").write_text(f"[secrets]\nrefresh_interval_seconds = 0\n[s]\n{LOGIN}")
    app.reload()
    until(lambda: not refreshers())
    (tmp_path / "billing.cfg").write_text(f"[secrets]\nrefresh_interval_seconds = 0.02\n[s]\n{LOGIN}")
    app.reload()
    read(app, "token")
    store.values["token"] = "token 1"
    until(lambda: read(app, "token") == ["token 1"])


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_begins_again(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store, refresh_interval_seconds="0.02")
    read(app, "token")
    child = os.fork()
    if child == 0:
        store.values["token"] = "token of the child"
        end = threading.Event()
        app.on_change("s", "token", lambda *name: end.set())
        os._exit(0 if end.wait(GUARD) and read(app, "token") == ["token of the child"] else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_in_the_background_whatever_fails_keeps_its_last_value(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store, refresh_interval_seconds="3600")
    read(app, "user", "token")
    store.rotate(1)
    store.failing["token"] = errors.AccessDenied("no")
    with pytest.warns(errors.FrameworkWarning, match="the last value is used"):
        _refresh_in_time(app)  # type: ignore[arg-type]
    assert read(app, "user", "token") == ["user 1", "token 0"]


def test_in_the_background_a_value_becomes_no_older_than_it_may(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store, refresh_interval_seconds="3600", refresh_max_age_seconds="0.01")
    read(app, "token")
    asked = time.monotonic()
    store.is_down = True
    until(lambda: time.monotonic() > asked + 0.01)
    with pytest.warns(errors.FrameworkWarning, match="it is down"):
        _refresh_in_time(app)  # type: ignore[arg-type]
    with pytest.raises(errors.PointerError, match="it is down"):
        read(app, "token")


@pytest.mark.filterwarnings("error")
def test_a_warning_that_is_an_error_keeps_no_change_from_being_reported(tmp_path: Path, store: Store) -> None:
    app, notified = app_over(tmp_path, store, schema=Picky), list[str]()
    assert app.settings.s.token == "token 0"
    app.on_change("s", "token", lambda *name: notified.append(read(app, "token")[0]))
    store.values["token"] = "token 1"
    with pytest.raises(errors.FrameworkWarning, match="the previous settings stay in use"):
        app.refresh()
    assert notified == ["token 1"]


def test_a_reload_in_the_background_changes_nothing_while_a_secret_in_use_cannot_be_read(
    tmp_path: Path, store: Store
) -> None:
    app = app_over(tmp_path, store, f"{LOGIN}plain = old\n")
    assert read(app, "user", "password", "token", "plain") == ["user 0", "password 0", "token 0", "old"]
    cfg = (tmp_path / "billing.cfg").read_text()
    (tmp_path / "billing.cfg").write_text(cfg.replace("plain = old", "plain = new\nother_secret = nowhere"))
    store.is_down = True
    with pytest.warns(UserWarning, match="the reload failed, .* it is down") as told:
        app._following.reload_or_warn()
        app._following.reload_or_warn()
    assert len(told) == 1
    assert read(app, "user", "password", "token", "plain") == ["user 0", "password 0", "token 0", "old"]
    store.is_down, store.calls = False, []
    store.rotate(1)
    assert app._following.reload_or_warn() is None
    assert read(app, "user", "password", "token", "plain") == ["user 1", "password 1", "token 0", "new"]
    assert [sorted(names) for names in store.calls] == [["login", "token"]], "what is not in use is not asked for"


def test_failures_in_the_background_are_reported_once(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store)
    read(app, "token")
    store.is_down = True
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        app._following.refresh_or_warn()
        app._following.refresh_or_warn()
        app._following.refresh_or_warn([("s", "user")])
        app._following.refresh_or_warn()
    assert len(noted) == 2, "one of each option"
    assert all("a refresh failed, and the last value is used: " in str(one.message) for one in noted)
    store.is_down = False
    app._following.refresh_or_warn()
    store.is_down = True
    with pytest.warns(errors.FrameworkWarning, match="it is down"):
        app._following.refresh_or_warn()


def test_a_value_that_could_not_be_refreshed_for_too_long_is_not_used(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store, refresh_max_age_seconds="0.05")
    read(app, "token")
    assert app.refresh() == {}
    store.is_down = True

    def is_gone() -> bool:
        app.refresh()
        try:
            read(app, "token")
        except errors.PointerError:
            return True
        return False

    app.chain.links[0].cache._kept.clear()
    until(is_gone)
    store.is_down = False
    assert read(app, "token") == ["token 0"]


# What is shown


def test_the_age_and_the_last_refresh_are_explained(tmp_path: Path, store: Store, clock: Clock) -> None:
    app = app_over(tmp_path, store)
    read(app, "token")
    assert " old" not in str(app.conf.explain("s", "token"))
    app.refresh()
    assert ", 0 s old, refreshed 0 s ago" in str(app.conf.explain("s", "token"))
    store.is_down = True
    app.refresh()
    text = str(app.conf.explain("s", "token"))
    assert "its refresh 0 s ago failed: " in text
    assert "it is down" in text


def test_stats_count_refreshes_and_failures(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store)
    read(app, "token", "user", "password")
    app.refresh()
    store.is_down = True
    app.refresh()
    app.refresh()
    (row,) = app.stats()
    assert (row["refreshes"], row["refresh failures"]) == (3, 6)


# Values that do not fit

TYPED: dict[str, Any] = {
    "s": {
        "options": {
            "user": {"type": "string", "sensitive": True, "min_length": 3},
            "password": {"type": "string", "sensitive": True},
            "token": {"type": "integer", "sensitive": True, "minimum": 1},
        }
    }
}


def test_a_value_that_does_not_fit_its_option_is_not_taken(tmp_path: Path, store: Store) -> None:
    store.values["token"] = "5"
    app = app_over(tmp_path, store, schema=TYPED)
    assert (app.conf.value("s", "token"), read(app, "user", "password")) == (5, ["user 0", "password 0"])
    notified: list[Any] = []
    app.on_change("s", "token", lambda *name: notified.append(name))
    for wrong in ("a-secret-text", "0", ""):
        store.values["token"] = wrong
        failures = app.refresh()
        assert isinstance(failures["s", "token"], errors.InvalidValue), wrong
        assert "a-secret-text" not in str(failures["s", "token"])
        assert app.conf.value("s", "token") == 5
    store.values["login"] = '{"user": "me", "password": "password 1"}'
    assert sorted(app.refresh()) == [("s", "password"), ("s", "token"), ("s", "user")]
    assert read(app, "user", "password") == ["user 0", "password 0"], "a user and its password stay together"
    store.values["token"] = "6"
    store.rotate(1)
    assert (app.refresh(), app.conf.value("s", "token"), notified) == ({}, 6, [("s", "token")])
    assert read(app, "user", "password") == ["user 1", "password 1"]


def test_a_value_that_does_not_fit_replaces_one_that_did_not_fit(tmp_path: Path, store: Store) -> None:
    app = app_over(tmp_path, store, schema=TYPED)
    assert read(app, "token") == ["token 0"]
    store.values["token"] = "token 1"
    assert app.refresh() == {}
    assert read(app, "token") == ["token 1"]

"""Files that change while an application runs: `watch` and `reload_on_signal`."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD, threads_named, until

from framework import App, errors, watching


@pytest.fixture(params=["reported", "looked for"])
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "reported":
        pytest.importorskip("watchfiles")
    else:
        monkeypatch.setattr(watching, "_reporter", lambda: None)
    how: str = request.param
    return how


def application(home: Path, **options: Any) -> App:
    return App("billing", home=home, environ={"PATH": os.environ["PATH"]}, sensitive=["s.*"], **options)


@pytest.fixture
def watched() -> Iterator[Callable[..., App]]:
    ends = []

    def watch(home: Path, **options: Any) -> App:
        app = application(home, **options)
        ends.append(app.watch(0.02))
        return app

    yield watch
    for end in ends:
        end()


def write(path: Path, text: str) -> None:
    """Replace a file as a careful editor does."""
    path.with_suffix(".new").write_text(text)
    os.replace(path.with_suffix(".new"), path)


def test_a_changed_file_is_read_and_listeners_are_called(how: str, tmp_path: Path, watched: Any) -> None:
    write(tmp_path / "billing.cfg", "[s]\nport = 1\nother = 1\n")
    app = watched(tmp_path)
    notified: list[Any] = []
    app.on_change("s", "port", lambda *name: notified.append((name, app.conf.get("s", "port"))))
    app.on_change("s", "other", lambda *name: notified.append(name))
    write(tmp_path / "billing.cfg", "[s]\nport = 2\nother = 1\n")
    until(lambda: notified)
    assert notified == [(("s", "port"), "2")]
    (tmp_path / "billing.cfg").write_text("[s]\nport = 30\nother = 1\n")  # in place, so that it is empty for a moment
    until(lambda: app.conf.get("s", "port", fallback="") == "30")


def test_files_that_appear_and_go(how: str, tmp_path: Path, watched: Any) -> None:
    (tmp_path / "conf.d").mkdir()
    patterns = [str(tmp_path / "conf.d" / "*.toml"), str(tmp_path / "later.toml?")]
    app = watched(tmp_path, config_files=patterns, dotenv=[str(tmp_path / ".env?")])
    read = lambda: app.conf.get("s", "port", fallback="none")  # noqa: E731
    assert read() == "none"
    write(tmp_path / "conf.d" / "a.toml", "[s]\nport = 1\n")
    until(lambda: read() == "1")
    write(tmp_path / "later.toml", "[s]\nport = 2\n")
    until(lambda: read() == "2")
    write(tmp_path / ".env", "BILLING__S__PORT=3\n")
    until(lambda: read() == "3")
    for path in (tmp_path / ".env", tmp_path / "later.toml", tmp_path / "conf.d" / "a.toml"):
        path.unlink()
    until(lambda: read() == "none")


def test_a_mount_that_swaps_a_link_is_noticed(how: str, tmp_path: Path, watched: Any) -> None:
    """As Kubernetes updates a ConfigMap: the file is a link through a link to a folder, which is replaced."""
    for number in (1, 2):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "app.toml").write_text(f"[s]\nport = {number}\n")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "app.toml").symlink_to("..data/app.toml")
    app = watched(tmp_path, config_files=[str(tmp_path / "app.toml")])
    assert app.conf.get("s", "port") == "1"
    (tmp_path / "..tmp").symlink_to("..2")
    os.replace(tmp_path / "..tmp", tmp_path / "..data")
    until(lambda: app.conf.get("s", "port") == "2")


def test_a_broken_file_keeps_what_was_read_and_is_reported_once(how: str, tmp_path: Path) -> None:
    write(tmp_path / "billing.cfg", "[s]\nport = 1\n")
    app = application(tmp_path)
    noted: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_, **__: noted.append(str(message))  # type: ignore[assignment]
        end = app.watch(0.02)
        write(tmp_path / "billing.cfg", "no section = 2\n")
        until(lambda: noted)
        looks = len(noted)
        write(tmp_path / "another", "")
        seen = threading.Event()
        app.on_change("s", "port", lambda *name: seen.set())
        assert app.conf.get("s", "port") == "1"
        write(tmp_path / "billing.cfg", "[s]\nport = 3\n")
        assert seen.wait(GUARD)
        end()
    assert app.conf.get("s", "port") == "3"
    assert looks == len(noted) == 1
    assert "the reload failed, and the previous configuration stays in use: " in noted[0]
    assert "billing.cfg:1" in noted[0]


def test_a_file_of_a_pointer_is_read_again_by_itself(how: str, tmp_path: Path, watched: Any) -> None:
    write(tmp_path / "password", "one")
    write(tmp_path / "billing.cfg", f"[s]\npassword_file = {tmp_path}/password\nrun_cmd = cat {tmp_path}/password\n")
    app = watched(tmp_path)
    assert (app.conf.get("s", "password"), app.conf.get("s", "run")) == ("one", "one")
    notified = threading.Event()
    app.on_change("s", "password", lambda *name: notified.set())
    reading = app.engine.reading.layers
    write(tmp_path / "password", "two")
    assert notified.wait(GUARD)
    assert (app.conf.get("s", "password"), app.conf.get("s", "run")) == ("two", "one")
    assert app.engine.reading.layers is reading, "the files were not read again"


def test_a_file_that_is_emptied_before_it_is_written_is_read_once(
    how: str, tmp_path: Path, watched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, found, is_filled = tmp_path / "billing.cfg", list[str](), threading.Event()
    path.write_text(f"[s]\nport = one\npassword_file = {tmp_path}/password\n")
    (tmp_path / "password").write_text("one")

    def fill(seconds: float) -> None:
        if not is_filled.is_set():
            is_filled.set()
            path.write_text(f"[s]\nport = two\npassword_file = {tmp_path}/password\n")
            (tmp_path / "password").write_text("two")

    app = application(tmp_path)
    assert (app.conf.get("s", "port"), app.conf.get("s", "password")) == ("one", "one")
    for key in ("port", "password"):
        app.on_change("s", key, lambda *name: found.append(app.conf.get(*name, fallback="none")))
    monkeypatch.setattr("framework.watching.sleep", fill)
    path.write_text("")
    (tmp_path / "password").write_text("")
    end = app.watch(0.02)
    until(lambda: len(found) == 2)
    end()
    assert found == ["two", "two"]


def test_what_changed_between_reading_and_watching_is_noticed(how: str, tmp_path: Path) -> None:
    folder = tmp_path / "conf.d"
    folder.mkdir()
    for path in (tmp_path / "billing.cfg", folder / "gone.cfg", folder / "same.cfg"):
        path.write_text(f"[s]\n{path.stem} = one\n")
    (tmp_path / ".env").write_text("BILLING__S__DOTENV=one\n")
    (tmp_path / "password").write_text("one")
    (tmp_path / "billing.cfg").write_text(f"[s]\nbilling = one\npassword_file = {tmp_path}/password\n")

    def made() -> App:
        patterns = [str(folder / "*.cfg"), str(tmp_path / "later.cfg?")]
        app = application(tmp_path, config_files=patterns, dotenv=[str(tmp_path / ".env")])
        assert app.conf.get("s", "password") == "one"
        return app

    changes: dict[str, Callable[[], Any]] = {
        "billing": lambda: (tmp_path / "billing.cfg").write_text(
            f"[s]\nbilling = two\npassword_file = {tmp_path}/password\n"
        ),
        "dotenv": lambda: write(tmp_path / ".env", "BILLING__S__DOTENV=two\n"),
        "gone": (folder / "gone.cfg").unlink,
        "new": lambda: (folder / "new.cfg").write_text("[s]\nnew = two\n"),
        "later": lambda: (tmp_path / "later.cfg").write_text("[s]\nlater = two\n"),
        "password": lambda: write(tmp_path / "password", "two"),
    }
    for key, change in changes.items():
        app = made()
        notified = threading.Event()
        app.on_change("s", key, lambda *name, notified=notified: notified.set())
        change()
        end = app.watch(0.02)
        assert notified.wait(GUARD), key
        end()
        assert app.conf.get("s", key, fallback="none") == ("none" if key == "gone" else "two")
        write(tmp_path / "password", "one")


def test_a_file_of_a_pointer_that_was_away_is_read_when_it_is_back(how: str, tmp_path: Path, watched: Any) -> None:
    (tmp_path / "mounted").mkdir()
    password = tmp_path / "mounted" / "password"
    password.write_text("one")
    write(tmp_path / "billing.cfg", f"[s]\npassword_file = {password}\n")
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        app = watched(tmp_path)
        assert app.conf.get("s", "password") == "one"
        password.unlink()
        until(lambda: noted)
        assert app.conf.get("s", "password") == "one"
        notified = threading.Event()
        app.on_change("s", "password", lambda *name: notified.set())
        write(password, "three")
        assert notified.wait(GUARD)
    assert app.conf.get("s", "password") == "three"
    assert [str(one.message).count("a refresh failed, and the last value is used") for one in noted] == [1]


def watchers() -> list[threading.Thread]:
    gc.collect()  # a thread may just have held an application that nobody else holds
    return threads_named("framework-watch")


def test_watching_ends(how: str, tmp_path: Path) -> None:
    until(lambda: not watchers())
    app = application(tmp_path)
    end = app.watch(0.02)
    assert len(watchers()) == 1
    end()
    end()
    until(lambda: not watchers())
    app.watch(0.02)
    app.on_change("s", "port", lambda *name, app=app: None)  # what is called may hold the application
    assert len(watchers()) == 1
    del app
    until(lambda: not watchers())


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_watches_for_itself(how: str, tmp_path: Path, watched: Any) -> None:
    write(tmp_path / "billing.cfg", "[s]\nport = 1\n")
    app = watched(tmp_path)
    child = os.fork()
    if child == 0:
        seen = threading.Event()
        app.on_change("s", "port", lambda *name: seen.set())
        write(tmp_path / "billing.cfg", "[s]\nport = 2\n")
        os._exit(0 if seen.wait(GUARD) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_all_is_imported_before_the_threads_begin(tmp_path: Path) -> None:
    """The child of a fork that comes in the middle of another thread's import can never import that module."""
    pytest.importorskip("watchfiles")
    write(tmp_path / "billing.cfg", "[secrets]\nrefresh_interval_seconds = 3600\n[s]\npassword_secret = a\n")
    code = """
import os, sys, threading
from framework import App
start, begun = threading.Thread.start, []
threading.Thread.start = lambda one: begun.append(one.name) if one.name.startswith("framework-") else start(one)
app = App("billing", home=sys.argv[1], sensitive=["s.*"], environ={"BILLING_SECRET_A": "1"})
app.conf.get("s", "password")
app.watch()
print(*begun)
before = set(sys.modules)
app.refresh()
app.reload()
__import__("watchfiles").watch
print(*sorted(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "framework-refresh framework-watch\n\n"


@pytest.mark.parametrize("seconds", [0, -1, "1", None])
def test_a_wrong_interval_is_refused(seconds: Any, tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidArgument, match="seconds"):
        application(tmp_path).watch(seconds)


# Signals


@pytest.fixture
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGUSR1)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_reloads_and_the_handler_before_is_called(tmp_path: Path, handlers: None) -> None:
    write(tmp_path / "billing.cfg", "[s]\nport = 1\n")
    app = application(tmp_path)
    before: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, frame: before.append(number))
    app.reload_on_signal()
    app.reload_on_signal(signal.SIGUSR1)
    for text, number in (("2", signal.SIGHUP), ("3", signal.SIGUSR1)):
        write(tmp_path / "billing.cfg", f"[s]\nport = {text}\n")
        signal.raise_signal(number)
        until(lambda text=text: app.conf.get("s", "port") == text)
    assert before == [signal.SIGUSR1]


def test_a_signal_that_is_asked_for_twice_reloads_once(tmp_path: Path, handlers: None) -> None:
    write(tmp_path / "billing.cfg", "[s]\nport = 1\n")
    app, before = application(tmp_path), list[int]()
    signal.signal(signal.SIGHUP, lambda number, frame: before.append(number))
    app.reload_on_signal()
    app.reload_on_signal(signal.SIGHUP)
    notified = threading.Event()
    app.on_change("s", "port", lambda *name: notified.set())
    write(tmp_path / "billing.cfg", "[s]\nport = 2\n")
    signal.raise_signal(signal.SIGHUP)
    threads = threads_named("framework-reload")
    assert notified.wait(GUARD)
    assert (len(threads) <= 1, before) == (True, [signal.SIGHUP])
    other = application(tmp_path)
    other.reload_on_signal()
    write(tmp_path / "billing.cfg", "[s]\nport = 3\n")
    signal.raise_signal(signal.SIGHUP)
    until(lambda: app.conf.get("s", "port") == other.conf.get("s", "port") == "3")


def test_a_broken_file_after_a_signal_keeps_what_was_read(tmp_path: Path, handlers: None) -> None:
    write(tmp_path / "billing.cfg", "[s]\nport = 1\n")
    app = application(tmp_path)
    app.reload_on_signal()
    write(tmp_path / "billing.cfg", "no section\n")
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        for _ in range(2):
            signal.raise_signal(signal.SIGHUP)
            for thread in threads_named("framework-reload"):
                thread.join(GUARD)
        until(lambda: noted)
    assert app.conf.get("s", "port") == "1"
    assert len(noted) == 1


def test_a_signal_in_another_thread_or_one_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    app = application(tmp_path)
    faults: list[Exception] = []

    def elsewhere() -> None:
        try:
            app.reload_on_signal()
        except errors.ConfigError as fault:
            faults.append(fault)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(GUARD)
    assert "main thread" in str(faults[0])
    for number in (signal.SIGKILL, 999, "HUP", 1.5, True):
        with pytest.raises(errors.ConfigError, match="the signal cannot be handled"):
            app.reload_on_signal(number)  # type: ignore[arg-type]

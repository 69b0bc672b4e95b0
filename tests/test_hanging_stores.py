"""A store that never answers is waited for as long as `[secrets] resolve_timeout_seconds` says, and no longer."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextvars import ContextVar, copy_context
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD, until

from framework import App, BaseSecretsBackend, Connection, Variable, current, errors
from framework.chain import deadline as bounded
from framework.chain import runner as parallel
from framework.chain import turns
from framework.cli.main import main
from framework.metastore.crypto import generate

#: Never set while a test runs.
_never = threading.Event()
#: The deadlines of those who wait for it; None: everybody does.
_hung: set[bounded.Deadline | None] = set()
#: What the stores of a test were asked. A thread that another test has left behind has the list of that test.
_asked: ContextVar[list[str]] = ContextVar("asked")


def _hang() -> None:
    _hung.add(bounded.deadline.get())
    _never.wait()


class Asleep(BaseSecretsBackend):
    """Never answers. Records what it was asked for."""

    def _sleep(self, what: str) -> Any:
        _asked.get().append(what)
        _hang()

    def get_connection(self, conn_id: str, team_name: str | None = None) -> Connection | None:
        return self._sleep(conn_id)  # type: ignore[no-any-return]

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        return self._sleep(key)  # type: ignore[no-any-return]

    def get_config(self, key: str) -> str | None:
        return self._sleep(key)  # type: ignore[no-any-return]

    def list_names(self, kind: str) -> list[str]:
        return self._sleep(kind)  # type: ignore[no-any-return]


class AsleepInBatches(Asleep):
    def get_many(self, kind: str, names: Any) -> Any:
        return self._sleep("many")


class NeverMade(BaseSecretsBackend):
    def __init__(self) -> None:
        _asked.get().append("made")
        _hang()


class Listing(Asleep):
    """Lists its names, and then never returns a value."""

    def list_names(self, kind: str) -> list[str]:
        return [f"listed{number}" for number in range(5)]


class Awake(BaseSecretsBackend):
    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        return "awake" if key in ("a", "awake") else None

    def get_connection(self, conn_id: str, team_name: str | None = None) -> Connection | None:
        return Connection(conn_id, "http", host="awake") if conn_id == "awake" else None

    def list_names(self, kind: str) -> list[str]:
        return ["awake"]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A call times out when its store hangs, not before: a busy machine may be slow to start the thread."""
    _never.clear()
    _hung.clear()
    _asked.set([])
    is_over = bounded._Call.is_over

    def is_over_or_hangs(call: bounded._Call, seconds: float) -> bool:
        ends = time.monotonic() + GUARD
        while not {call._context[bounded.deadline], None} & _hung and time.monotonic() < ends:
            if is_over(call, 0.01):
                return True
        return is_over(call, 0)

    monkeypatch.setattr(bounded._Call, "is_over", is_over_or_hangs)
    monkeypatch.setattr(bounded, "monotonic", lambda: 0.0)
    monkeypatch.setattr(turns, "monotonic", lambda: 0.0)
    begin = parallel.Runner.__init__

    def begin_patiently(runner: parallel.Runner, *words: Any) -> None:
        begin(runner, *words)
        runner._ends += 2

    monkeypatch.setattr(parallel.Runner, "__init__", begin_patiently)
    yield
    _never.set()  # the threads may go


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., App]]:
    before = current.use(None)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setenv("BILLING_HOME", str(tmp_path))
    monkeypatch.setenv("BILLING_VAR_B", "from the environment")
    monkeypatch.setenv("BILLING_CONN_B", "http://environment")
    monkeypatch.setenv("BILLING__CORE__FERNET_KEY", generate())
    monkeypatch.setenv("BILLING__SECRETS__RESOLVE_TIMEOUT_SECONDS", "0.05")

    def make(*backends: str, cfg: str = "") -> App:
        names = [f"store{number}" for number in range(len(backends))]
        sections = "".join(
            f"[secrets.{name}]\nbackend = {__name__}.{backend}\n" for name, backend in zip(names, backends, strict=True)
        )
        (tmp_path / "billing.cfg").write_text(f"[secrets]\nbackends = {', '.join(names)}\n{sections}{cfg}")
        return App("billing").use()

    yield make
    current.use(before)


CALLS: dict[str, Callable[[App], Any]] = {
    "get_connection": lambda app: app.get_connection("x"),
    "Connection.get": lambda app: Connection.get("x"),
    "get_variable": lambda app: app.get_variable("x"),
    "Variable.get": lambda app: Variable.get("x", default="d"),
    "Variable.keys": lambda app: Variable.keys(),
    "config secret": lambda app: app.chain.config("x"),
    "conf.get": lambda app: app.conf.get("db", "password"),
    "conf.value": lambda app: app.conf.value("db", "password"),
    "getsection": lambda app: app.conf.getsection("db"),
    "async connection": lambda app: asyncio.run(app.aget_connection("x")),
    "async variable": lambda app: asyncio.run(app.aget_variable("x")),
    "list_names": lambda app: app.list_names("variable"),
}


@pytest.mark.parametrize("backend", ["Asleep", "NeverMade"])
@pytest.mark.parametrize("call", CALLS)
def test_every_call_is_bounded_and_names_the_link(app: Callable[..., App], call: str, backend: str) -> None:
    with pytest.raises(errors.FrameworkError) as caught:
        CALLS[call](app(backend, cfg="[db]\npassword_secret = x\n"))
    assert "store0" in str(caught.value)
    assert "there was no answer within 0.05 s" in str(caught.value)
    assert "[secrets] resolve_timeout_seconds" in str(caught.value)
    assert len(_asked.get()) == 1


@pytest.mark.parametrize("backend", ["Asleep", "AsleepInBatches", "NeverMade"])
@pytest.mark.parametrize("count", [1, 3])
def test_prefetch_names_the_link(app: Callable[..., App], backend: str, count: int) -> None:
    made = app(backend, cfg="[db]\n" + "".join(f"k{number}password_secret = x{number}\n" for number in range(count)))
    with copy_context_timeout(made, "30"):
        failures = made.prefetch()
    assert len(failures) == count
    assert all("store0: " in str(fault) and "no answer within" in str(fault) for fault in failures.values())
    _hung.add(None)  # a link that is still being made is waited for, and not made again
    with copy_context_timeout(made, "30"):
        assert asyncio.run(made.aprefetch()).keys() == failures.keys()


def test_what_is_asked_inside_a_link_is_named(app: Callable[..., App], monkeypatch: pytest.MonkeyPatch) -> None:
    """The second link is built with a secret of the first, which sleeps."""
    cfg = "backend_kwargs_secret = kwargs\n"
    with pytest.raises(errors.FrameworkError) as caught:
        app("Awake", "Asleep", "Awake", cfg=cfg).get_variable("x")
    assert "store1" in str(caught.value)
    monkeypatch.setattr(bounded, "_MOST_LATE", 1)
    with pytest.raises(errors.FrameworkError, match="store0: .*no answer within"):
        app("Asleep", "Awake", cfg=cfg).chain.links[1].ask("variable", "x")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(["--name", "billing", *words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("variables", "get", "x"), 3),
        (("variables", "list"), 3),
        (("variables", "list", "--show-values"), 3),
        (("connections", "get", "x"), 3),
        (("connections", "list"), 3),
        (("connections", "list", "--show-values"), 3),
        (("connections", "test", "x"), 3),
        (("secrets", "get", "x"), 3),
        (("secrets", "list"), 3),
        (("variables", "set", "x", "1"), 0),
        (("connections", "add", "x", "--conn-uri", "http://h"), 0),
        (("secrets", "set", "x", "1"), 0),
        (("explain", "--variable", "b"), 3),
        (("explain", "--connection", "b"), 3),
        (("explain", "db", "password"), 3),
        (("dump",), 3),
        (("dump", "--variables", "--connections"), 3),
        (("config", "get-value", "db", "password"), 3),
        (("check",), 3),
        (("backend-test",), 3),
    ],
    ids=lambda err: " ".join(err) if isinstance(err, tuple) else str(err),
)
@pytest.mark.parametrize("backends", [("Asleep",), ("NeverMade",), ("Asleep", "NeverMade", "AsleepInBatches")], ids=str)
def test_every_command_is_bounded_and_names_the_link(
    app: Callable[..., App],
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    status: int,
    backends: tuple[str, ...],
) -> None:
    app(*backends, cfg="[db]\npassword_secret = x\n")
    found, out, err = run(capsys, *words)
    assert found == status, (out, err)
    assert "store0" in out + err
    assert "no answer within 0.05 s" in out + err
    assert "Traceback" not in err


@pytest.mark.parametrize("kind", ["variable", "connection"])
def test_a_link_that_hangs_does_not_delay_the_others(
    app: Callable[..., App], capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    app("Asleep", "Awake", "NeverMade")
    status, out, err = run(capsys, f"{kind}s", "list", "--show-values", "-o", "plain")
    assert status == 3
    assert [line.split("\t")[0] for line in out.splitlines()] == ["awake", "b"]
    assert err.count("no answer within") == 2
    status, out, err = run(capsys, "dump", f"--{kind}s")
    assert status == 3
    assert "#   awake" in out
    assert "#   b" in out
    status, out, err = run(capsys, "explain", f"--{kind}", "awake", "-o", "plain")
    assert [line.split("\t")[0] for line in out.splitlines()] == [
        "store0",
        "store1",
        "store2",
        "environment",
        "metastore",
    ]
    assert "store1\tfound\n" in out
    assert "environment\tabsent\n" in out


def test_links_are_asked_side_by_side(tmp_path: Path, app: Callable[..., App]) -> None:
    """Each answers only when the other is being asked as well."""
    made = app("Awake", "Awake")
    both = threading.Barrier(2)
    for link in made.chain.custom:
        link.backend.get_variable = lambda key, team_name=None: (both.wait(GUARD), None)[1]
    with copy_context_timeout(made, str(GUARD)):
        assert [answer for _, answer in made.chain.explain("variable", "x")][:2] == ["absent", "absent"]
        assert made.chain.shadowing("variable", "x") == (None, [])


def copy_context_timeout(app: App, seconds: str) -> Any:
    return app.conf.override({("secrets", "resolve_timeout_seconds"): seconds})


def test_a_command_asks_a_link_that_does_not_answer_once(
    app: Callable[..., App], capsys: pytest.CaptureFixture[str]
) -> None:
    app("Listing")
    status, out, err = run(capsys, "variables", "list", "--show-values", "-o", "plain")
    assert status == 3
    assert [line.split("\t")[0] for line in out.splitlines()] == ["b", *(f"listed{number}" for number in range(5))]
    assert _asked.get() == ["listed0"]
    assert err.count("no answer within") == 5
    assert err.count("it was not asked again") == 4


def test_a_write_is_made_although_a_link_hangs(app: Callable[..., App], capsys: pytest.CaptureFixture[str]) -> None:
    made = app("Asleep", "Awake")
    status, _, err = run(capsys, "variables", "set", "a", "1")
    assert status == 0
    assert "it is unknown whether an earlier link also has the variable 'a': store0: " in err
    assert "the link store1 has it too" in err
    assert made.store.get_variable("a") == "1"


def test_what_is_at_hand_and_what_is_kept_takes_no_thread(
    app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = app("Awake")
    assert made.get_variable("awake") == "awake"
    assert made.get_variable("b") == "from the environment"
    before = threading.active_count()

    def start(*_: Any) -> None:
        raise AssertionError("a thread was asked")

    monkeypatch.setattr(bounded.Threads, "ask", start)
    monkeypatch.setattr(threading.Thread, "start", start)
    assert made.get_variable("awake") == "awake"
    assert made.get_variable("b") == "from the environment"
    with pytest.raises(errors.NotFound):
        app().get_variable("nobody has it")
    assert threading.active_count() <= before  # those of other tests may end meanwhile


def test_a_thread_is_used_again(app: Callable[..., App]) -> None:
    made, seen = app("Awake"), set[int]()
    (link,) = made.chain.custom
    link.backend.get_variable = lambda key, team_name=None: seen.add(threading.get_ident())
    for number in range(5):
        link.ask("variable", str(number))
    assert len(seen) == 1


def test_too_many_questions_without_an_answer_are_refused(
    app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "_MOST_LATE", 3)
    made = app("Asleep")
    for number in range(5):
        with pytest.raises(errors.BackendUnavailable) as caught:
            made.get_variable(f"x{number}")
    assert len(_asked.get()) == 3
    assert "3 questions are still unanswered" in str(caught.value)
    _never.set()
    (link,) = made.chain.custom
    until(lambda: not link._threads._late)
    with pytest.raises(errors.VariableNotFound):
        made.get_variable("x9")


def test_the_threads_of_a_chain_end_with_it(app: Callable[..., App]) -> None:
    made = app("Awake")
    seen: list[threading.Thread] = []
    (link,) = made.chain.custom
    link.backend.get_variable = lambda key, team_name=None: seen.append(threading.current_thread())
    link.ask("variable", "x")
    del link
    made.reload()
    import gc

    gc.collect()
    seen[0].join(GUARD)
    assert not seen[0].is_alive()


def test_what_a_backend_raises_comes_through(app: Callable[..., App]) -> None:
    made = app("Awake")
    (link,) = made.chain.custom

    def refuse(key: str, team_name: Any = None) -> str:
        raise errors.AccessDenied("no", where="there")

    link.backend.get_variable = refuse
    with pytest.raises(errors.AccessDenied, match="store0: variable 'x' at there: no"):
        made.get_variable("x")


def test_overrides_are_seen_by_the_link(app: Callable[..., App]) -> None:
    made = app("Awake")
    (link,) = made.chain.custom
    link.backend.get_variable = lambda key, team_name=None: made.conf.get("s", "x")
    with made.conf.override({("s", "x"): "here"}):
        assert made.get_variable("x") == "here"


def test_the_process_ends_while_a_call_hangs(tmp_path: Path) -> None:
    (tmp_path / "asleep.py").write_text(
        textwrap.dedent("""
            import threading
            from framework import BaseSecretsBackend

            class Asleep(BaseSecretsBackend):
                def get_variable(self, key, team_name=None):
                    threading.Event().wait()
        """)
    )
    environ = {**os.environ, "BILLING_HOME": str(tmp_path), "PYTHONPATH": str(tmp_path)}
    environ |= {"BILLING__SECRETS__BACKEND": "asleep.Asleep", "BILLING__SECRETS__RESOLVE_TIMEOUT_SECONDS": "0.1"}
    done = subprocess.run(
        [sys.executable, "-m", "framework", "--name", "billing", "variables", "get", "x"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 3
    assert "Asleep: variable 'x': there was no answer within 0.1 s" in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_asks_in_its_own_threads(app: Callable[..., App]) -> None:
    made = app("Awake")
    assert made.get_variable("awake") == "awake"
    pid = os.fork()
    if pid == 0:
        try:
            made.chain.custom[0].cache = type(made.chain.custom[0].cache)()
            os._exit(0 if made.get_variable("a") == "awake" else 1)
        finally:
            os._exit(2)
    assert os.waitpid(pid, 0)[1] == 0


def test_an_interrupt_ends_the_waiting(app: Callable[..., App]) -> None:
    made = app("Asleep")

    class Interrupted(Exception):
        pass

    def interrupt(*_: Any) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with made.conf.override({("secrets", "resolve_timeout_seconds"): "600"}), pytest.raises(Interrupted):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            made.chain.custom[0].in_time(lambda: _never.wait())
    finally:
        signal.signal(signal.SIGALRM, before)
    assert copy_context().get(bounded.deadline) is None


def test_a_list_of_types_waits_once_for_a_link_that_hangs(app: Callable[..., App], capsys: Any) -> None:
    app("Listing", "Awake")
    status, out, err = run(capsys, "connections", "list")
    assert status == 0
    assert [line.split() for line in out.splitlines() if "awake" in line] == [["awake", "http", "store1"]]
    assert out.count("listed") == 5
    [note] = [line for line in err.splitlines() if line.startswith("note:")]
    assert note.startswith("note: a type is unknown: store0") and note.endswith("4 other connections of this link.")


@pytest.mark.parametrize("words", [("check",), ("dump",)], ids=str)
def test_an_outage_is_reported_once_for_all_options(
    app: Callable[..., App],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    class Forgetful(set[object]):
        """All five look-ups have begun before the first times out; so none is refused because of another."""

        def add(self, link: object) -> None:
            pass

    monkeypatch.setattr("framework.cli.main.set", Forgetful, raising=False)
    app("Asleep", cfg="".join(f"[s{number}]\npassword_secret = name{number}\n" for number in range(5)))
    _, out, err = run(capsys, *words)
    lines = [line for line in (out + err).splitlines() if line.startswith("error: store0: there was no answer within")]
    assert len(lines) == 1 and (out + err).count("error: ") == 1
    assert lines[0].endswith(
        "Not resolved because of it: " + ", ".join(f"[s{number}] password" for number in range(5)) + "."
    )

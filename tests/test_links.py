"""What a link is does not depend on its name; what is set for one application does not reach another."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from framework import App, BaseSecretsBackend, errors
from framework.chain.level import AtWork, at_work
from framework.chain.link import Link
from framework.cli.main import main
from framework.metastore.rotation import rotate
from framework.options.references import part_of
from framework.testing import MemoryBackend


class Held(MemoryBackend):
    def __init__(self) -> None:
        super().__init__(configs={"here": "1", "parts": '{"none": null, "deep": {"none": null}, "table": {"a": 1}}'})


class metastore(Held):  # noqa: N801 - the name is the point
    """Has the name of a built-in link."""


def app_with(tmp_path: Path, cfg: str) -> App:
    (tmp_path / "billing.cfg").write_text(cfg)
    return App("billing", home=str(tmp_path), environ={"PATH": os.environ["PATH"]})


@pytest.mark.parametrize("name", ["environment", "metastore", "Metastore", "ENVIRONMENT"])
def test_no_backend_may_have_the_name_of_a_built_in_link(tmp_path: Path, name: str) -> None:
    app = app_with(tmp_path, f"[secrets]\nbackends = {name}\n[secrets.{name}]\nbackend = {__name__}.Held\n")
    message = f"billing.cfg:2: .secrets. backends: a backend cannot be called '{name.lower()}'"
    with pytest.raises(errors.BackendError, match=message):
        app.chain  # noqa: B018


def test_a_single_backend_whose_class_has_such_a_name_is_refused(tmp_path: Path) -> None:
    app = app_with(tmp_path, f"[secrets]\nbackend = {__name__}.metastore\n")
    with pytest.raises(errors.BackendError, match="a backend cannot be called 'metastore'"):
        app.get_variable("x")
    app = app_with(tmp_path, f"[secrets]\nbackends = corp\n[secrets.corp]\nbackend = {__name__}.metastore\n")
    assert app.chain.config("here") == ("1", "corp")


def test_a_name_is_given_once_in_any_case(tmp_path: Path) -> None:
    with pytest.raises(errors.BackendError, match="a name is given twice"):
        app_with(tmp_path, "[secrets]\nbackends = corp, CORP\n").chain  # noqa: B018


def test_links_are_known_by_their_role(tmp_path: Path) -> None:
    chain = app_with(tmp_path, f"[secrets]\nbackend = {__name__}.Held\n").chain
    assert [link.name for link in chain.custom] == ["Held"]
    assert chain.environment is chain.links[1]
    assert chain.metastore is chain.links[2]
    assert chain.before_the_metastore() == chain.links[:2]


def test_an_override_reaches_no_application_that_is_made_later(tmp_path: Path) -> None:
    """An application may have the memory address of one that is gone."""
    for _ in range(50):
        first = app_with(tmp_path, "[s]\nx = file\n")
        with first.conf.override({("s", "x"): "overridden"}):
            assert first.conf.get("s", "x") == "overridden"
            del first
            gc.collect(1)
            later = app_with(tmp_path, "[s]\nx = file\n")
            assert later.conf.get("s", "x") == "file"


def test_a_link_at_work_restricts_its_own_chain_only(tmp_path: Path) -> None:
    for _ in range(50):
        first = app_with(tmp_path, f"[secrets]\nbackend = {__name__}.Held\n")
        with AtWork(first.chain, 0):
            del first
            gc.collect(1)
            later = app_with(tmp_path, f"[secrets]\nbackend = {__name__}.Held\n")
            assert later.chain not in at_work.get()
            assert later.chain.config("here") == ("1", "Held")


# --- commands whose status is not known


@contextmanager
def ignored_children() -> Iterator[None]:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before)


@pytest.mark.parametrize("command", ["sh -c 'echo half; exit 1'", "echo whole", "sh -c 'echo half; kill -9 $$'"])
def test_output_is_refused_when_the_exit_status_is_unknown(tmp_path: Path, command: str) -> None:
    app = app_with(tmp_path, f"[db]\npassword_cmd = {command}\n")
    with ignored_children(), pytest.raises(errors.PointerError, match="the exit status of .* is not known") as caught:
        app.conf.get("db", "password")
    assert "SIGCHLD" in str(caught.value)
    assert "half" not in str(caught.value).replace("half;", "")


def test_output_is_refused_when_another_thread_reaped_the_command(tmp_path: Path) -> None:
    app = app_with(tmp_path, "[db]\npassword_cmd = sh -c 'echo half; exit 1'\n")
    stop = threading.Event()

    def reap() -> None:
        while not stop.is_set():
            try:
                os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                continue

    reaper = threading.Thread(target=reap)
    reaper.start()
    try:
        with pytest.raises(errors.PointerError, match="is not known|ended with status 1"):
            app.conf.get("db", "password")
    finally:
        stop.set()
        reaper.join()


def test_a_timeout_is_reported_even_when_the_exit_status_is_unknown(tmp_path: Path) -> None:
    app = app_with(tmp_path, "[db]\npassword_cmd = sleep 600\n[core]\ncommand_timeout_seconds = 0.1\n")
    with ignored_children(), pytest.raises(errors.PointerError, match="did not end within 0.1 s"):
        app.conf.get("db", "password")


# --- parts of a secret


@pytest.mark.parametrize("part", ["/none", "/deep/none"])
@pytest.mark.parametrize("way", ["get", "prefetch"])
def test_null_is_not_a_value(tmp_path: Path, part: str, way: str) -> None:
    app = app_with(
        tmp_path,
        f"[secrets]\nbackend = {__name__}.Held\n[db]\npassword_secret = parts#{part}\nb_password_secret = here\n",
    )
    if way == "prefetch":
        (failure,) = app.prefetch().values()
        assert "[db] password_secret" in str(failure)
        assert "has null there" in str(failure)
    with pytest.raises(errors.PointerError, match="has null there, which is not a value"):
        app.conf.get("db", "password")


@pytest.mark.parametrize(
    ("text", "pointer", "part"),
    [('{"a": {"b": null}}', "/a", '{"b": null}'), ("[null, 1]", "/1", "1"), ('{"a": ""}', "/a", ""), ("0", "", "0")],
)
def test_what_is_not_null_is_a_part(text: str, pointer: str, part: str) -> None:
    assert part_of(text, pointer) == part


@pytest.mark.parametrize(("text", "pointer"), [("null", ""), ("[null]", "/0"), ('{"a": null}', "/a")])
def test_null_is_none_everywhere(text: str, pointer: str) -> None:
    with pytest.raises(ValueError, match="has null there"):
        part_of(text, pointer)


# --- what a rotation says, and the exit status when the database is down


def test_a_rotation_counts_what_it_did_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one rotates half of the rows after this one has read them."""
    from framework.metastore import rotation
    from framework.metastore.crypto import generate

    old, new = generate(), generate()

    def with_keys(keys: str) -> App:
        environ = {"BILLING__CORE__FERNET_KEY": keys}
        return App("billing", home=str(tmp_path), environ=environ)

    for number in range(10):
        with_keys(old).store.set_variable(f"v{number}", str(number))
    both = with_keys(f"{new},{old}")
    write: Callable[..., Any] = rotation._write
    others: list[Any] = []

    def overtaken(store: Any, table: Any, batch: Any, ours: Any) -> bool:
        if not others:
            others.extend(
                [rotation._Change(c.id, c.column, c.flag, c.was, c.text, store.keys.encrypt(c.text)) for c in changes]
                for changes in batch[:4]
            )
            write(store, table, others, set())
        return bool(write(store, table, batch, ours))

    monkeypatch.setattr(rotation, "_write", overtaken)
    done = rotate(both.store)
    assert (done.rotated, done.current) == (6, 4)
    assert rotate(both.store).rotated == 0
    assert {with_keys(new).get_variable(f"v{number}") for number in range(10)} == {str(n) for n in range(10)}


@pytest.mark.parametrize(
    "words",
    [
        *(("variables", *rest) for rest in (("get", "x"), ("list",), ("set", "x", "1"), ("delete", "x"))),
        *(("connections", *rest) for rest in (("get", "x"), ("list",), ("delete", "x"), ("test", "x"))),
        ("connections", "add", "x", "--conn-uri", "http://h"),
        *(("secrets", *rest) for rest in (("get", "x"), ("list",), ("set", "x", "1"), ("delete", "x"))),
        *(("variables", "export", "-"), ("connections", "export", "-")),
        *(("fernet", "check"), ("fernet", "rotate"), ("rotate-fernet-key",)),
        *(("db", "check"), ("db", "migrate"), ("db", "reset", "--yes")),
        *(("dump", "--variables"), ("dump", "--connections"), ("dump",)),
        *(("explain", "--variable", "x"), ("explain", "--connection", "x"), ("explain", "db", "password")),
        ("config", "get-value", "db", "password"),
        ("stats",),
        ("check",),
    ],
    ids=" ".join,
)
def test_when_the_database_is_down_the_status_is_three(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    from framework.metastore.crypto import generate

    monkeypatch.setenv("BILLING_HOME", str(tmp_path))
    monkeypatch.setenv("BILLING__CORE__FERNET_KEY", generate())
    monkeypatch.setenv("BILLING__DATABASE__SQL_ALCHEMY_CONN", "postgresql://u:p@127.0.0.1:1/none")
    monkeypatch.setenv("BILLING__DATABASE__FAILOVER_TIMEOUT_SECONDS", "0")
    (tmp_path / "billing.cfg").write_text("[db]\npassword_secret = x\n")
    pytest.importorskip("psycopg")
    status = main(["--name", "billing", *words])
    captured = capsys.readouterr()
    assert status == 3, (captured.out, captured.err)


def test_a_link_of_a_class_has_the_role_custom(tmp_path: Path) -> None:
    link = Link("anything", 1, BaseSecretsBackend)
    assert link.role == "custom"
    assert link.chain is None

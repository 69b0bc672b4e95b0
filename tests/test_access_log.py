"""The access log: what each read leaves in it, that no value is in it, and that it costs nothing where it is off."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import World

from framework import App, Variable, errors
from framework.backends.base import BaseSecretsBackend
from framework.errors import AccessDenied, BackendUnavailable

SCHEMA: dict[str, Any] = {
    "server": {"options": {"port": {"type": "integer", "default": "8000"}}},
    "mail": {"options": {"password": {"type": "string", "sensitive": True}}},
}
CANARY = "canary-value"


class Store(BaseSecretsBackend):
    """Has one name of each kind; some names are refused, or make it fail."""

    def _answer(self, name: str) -> str | None:
        if name == "denied":
            raise AccessDenied("canary-text of the store")
        if name == "down":
            raise BackendUnavailable("canary-text of the store")
        return None

    def get_config(self, key: str) -> str | None:
        return CANARY if key == "here" else self._answer(key)

    def get_variable(self, key: str) -> str | None:
        return CANARY if key == "here" else self._answer(key)

    def get_conn_value(self, conn_id: str) -> str | None:
        return f"postgres://u:{CANARY}@h" if conn_id == "here" else self._answer(conn_id)


def app_with(entries: list[dict[str, Any]], **environ: str) -> App:
    environ.setdefault("BILLING__SECRETS__BACKEND", f"{__name__}.Store")
    environ.setdefault("BILLING__SECRETS__BACKEND_KWARGS", "{}")
    app = App("billing", schema=SCHEMA, environ=environ, access_log=entries.append)
    app.chain  # noqa: B018 - what building it reads is not what the tests are about
    return app


def about(entries: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["name"] == name]


def test_an_option_is_logged_at_its_first_read_and_after_a_change() -> None:
    entries: list[dict[str, Any]] = []
    environ: dict[str, str] = {}
    app = App("billing", schema=SCHEMA, environ=environ, access_log=entries.append)
    for _ in range(3):
        assert app.conf.getint("server", "port") == 8000
        assert app.conf.get("server", "port") == "8000"
    environ["BILLING__SERVER__PORT"] = "1"
    for _ in range(3):
        assert app.conf.getint("server", "port") == 1
    found = about(entries, "server.port")
    assert [(one["outcome"], one["origin"]) for one in found] == [
        ("default", "default"),
        ("found", "BILLING__SERVER__PORT"),
    ]
    assert set(found[0]) == {"time", "pid", "app", "kind", "name", "outcome", "origin", "form", "link", "ms"}
    assert (found[0]["kind"], found[0]["app"], found[0]["pid"], found[0]["form"]) == (
        "option",
        "billing",
        os.getpid(),
        "plain",
    )


def test_every_read_can_be_logged() -> None:
    entries: list[dict[str, Any]] = []
    app = app_with(entries, BILLING_ACCESS_LOG_READS="all")
    for _ in range(3):
        app.conf.get("server", "port")
        app.conf.getint("server", "port")
    assert len(about(entries, "server.port")) == 6


def test_an_option_that_is_not_set_or_does_not_convert() -> None:
    entries: list[dict[str, Any]] = []
    app = app_with(entries, BILLING__SERVER__PORT=CANARY)
    app.conf.get("server", "absent", fallback="x")
    with pytest.raises(errors.InvalidValue):
        app.conf.getint("server", "port")
    assert [one["outcome"] for one in about(entries, "server.absent")] == ["absent"]
    assert [one["outcome"] for one in about(entries, "server.port")] == ["found", "invalid"]
    assert "canary" not in json.dumps(entries)


@pytest.mark.parametrize(
    ("name", "outcome", "asked"),
    [
        ("here", "found", [["Store", "found"]]),
        ("gone", "absent", [["Store", "absent"], ["environment", "absent"], ["metastore", "absent"]]),
        ("denied", "denied", [["Store", "denied"]]),
        ("down", "unavailable", [["Store", "unavailable"]]),
    ],
)
@pytest.mark.parametrize("kind", ["connection", "variable", "secret"])
def test_a_look_up_names_the_links_that_were_asked(kind: str, name: str, outcome: str, asked: list[Any]) -> None:
    entries: list[dict[str, Any]] = []
    app = app_with(entries, BILLING__MAIL__PASSWORD_SECRET=name)
    read = {
        "connection": lambda: app.get_connection(name),
        "variable": lambda: app.get_variable(name),
        "secret": lambda: app.conf.get("mail", "password"),
    }[kind]
    if outcome == "found":
        read()
    else:
        with pytest.raises(errors.FrameworkError):
            read()
    entry = next(entry for entry in entries if entry["kind"] == kind)
    assert (entry["name"], entry["outcome"]) == (name, outcome)
    assert entry["link"] == ("Store" if outcome == "found" else None)
    assert entry["asked"][: len(asked)] == asked[: len(entry["asked"])]
    assert entry["cached"] is False
    assert "canary" not in json.dumps(entries)
    if kind == "secret":
        option = about(entries, "mail.password")[0]
        assert (option["outcome"], option["form"]) == (outcome, "secret")


def test_a_kept_answer_is_marked() -> None:
    entries: list[dict[str, Any]] = []
    app = app_with(entries)
    app.get_connection("here")
    app.get_connection("here")
    assert [entry["cached"] for entry in entries if entry["kind"] == "connection"] == [False, True]


def test_prefetched_secrets_are_logged_once() -> None:
    entries: list[dict[str, Any]] = []
    app = app_with(entries, BILLING__MAIL__PASSWORD_SECRET="here", BILLING__X__PASSWORD_SECRET="gone")
    app.prefetch()
    names = [(entry["name"], entry["outcome"]) for entry in entries if entry["kind"] == "secret"]
    assert sorted(names) == [("***", "absent"), ("here", "found")]


def test_the_name_of_a_secret_that_may_be_the_secret_itself_is_hidden() -> None:
    entries: list[dict[str, Any]] = []
    app = app_with(entries, BILLING__X__PASSWORD_SECRET="canary-pasted")
    with pytest.raises(errors.PointerError):
        app.conf.get("x", "password")
    assert "canary" not in json.dumps(entries)


# Files


@pytest.fixture
def log(world: World) -> Path:
    world.project(schema="schema.toml")
    world.write("schema.toml", '[mail.options.password]\ntype = "string"\nsensitive = true\n')
    world.set(BILLING_ACCESS_LOG=str(world.home / "access.log"), BILLING_SECRET_KEY=CANARY)
    return world.home / "access.log"


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_variable_of_the_process_turns_it_on(world: World, log: Path) -> None:
    world.set(BILLING__MAIL__PASSWORD_SECRET="key")
    assert world.run("config", "get-value", "mail", "password")[1] == f"{CANARY}\n"
    assert (log.stat().st_mode & 0o777) == 0o600
    assert ("secret", "key", "found") in [(line["kind"], line["name"], line["outcome"]) for line in lines_of(log)]
    assert "canary" not in log.read_text()


def test_no_file_can_turn_it_on(world: World) -> None:
    world.write(".env", f"BILLING_ACCESS_LOG={world.home}/planted.log\n")
    world.project(dotenv=[".env"])
    world.run("dump")
    assert not (world.home / "planted.log").exists()


def test_a_link_is_not_followed_and_the_reads_go_on(world: World, log: Path) -> None:
    victim = world.write("victim", "as it was")
    log.symlink_to(victim)
    app = world.app()
    with pytest.warns(errors.FrameworkWarning, match="access log cannot be written") as caught:
        app.conf.get("core", "fernet_key")
        app.conf.get("mail", "x", fallback="")
    assert len([one for one in caught if "access log" in str(one.message)]) == 1
    assert victim.read_text() == "as it was"


def test_strict_refuses_a_read_that_cannot_be_logged(world: World, log: Path) -> None:
    log.mkdir()
    world.set(BILLING_ACCESS_LOG_STRICT="1")
    app = world.app()
    with pytest.raises(errors.ConfigError, match="not read, because the access log cannot be written"):
        app.conf.get("mail", "x", fallback="")


def test_a_file_that_was_rotated_away_is_made_again(world: World, log: Path) -> None:
    app = world.app()
    app.conf.get("a", "b", fallback="")
    log.rename(log.with_suffix(".1"))
    app.conf.get("c", "d", fallback="")
    assert [line["name"] for line in lines_of(log)] == ["c.d"]


@pytest.mark.parametrize(("name", "text"), [("READS", "every"), ("STRICT", "yes")])
def test_another_word_is_refused(world: World, log: Path, name: str, text: str) -> None:
    world.set(**{f"BILLING_ACCESS_LOG_{name}": text})
    assert f"BILLING_ACCESS_LOG_{name}: unknown value" in world.run("dump")[2]


def _write_many(path: str, number: int) -> None:
    app = App("billing", environ={"BILLING_ACCESS_LOG": path, "BILLING_VAR_V": "x"})
    for _ in range(number):
        app.get_variable("v")


@pytest.mark.external
def test_lines_of_several_processes_do_not_break(tmp_path: Path) -> None:
    path, number = tmp_path / "access.log", 500
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(str(path), number)) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = [line for line in lines_of(path) if line["kind"] == "variable"]
    assert len(found) == 4 * number
    assert len({line["pid"] for line in found}) == 4


@pytest.mark.external
def test_stderr_is_a_place(world: World) -> None:
    env = {**os.environ, "BILLING_ACCESS_LOG": "stderr", "PYTHONPATH": os.pathsep.join(sys.path)}
    code = "from framework import App; App('billing').get_variable('v', default=1)"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert '"kind":"variable","name":"v","outcome":"absent"' in done.stderr


@pytest.mark.external
def test_where_it_is_off_nothing_of_it_is_loaded() -> None:
    code = "import sys; from framework import App; App('x').conf.get('core', 'fernet_key'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "framework.access" not in done.stdout
    assert "logged" not in done.stdout


def test_a_custom_function_that_fails_is_reported_once() -> None:
    def fails(entry: dict[str, Any]) -> None:
        raise RuntimeError("canary")

    app = App("billing", environ={}, access_log=fails)
    with pytest.warns(errors.FrameworkWarning, match="RuntimeError") as caught:
        app.conf.get("a", "b", fallback="")
        app.conf.get("a", "c", fallback="")
    assert len(caught) == 1
    with pytest.raises(errors.InvalidArgument, match="access_log"):
        App("billing", access_log="file")  # type: ignore[arg-type]
    assert Variable is not None

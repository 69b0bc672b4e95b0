"""Completion: what a shell gets when TAB is pressed, by argcomplete's protocol and in a real bash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import World
from patience import GUARD

from framework import Connection
from framework.metastore import crypto

pytest.importorskip("argcomplete")

ROOT = Path(__file__).resolve().parents[1]

SCHEMA = """
[server.options.port]
type = "integer"
[server.options.level]
choices = ["debug", "info", "error"]
[server.options.verbose]
type = "boolean"
[mail.options.password]
sensitive = true
"""


@pytest.fixture
def billing(world: World) -> World:
    world.write("schema.toml", SCHEMA)
    world.project(schema="schema.toml")
    world.set(BILLING_CONN_WAREHOUSE="postgres://db.example", BILLING_VAR_VAT="19", BILLING_SECRET_SMTP="x")
    return world


def environment(line: str) -> dict[str, str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return {**env, "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "COMP_LINE": line, "COMP_POINT": str(len(line))}


#: Completes, but gives up later than it does by itself: a busy machine may take that long to start Python.
PATIENT = (
    "from framework.cli import completion; completion._SECONDS = {seconds}; from framework.__main__ import main; main()"
)


def complete(world: World, line: str, seconds: float = GUARD) -> list[str]:
    """What is offered at the end of a line."""
    read, write = os.pipe()
    with open(read) as answers:
        command = [sys.executable, "-c", f"import os; os.dup2({write}, 8); {PATIENT.format(seconds=seconds)}"]
        done = subprocess.run(
            command,
            env=environment(line),
            cwd=world.home,
            pass_fds=(write,),
            capture_output=True,
            text=True,
            timeout=GUARD,
        )
        os.close(write)
        assert (done.stdout, done.stderr) == ("", "")
        return [word.rstrip() for word in answers.read().split("\n") if word]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("framework du", ["dump"]),
        ("framework --na", ["--name"]),
        ("framework config l", ["lint", "list"]),
        ("framework config list --show-", ["--show-secrets", "--show-values"]),
        ("framework config list --output ya", ["yaml"]),
        ("framework config get-value ", ["core", "database", "mail", "secrets", "server"]),
        ("framework config get-value server ", ["level", "port", "verbose"]),
        ("framework config get-value SERVER p", ["port"]),
        ("framework config set server level ", ["debug", "error", "info"]),
        ("framework config set server verbose ", ["false", "true"]),
        ("framework config set mail password ", []),
        ("framework dump --section m", ["mail"]),
        ("framework exec --only server.", ["server.level", "server.port", "server.verbose"]),
        ("framework export --map mail.", ["mail.password="]),
        ("framework export --connections ware", ["warehouse"]),
        ("framework export --format k8s-", ["k8s-configmap", "k8s-secret"]),
        ("framework dump --format ", ["cfg", "env", "json", "table", "toml", "yaml"]),
        ("framework explain server po", ["port"]),
        ("framework explain --connection w", ["warehouse"]),
        ("framework explain --variable ", ["vat"]),
        ("framework connections get ", ["warehouse"]),
        ("framework variables get v", ["vat"]),
        ("framework secrets get ", ["smtp"]),
        ("framework completion ", ["bash", "fish", "zsh"]),
        ("framework --name other connections get ", []),
        ("framework config get-value nonsense ", []),
        ("framework --project nowhere config get-value ", []),
        ("framework --app no.such:app config get-value ", []),
        ('framework config get-value "unclosed', []),
    ],
)
def test_what_is_offered(billing: World, line: str, offered: list[str]) -> None:
    assert sorted(complete(billing, line)) == offered


def test_the_metastore_and_local_files_are_asked(billing: World) -> None:
    billing.set(BILLING__CORE__FERNET_KEY=crypto.generate())
    app = billing.app()
    app.store.set_variable("rate", "1")
    app.store.set_connection(Connection(conn_id="stored", conn_type="http"))
    assert complete(billing, "framework variables get ") == ["rate", "vat"]
    assert complete(billing, "framework connections delete s") == ["stored"]
    billing.write("v.json", '{"from_file": 1}')
    billing.set(
        BILLING__SECRETS__BACKEND="local_filesystem",
        BILLING__SECRETS__BACKEND_KWARGS='{"variables_file_path": "v.json"}',
    )
    assert complete(billing, "framework variables get f") == ["from_file"]


def test_no_pointer_is_followed(billing: World) -> None:
    billing.write(
        "billing.cfg",
        f"[database]\nsql_alchemy_conn_cmd = touch {billing.home}/ran\n"
        f"[secrets]\nbackend = local_filesystem\nbackend_kwargs_cmd = touch {billing.home}/ran\n",
    )
    assert complete(billing, "framework variables get ") == ["vat"]
    assert not (billing.home / "ran").exists()


def test_a_store_over_a_network_is_not_asked(billing: World) -> None:
    billing.write("remote.py", "class Store:\n    def list_names(self, kind): open('asked', 'w')\n")
    billing.set(BILLING__SECRETS__BACKEND="remote.Store")
    assert complete(billing, "framework variables get ") == ["vat"]
    assert not (billing.home / "asked").exists()


def test_it_gives_up_in_time(billing: World) -> None:
    billing.write("slow.py", "import time\nopen('begun', 'w')\ntime.sleep(600)\n")
    for seconds in (2, 8, 32):
        assert complete(billing, "framework --app slow:app config get-value ", seconds) == []
        if (billing.home / "begun").exists():
            return
    raise AssertionError("it never comes to the application")


@pytest.mark.parametrize("text", ["this is not TOML [", '[tool.framework]\nname = "!"\n', "[tool.framework]\nx = 1\n"])
def test_a_broken_project_completes_nothing(billing: World, text: str) -> None:
    billing.write("pyproject.toml", text)
    assert complete(billing, "framework config get-value ") == []
    assert complete(billing, "framework config get-v") == ["get-value"]


def test_the_scripts(world: World) -> None:
    for shell in ("bash", "zsh", "fish"):
        status, out, err = world.run("completion", shell)
        assert (status, err) == (0, "")
        assert "framework" in out
    assert world.run("completion", "tcsh")[0] == 2
    assert world.run("completion")[0] == 2


def test_without_argcomplete(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "argcomplete.shell_integration", None)
    status, out, err = world.run("completion", "bash")
    assert (status, out) == (1, "")
    assert err == "error: completion needs argcomplete. Install it: pip install 'framework[cli]'\n"


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_in_bash(billing: World) -> None:
    command = billing.write(
        "bin/framework", f'#!/bin/sh\nexec {sys.executable} -c "{PATIENT.format(seconds=GUARD)}" "$@"\n', 0o700
    )
    script = r"""
        eval "$(framework completion bash)"
        ask() {
            COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_WORDS=($COMP_LINE); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            COMP_TYPE=9; COMPREPLY=()
            _python_argcomplete framework "${COMP_WORDS[COMP_CWORD]}" "" 2>&1
            echo "${COMPREPLY[@]}"
        }
        ask framework conf
        ask framework config get-value server le
        ask framework connections get ware
    """
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script], env=env, cwd=billing.home, capture_output=True, text=True, timeout=GUARD
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["config", "level", "warehouse"]

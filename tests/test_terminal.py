"""What a person sees at a terminal: lines that end between words, colours for what matters, and none where unwanted."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import pytest
from conftest import World
from terminal import at_a_terminal

from framework.cli.terminal import wrapped

SCHEMA = """
[server.options.port]
type = "integer"
description = "A description that has more words in it than one line of a narrow terminal can hold, by far."
"""
RED, YELLOW, BOLD, PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[0m"


@pytest.fixture
def narrow(world: World) -> World:
    world.write("schema.toml", SCHEMA)
    world.write("billing.cfg", "[server]\nport = x\n")
    world.project(schema="schema.toml")
    return world


def seen(
    world: World,
    *words: str,
    width: int = 60,
    look: Callable[[bytes], object] = lambda shown: None,
    **environ: str,
) -> str:
    """What a terminal of that width is sent, by stdout and stderr."""
    left = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "TERM")}
    command = [sys.executable, "-m", "framework", "--project", ".", *words]
    env = {**left, "TERM": "xterm", "PYTHONPATH": str(world.home), **environ}
    return at_a_terminal(command, width=width, look=look, env=env, cwd=world.home).shown.replace("\r\n", "\n")


def plain(text: str) -> str:
    for escape in (RED, YELLOW, BOLD, PLAIN):
        text = text.replace(escape, "")
    return text


def test_messages_end_between_words(narrow: World) -> None:
    narrow.set(BILLING__SERVER__PROT="1")
    _, whole, _ = narrow.run("--project", ".", "check")
    lines = plain(seen(narrow, "check")).splitlines()
    assert all(len(line) <= 60 for line in lines) and any(line.startswith("  ") for line in lines)
    assert " ".join(" ".join(lines).split()) == " ".join(f"{whole} 2 errors, 0 warnings".split())


def test_what_goes_to_stderr_is_wrapped_as_well(narrow: World) -> None:
    lines = plain(seen(narrow, "explain", "server", "prot", width=40)).splitlines()
    assert all(len(line) <= 40 for line in lines) and "error: [server] prot: the option is not" in lines


def test_levels_have_their_colours(narrow: World) -> None:
    narrow.set(BILLING_SERVER_PORT="1")
    shown = seen(narrow, "check")
    assert f"\n{RED}error:{PLAIN} billing.cfg:2: " in f"\n{shown}"
    assert f"{YELLOW}warning:{PLAIN} BILLING_SERVER_PORT: " in shown
    assert f"{RED}error:{PLAIN} [server] nope: " in seen(narrow, "explain", "server", "nope")


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_no_colours_where_they_are_not_wanted(narrow: World, environ: dict[str, str]) -> None:
    assert "\x1b" not in seen(narrow, "check", **environ) + seen(narrow, "explain", "server", "port", **environ)


def test_the_winner_is_bold(narrow: World) -> None:
    narrow.set(BILLING__SERVER__PORT="1")
    shown = seen(narrow, "explain", "server", "port")
    assert f"{BOLD}  -> environment: BILLING__SERVER__PORT{PLAIN}\n     main cfg: billing.cfg:2\n" in shown


def test_the_link_that_has_a_variable_is_bold(narrow: World) -> None:
    pytest.importorskip("rich")
    narrow.set(BILLING_VAR_VAT="19")
    shown = seen(narrow, "explain", "--variable", "vat")
    assert BOLD in next(line for line in shown.splitlines() if "found" in line)
    assert BOLD not in next(line for line in shown.splitlines() if "metastore" in line)


def test_elsewhere_a_message_is_one_line_without_colours(narrow: World) -> None:
    status, out, err = narrow.run("check")
    assert (status, err) == (1, "1 error, 0 warnings\n") and out.count("\n") == 1 and "\x1b" not in out


def test_what_programs_read_is_not_wrapped(narrow: World) -> None:
    value = "word " * 40 + "end"
    narrow.write("billing.cfg", f"[server]\nport = 1\n[x]\ny = {value}\n")
    assert seen(narrow, "config", "get-value", "x", "y") == f"{value}\n"
    assert f"\ny = {value}\n" in seen(narrow, "dump", "--section", "x", "--show-secrets")


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("", [""]),
        ("a short one", ["a short one"]),
        ("one two three four five six seven", ["one two three four", "  five six seven"]),
        ("  one two three four five", ["  one two three four", "    five"]),
        ("see /a/path/that/is/wider/than/it now", ["see", "  /a/path/that/is/wider/than/it", "  now"]),
        ("/a/path/that/is/wider/than/it", ["/a/path/that/is/wider/than/it"]),
    ],
)
def test_wrapped(line: str, lines: list[str]) -> None:
    assert wrapped(line, 20).split("\n") == lines


def test_a_message_says_how_many_there_are(narrow: World) -> Any:
    narrow.set(BILLING__SERVER__PROT="1")
    assert narrow.run("check")[2] == "2 errors, 0 warnings\n"


SLOW = """
import os
import time

from framework import BaseSecretsBackend


class Slow(BaseSecretsBackend):
    def get_variable(self, key):
        while not os.path.exists("seen"):
            time.sleep(0.02)
        return "zebracanary"
"""
#: Both end when the wait was seen.
SLOW_COMMAND = "until test -e seen; do sleep 0.05; done; echo x\n"


@pytest.mark.parametrize(
    ("words", "waits"),
    [
        (("variables", "get", "x"), "waiting for Slow since "),
        (("explain", "--variable", "x"), "waiting for Slow since "),
        (("config", "get-value", "a", "password"), "waiting for sh since "),
        (("check",), "resolving 1 pointer: waiting for sh since "),
    ],
    ids=str,
)
def test_a_wait_is_shown_and_nothing_is_left_of_it(world: World, words: tuple[str, ...], waits: str) -> None:
    world.write("slow_store.py", SLOW)
    world.write("wait", SLOW_COMMAND)
    world.write("billing.cfg", "[secrets]\nbackend = slow_store.Slow\n[a]\npassword_cmd = sh wait\n")
    shown = seen(world, *words, width=200, look=lambda shown: b"waiting" in shown and world.write("seen", ""))
    parts = shown.split("\r\x1b[K")
    assert [part for part in parts[1:] if part.startswith(waits)], shown
    assert not parts[0].strip() and not any(part.startswith("waiting") for part in parts[-1:])


def test_no_wait_is_shown_without_a_terminal(world: World) -> None:
    world.write("billing.cfg", "[a]\npassword_cmd = sleep 2\n")
    assert "waiting" not in "".join(world.run("check")[1:])

"""What a terminal shows: control characters made visible, in every command and from every source."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from conftest import World
from patience import GUARD
from terminal import at_a_terminal

import framework
from framework import App, Connection, Variable, errors
from framework.masking.search import visible
from framework.metastore.crypto import generate

#: Each acts on a terminal, or is not seen there: escapes, line ends, C1, marks of direction, what has no width.
HOSTILE = {
    "escape": "\x1b[2J\x1b]0;title\x07",
    "carriage return": "\rerror: nothing\r",
    "backspace": "abc\b\b\b",
    "line ends": "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029",
    "C1": "\x9b31m\x90\x9d",
    "delete": "\x7f",
    "direction": "\u202e\u2066\u200f",
    "no width": "\u200b\u200d\u2060\ufeff\u00ad\u034f\u3164\ufe0f\U000e0041",
    "null": "\0",
}
#: What a variable cannot hold of the environment.
IN_ENVIRONMENT = {kind: text for kind, text in HOSTILE.items() if kind != "null"}


def shown_by(world: World, *words: str) -> str:
    """What a command shows, stdout and stderr, at a real terminal; line ends as the program wrote them."""
    env = {**os.environ, "PYTHONPATH": str(Path(framework.__file__).parents[1]), "TERM": "dumb", "COLUMNS": "500"}
    command = [sys.executable, "-m", "framework", *words]
    status, text, _ = at_a_terminal(command, raw=True, cwd=world.home, env=env)
    assert status in (0, 1, 2, 3)
    assert "Traceback" not in text
    return text


def acting(text: str) -> set[str]:
    """The characters of what is shown that a terminal would act upon, or not show."""
    return {char for char in text if char not in "\n\t" and visible(char) != char}


def planted(world: World, text: str) -> None:
    """An application with this text in every place of a store, a file or a variable."""
    options = {"value": text, f"key{text}": "1", "list": [text], "number": text}
    world.write("all.json", json.dumps({"open": options, f"section{text}": {"x": text}}))
    world.write(
        "schema.json",
        json.dumps({"open": {"options": {"number": {"type": "integer"}, "value": {"type": "string"}}}}),
    )
    world.project(config_files=["all.json"])
    world.set(BILLING__CORE__FERNET_KEY=generate())
    app = world.app().use()
    text = text.replace("\0", "")  # which no database takes
    app.store.set_variable("v", text, text)
    app.store.set_connection(Connection("c", "http", host="h", login=text, description=text, extra={"a": text}))
    app.store.set_config("s", text)


COMMANDS = (
    ("dump",),
    ("dump", "--connections", "--variables"),
    ("dump", "--format", "json", "--sources"),
    ("dump", "--format", "yaml"),
    ("dump", "--format", "toml"),
    ("dump", "--format", "env"),
    ("dump", "--format", "table"),
    ("explain", "open", "value"),
    ("explain", "open", "number"),
    ("explain", "--connection", "c"),
    ("explain", "--variable", "v"),
    ("check",),
    ("config", "list", "--show-values", "--include-sources"),
    ("config", "list", "--show-values", "--output", "table"),
    ("config", "get-value", "open", "value"),
    ("config", "get-value", "open", "nope"),
    ("config", "lint"),
    ("connections", "get", "c"),
    ("connections", "get", "c", "-o", "json"),
    ("connections", "get", "c", "-o", "plain"),
    ("connections", "list", "--show-values"),
    ("connections", "export", "-"),
    ("connections", "export", "-", "--file-format", "yaml"),
    ("variables", "get", "v"),
    ("variables", "list", "--show-values"),
    ("variables", "export", "-"),
    ("secrets", "get", "s"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_hands_a_terminal_what_acts_on_it(world: World, words: tuple[str, ...]) -> None:
    """Every command, with the text in every value, name, description and place."""
    planted(world, "".join(HOSTILE.values()))
    shown = shown_by(world, *words)  # without colours of our own: rich writes none at a dumb terminal
    assert shown
    assert not acting(shown)


@pytest.mark.parametrize("kind", HOSTILE)
def test_each_kind_of_text_is_shown(world: World, kind: str) -> None:
    planted(world, HOSTILE[kind])
    assert not acting(shown_by(world, "variables", "get", "v"))
    for words in COMMANDS:
        assert not acting(world.run(*words)[2]), words


@pytest.mark.parametrize("kind", IN_ENVIRONMENT)
def test_errors_and_warnings(world: World, kind: str) -> None:
    """Names and paths that a message repeats: it stays one line."""
    text = HOSTILE[kind]
    world.write(f"a{text}.cfg", "[a\n")
    for words in (
        ("--config", f"a{text}.cfg", "dump"),
        ("--config", f"none{text}.cfg", "dump"),
        ("--project", f"none{text}", "dump"),
        ("--name", f"x{text}", "dump"),
        ("explain", f"a{text}", "b"),
        ("variables", "get", f"v{text}"),
        ("connections", "get", f"c{text}"),
        ("secrets", "get", f"s{text}"),
        ("config", "get-value", f"a{text}", "b"),
        ("variables", "import", f"none{text}.json"),
        ("variables", "import", f"none{text}"),
    ):
        if kind == "escape":
            assert not acting(shown_by(world, *words)), words
        _, out, err = world.run(*words)
        assert not acting(err), words
        assert all(line.startswith(("error: ", "note: ", "warning: ", "usage:")) for line in err.splitlines()), err
        assert not acting(out), words


def test_a_line_end_in_a_name_makes_no_second_message(world: World) -> None:
    _, _, err = world.run("variables", "get", "x\nerror: the disk is on fire")
    assert err.count("\n") == 1


def test_a_pipe_has_the_bytes(world: World) -> None:
    text = "".join(HOSTILE.values()) + "\n end"
    planted(world, text)
    _, out, _ = world.run("config", "get-value", "open", "value")
    assert out == f"{text}\n"
    _, out, _ = world.run("variables", "get", "v")
    assert out == f"{text}\n".replace("\0", "")
    _, out, _ = world.run("dump", "--format", "json")
    assert json.loads(out)["open"]["value"] == text


def test_words_for_people_are_visible_in_a_pipe_too(world: World) -> None:
    planted(world, "".join(HOSTILE.values()))
    for words in (("explain", "open", "value"), ("dump", "--format", "table"), ("connections", "list"), ("check",)):
        _, out, err = world.run(*words)
        assert not acting(out), words
        assert not acting(err), words


def test_errors_warnings_and_objects_in_python(world: World) -> None:
    text = "".join(HOSTILE.values())
    fault = errors.ConfigFileError(f"what\n{text}", where=f"where{text}", hint=f"hint{text}")
    for shown in (str(fault), repr(fault), str(fault.again())):
        assert not acting(shown) and "\n" not in shown
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        errors.warn(f"watch\n{text}")
    assert not acting(str(caught[0].message)) and "\n" not in str(caught[0].message)
    connection = Connection("a", text, host=text)
    app = App("billing", home="/nowhere/" + text.replace("\0", ""), environ={"BILLING__S__X": text.replace("\0", "")})
    for thing in (connection, app, app.answer("s", "x"), app.conf.explain("s", "x"), app.answer("s", "x").mention):
        assert not acting(repr(thing)), type(thing)


def test_visible() -> None:
    assert visible("plain üñ 日本 🔑") == "plain üñ 日本 🔑"
    assert visible("a\tb\r\n\x1b[0m\x85\u202e\udce9") == r"a\tb\r\n\x1b[0m\x85\u202e\udce9"
    assert visible("a\nb\tc", keep="\n") == "a\nb\\tc"
    assert visible("\U000e0041\ufe0f\u3164") == r"\U000e0041\ufe0f\u3164"


def test_completion_offers_no_name_that_acts(world: World) -> None:
    pytest.importorskip("argcomplete")
    planted(world, "\x1b[31m")
    app = world.app()
    app.store.set_variable("good", "1", None)
    app.store.set_variable("go\x1b[31m", "1", None)
    app.store.set_variable("go\u202eod", "1", None)
    line = "framework variables get go"
    env = {**os.environ, "_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}
    env["_ARGCOMPLETE_STDOUT_FILENAME"] = str(world.home / "offered")
    env["PYTHONPATH"] = str(Path(framework.__file__).parents[1])
    subprocess.run([sys.executable, "-m", "framework"], env=env, cwd=world.home, timeout=GUARD)
    assert (world.home / "offered").read_text().strip() == "good"


def test_variables_of_an_application_are_given_as_they_are(world: World) -> None:
    """Only what is shown is changed."""
    text = "".join(HOSTILE.values())
    planted(world, text)
    assert world.app().conf.get("open", "value") == text
    assert Variable.get("v") == text.replace("\0", "")

"""Every command and flag: what is printed where, the exit status, and that what `dump` prints reads back as it was."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import tomli
import yaml
from conftest import World
from dotenv import dotenv_values
from patience import GUARD

import framework
from framework import App, Variable
from framework.metastore import crypto

SCHEMA = """
[core]
description = "What every part needs."
[core.options.port]
type = "integer"
default = "8080"
description = "Where it listens."
example = "9090"
[core.options.ratio]
type = "float"
default = "0.5"
[core.options.debug]
type = "boolean"
default = "false"
[core.options.colour]
default = "red"
choices = ["red", "green"]
[core.options.regions]
type = "list"
default = "a, b"
[core.options.limits]
type = "object"
default = '{"a": 1}'
[core.options.title]
[core.options.password]
sensitive = true
[core.options.name]
renamed_from = [{section = "old", key = "label", since = "2"}]
"""

#: What a text may be made of.
TEXTS = [
    *(
        "",
        " ",
        "x",
        "two words",
        "  leading",
        "trailing  ",
        "100%",
        "%(x)s",
        "%%",
        "a#b",
        "# not a comment",
        "; nor this",
    ),
    *(
        "a = b",
        "a: b",
        "[core]",
        "=",
        ":",
        "'single'",
        '"double"',
        "it's",
        "back\\slash",
        "\\n",
        "tab\there",
        "é ü €",
        "日本語",
    ),
    *(
        "🔑",
        "$HOME",
        "${HOME}/x",
        "~",
        "~/x",
        "$$",
        "a\nb",
        "a\n  b",
        "a\n\nb",
        "\na",
        "a\n",
        "a\n#b",
        "a\n[b]\nc",
        "a\r\nb",
    ),
    *(
        "\x0b",
        "a\x85b",
        "a\u2028b",
        "\ufeff",
        "\x00".replace("\x00", "\x01"),
        "true",
        "null",
        "1e3",
        "None",
        "{a}",
        "{{",
        "*",
    ),
    *(
        "a,b , c",
        "https://h/p?q=%20#f",
        "ends in \\",
        "`cmd` $(cmd)",
        "x" * 300,
        "a\x1b[31mb",
        "'''",
        '"""',
        "\x7f",
        " ",
    ),
]


def make(world: World, **project: Any) -> None:
    world.write("schema.toml", SCHEMA)
    world.project(schema="schema.toml", **project)


def process(world: World, *words: str, shell: str = "", **more: Any) -> subprocess.CompletedProcess[bytes]:
    """A separate process: for pipes, closed streams and encodings."""
    env = {**os.environ, "PYTHONPATH": str(Path(framework.__file__).parents[1]), **more.pop("env", {})}
    command = [sys.executable, "-m", "framework", *words]
    if shell:
        import shlex

        command = ["bash", "-o", "pipefail", "-c", f"{shlex.join(command)} {shell}"]
    return subprocess.run(command, cwd=more.pop("cwd", world.home), env=env, capture_output=True, timeout=GUARD, **more)


# dump reads back


@pytest.fixture
def texts(world: World) -> dict[str, str]:
    """Texts of every kind in a typed file, which gives them as they are, in an application without a schema."""
    texts = {f"text_{number}": text for number, text in enumerate(TEXTS)}
    world.write("texts.json", json.dumps({"core": texts, "other.section": {"key": "50% of $HOME"}}))
    world.project(config_files=["texts.json"])
    assert {key: world.app().conf.get("core", key) for key in texts} == texts
    return texts


def comments_with(out: str, texts: dict[str, str]) -> set[str]:
    return {key for key in texts if f"\n# {key} = " in out or f"\n# BILLING__CORE__{key.upper()}=" in "\n" + out}


def test_cfg_reads_back(texts: dict[str, str], world: World) -> None:
    status, out, err = world.run("dump", "--section", "core", "--changed")
    assert (status, err) == (0, "")
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(out.replace("HOME", str(world.home)))
    read = dict(parser["core"])
    left_out = comments_with(out, texts)
    assert read.keys() | left_out == texts.keys()
    world.write("back/billing.cfg", out.replace("HOME", str(world.home)))
    back = App("billing", home=str(world.home / "back"))
    for key in read:
        assert back.conf.get("core", key) == texts[key]
        if "\r" not in texts[key] and "\x85" not in texts[key]:
            assert read[key].strip("\n") == texts[key].strip("\n") or "\n" in texts[key]
    # A cfg file cannot hold blanks at the ends, lines that look like something else, or a `$HOME` that means itself.
    plain = [key for key, text in texts.items() if text.isprintable() and text.strip() == text and text[:1] not in "~"]
    assert [texts[key] for key in plain if key in left_out and "$" not in texts[key]] == []
    assert "a\nb" in [texts[key] for key in read]


def test_env_reads_back(texts: dict[str, str], world: World) -> None:
    _, out, _ = world.run("dump", "--section", "core", "--changed", "--format", "env")
    out = out.replace("HOME", str(world.home))
    read = dotenv_values(stream=StringIO(out, newline=""), interpolate=False)
    left_out = comments_with(out, texts)
    assert read.keys() | {f"BILLING__CORE__{key.upper()}" for key in left_out} == {
        f"BILLING__CORE__{key.upper()}" for key in texts
    }
    # What readers of `.env` files take differently: see docs/decisions on the portable form.
    kept = [text for text in map(texts.get, left_out) if text is not None and not set(text) & set("$\\\r")]
    assert [text for text in kept if text[:1] != "~" and not ("'" in text and set(text) & set('"`'))] == []
    world.write("back.env", out)
    back = App("billing", home=str(world.home / "nowhere"), dotenv=str(world.home / "back.env"))
    for name, text in read.items():
        key = name.rpartition("__")[2].lower()
        assert text == texts[key], key
        assert back.conf.get("core", key) == texts[key]


@pytest.mark.parametrize(("format_", "parse"), [("json", json.loads), ("yaml", yaml.safe_load), ("toml", tomli.loads)])
def test_trees_read_back(format_: str, parse: Any, texts: dict[str, str], world: World) -> None:
    status, out, err = world.run("dump", "--changed", "--format", format_)
    assert (status, err) == (0, "")
    read = parse(out)
    assert {key: text.replace(str(world.home), "HOME") for key, text in texts.items()} == read["core"]
    assert read["other.section"] == {"key": "50% of $HOME"}


def test_types_in_trees(world: World) -> None:
    make(world, config_files=["more.json"])
    world.write("more.json", '{"core": {"limits": {"b": [1, null, 2.5]}, "regions": ["x", "y"]}}')
    world.set(BILLING__CORE__DEBUG="True # why")
    wanted = {"port": 8080, "ratio": 0.5, "debug": True, "colour": "red", "regions": ["x", "y"]}
    for format_, parse in (("json", json.loads), ("yaml", yaml.safe_load), ("toml", tomli.loads)):
        core = parse(world.run("dump", "--format", format_)[1])["core"]
        assert {key: core[key] for key in wanted} == wanted
        if format_ != "toml":
            assert core["limits"] == {"b": [1, None, 2.5]}
    _, out, _ = world.run("dump", "--format", "toml")
    assert "\n# limits = " in out  # TOML has no null, so it is a comment
    _, out, _ = world.run("dump")
    assert "\nregions = x, y\n" in out


def test_names_that_a_format_cannot_hold(world: World) -> None:
    strange = {"a]b": {"key": "1"}, "new\nline": {"key": "2"}, "core": {"a b": "3", "k\ney": "4", "=": "5", "#c": "6"}}
    world.write("strange.json", json.dumps(strange))
    world.project(config_files=["strange.json"])
    for format_, parse in (("json", json.loads), ("yaml", yaml.safe_load), ("toml", tomli.loads)):
        read = parse(world.run("dump", "--changed", "--format", format_)[1])
        assert {section: read[section] for section in strange} == strange
    parser = configparser.ConfigParser()
    parser.read_string(world.run("dump", "--changed")[1])
    assert {name: dict(parser[name]) for name in parser.sections()} == {"a]b": {"key": "1"}, "core": {"a b": "3"}}
    read = dotenv_values(stream=StringIO(world.run("dump", "--changed", "--format", "env")[1]))
    assert None not in read.values()
    assert "4" not in read.values()


def test_redacted_and_failing_options_are_comments(world: World) -> None:
    make(world)
    cfg = "[core]\nport = 1\npassword = hidden\ntitle = https://user:hidden@host/\nname = 5%\n"
    world.write("billing.cfg", cfg)
    for format_ in ("cfg", "env"):
        status, out, err = world.run("dump", "--changed", "--format", format_)
        assert status == 1
        assert err.startswith("error: billing.cfg:5: [core] name: a '%'")
        lines = {line for line in out.splitlines() if line and line[0] not in "#["}
        assert lines == ({"port = 1"} if format_ == "cfg" else {"BILLING__CORE__PORT=1"})
        assert "hidden@" not in out
    shown = json.loads(world.run("dump", "--changed", "--format", "json", "--sources")[1])["core"]
    assert shown["port"] == {"value": 1, "source": "main cfg", "origin": "billing.cfg:2"}
    assert shown["password"] == {
        "value": "< hidden >",
        "source": "main cfg",
        "origin": "billing.cfg:3",
        "redacted": True,
    }
    assert shown["title"]["redacted"] is True
    assert shown["name"]["value"] is None
    assert shown["name"]["error"].startswith(str(world.home)) or shown["name"]["error"].startswith("HOME/")
    assert "name" not in json.loads(world.run("dump", "--changed", "--format", "json")[1])["core"]


def test_an_option_without_a_text_does_not_stop_the_rest(world: World) -> None:
    world.write("odd.yaml", "core:\n  odd: {2020-01-01: x}\n  port: 5\n")
    world.project(config_files=["odd.yaml"])
    for format_ in ("cfg", "json", "yaml", "toml", "env", "table"):
        status, out, err = world.run("dump", "--section", "core", "--format", format_)
        assert status == 1
        assert "5" in out
        assert "error: odd.yaml:2: [core] odd: " in err


# dump's flags


def test_section_changed_and_sources(world: World) -> None:
    make(world)
    world.write("billing.cfg", "[core]\nport = 1\n[old]\nlabel = x\n[más]\nñ = ü\n")
    status, out, err = world.run("dump", "--changed")
    assert status == 0
    assert err == "warning: billing.cfg:4 writes [old] label, which is now called [core] name: rename it\n"
    assert "# main cfg: billing.cfg:2\nport = 1\n" in out
    assert "# main cfg: billing.cfg:4 as [old] label\nname = x\n" in out
    assert "\nratio" not in out
    assert "\nratio" in world.run("dump")[1]
    assert (
        world.run("dump", "--section", "CORE", "--changed")[1] == world.run("dump", "--section", "core", "--changed")[1]
    )
    assert world.run("dump", "--section", "nope") == (1, "", "error: there is no section [nope]. See `config list`.\n")
    assert world.run("dump", "--section", "")[0] == 1
    assert "# ñ = < hidden >" in world.run("dump", "--section", "más")[1]


def test_offline_runs_nothing(world: World) -> None:
    make(world)
    world.write(
        "billing.cfg", "[core]\npassword_cmd = sh -c 'echo ran >> marker; echo x'\n[secrets]\nbackend = no.such.Class\n"
    )
    for words in (
        ("dump", "--offline"),
        ("check", "--offline"),
        ("config", "list"),
        ("config", "get-value", "core", "port"),
    ):
        world.run(*words)
    status, out, _ = world.run("dump", "--offline", "--format", "json")
    assert status == 0
    assert json.loads(out)["core"]["password"] == "< not followed >"
    assert not (world.home / "marker").exists()
    assert world.run("dump", "--section", "core")[0] == 0
    assert (world.home / "marker").read_text() == "ran\n"


def test_connections_and_variables(world: World) -> None:
    make(world)
    world.set(BILLING__CORE__FERNET_KEY=crypto.generate(), BILLING_CONN_WAREHOUSE="postgres://u:hidden@h/db")
    world.set(BILLING_VAR_RATE="19 %", BILLING_VAR_API_TOKEN="hidden", BILLING_CONN_BROKEN="hidden")
    world.app().use()
    Variable.set("región", "ñ")
    words = ("dump", "--section", "core", "--format")
    status, out, err = world.run(*words, "json", "--connections", "--variables")
    data = json.loads(out)
    assert status == 3
    assert data["variables"] == {"rate": "19 %", "api_token": "< hidden >", "región": "ñ"}
    assert data["connections"]["warehouse"] == "<Connection 'warehouse': type='postgres' host='h'>"
    assert data["connections"]["broken"] is None
    assert err.startswith(
        "error: environment: connection 'broken' at BILLING_CONN_BROKEN: the connection is neither a URI"
    )
    assert "hidden" not in out.replace("< hidden >", "") + err
    for format_ in ("cfg", "yaml", "toml", "env", "table"):
        out = world.run(*words, format_, "--connections", "--variables")[1]
        assert "warehouse" in out
        assert "región" in out
    shown = json.loads(world.run(*words, "json", "--connections", "--show-secrets")[1])
    assert shown["connections"]["warehouse"] == "postgres://u:hidden@h/db"
    with_links = json.loads(world.run(*words, "json", "--variables", "--sources")[1])
    assert with_links["variables"]["región"] == {"link": "metastore", "value": "ñ"}


def test_a_link_that_cannot_be_listed_does_not_stop_the_rest(world: World) -> None:
    make(world)
    world.write("billing.cfg", "[secrets]\nbackend = no.such.Class\n")
    world.set(BILLING_VAR_RATE="19")
    status, out, err = world.run("dump", "--section", "core", "--variables")
    assert status == 3
    assert "port = 8080" in out
    assert err.startswith("error: billing.cfg:2: [secrets] backend: the class no.such.Class cannot be used")


# config, explain, check, fernet


def test_config_get_value(world: World) -> None:
    make(world)
    world.write("billing.cfg", "[core]\npassword = in clear\ntitle =\n[secrets]\nbackend = no.such.Class\n")
    get = ("config", "get-value")
    assert world.run(*get, "core", "port") == (0, "8080\n", "")
    assert world.run(*get, "CORE", "Port") == (0, "8080\n", "")
    assert world.run(*get, "core", "password") == (0, "in clear\n", "")
    assert world.run(*get, "core", "title") == (0, "\n", "")
    assert world.run(*get, "secrets", "backend") == (0, "no.such.Class\n", "")
    assert world.run(*get, "core", "nope")[:2] == (1, "")
    assert world.run(*get, "", "")[:2] == (1, "")
    assert world.run(*get, "ñ", "日本")[:2] == (1, "")
    assert world.run(*get, "core")[:2] == (2, "")
    status, out, err = world.run(*get, "old", "label")
    assert (status, out) == (1, "")
    assert err.startswith("warning: the option [old] label is now called [core] name: use that name\nerror: ")


def test_config_list(world: World) -> None:
    make(world)
    world.write("billing.cfg", "[core]\npassword = hidden\ntitle = 100%% a\n  b\nname = 5%\n")
    status, out, err = world.run("config", "list", "--section", "core")
    assert (status, err) == (0, "")
    assert "\n# port = \n" in out
    status, out, err = world.run("config", "list", "--section", "core", "--show-values")
    message = "a '%' is followed by neither '%' nor '(name)s'. Write '%%' for a literal '%'."
    assert (status, err) == (1, f"error: billing.cfg:5: [core] name: {message}\n")
    parser = configparser.ConfigParser()
    parser.read_string(out)
    assert (parser["core"]["port"], parser["core"]["title"]) == ("8080", "100% a\nb")
    assert "hidden\n" not in out
    _, out, _ = world.run("config", "list", "-d", "-e", "-s", "-V", "--show-values", "-c")
    for line in ("# Where it listens.", "# Example: port = 9090", "# Variable: BILLING__CORE__PORT", "# port = 8080"):
        assert f"{line}\n" in out
    assert "Source: main cfg: billing.cfg:2" in out
    assert [line for line in out.splitlines() if line and line[0] not in "#["] == []
    _, out, _ = world.run("config", "list", "--defaults")
    assert "# port = 8080\n" in out
    assert [line for line in out.splitlines() if line and line[0] not in "#["] == []
    status, _, err = world.run("config", "list", "--section", "nope")
    assert status == 1
    assert err.startswith("error: there is no section [nope]")


def test_explain(world: World) -> None:
    make(world)
    world.write("billing.cfg", "[core]\nport = 1\ncolour = blue\n")
    world.set(BILLING__CORE__PORT="2", BILLING_VAR_RATE="19")
    status, out, err = world.run("explain", "core", "port")
    assert (status, err) == (0, "")
    assert out == (
        "[core] port\n  = 2\n  -> environment: BILLING__CORE__PORT\n     main cfg: billing.cfg:2\n"
        "     default: default\n  declared: integer; Where it listens.\n"
    )
    rows = json.loads(world.run("explain", "core", "port", "--output", "json")[1])
    assert [(row["wins"], row["layer"], row["value"]) for row in rows] == [
        (True, "environment", "2"),
        (False, "main cfg", None),
        (False, "default", None),
    ]
    assert yaml.safe_load(world.run("explain", "core", "port", "--output", "yaml")[1]) == rows
    assert world.run("explain", "core", "port", "--output", "plain")[1].count("\t") == 15
    assert world.run("explain", "core", "title")[0] == 1
    assert world.run("explain", "core", "prot")[2].endswith("Did you mean [core] port?\n")
    assert world.run("explain")[0] == 2
    assert world.run("explain", "core")[0] == 2
    assert world.run("explain", "--variable", "rate")[0] == 0
    assert world.run("explain", "--variable", "")[0] == 1
    assert world.run("explain", "--connection", "ñ 日本")[0] == 1
    assert world.run("explain", "--connection", "a", "--variable", "b")[0] == 2


def test_check(world: World) -> None:
    make(world)
    assert world.run("check") == (0, "", "0 errors, 0 warnings\n")
    cfg = "[core]\nprot = 1\ncolour = blue\npassword = x\npassword_cmd = false\nport_cmd = false\nratio = much\n"
    world.write("billing.cfg", f"{cfg}[old]\nlabel = x\n")
    status, out, err = world.run("check")
    assert (status, err) == (1, "5 errors, 1 warning\n")
    for line in (
        "error: billing.cfg:2: [core] prot: no such option is declared; did you mean [core] port?",
        "error: billing.cfg:3: [core] colour: expected one of 'red', 'green', not 'blue'.",
        "error: billing.cfg:5: [core] password and password_cmd are written in one layer; the first of them is used",
        "error: billing.cfg:6: [core] port_cmd is ignored: declare [core] port sensitive to write it as a pointer",
        "error: billing.cfg:7: [core] ratio: expected a number, such as 0.5, not 'much'.",
        "warning: billing.cfg:9: [old] label is now called [core] name: rename it there",
    ):
        assert f"{line}\n" in out
    rows = json.loads(world.run("check", "--output", "json")[1])
    assert len(rows) == 6
    world.write("billing.cfg", "[old]\nlabel = x\n")
    assert world.run("check")[0] == 0
    assert world.run("check", "--strict")[0] == 1


def test_fernet(world: World) -> None:
    status, out, err = world.run("fernet", "generate")
    assert (status, err) == (0, "")
    from cryptography.fernet import Fernet

    Fernet(out.strip())
    assert world.run("fernet")[0] == 2
    assert world.run("fernet", "eat")[0] == 2


# Which application


def test_help_and_usage(world: World) -> None:
    status, out, err = world.run("--help")
    assert (status, err) == (0, "")
    assert out.startswith("usage: python -m framework [options] command")
    assert world.run("--version") == (0, f"framework {framework.__version__}\n", "")
    assert world.run()[0] == 2
    assert world.run("dmp") == (2, "", "error: there is no command 'dmp'; did you mean dump?\n")
    assert world.run("") [0] == 2  # fmt: skip
    assert world.run("--nope")[0] == 2
    assert world.run("dump", "--nope")[0] == 2
    assert world.run("dump", "--format", "xml")[0] == 2
    for command in ("dump", "explain", "check", "config", "fernet"):
        status, out, err = world.run(command, "--help")
        assert (status, err) == (0, "")
        assert "for example:" in out


def test_which_application(world: World) -> None:
    (world.home / "pyproject.toml").unlink()
    world.write("mine.py", "from framework import App\napp = App('mine', home='.')\nother = 5\n")
    world.write("other.cfg", "[core]\nport = 7\n")
    world.write("there/pyproject.toml", '[tool.framework]\nname = "there"\nhome = "."\n')
    world.write("there/there.cfg", "[core]\nport = 8\n")
    world.set(MINE__CORE__PORT="6", FRAMEWORK__CORE__PORT="9", NAMED__CORE__PORT="10")
    get = ("config", "get-value", "core", "port")
    status, out, err = world.run(*get)
    assert (status, out) == (0, "9\n")
    assert err.startswith("note: no project was found here, so the application called framework is used;")
    assert world.run("--app", "mine:app", *get) == (0, "6\n", "")
    assert world.run("--name", "named", *get) == (0, "10\n", "")
    assert world.run("--project", "there", *get) == (0, "8\n", "")
    assert world.run("--name", "plain", "--config", "other.cfg", *get) == (0, "7\n", "")
    message = "error: nope.cfg: the file does not exist. Create it, or correct the path.\n"
    assert world.run("--name", "plain", "--config", "nope.cfg", *get) == (1, "", message)
    message = "error: App(name): the application's name '1x' must start with a letter and hold letters, digits, "
    assert world.run("--name", "1x", *get)[2].startswith(message)
    for option in ("--name", "--app", "--project", "--config"):
        message = f"error: {option} is empty: give it a value, or leave it out\n"
        assert world.run(option, "", *get) == (2, "", message)
    for path, what in (
        ("mine:nope", "mine has no 'nope'"),
        ("mine:other", "it is of type int, not App"),
        ("nope:app", "there is no module nope"),
        ("mine", "mine has no ''"),
    ):
        message = f"error: --app: {path!r} is not an application: {what}. Write module:attribute.\n"
        assert world.run("--app", path, *get) == (1, "", message)
    assert world.run("--app", "mine:app", "--name", "x", *get)[0] == 1
    assert world.run("--app", "mine:app", "--config", "other.cfg", *get)[0] == 1
    world.set(FRAMEWORK_APP="mine:app")
    assert world.run(*get) == (0, "6\n", "")
    assert world.run("--name", "named", *get) == (0, "10\n", "")
    world.set(FRAMEWORK_APP="mine:nope")
    assert world.run(*get)[2].startswith("error: FRAMEWORK_APP: 'mine:nope' is not an application")


@pytest.mark.parametrize(
    ("words", "project"),
    [
        (("--app", "needy:app", "dump"), {}),
        (("check",), {"dynaconf": "needy:settings"}),
        (("check",), {"schema": "needy:Settings"}),
        (("check",), {}),
    ],
)
def test_a_module_that_cannot_be_imported_names_the_missing_package(
    world: World, words: tuple[str, ...], project: dict[str, str]
) -> None:
    world.write("needy.py", "import not_installed_here\n")
    if words[0] != "--app":
        world.project(**project)
        world.set(BILLING__SECRETS__BACKEND="" if project else "needy.Backend")
    status, out, err = world.run(*words)
    assert status != 0 and "its module needs one that is not installed: not_installed_here" in out + err


def test_what_the_code_of_an_application_raises_is_reported(world: World) -> None:
    world.write("meets.py", "from framework import App\napp = App('billing', config_files=['nowhere.toml'])\n")
    status, out, err = world.run("--app", "meets:app", "dump")
    assert (status, out) == (1, "")
    assert "nowhere.toml: the file does not exist" in err


# Streams


def test_streams(world: World) -> None:
    make(world)
    many = "".join(f"key{number} = {'x' * 50}\n" for number in range(5000))
    world.write("billing.cfg", f"[core]\n{many}")
    world.project()
    done = process(world, "dump", shell="| head -1")
    assert done.stdout == b"# the effective configuration of billing; hidden and failed values are comments\n"
    assert done.stderr == b""
    for words in (("--help",), ("config", "list", "--show-values"), ("config", "get-value", "core", "key1")):
        assert process(world, *words, shell="| true").stderr == b""
    done = process(world, "dump", shell="> /dev/full")
    assert (done.returncode, done.stderr) == (1, b"error: No space left on device\n")
    done = process(world, "dump", shell=">&-")
    assert done.stderr == b""
    done = process(world, "config", "get-value", "core", "nope", shell="2>&-")
    assert (done.returncode, done.stdout) == (1, b"")


def test_what_cannot_be_encoded(world: World) -> None:
    make(world)
    env = {"BILLING__CORE__TITLE": b"caf\xe9 \xc3\xbc", "BILLING__CORE__NAME": "日本"}
    for format_ in ("cfg", "json", "yaml", "toml", "env", "table"):
        done = process(world, "dump", "--format", format_, "--changed", env=env)
        assert (done.returncode, done.stderr) == (0, b""), format_
    done = process(world, "config", "get-value", "core", "title", env=env)
    assert done.stdout == b"caf\xe9 \xc3\xbc\n"
    shown = json.loads(process(world, "dump", "--format", "json", "--changed", env=env).stdout)
    assert shown["core"]["title"].encode("utf-8", "surrogateescape") == b"caf\xe9 \xc3\xbc"
    done = process(world, "dump", "--changed", env={**env, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_working_directory_that_was_removed(world: World) -> None:
    gone = world.home / "gone"
    gone.mkdir()
    words = [sys.executable, "-m", "framework", "--name", "billing", "config", "get-value", "secrets", "no_such_option"]
    code = f"import os, sys; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); os.execv({sys.executable!r}, {words!r})"
    env = {**os.environ, "PYTHONPATH": str(Path(framework.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=GUARD)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_a_terminal_gets_a_drawn_table(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    make(world)
    world.set(BILLING__CORE__TITLE="[bold]x[/bold] \x1b[31m")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    status, out, _ = world.run("dump", "--format", "table", "--section", "core")
    assert status == 0
    assert "[bold]x" in out
    assert "\x1b[31m" not in out


@pytest.mark.parametrize(
    "words",
    [
        ("connections", "add", "x", "--conn-type", "a", "--conn-passwd", "Zq7Canary"),
        ("connections", "add", "x", "--conn-type", "a", "--conn-port", "Zq7Canary"),
        ("variables", "set", "x", "a", "Zq7Canary"),
        ("variables", "Zq7Canary"),
        ("Zq7Canary",),
        ("dump", "--Zq=Zq7Canary"),
    ],
)
def test_a_word_in_the_wrong_place_is_not_repeated(world: World, words: tuple[str, ...]) -> None:
    status, out, err = world.run(*words)
    assert (status, out, "Zq7Canary" in err) == (2, "", False)


@pytest.mark.parametrize("flag", ["--env", "--project", "--name", "--app", "--config", "--dotenv"])
def test_a_flag_that_selects_the_application_after_the_command(world: World, flag: str) -> None:
    status, _, err = world.run("check", flag, "canary")
    assert status == 2
    assert f"{flag} must come before the command: python -m framework {flag} … COMMAND" in err
    assert "canary" not in err


@pytest.mark.external
@pytest.mark.parametrize(
    "words",
    [
        *("render -", "redact", "variables import -", "connections import -", "variables set x -", "secrets set x -"),
        *("connections add c --conn-type x --conn-password -", "backend-test vault --kwargs -"),
    ],
)
def test_a_closed_stdin_is_reported(world: World, words: str) -> None:
    make(world)
    done = process(world, *words.split(), shell="<&-")
    assert done.returncode == 2
    assert b"there is no stdin to read" in done.stderr and b"Traceback" not in done.stderr


def test_the_objects_of_a_process_are_frozen_at_its_end_alone(world: World) -> None:
    """A program that calls `main` and goes on, as a test does, must be able to collect what it drops."""
    code = (
        "import atexit, gc; atexit.register(lambda: print('end', gc.get_freeze_count() > 0))\n"
        "from framework.__main__ import main\n"
        "main(); print('after', gc.get_freeze_count())"
    )
    words = [sys.executable, "-c", code, "--version"]
    done = subprocess.run(words, cwd=world.home, capture_output=True, text=True, timeout=GUARD)
    assert done.stdout.splitlines()[1:] == ["after 0", "end True"]

"""`config`: Airflow's commands and flags, and the editor of the main cfg file behind `set`, `unset` and `update`."""

from __future__ import annotations

import json
import os
import pty
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from conftest import World
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import GUARD
from test_beside_airflow import Airflow, airflow_python

from framework.cli.edit import CfgText, edit, replace
from framework.errors import ConfigFileError
from framework.layers.cfg import parse

ROOT = Path(__file__).resolve().parents[1]

SCHEMA = """
[server]
description = "The service."
[server.options.port]
type = "integer"
default = "8000"
description = "Where it listens."
example = "9090"
renamed_from = [{section = "web", key = "http_port", since = "2.0"}]
[server.options.level]
choices = ["debug", "info"]
default = "info"
deprecated_values = [{pattern = "^verbose$", replacement = "debug", since = "2.1"}]
[server.options.title]
[server.options.debug]
type = "boolean"
[server.options.layout]
deprecated = true
deprecation_reason = "there is one only"
[mail.options.password]
sensitive = true
default = "made-up-default"
renamed_from = [{section = "smtp", key = "pass", since = "2.0"}]
[mail.options.client_secret]
"""

CFG = """\
# The head of the file.
[Server]
# Where it listens.
Port: 8080

; how it looks
title = one
    # inside
    two

# level = info
# the end of the section

[mail]
\tpassword_secret=smtp
"""


@pytest.fixture
def cfg(world: World) -> Path:
    world.write("schema.toml", SCHEMA)
    world.project(schema="schema.toml")
    return world.write("billing.cfg", CFG, 0o640)


# get-value and list


def test_get_value(world: World, cfg: Path) -> None:
    assert world.run("config", "get-value", "server", "port") == (0, "8080\n", "")
    assert world.run("config", "get-value", "-v", "SERVER", "PORT") == (0, "8080\n", "")
    status, out, err = world.run("config", "get-value", "server", "prot")
    assert (status, out) == (1, "")
    assert "Did you mean [server] port?" in err


def test_list_shows_names_alone(world: World, cfg: Path) -> None:
    status, out, err = world.run("config", "list", "--section", "Server")
    assert (status, err) == (0, "")
    keys = ("port", "level", "title", "debug", "layout")
    assert out == "[server]\n" + "".join(f"# {key} = \n" for key in keys)


def test_list_with_everything_is_laid_out_as_airflow_does_it(world: World, cfg: Path) -> None:
    out = world.run("config", "list", "--section", "server", "--show-values", "-d", "-e", "-s", "-V", "-p", "-v")[1]
    assert out.startswith(
        "[server]\n# The service.\n\n# Where it listens.\n#\n# Example: port = 9090\n#\n"
        "# Source: main cfg: billing.cfg:4\n#\n# Variable: BILLING__SERVER__PORT\n#\nport = 8080\n\n"
        "#\n# Source: default\n#\n# Variable: BILLING__SERVER__LEVEL\n#\nlevel = info\n\n"
    )
    assert "# Source: not defined\n" in out


def test_list_hides_secrets_unless_they_are_asked_for(world: World, cfg: Path) -> None:
    world.set(BILLING__MAIL__PASSWORD="made-up-password")
    for flags in (["--show-values"], ["--show-values", "--hide-sensitive"], ["--defaults"], ["-c", "--show-values"]):
        out = world.run("config", "list", "--section", "mail", *flags)[1]
        assert "# password = < hidden >\n" in out
        assert "made-up" not in out
    for output in ("table", "json", "yaml", "plain"):
        assert "made-up" not in world.run("config", "list", "--show-values", "--defaults", "--output", output)[1]
    assert "\npassword = made-up-password\n" in world.run("config", "list", "--section", "mail", "--show-secrets")[1]


def test_list_runs_no_command_for_what_it_hides(world: World, cfg: Path) -> None:
    cfg.write_text(f"[mail]\npassword_cmd = touch {world.home}/ran\n")
    assert world.run("config", "list", "--show-values")[0] == 0
    assert not (world.home / "ran").exists()
    assert world.run("config", "list", "--show-secrets")[0] == 1  # its output is empty
    assert (world.home / "ran").exists()


def test_list_reads_back(world: World, cfg: Path) -> None:
    world.set(BILLING__SERVER__TITLE="100%\nof it")
    out = world.run("config", "list", "--section", "server", "--show-values")[1]
    texts = parse(out, "")[0]["server"]
    assert texts == {"port": "8080", "level": "info", "title": "100%%\nof it"}
    commented = world.run("config", "list", "--show-values", "--comment-out-everything")[1]
    assert not any(parse(commented, "")[0].values())
    assert "#     of it\n" in commented
    assert "# port = 8000\n" in world.run("config", "list", "--defaults")[1]


def test_list_for_programs(world: World, cfg: Path) -> None:
    words = ("config", "list", "--section", "server", "--show-values", "-s", "-V", "--output")
    rows = json.loads(world.run(*words, "json")[1])
    assert list(rows[0]) == ["section", "key", "value", "source", "variable"]
    assert list(rows[0].values()) == ["server", "port", "8080", "main cfg: billing.cfg:4", "BILLING__SERVER__PORT"]
    assert yaml.safe_load(world.run(*words, "yaml")[1]) == rows
    assert world.run(*words, "plain")[1].split("\n")[0].split("\t") == list(rows[0].values())
    assert world.run("config", "list", "--section", "none")[0] == 1


# set and unset


def test_set_changes_one_line(world: World, cfg: Path) -> None:
    status, out, err = world.run("config", "set", "server", "PORT", "9000")
    assert (status, out, err) == (0, "", "billing.cfg:4: [server] port = 9000 (it was 8080)\n")
    assert cfg.read_text() == CFG.replace("Port: 8080", "Port: 9000")
    assert stat.S_IMODE(cfg.stat().st_mode) == 0o640
    assert sorted(os.listdir(world.home)) == ["billing.cfg", "pyproject.toml", "schema.toml"]
    before = cfg.stat()
    assert (
        world.run("config", "set", "server", "port", "9000")[2]
        == "billing.cfg:4: [server] port already has this value\n"
    )
    assert cfg.stat().st_ino == before.st_ino


def test_set_puts_a_new_option_below_its_comment_or_at_the_end_of_its_section(world: World, cfg: Path) -> None:
    assert world.run("config", "set", "server", "level", "debug")[0] == 0
    assert world.run("config", "set", "server", "debug", "true")[0] == 0
    wanted = CFG.replace("# level = info\n", "# level = info\nlevel = debug\ndebug = true\n")
    assert cfg.read_text() == wanted
    assert world.run("config", "set", "mail", "client_secret", "id")[0] == 0
    assert world.run("config", "set", "core", "command_timeout_seconds", "5")[0] == 0
    assert cfg.read_text() == wanted + "\tclient_secret = id\n\n[core]\ncommand_timeout_seconds = 5\n"


def test_set_keeps_comments_inside_a_value(world: World, cfg: Path) -> None:
    assert world.run("config", "set", "server", "title", "100%\nsure")[0] == 0
    assert "title = 100%%\n    sure\n    # inside\n" in cfg.read_text()
    assert world.run("config", "get-value", "server", "title")[1] == "100%\nsure\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("server", "prot", "1"), "Did you mean [server] port? To write it all the same, pass --force."),
        (("server", "port", "http"), "expected a whole number"),
        (("server", "port", "8080.5"), "expected a whole number"),
        (("server", "level", "loud"), "expected one of 'debug', 'info', not 'loud'"),
        (("server", "title", " x"), "the change cannot be written"),
        (("server", "title", "a\n# b"), "the change cannot be written"),
        (("server", "title", "a\rb"), "the change cannot be written"),
        (("mail", "password", "hunter2hunter2"), "config set mail password_secret NAME, password_cmd COMMAND or"),
        (("smtp", "pass", "hunter2hunter2"), "set BILLING__MAIL__PASSWORD in the environment"),
        (("mail", "password_secret", "postgres://hunter2hunter2"), "this looks like a value"),
        (("mail", "password_cmd", ""), "a pointer cannot be empty"),
        (("mail", "password_cmd", "pass show smtp"), "config unset mail password_secret"),
        (("database", "sql_alchemy_conn", "sqlite:///hunter2hunter2"), "sensitive"),
    ],
)
def test_set_refuses(world: World, cfg: Path, words: tuple[str, ...], expected: str) -> None:
    status, out, err = world.run("config", "set", *words)
    assert (status, out) == (1, "")
    assert expected in err
    assert "hunter2" not in err
    assert cfg.read_text() == CFG


def test_set_writes_what_is_not_declared_by_force(world: World, cfg: Path) -> None:
    assert world.run("config", "set", "server", "prot", "1", "--force")[0] == 0
    assert "prot = 1\n" in cfg.read_text()


def test_set_without_a_schema_refuses_what_looks_like_a_secret(world: World) -> None:
    cfg = world.home / "billing.cfg"
    assert world.run("config", "set", "mail", "host", "smtp.example")[0] == 0
    assert stat.S_IMODE(cfg.stat().st_mode) == 0o600
    status, _, err = world.run("config", "set", "mail", "password", "hunter2hunter2")
    assert status == 1
    assert "If it is not a secret, pass --force" in err
    assert world.run("config", "set", "mail", "token_count", "5", "--force")[0] == 0
    assert cfg.read_text() == "[mail]\nhost = smtp.example\ntoken_count = 5\n"


def test_set_sensitive_options_may_be_emptied_and_pointed(world: World, cfg: Path) -> None:
    status, _, err = world.run("config", "set", "database", "sql_alchemy_conn", "")
    assert (status, err) == (0, "billing.cfg:18: [database] sql_alchemy_conn was written\n")
    assert world.run("config", "set", "mail", "password_secret", "smtp-2#/pw")[0] == 0
    assert "\tpassword_secret=smtp-2#/pw\n" in cfg.read_text()


def test_set_warns_of_what_wins_and_what_is_expanded(world: World, cfg: Path) -> None:
    world.set(BILLING__SERVER__PORT="1", SOMEWHERE="there")
    assert (
        "warning: BILLING__SERVER__PORT sets [server] port too, and wins"
        in world.run("config", "set", "server", "port", "2")[2]
    )
    assert (
        "note: '$' and a leading '~' in it are expanded"
        in world.run("config", "set", "server", "title", "$SOMEWHERE")[2]
    )
    assert world.run("config", "get-value", "server", "title")[1] == "there\n"


def test_set_by_an_older_name_writes_the_current_one(world: World, cfg: Path) -> None:
    status, _, err = world.run("config", "set", "web", "http_port", "1")
    assert status == 0
    assert "note: [web] http_port is now called [server] port, so it is written under that name" in err
    assert "Port: 1\n" in cfg.read_text()


def test_set_follows_a_link_and_makes_no_folder(world: World, cfg: Path) -> None:
    real = world.home / "etc" / "real.cfg"
    real.parent.mkdir()
    cfg.rename(real)
    cfg.symlink_to(real)
    assert world.run("config", "set", "server", "port", "1")[0] == 0
    assert cfg.is_symlink()
    assert "Port: 1\n" in real.read_text()
    world.project(home="nowhere", schema="schema.toml")
    status, _, err = world.run("config", "set", "server", "port", "1")
    assert status == 1
    assert err == "error: nowhere: the folder does not exist. Create it: mkdir -p nowhere\n"
    assert not (world.home / "nowhere").exists()


def test_unset(world: World, cfg: Path) -> None:
    assert world.run("config", "unset", "server", "title") == (0, "", "billing.cfg: [server] title was removed\n")
    assert cfg.read_text() == CFG.replace("title = one\n", "").replace("    two\n", "")
    assert world.run("config", "unset", "server", "title")[0] == 1
    assert world.run("config", "unset", "mail", "password_secret")[0] == 0
    assert cfg.read_text().endswith("[mail]\n")
    cfg.unlink()
    assert world.run("config", "unset", "server", "title")[0] == 1
    assert not cfg.exists()


def test_many_at_once_lose_nothing(world: World) -> None:
    path = world.write("many.cfg", "[s]\n")

    def write(number: int) -> None:
        code = f"from framework.cli.edit import edit; edit({str(path)!r}, lambda t: t.set('s', 'k{number}', 'x'))"
        subprocess.run([sys.executable, "-c", code], check=True)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(24)))
    assert set(parse(path.read_text(), "")[0]["s"]) == {f"k{number}" for number in range(24)}
    assert [name for name in os.listdir(world.home) if name.endswith(".new")] == []


def test_a_write_that_fails_changes_nothing(world: World, cfg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    status, _, err = world.run("config", "set", "server", "port", "1")
    assert (status, err) == (
        1,
        "error: billing.cfg: the file cannot be written (No space left on device). Nothing was changed.\n",
    )
    assert cfg.read_text() == CFG
    assert sorted(os.listdir(world.home)) == ["billing.cfg", "pyproject.toml", "schema.toml"]


def test_a_device_is_not_edited(world: World) -> None:
    with pytest.raises(ConfigFileError, match="not a file that can be edited"):
        edit(os.devnull, lambda text: None)


# lint and update

OLD = """\
[web]
# about the port
http_port = 8080
other = %(http_port)s

[smtp]
pass = hunter2hunter2

[server]
level = verbose
layout = wide
strange = 1
"""


def test_lint(world: World, cfg: Path) -> None:
    status, out, err = world.run("config", "lint")
    assert (status, out, err) == (0, "", "nothing is renamed, outdated or removed\n")
    cfg.write_text(OLD)
    world.set(BILLING__WEB__HTTP_PORT="1")
    status, out, err = world.run("config", "lint")
    assert status == 1
    assert out.splitlines() == [
        "BILLING__WEB__HTTP_PORT: [web] http_port is now called [server] port (since 2.0)",
        "billing.cfg:3: [web] http_port is now called [server] port (since 2.0)",
        "billing.cfg:10: the value of [server] level is outdated since 2.1: 'verbose' is now 'debug'",
        "billing.cfg:11: [server] layout is deprecated: there is one only",
        "billing.cfg:12: [server] strange is not declared: removed, or misspelt",
        "billing.cfg:7: [smtp] pass is now called [mail] password (since 2.0)",
    ]
    assert err == "6 found; `config update` shows what it would change\n"
    assert "hunter2" not in out + err


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        (["--section", "smtp"], ["pass"]),
        (["--section", "SMTP,web"], ["http_port", "pass"]),
        (["--option", "layout"], ["layout"]),
        (["--option", "port, password"], ["http_port", "pass"]),
        (["--ignore-section", "server"], ["pass"]),
        (["--ignore-option", "http_port,level,strange"], ["layout", "pass"]),
        (["--section", "none"], []),
    ],
)
def test_lint_selects(world: World, cfg: Path, flags: list[str], options: list[str]) -> None:
    cfg.write_text(OLD)
    status, out, _ = world.run("config", "lint", "--output", "json", *flags)
    assert [row["option"] for row in json.loads(out)] == options
    assert status == (1 if options else 0)
    assert "left out: " in world.run("config", "lint", "-v", *flags)[2]


def test_update_is_a_dry_run_first(world: World, cfg: Path) -> None:
    cfg.write_text(OLD)
    status, out, err = world.run("config", "update")
    assert status == 0
    assert out.splitlines() == [
        "billing.cfg:10: the value of [server] level is outdated since 2.1: 'verbose' is now 'debug'",
        "billing.cfg:7: [smtp] pass becomes [mail] password",
    ]
    assert err.splitlines() == [
        "by hand: billing.cfg:3: [web] http_port is now called [server] port (since 2.0)",  # %(http_port)s is asked for
        "by hand: billing.cfg:12: [server] strange is not declared: removed, or misspelt",
        "left as they are: 1 deprecated option or old default; --all-recommendations changes them too",
        "this was a dry run, nothing is written; --fix writes it",
    ]
    assert cfg.read_text() == OLD


def test_update_moves_an_option_with_its_comment(world: World, cfg: Path) -> None:
    cfg.write_text(OLD.replace("other = %(http_port)s\n", "other = 1\n"))
    assert world.run("config", "update", "--fix", "--all-recommendations")[0] == 0
    assert cfg.read_text() == (
        "[web]\nother = 1\n\n[smtp]\n\n[server]\nlevel = debug\n# layout = wide\nstrange = 1\n\n"
        "# about the port\nport = 8080\n\n[mail]\npassword = hunter2hunter2\n"
    )
    assert world.run("config", "get-value", "mail", "password")[1] == "hunter2hunter2\n"
    again = world.run("config", "update", "--fix", "--all-recommendations")
    assert again[0] == 0
    assert "there is nothing to change in billing.cfg" in again[2]


def test_update_comments_out_what_counts_for_nothing(world: World, cfg: Path) -> None:
    cfg.write_text("[web]\nhttp_port = 1\n[server]\nport = 2\n[smtp]\npass = hunter2hunter2\npass_cmd = echo x\n")
    rows = json.loads(world.run("config", "update", "--fix", "--output", "json")[1])
    assert [row["change"] for row in rows] == [
        "[web] http_port is commented out: [server] port is written, too, and wins",
        "[smtp] pass becomes [mail] password",
        "[smtp] pass_cmd is commented out: [mail] password is written, too, and wins",
    ]
    assert world.run("config", "get-value", "server", "port")[1] == "2\n"
    assert "# http_port = 1\n" in cfg.read_text()


def test_update_renames_and_replaces_the_same_option(world: World, cfg: Path) -> None:
    world.write(
        "schema.toml",
        SCHEMA.replace(
            "[server.options.title]",
            '[server.options.title]\nrenamed_from = [{key = "name"}]\n'
            'deprecated_values = [{pattern = "^a", replacement = "b%"}]',
        ),
    )
    cfg.write_text("[server]\n# why\nname = abc  \nport = 1\n")
    assert world.run("config", "update", "--fix")[0] == 0
    assert cfg.read_text() == "[server]\n# why\ntitle = b%%bc\nport = 1\n"


def test_airflows_options_of_its_second_version_are_known(world: World) -> None:
    world.project(name="airflow", schema="schema.toml")
    world.write("schema.toml", "[api.options.workers]\n[core.options.parallelism]\n[smtp.options.smtp_host]\n")
    cfg = world.write("airflow.cfg", "[webserver]\nworkers = 4\nx_frame_enabled = True\n[smtp]\nsmtp_user = me\n")
    assert world.run("config", "lint")[1].splitlines() == [
        "airflow.cfg:2: [webserver] workers is now called [api] workers (since 3.0)",
        "airflow.cfg:5: [smtp] smtp_user is deprecated: the connection smtp_default holds it",
        "airflow.cfg:3: [webserver] x_frame_enabled is deprecated: removed in 3.0",
    ]
    assert world.run("config", "update", "--fix", "--all-recommendations")[0] == 0
    assert cfg.read_text() == (
        "[webserver]\n# x_frame_enabled = True\n[smtp]\n# smtp_user = me\n\n[api]\nworkers = 4\n"
    )


# the editor

LINES = st.lists(
    st.sampled_from(
        [
            *("a = 1", "b: %%", "Key=", "key = x ; y", "port = %(a)s", "  deep = 1", "\ttab = 2"),
            *("    more", "  [no header]", "    k = v", "", "# note", "; note", "    # deep note", "# port = 8"),
            *("[core]", "[Server]", "[mail] # x", "[DEFAULT]"),
        ]
    ),
    max_size=25,
)
VALUES = st.one_of(st.sampled_from(["", "8", "a\nb", "a\n\nb", " x", "[x]", "a\n# b", "k = v\nz"]), st.text(max_size=6))


@settings(max_examples=400, deadline=None)
@given(LINES, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.integers(0, 4), VALUES, st.data())
def test_an_edit_changes_what_it_should_and_nothing_else(
    lines: list[str], end: str, ends: bool, act: int, value: str, data: st.DataObject
) -> None:
    before = end.join(["[first]", *lines]) + (end if ends else "")
    try:
        text = CfgText(before, "f")
    except ConfigFileError:
        return
    assert str(text) == before
    texts = {section: dict(keys) for section, keys in text.texts.items()}
    names = [(section, key) for section, keys in texts.items() for key in keys]
    try:
        if act < 2:
            section, key = (
                data.draw(st.sampled_from(["core", "server", "new"])),
                data.draw(st.sampled_from(["port", "n"])),
            )
            name = text.set(section, key, value)
            texts.setdefault(name[0], {})[name[1]] = value
        elif names:
            name = data.draw(st.sampled_from(names))
            moved = texts[name[0]].pop(name[1])
            if act == 2:
                text.remove(name)
            elif act == 3:
                text.comment_out(name)
            else:
                new = text.rename(name, data.draw(st.sampled_from(["core", "server", "new"])), "renamed")
                texts.setdefault(new[0], {})[new[1]] = moved
    except ConfigFileError:
        assert str(text) == before
        assert act >= 2 or value not in ("", "8", "a\nb", "a\n\nb")
        assert act not in (2, 3) or any("%(" in line for line in lines)
        assert act != 4 or any("%(" in line or "[DEFAULT]" in line for line in lines)
        return
    after = str(text)
    assert parse(after.replace("\r\n", "\n"), "")[0] == texts
    kept = [line.strip() for line in after.split("\n")]
    assert all(line.strip() in kept for line in before.split("\n") if line.strip()[:1] in ("#", ";"))
    if end == "\r\n" and end in before:
        assert after.count("\n") == after.count("\r\n")


@pytest.mark.parametrize("comment", ["", "# key =\n", "    # key =\n\n"])
@pytest.mark.parametrize("header", ["  [server]", "\t[server]", "      [server]"])
@pytest.mark.parametrize("before", ["", "[a]\nq = 1\n", "[a]\n        q = 1\n"])
def test_an_indented_header_below_an_empty_section_stays_one(before: str, header: str, comment: str) -> None:
    start = f"{before}[core]\n{comment}{header}\nx = 1\n"
    for edited in (CfgText(start, "f"), CfgText(f"{start}[old]\n# about\nmoved = v\n", "f")):
        if "old" in edited.texts:
            edited.rename(("old", "moved"), "core", "key")
        else:
            edited.set("core", "key", "v")
        texts = parse(str(edited), "")[0]
        assert (texts["core"], texts["server"]) == ({"key": "v"}, {"x": "1"})


def test_replace_keeps_the_mode_and_gives_new_files_one(tmp_path: Path) -> None:
    path = tmp_path / "x"
    replace(str(path), "a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o664)
    replace(str(path), "é")
    assert (stat.S_IMODE(path.stat().st_mode), path.read_text("utf-8")) == (0o664, "é")
    with pytest.raises(ConfigFileError, match="not UTF-8"):
        replace(str(path), "\udcff")
    assert os.listdir(tmp_path) == ["x"]


# at a terminal


def at_terminal(world: World, *words: str, **environ: str) -> str:
    """What a command prints at a terminal of 60 columns."""
    outer, inner = pty.openpty()
    env = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    env |= {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "60", "PAGER": "false", **environ}
    done = subprocess.Popen(
        [sys.executable, "-m", "framework", *words], stdin=inner, stdout=inner, stderr=inner, cwd=world.home, env=env
    )
    os.close(inner)
    pieces = []
    while True:
        try:
            piece = os.read(outer, 4096)
        except OSError:  # the terminal has no writer any more
            break
        if not piece:
            break
        pieces.append(piece)
    done.wait(GUARD)
    os.close(outer)
    return b"".join(pieces).decode().replace("\r\n", "\n")


ESCAPE = "\x1b["


@pytest.mark.skipif(find_spec("rich") is None, reason="rich is not installed")
def test_colour_is_for_terminals_alone(world: World, cfg: Path) -> None:
    words = ("config", "list", "--section", "server", "--show-values", "-d")
    plain = world.run(*words)[1]
    assert ESCAPE not in plain
    coloured = at_terminal(world, *words)
    assert ESCAPE in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain
    assert at_terminal(world, *words, TERM="dumb") == plain
    assert at_terminal(world, *words, "--color", "off") == plain
    uncoloured = at_terminal(world, *words, NO_COLOR="1")
    assert not re.search(r"\x1b\[[\d;]*3\d", uncoloured)
    assert ESCAPE in world.run(*words, "--color", "on")[1]


def test_long_lines_are_not_broken(world: World, cfg: Path) -> None:
    world.set(BILLING__SERVER__TITLE="long " * 40)
    words = ("config", "list", "--section", "server", "--show-values")
    assert ("long " * 40).strip() in at_terminal(world, *words)


def test_tables_are_drawn_on_terminals_alone(world: World, cfg: Path) -> None:
    words = ("config", "list", "--section", "server", "--output")
    for output in ("json", "yaml", "plain"):
        assert at_terminal(world, *words, output) == world.run(*words, output)[1]
    assert world.run(*words, "table")[1].startswith("section  key\nserver   port\n")
    if find_spec("rich") is not None:
        assert "\u2500" in at_terminal(world, *words, "table", LC_ALL="C.UTF-8", PYTHONIOENCODING="utf-8")


# beside Airflow


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    return Airflow(airflow_python(), tmp_path_factory.mktemp("airflow"))


def test_the_list_is_airflows(airflow: Airflow) -> None:
    """The same sections, options, notes and values, in the same order; secrets hidden, and our own options more."""
    home = airflow.home("config list")
    airflow.ask(home, ["airflow_commands", ["config", "list"]])  # makes the airflow.cfg
    home.set("core", "parallelism", "7")
    for flags in ([], ["--show-values"], ["-d", "-e", "-V"], ["-p", "-c", "-s"]):
        hides = ["--hide-sensitive"] if "--show-values" in flags else []
        ((theirs,),) = airflow.ask(home, ["airflow_commands", ["config", "list", *flags, *hides]])
        ours = airflow.run_us(home, "config", "list", *flags)
        assert (ours.returncode, ours.stderr) == (0, "")
        wanted, listed = blocks(theirs), blocks(ours.stdout)
        declared = [name for name in wanted if list(name) in [option[:2] for option in airflow.options]]
        assert len(declared) > 300
        assert [name for name in listed if name in wanted and name in declared] == declared
        different = {name for name in declared if listed[name] != wanted[name]}
        assert different <= {*map(tuple, airflow.sensitive), *LAID_OUT}, different


LAID_OUT = {("dag_processor", "dag_bundle_config_list")}


def blocks(text: str) -> dict[tuple[str, str], list[str]]:
    """(section, key) -> the lines above the option, and its first one; the places of sources are cut."""
    found: dict[tuple[str, str], list[str]] = {}
    section, above, in_value = "", list[str](), False
    for line in text.split("\n"):
        option = re.match(r"(?:# )?([a-z]\w*) =", line)
        if in_value and line.startswith(("    ", "#     ")):
            continue
        in_value = option is not None
        if line.startswith("["):
            section, above = line.strip("[]"), []
        elif option:
            found[section, option[1]] = [*above, line.rstrip()]
            above = []
        elif line.strip():
            above.append("# Source" if line.startswith("# Source: ") else line.rstrip())
        elif above:  # the section's description
            above = []
    return found

"""What we write in a format reads back as it was, by us and by the format's own reader; else it is a comment."""

from __future__ import annotations

import configparser
import contextlib
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tomli
import yaml
from conftest import World
from dotenv import dotenv_values
from hostile import examples, texts, unicode_texts
from hypothesis import assume, example, given
from hypothesis import strategies as st

from framework import App, Connection
from framework.cli import transfer
from framework.cli.commands import connections, variables
from framework.cli.edit import CfgText
from framework.cli.main import main
from framework.cli.output import _is_unicode, as_json, as_yaml
from framework.errors import ConfigFileError, InvalidSecret
from framework.files.entries import read_entries
from framework.files.tables import read_table
from framework.files.text import read_text
from framework.layers import writers as formats
from framework.layers.cfg import interpolate, parse
from framework.layers.environment import DotEnv, Environment
from framework.masking import should_hide_value_for_name

#: How many texts a single file of a test holds.
BATCH = 10

ENVIRONMENT = Environment({})


def configparser_of(path: Path) -> dict[str, dict[str, str]]:
    """A cfg file as Airflow's parser reads it."""
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path, encoding="utf-8")
    return {name: dict(parser[name]) for name in parser.sections()}


def ours_of(path: Path) -> dict[str, dict[str, str]]:
    """The same by our own parser."""
    read = parse(read_text(str(path)), str(path))[0]
    return {
        section: {key: interpolate(raw, options.get, "") for key, raw in options.items()}
        for section, options in read.items()
    }


# cfg


@examples(150, BATCH)
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=BATCH))
@example([("a", "x\r[evil]\rkey = 1"), ("b", "x\n[evil]\nkey = 1")])
@example([("a", "x\n\n# y"), ("", "x"), ("a=b", "x"), ("#a", "x"), ("[a]", "x"), ("a\nb", "x")])
@example([("key", f"a{end}b") for end in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"])
def test_cfg(tmp_path: Path, options: list[tuple[str, str]]) -> None:
    lines = ["[before]", "x = 1"]
    wanted: dict[str, dict[str, str]] = {"before": {"x": "1"}}
    for number, (key, text) in enumerate(options):
        for section, header in ((f"s{number}", f"[s{number}]"), (f"{text}+{number}", "")):
            header = header or formats.cfg_section(section)
            line = formats.cfg_line(ENVIRONMENT, key, text)
            lines += [header]
            if header[0] == "[":
                lines += [line, "after = 2"]
                wanted[section] = {**({} if line.startswith("# ") else {key: text}), "after": "2"}
            else:
                assert "\n" not in header and "\r" not in header
            if line.startswith("# "):
                assert len(line.splitlines()) == 1
    path = tmp_path / "out.cfg"
    path.write_bytes("\n".join([*lines, "[last]", "y = 3", ""]).encode())
    wanted["last"] = {"y": "3"}
    assert ours_of(path) == wanted
    assert configparser_of(path) == wanted


@examples(150)
@given(st.lists(texts, min_size=1, max_size=3), texts)
def test_comments_are_comments(given_texts: list[str], key: str) -> None:
    for text in given_texts:
        for line in (*formats.commented(text), *formats.commented_option(key, text), formats.comment(text)):
            assert line.startswith("#") and len(line.splitlines()) == 1


EDITED = ("", "[s]\nkey = old\nz = 1\n", "[s]\r\nz = 1\r\n", "[a]\nx: 1\n\n[s]\n# key = 1\n")


@examples(300)
@given(unicode_texts, unicode_texts, st.sampled_from(EDITED))
def test_an_edit(text: str, before: str, file: str) -> None:
    edited = CfgText(file, "x.cfg")
    expected = {section: dict(options) for section, options in edited.texts.items()}
    for raw in (before, text):
        try:
            edited.set("s", "key", raw.replace("%", "%%"))
        except ConfigFileError:
            assert edited.texts == expected
            continue
        expected.setdefault("s", {})["key"] = raw.replace("%", "%%")
        parser = configparser.ConfigParser(interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_file(io.TextIOWrapper(io.BytesIO(str(edited).encode()), encoding="utf-8"))
        assert {name: dict(parser[name]) for name in parser.sections()} == expected


# .env


SHELLS = [shell for shell in ("sh", "bash", "dash", "busybox") if shutil.which(shell)]


@examples(60, BATCH)
@given(st.lists(texts, min_size=1, max_size=BATCH))
@example(["it's", "a\\b", "${HOME}", "$HOME", "`id`", "$(id)", 'a"b', "it's $HOME", "#", " ", "", "a\nB=1", "\r"])
def test_env(tmp_path: Path, given_texts: list[str]) -> None:
    names = [f"NAME_{number}" for number in range(len(given_texts))]
    lines = {name: formats.env_line(name, text) for name, text in zip(names, given_texts, strict=True)}
    wanted = {name: text for name, text in zip(names, given_texts, strict=True) if lines[name] is not None}
    path = tmp_path / "out.env"
    path.write_bytes("".join(f"{line}\n" for line in lines.values() if line is not None).encode())
    assert dotenv_values(path) == wanted
    assert dotenv_values(path, interpolate=False) == wanted
    assert {name: text for name, (text, _) in DotEnv(str(path)).values.items()} == wanted
    values = " ".join(f'"${name}"' for name in wanted)
    script = f". {path}; for value in {values}; do printf '%s\\0' \"$value\"; done"
    for shell in SHELLS if wanted else ():
        words = [shell, "sh", "-c", script] if shell == "busybox" else [shell, "-c", script]
        done = subprocess.run(words, capture_output=True, check=True)
        assert done.stderr == b""
        assert [value.decode() for value in done.stdout.split(b"\0")[:-1]] == list(wanted.values())


@examples(200)
@given(texts, texts)
@example("\ufeff", "0")
def test_a_line_of_an_export(tmp_path: Path, name: str, text: str) -> None:
    """As Airflow's reader takes it, which splits where Python's `splitlines` does."""
    try:
        line = transfer.env_line(name, text)
        data = line.encode()
    except (InvalidSecret, UnicodeEncodeError):
        return
    (entry,) = read_entries(io.BytesIO(data), "x.env", "env")
    assert (entry.key, entry.value, entry.faults) == (name, text, [])
    (only,) = line.splitlines()
    assert only.partition("=") == (name, "=", text)


# TOML, YAML, JSON


values = st.recursive(
    st.one_of(texts, st.booleans(), st.integers(), st.floats(allow_nan=False), st.none(), st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=5,
)


@examples(300)
@given(st.dictionaries(texts, st.one_of(texts, values), max_size=4))
@example({"a": "x\x7fy"})
@example({"a": [None], "b": {"c": None}, "": "", "a.b": "c", '"': "'"})
def test_toml(tmp_path: Path, table: dict[str, Any]) -> None:
    written = {key: formats.toml_value(value) for key, value in table.items() if formats.toml_value(key) is not None}
    lines = [f"{formats.toml_key(key)} = {text}" for key, text in written.items() if text is not None]
    path = tmp_path / "out.toml"
    path.write_bytes("\n".join(["[s]", *lines, ""]).encode())
    wanted = {key: table[key] for key, text in written.items() if text is not None}
    assert tomli.loads(path.read_bytes().decode())["s"] == wanted
    assert read_table(str(path))[0]["s"] == wanted


@examples(300)
@given(st.dictionaries(texts, st.one_of(texts, st.lists(texts, max_size=3)), max_size=4))
def test_yaml(tmp_path: Path, table: dict[str, Any]) -> None:
    path = tmp_path / "out.yaml"
    is_unicode = _is_unicode(json.dumps(table, ensure_ascii=False))  # else our reader, as libyaml, refuses the escape
    for write in (as_yaml, transfer.yaml_lines) if is_unicode else (as_yaml,):
        path.write_bytes(write({"s": table}).encode())
        assert yaml.safe_load(path.read_bytes()) == {"s": table}
        if is_unicode:
            assert read_table(str(path))[0] == {"s": table}


@examples(300)
@given(st.dictionaries(texts, st.one_of(texts, st.lists(texts, max_size=3)), max_size=4))
def test_json(tmp_path: Path, table: dict[str, Any]) -> None:
    written = [*table, *(value if isinstance(value, str) else " ".join(value) for value in table.values())]
    assume(not any(map(_has_a_pair, written)))
    text = as_json({"s": table})
    assert json.loads(text.encode()) == {"s": table}


def _has_a_pair(text: str) -> bool:
    """Whether the halves of one character follow each other: no reader gives such a text, and JSON has none."""
    return re.search("[\ud800-\udbff][\udc00-\udfff]", text) is not None


@examples(200)
@given(unicode_texts, unicode_texts, st.sampled_from(["json", "yaml", "env"]))
def test_an_exported_variable(name: str, text: str, file_format: str) -> None:
    args = SimpleNamespace(file_format=file_format, json_values=False)
    before, _, after, _ = transfer._FRAMES[file_format]
    try:
        data = (before + variables._written(args, name, text, None) + after).encode()  # type: ignore[arg-type]
    except InvalidSecret:
        return
    (entry,) = read_entries(io.BytesIO(data), "x", file_format)
    assert entry.key == name
    assert transfer._variable_in(entry)[0] == text or json.loads(transfer._variable_in(entry)[0]) == json.loads(text)


@examples(200)
@given(unicode_texts, unicode_texts, st.sampled_from(["json", "yaml", "env"]))
def test_an_exported_connection(password: str, host: str, file_format: str) -> None:
    args = SimpleNamespace(file_format=file_format, serialization_format=None)
    connection = Connection("a", conn_type="http", password=password, host=host.lower() or None, extra={host: password})
    before, _, after, _ = transfer._FRAMES[file_format]
    try:
        data = (before + connections._written(args, "a", connection, None) + after).encode()  # type: ignore[arg-type]
    except InvalidSecret:
        return
    (entry,) = read_entries(io.BytesIO(data), "x", file_format)
    read = transfer._connection_in(transfer.LocalFilesystemBackend())(entry)[0]
    assert (read.password, read.extra_dejson) == (connection.password, connection.extra_dejson)


# Whole commands


def printed(*words: str) -> str:
    """What a command prints into a pipe."""
    out, err = io.StringIO(newline=""), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(words)
        except SystemExit:
            raise AssertionError(err.getvalue()) from None
    assert "Traceback" not in err.getvalue()
    return out.getvalue()


#: Nothing in it looks like a secret, is a pointer or is expanded, so that every option has its value in the output.
plain_texts = unicode_texts.filter(lambda text: "$" not in text and "~" not in text and "://" not in text)
names = plain_texts.map(lambda text: f"k{text}x".lower()).filter(lambda name: not should_hide_value_for_name(name))
sections = st.dictionaries(names, st.dictionaries(names, plain_texts, min_size=1, max_size=3), min_size=1, max_size=3)


@examples(30, BATCH)
@given(sections)
@example({"kx": {"ky": "x\r[evil]\rkey = 1", "k\nz": "1", "k[evil]": "2"}, "k]\n[evil": {"k": "1"}})
def test_dump_and_list(world: World, written: dict[str, dict[str, str]]) -> None:
    world.write("all.json", json.dumps(written))
    world.project(config_files=["all.json"])
    out = world.home / "out"

    def save(text: str) -> Path:
        out.write_bytes(text.encode())
        return out

    for words in (("dump", "--changed"), ("config", "list", "--show-values", "--color", "off")):
        save(printed(*words))
        for read in (ours_of(out), configparser_of(out)):
            for section, options in read.items():
                own = section in App("other", home=str(world.home), environ={}).conf.sections()
                for key, text in options.items():
                    assert own or written[section][key] == text, (words, section, key)
    for format_, load in (("json", json.loads), ("yaml", yaml.safe_load), ("toml", tomli.loads)):
        read = load(printed("dump", "--changed", "--format", format_))
        assert {section: read[section] for section in written} == written, format_
    for format_, load in (("json", json.loads), ("yaml", yaml.safe_load)):
        rows = load(printed("config", "list", "--show-values", "--output", format_))
        found = {(row["section"], row["key"]): row["value"] for row in rows}
        assert {(s, k): found[s, k] for s in written for k in written[s]} == {
            (s, k): text for s in written for k, text in written[s].items()
        }
    save(printed("dump", "--changed", "--format", "env"))
    app = App("billing", home=str(world.home), config_files=[str(world.home / "all.json")])
    wanted: dict[str, set[str]] = {}
    for section, options in written.items():
        for key, text in options.items():
            wanted.setdefault(app.names.option(section, key), set()).add(text)
    for name, value in dotenv_values(out, interpolate=False).items():
        assert value in wanted[name], name


def test_the_example_of_the_issue(world: World) -> None:
    world.set(BILLING__A__B="x\r[evil]\rkey = 1")
    out = world.home / "out.cfg"
    for words in (("dump", "--changed"), ("config", "list", "--show-values")):
        out.write_bytes(printed(*words).encode())
        assert "evil" not in configparser_of(out)
        assert "evil" not in ours_of(out)
    assert r"# b = 'x\r[evil]\rkey = 1'" in out.read_text()


def test_conf_write_goes_through_the_same_writer(world: World) -> None:
    world.write("all.json", json.dumps({"a\n[evil]": {"x": "1"}, "s": {"b": "x\r[evil]\rkey = 1", "c": "fine\ntwo"}}))
    app = App("billing", home=str(world.home), config_files=[str(world.home / "all.json")])
    out = world.home / "out.cfg"
    with open(out, "w", newline="") as file:
        app.conf.write(file, show_values=True)
    for read in (configparser_of(out), ours_of(out)):
        assert read["s"] == {"c": "fine\ntwo"}
        assert not any("evil" in section for section in read)


@pytest.mark.parametrize("format_", ["cfg", "json", "yaml", "toml", "env"])
def test_bytes_that_are_not_text(world: World, format_: str) -> None:
    """A variable may hold bytes that are not UTF-8: what cannot be written is a comment."""
    world.set(BILLING__A__B="caf\udce9", BILLING__A__C="fine")
    read = printed("dump", "--changed", "--format", format_)
    if format_ in ("json", "yaml"):
        assert {"json": json.loads, "yaml": yaml.safe_load}[format_](read)["a"]["b"] == "caf\udce9"
    else:
        assert not any("caf" in line and not line.startswith("#") for line in read.split("\n"))
    assert "fine" in read

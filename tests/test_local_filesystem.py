"""Local secrets files: what they hold, when they are read, and the messages about their faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD, in_threads

from framework import App, errors
from framework.backends.local_filesystem import (
    LocalFilesystemBackend,
    load_configs_dict,
    load_connections_dict,
    load_variables,
)
from framework.connection import Connection
from framework.files import secrets
from framework.files.secrets import SecretsFile

CANARY = "cAnArY-5ecret"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], str]:
    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        return str(tmp_path / name)

    return write


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that were parsed, one entry for each time."""
    paths: list[str] = []
    original = secrets.read_entries

    def counting(file: Any, path: str, file_format: str) -> Any:
        paths.append(path)
        return original(file, path, file_format)

    monkeypatch.setattr(secrets, "read_entries", counting)
    return paths


def age(path: str, seconds: float = 60) -> None:
    """Make a file old, so that its stamp counts as settled."""
    then = os.stat(path).st_mtime_ns - int(seconds * 1e9)
    os.utime(path, ns=(then, then))


def text_of(error: BaseException) -> str:
    """Everything that a log could show of an error."""
    shown = "".join(traceback.format_exception(error))
    while error:
        shown += f"{error!s}{error!r}{error.args!r}{vars(error)!r}"
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return shown


# -- what the files hold -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.json", '{"k": "http://h", "é": "v=w"}'),
        ("s.yaml", "k: http://h\né: v=w\n"),
        ("s.YML", "# comment\nk: 'http://h'\né: v=w\n"),
        ("s.env", "# comment\n\nk=http://h\né=v=w\n"),
        (".env", "k=http://h\r\né=v=w\r\n"),
    ],
)
def test_every_format_serves_every_kind(write: Any, name: str, text: str) -> None:
    path = write(name, text)
    backend = LocalFilesystemBackend(path, os.fspath(path), path)
    assert backend.get_variable("é") == backend.get_config("é") == "v=w"
    assert backend.get_connection("k") == Connection(conn_id="k", conn_type="http", host="h", schema="")
    assert backend.get_conn_value("k") == "http://h"
    for get in (backend.get_variable, backend.get_config, backend.get_connection, backend.get_conn_value):
        assert get("absent") is None
    assert list(backend.list_names("variable")) == ["k", "é"]


def test_a_kind_without_a_file_is_absent() -> None:
    backend = LocalFilesystemBackend()
    for get in (backend.get_variable, backend.get_config, backend.get_connection, backend.get_conn_value):
        assert get("k") is None
    assert list(backend.list_names("connection")) == []
    assert backend.get_many("config", ["k"]) == {}


def test_relative_paths_start_where_they_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "v.json").write_text('{"k": "from etc"}')
    (tmp_path / "v.json").write_text('{"k": "from home"}')
    backend = LocalFilesystemBackend("v.json")
    backend.bind("billing", str(tmp_path / "etc"))
    assert backend.get_variable("k") == "from etc"
    monkeypatch.setenv("HOME", str(tmp_path))
    backend = LocalFilesystemBackend("~/v.json")
    backend.bind("billing", str(tmp_path / "etc"))
    assert backend.get_variable("k") == "from home"
    assert load_variables("~/v.json") == {"k": "from home"}


def test_an_invalid_path_is_refused_by_its_name() -> None:
    with pytest.raises(TypeError, match="variables_file_path: expected a path or null, not int"):
        LocalFilesystemBackend(variables_file_path=5)  # type: ignore[arg-type]
    assert LocalFilesystemBackend(Path("v.json")).variables_file == "v.json"  # type: ignore[arg-type]


def test_a_variable_keeps_its_type_and_a_config_secret_is_text(write: Any) -> None:
    text = '{"n": 5, "zero": 0, "yes": true, "f": 1.5, "l": [1, "a"], "one": ["s"], "t": {"a": [true]}, '
    path = write("s.json", text + '"no": null, "s": ""}')
    backend = LocalFilesystemBackend(path, None, path)
    assert [backend.get_variable(k) for k in ("n", "zero", "yes", "f", "l", "t", "no", "s")] == [
        *(5, 0, True, 1.5, [1, "a"], {"a": [True]}, None, "")
    ]
    assert [backend.get_config(k) for k in ("n", "zero", "yes", "f", "one", "t", "no", "s")] == [
        *("5", "0", "true", "1.5", "s", '{"a": [true]}', None, "")
    ]


def test_yaml_dates_and_bytes_as_text(write: Any) -> None:
    path = write("s.yaml", "d: 2024-01-02\nb: !!binary aGk=\nx: !!binary /w==\nt: {2024-01-02: a}\n")
    backend = LocalFilesystemBackend(configs_file_path=path)
    assert backend.get_config("d") == "2024-01-02"
    assert backend.get_config("b") == "hi"
    for name, line in (("x", 3), ("t", 4)):
        with pytest.raises(
            errors.InvalidSecret, match=f"s.yaml:{line}: '{name}' has a value that cannot be written as"
        ):
            backend.get_config(name)


def test_what_a_caller_changes_stays_with_the_caller(write: Any) -> None:
    backend = LocalFilesystemBackend(write("v.json", '{"t": {"a": [1]}}'), write("c.json", '{"c": {"host": "h"}}'))
    backend.get_variable("t")["a"].append(2)
    assert backend.get_variable("t") == {"a": [1]}
    first = backend.get_connection("c")
    assert first is not None
    first.host = "elsewhere"
    again = backend.get_connection("c")
    assert again is not None and again.host == "h"


def test_an_unquoted_name_that_yaml_takes_for_something_else_is_not_absent(write: Any) -> None:
    backend = LocalFilesystemBackend(write("v.yaml", "on: a\n5: b\n'6': c\n6: d\n"))
    assert load_variables(str(backend.variables_file)) == {True: "a", 5: "b", "6": "c", 6: "d"}
    for name, line in (("on", 1), ("5", 2)):
        with pytest.raises(
            errors.FileParseError, match=f"line {line}: the name '{name}' is not text in YAML; put it in"
        ):
            backend.get_variable(name)
    assert backend.get_variable("6") == "c"
    assert list(backend.list_names("variable")) == ["6"]


# -- connections ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        "x://u:p@h:1/s?a=b",
        '{"conn_type": "x", "host": "h", "login": "u", "password": "p", "schema": "s", "port": 1, "extra": {"a": "b"}}',
        {"conn_type": "x", "host": "h", "login": "u", "password": "p", "schema": "s", "port": 1, "extra": {"a": "b"}},
        {"conn_type": "x", "host": "h", "login": "u", "password": "p", "schema": "s", "port": 1, "extra": '{"a": "b"}'},
        {
            "conn_type": "x",
            "host": "h",
            "login": "u",
            "password": "p",
            "schema": "s",
            "port": 1,
            "extra_dejson": {"a": "b"},
            "conn_id": "k",
            "team_name": "ignored",
        },
        {"uri": "x://u:p@h:1/s?a=b"},
        ["x://u:p@h:1/s?a=b"],
        [{"uri": "x://u:p@h:1/s?a=b"}],
    ],
)
def test_the_ways_to_write_a_connection(write: Any, entry: Any) -> None:
    backend = LocalFilesystemBackend(connections_file_path=write("c.json", json.dumps({"k": entry})))
    wanted = Connection.from_uri("x://u:p@h:1/s?a=b", conn_id="k")
    assert backend.get_connection("k") == wanted
    assert load_connections_dict(str(backend.connections_file)) == {"k": wanted}
    value = backend.get_conn_value("k")
    assert value is not None and backend.deserialize_connection("k", value) == wanted


def test_connections_that_say_nothing(write: Any) -> None:
    path = write("c.json", '{"null": null, "none": [], "blank": " ", "empty": ""}')
    backend = LocalFilesystemBackend(connections_file_path=path)
    assert backend.get_connection("null") is backend.get_connection("none") is None
    assert backend.list_names("connection") == ["none", "blank", "empty"]
    assert backend.get_conn_value("none") is None
    assert backend.get_connection("blank") == Connection("blank", conn_type="", host="", schema="")
    assert backend.get_connection("empty") == Connection("empty")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"hots": CANARY}, "no field is called 'hots'. The fields are conn_id, conn_type, description, host"),
        ({"conn_type": "x", f"postgres://u:{CANARY}@h": 1}, "no field is called (a name not shown). "),
        ({"host": "h", "port": CANARY}, "the port is not valid. It must be a whole number between 0 and 65535."),
        ({"host": 5, "password": CANARY}, "host is of type int. It must be text."),
        ({"extra": "{}", "extra_dejson": {"a": CANARY}}, "it has both extra and extra_dejson. Keep one of them."),
        ({"extra": f"[{CANARY}]"}, "extra is not a JSON object"),
        ({"conn_id": "other", "password": CANARY}, "its conn_id differs from its name. Correct it, or leave it out."),
        ({"uri": "x://h", "password": CANARY}, "both a uri and fields are given"),
        (f"u:{CANARY}@h", "the connection is neither a URI nor JSON"),
        (f"x://u:{CANARY}@h:port", "the connection's URI has a malformed host or port"),
        (f'{{"password": "{CANARY}"', "the JSON of a connection is malformed"),
        (5, "it is neither text nor a table of fields. Write a URI or fields."),
        ([None], "it is neither text nor a table of fields"),
    ],
)
def test_a_bad_connection_is_named_and_not_shown(write: Any, entry: Any, message: str) -> None:
    path = write("c.json", json.dumps({"good": "x://h", "bad": entry}, indent=1))
    backend = LocalFilesystemBackend(connections_file_path=path)
    assert backend.get_connection("good") is not None
    for ask in (lambda: backend.get_connection("bad"), lambda: load_connections_dict(path)):
        with pytest.raises(errors.InvalidConnection) as caught:
            ask()
        assert str(caught.value).startswith(f"{path}:3: connection 'bad': {message}")
        assert CANARY not in text_of(caught.value)


def test_what_json_cannot_hold_in_extra(write: Any) -> None:
    backend = LocalFilesystemBackend(connections_file_path=write("c.yaml", "k: {extra_dejson: {d: 2024-01-02}}\n"))
    with pytest.raises(errors.InvalidConnection, match="extra_dejson cannot be written as JSON"):
        backend.get_connection("k")


def test_ids_are_checked(write: Any) -> None:
    path = write("c.yaml", "a b: x://h\n5: x://h\n")
    with pytest.raises(errors.FileParseError) as caught:
        load_connections_dict(path)
    assert [line for line, _ in caught.value.faults] == [1, 2]
    assert "connection 'a b': the conn_id is not valid" in str(caught.value)
    assert "connection 5: its id is not text" in str(caught.value)


def test_a_company_reads_its_own_format(write: Any) -> None:
    class Ours(LocalFilesystemBackend):
        def deserialize_connection(self, conn_id: str, value: str) -> Connection:
            host, password = value.split("|")
            return Connection(conn_id, "ours", host=host, password=password)

    backend = Ours(connections_file_path=write("c.env", "k=h|p\n"))
    assert backend.get_connection("k") == Connection("k", "ours", host="h", password="p")


def test_airflow_may_set_its_own_class_of_connections(write: Any) -> None:
    class Other(Connection):
        pass

    backend = LocalFilesystemBackend(connections_file_path=write("c.json", '{"t": {"host": "h"}, "u": "x://h"}'))
    backend._set_connection_class(Other)
    assert type(backend.get_connection("t")) is type(backend.get_connection("u")) is Other


def test_the_class_of_airflows_workers_takes_an_extra_of_text_alone(write: Any) -> None:
    class Worker:
        def __init__(self, *, conn_id: str, **fields: Any) -> None:
            self.conn_id, self.fields = conn_id, fields

    connection = {"conn_type": "http", "port": 80, "extra": {"deep": [1]}}
    backend = LocalFilesystemBackend(connections_file_path=write("c.json", json.dumps({"t": connection})))
    backend._set_connection_class(Worker)
    made: Any = backend.get_connection("t")
    assert (made.conn_id, made.fields["port"], json.loads(made.fields["extra"])) == ("t", 80, {"deep": [1]})


# -- several at once -----------------------------------------------------------------------------


def test_many_at_once(write: Any) -> None:
    path = write(
        "c.json", '{"u": "x://h", "t": {"conn_type": "x", "port": 5}, "bad": {"nope": 1}, "two": ["x://h", "y://h"]}'
    )
    backend = LocalFilesystemBackend(connections_file_path=path)
    many = backend.get_many("connection", ["u", "t", "bad", "two", "absent"])
    assert list(many) == ["u", "t", "bad", "two"]
    assert many["u"] == "x://h"
    assert many["t"] == '{"conn_type": "x", "port": 5}'
    assert isinstance(many["bad"], errors.InvalidConnection)
    assert isinstance(many["two"], errors.ConnectionNotUnique)
    gone = LocalFilesystemBackend(path + ".gone.json").get_many("variable", ["a", "b"])
    assert [type(error) for error in gone.values()] == [errors.BackendUnavailable] * 2


# -- faults, all of them, with their lines -------------------------------------------------------


def test_every_fault_of_an_env_file(write: Any) -> None:
    path = write("s.env", f"# fine\nk=v\n{CANARY}\n={CANARY}\n\nempty=\n")
    for ask in (lambda: load_variables(path), lambda: LocalFilesystemBackend(path).get_variable("k")):
        with pytest.raises(errors.FileParseError) as caught:
            ask()
        assert str(caught.value) == (
            f"{path}: line 3: there is no '='; line 4: there is no name before the '='; "
            "line 6: there is no value after the '='"
        )
        assert CANARY not in text_of(caught.value)


def test_a_line_ends_with_a_newline_and_nothing_else(write: Any) -> None:
    assert load_variables(write("s.env", "k=a\x0bb=\x0c\x85\u2028c\nl=d\re=f\r\n")) == {
        "k": "a\x0bb=\x0c\x85\u2028c",
        "l": "d",
        "e": "f",
    }


@pytest.mark.parametrize(
    ("name", "text", "k", "ll"),
    [
        ("s.env", f"k={CANARY}\nfine=1\nl=2\nk=v\nk=4\nl=5\n", "3 times, on lines 1, 4 and 5", "lines 3 and 6"),
        ("s.yaml", f"k: {CANARY}\nfine: 1\n\nl: 2\n'k': v\nl: 3\n", "2 times, on lines 1 and 5", "lines 4 and 6"),
        (
            "s.json",
            f'{{"k": "{CANARY}",\n"l": 1, "l": 2,\n"fine": 1, "\\u006b": 3}}',
            "2 times, on lines 1 and 3",
            "line 2",
        ),
    ],
)
def test_a_name_that_is_written_twice(write: Any, name: str, text: str, k: str, ll: str) -> None:
    path = write(name, text)
    backend = LocalFilesystemBackend(path, path, path)
    assert str(backend.get_variable("fine")) == backend.get_config("fine") == "1"
    lines = {"k": f"'k' appears {k}", "l": f"'l' appears 2 times, on {ll}"}
    for key, message in lines.items():
        with pytest.raises(errors.VariableNotUnique, match=message) as caught:
            backend.get_variable(key)
        assert CANARY not in text_of(caught.value)
        with pytest.raises(errors.VariableNotUnique):
            backend.get_config(key)
        with pytest.raises(errors.ConnectionNotUnique):
            backend.get_connection(key)
    with pytest.raises(errors.VariableNotUnique) as caught:
        load_variables(path)
    assert str(caught.value) == f"{path}: {'; '.join(lines.values())}. Keep one of each."


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("s.json", '{"fine": 1,\n"k": [{"a": "}{",\n"b": 2,\n"a": {"a": 3}}]}', 4),
        ("s.yaml", "fine: 1\nk:\n- a: 1\n  b: 2\n  a: {a: 3}\n", 5),
    ],
)
def test_a_name_that_is_written_twice_inside_an_entry(write: Any, name: str, text: str, line: int) -> None:
    backend = LocalFilesystemBackend(write(name, text))
    assert backend.get_variable("fine") == 1
    with pytest.raises(
        errors.FileParseError, match=f"line {line}: 'a' appears twice, first on line {line - 2}"
    ) as caught:
        backend.get_variable("k")
    assert caught.value.faults[0][0] == line


def test_lists_of_several(write: Any) -> None:
    path = write("s.json", '{"k": ["a", "b"],\n"l": [],\n"fine": ["c"]}')
    backend = LocalFilesystemBackend(path, path, path)
    assert backend.get_variable("k") == ["a", "b"]
    assert backend.get_config("fine") == "c"
    with pytest.raises(errors.VariableNotUnique, match="s.json:1: 'k' has 2 values. Keep one of them."):
        backend.get_config("k")
    with pytest.raises(errors.VariableNotUnique, match="s.json:2: 'l' has an empty list for a value"):
        backend.get_config("l")
    with pytest.raises(errors.ConnectionNotUnique, match="s.json:1: 'k' has 2 values"):
        backend.get_connection("k")
    with pytest.raises(errors.VariableNotUnique, match="'k' has 2 values; 'l' has an empty list"):
        load_configs_dict(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'{{"k": "{CANARY}",\n"l": {CANARY}}}', "line 2: this is not valid JSON (Expecting value)"),
        (f'["{CANARY}"]', "line 1: the file holds no object of names and values"),
        ("", "line 1: this is not valid JSON (Expecting value)"),
        ("\ufeff{}", "line 1: the file begins with a byte order mark (BOM); save it without"),
        ("[" * 100_000, "line 1: this is not valid JSON (it is nested too deeply, more than 100 levels)"),
    ],
)
def test_bad_json(write: Any, text: str, message: str) -> None:
    path = write("s.json", text)
    with pytest.raises(errors.FileParseError) as caught:
        load_variables(path)
    assert str(caught.value) == f"{path}: {message}"
    assert CANARY not in text_of(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"k: {CANARY}\nl: [{CANARY}\n", "line 3: this is not plain YAML (did not find expected ',' or ']')"),
        (f"k: v\n\nl: @{CANARY}\n", "line 3: this is not plain YAML (found character that cannot start any token)"),
        (f"k: v\n---\nl: {CANARY}\n", "line 2: a second document begins here"),
        (f"k: *{CANARY}\n", "line 1: this is not plain YAML (found undefined alias"),
        (f"- {CANARY}\n", "line 1: the file holds no table of names and values"),
        (f"k: v\né: {CANARY}\x07\n", "line 2: a character that YAML does not allow"),
        ("? [a]\n: v\n{b: c}: w\n", "line 1: a name is not text; line 3: a name is not text"),
        ("<<: 5\nk: v\n", "line 1: what is merged (<<) is not a table"),
        ("k: " + "[" * 5000 + "]" * 5000, "line 1: it is nested too deeply, more than 100 levels"),
    ],
)
def test_bad_yaml(write: Any, text: str, message: str) -> None:
    path = write("s.yaml", text)
    with pytest.raises(errors.FileParseError) as caught:
        load_variables(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert CANARY not in text_of(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (f"!{CANARY} v", "this is not plain YAML (could not determine a constructor for the tag)"),
        (f"!!python/object/apply:os.system [{CANARY}]", "this is not plain YAML (could not determine a constructor"),
        (f"!!int {CANARY}", "the value does not fit its YAML type"),
        (f"!!bool {CANARY}", "the value does not fit its YAML type"),
        (f"!!timestamp {CANARY}", "the value does not fit its YAML type"),
        ("2024-02-30", "the value does not fit its YAML type"),
        ("&x {a: *x}", "an alias is inside its own anchor"),
        ("{<<: [1]}", "this is not plain YAML (expected a mapping"),
    ],
)
def test_a_bad_yaml_value_is_one_entry_only(write: Any, value: str, message: str) -> None:
    path = write("s.yaml", f"k: v\n\nbad: {value}\nl: 2024-02-29\n")
    backend = LocalFilesystemBackend(path, None, path)
    assert backend.get_variable("k") == "v"
    assert backend.get_config("l") == "2024-02-29"
    for ask in (lambda: backend.get_variable("bad"), lambda: backend.get_config("bad"), lambda: load_variables(path)):
        with pytest.raises(errors.FileParseError) as caught:
            ask()
        assert str(caught.value).startswith(f"{path}: line 3: {message}")
        assert CANARY not in text_of(caught.value)


def test_without_libyaml(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert load_variables(write("s.yaml", "a: &x {p: 1}\nb: {<<: *x, q: 2}\n")) == {
        "a": {"p": 1},
        "b": {"p": 1, "q": 2},
    }
    for text, line in ((f"k: *{CANARY}\n", 1), (f"a: b\nk: !x!{CANARY} v\n", 2), (f"é: é\nk: {CANARY}\x07\n", 2)):
        with pytest.raises(errors.FileParseError) as caught:
            load_variables(write("s.yaml", text))
        assert [number for number, _ in caught.value.faults] == [line]
        assert CANARY not in text_of(caught.value)


def test_faults_of_several_kinds_come_together(write: Any) -> None:
    path = write("s.yaml", "k: 1\nbad: !x v\nk: 2\ninner: {a: 1, a: 2}\nfine: 1\n")
    with pytest.raises(errors.FileParseError) as caught:
        load_variables(path)
    assert [line for line, _ in caught.value.faults] == [1, 2, 4]


@pytest.mark.parametrize("name", ["s.toml", "s", "env", "s.json ", "s.json.bak"])
def test_an_unsupported_file_extension(write: Any, name: str) -> None:
    path = write(name, "k=v")
    for ask in (lambda: load_configs_dict(path), lambda: LocalFilesystemBackend(path).get_variable("k")):
        with pytest.raises(errors.UnsupportedFileType) as caught:
            ask()
        assert str(caught.value) == f"{path}: the name must end in .json, .yaml, .yml or .env"


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "s.env"
    path.write_bytes(f"k={CANARY}\r\nl=\xe9\r\n\r\nm=\xff\n".encode("latin-1"))
    with pytest.raises(errors.FileParseError) as caught:
        load_variables(str(path))
    fault = "byte 3 is not UTF-8; save the file as UTF-8"
    assert str(caught.value) == f"{path}: line 2: {fault}; line 4: {fault}"
    assert CANARY not in text_of(caught.value)
    path.write_bytes("k=v\n".encode("utf-16"))
    with pytest.raises(errors.FileParseError, match="line 1: the text is UTF-16; save the file as UTF-8"):
        load_variables(str(path))


def test_byte_order_marks(tmp_path: Path) -> None:
    for name, text in (("s.env", "k=v\nbad\n"), ("s.json", "{}")):
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        with pytest.raises(errors.FileParseError, match=r"line 1: the file begins with a byte order mark \(BOM\)"):
            load_variables(str(tmp_path / name))
    (tmp_path / "s.yaml").write_text("k: v\n", encoding="utf-8-sig")  # YAML knows the mark
    assert load_variables(str(tmp_path / "s.yaml")) == {"k": "v"}


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    path = str(tmp_path / "missing.json")
    backend = LocalFilesystemBackend(None, path)
    with pytest.raises(errors.BackendUnavailable) as caught:
        backend.get_connection("k")
    assert str(caught.value) == (
        f'{path}: the secrets file does not exist. Create it, correct the path, or set "connections_file_path" to null.'
    )
    with pytest.raises(errors.BackendUnavailable, match="name another file"):
        load_variables(path)
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(errors.BackendUnavailable, match="cannot be read"):
        load_variables(str(tmp_path / "folder.json"))
    with pytest.raises(errors.BackendUnavailable, match="invalid path"):
        load_variables("a\0b.json")


def test_a_file_that_may_not_be_read(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = LocalFilesystemBackend(configs_file_path=write("s.json", "{}"))

    def refuse(path: str) -> Any:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(secrets, "_stat_and_bytes", refuse)
    with pytest.raises(errors.AccessDenied) as caught:
        backend.get_config("k")
    assert str(caught.value).endswith(
        "s.json: this process may not read the secrets file. Give its user read "
        'permission, or set "configs_file_path" to null.'
    )


# -- when a file is read -------------------------------------------------------------------------


def test_one_parse_for_each_version(write: Any, parses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("v.json", '{"k": "one"}')
    age(path)
    backend = LocalFilesystemBackend(path)
    reads: list[str] = []
    original = secrets._stat_and_bytes

    def counting(path: str) -> Any:
        reads.append(path)
        return original(path)

    monkeypatch.setattr(secrets, "_stat_and_bytes", counting)
    for _ in range(50):
        assert backend.get_variable("k") == "one"
        assert backend.get_variable("absent") is None
    backend.get_many("variable", ["k", "absent"])
    backend.list_names("variable")
    assert (len(parses), len(reads)) == (1, 1)
    write("v.json", '{"k": "two"}')
    age(path, 30)
    assert [backend.get_variable("k") for _ in range(5)] == ["two"] * 5
    assert (len(parses), len(reads)) == (2, 2)
    age(path, 10)  # touched only
    assert backend.get_variable("k") == "two"
    assert (len(parses), len(reads)) == (2, 3)


def test_a_faulty_version_is_parsed_once_as_well(write: Any, parses: list[str]) -> None:
    path = write("v.json", "{bad")
    backend = LocalFilesystemBackend(path)
    for _ in range(3):
        with pytest.raises(errors.FileParseError):
            backend.get_variable("k")
    assert len(parses) == 1
    write("v.json", '{"k": "mended"}')
    assert backend.get_variable("k") == "mended"


def test_a_change_that_leaves_the_stamp_is_seen_while_the_file_is_young(
    write: Any, parses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "_stamp", lambda stat: (0,))  # a file system with coarse time stamps
    monkeypatch.setattr(secrets, "_UNSETTLED_NS", int(GUARD * 1e9))  # a busy machine may take longer than it is young
    path = write("v.json", '{"k": "1"}')
    backend = LocalFilesystemBackend(path)
    assert [backend.get_variable("k") for _ in range(3)] == ["1"] * 3
    write("v.json", '{"k": "2"}')
    assert [backend.get_variable("k") for _ in range(3)] == ["2"] * 3
    assert len(parses) == 2


def test_a_file_that_is_replaced_removed_and_back(write: Any, tmp_path: Path) -> None:
    path = write("v.json", '{"k": "1"}')
    stat = os.stat(path)
    backend = LocalFilesystemBackend(path)
    assert backend.get_variable("k") == "1"
    other = write("other.json", '{"k": "2"}')
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # the same time and size: the inode differs
    os.replace(other, path)
    assert backend.get_variable("k") == "2"
    os.remove(path)
    with pytest.raises(errors.BackendUnavailable):
        backend.get_variable("k")
    os.symlink(write("real.json", '{"k": "3"}'), path)
    assert backend.get_variable("k") == "3"


def test_many_threads_one_parse(write: Any, parses: list[str]) -> None:
    path = write("v.json", json.dumps({f"k{n}": "v" for n in range(2000)}))
    age(path)
    backend = LocalFilesystemBackend(path)
    start, seen = threading.Barrier(16), []

    def ask() -> None:
        start.wait()
        seen.append(backend.get_variable("k1999"))

    in_threads(ask, 16)
    assert seen == ["v"] * 16
    assert len(parses) == 1


def test_threads_see_whole_versions_while_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "v.json"

    def put(version: int) -> None:
        new = tmp_path / "new.json"
        new.write_text(json.dumps({"a": version, "b": version}))
        os.replace(new, path)

    put(0)
    file, done, torn = SecretsFile(str(path)), threading.Event(), []

    def read() -> None:
        last = 0
        while not done.is_set():
            entries = file.entries()
            a, b = entries["a"].value, entries["b"].value
            if a != b or a < last:
                torn.append((a, b, last))
            last = a

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for version in range(1, 200):
        put(version)
    done.set()
    for thread in threads:
        thread.join()
    assert torn == []
    assert file.entries()["a"].value == 199


# -- what it costs and shows ---------------------------------------------------------------------


def test_imports_are_light(write: Any) -> None:
    heavy = "typing dataclasses logging pathlib urllib.parse enum inspect yaml json re"
    script = f"""
import sys
from framework.backends.local_filesystem import LocalFilesystemBackend
print(*[name for name in {heavy.split()} if name in sys.modules])
backend = LocalFilesystemBackend({write("v.json", '{"k": "v"}')!r})
backend.get_variable("k")
print("yaml" in sys.modules)
backend = LocalFilesystemBackend({write("v.env", "k=v")!r})
"""
    root = str(Path(__file__).parents[1])
    run = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, cwd=root, check=True)
    assert run.stdout.splitlines() == ["", "False"]


def test_repr_shows_nothing(write: Any) -> None:
    assert repr(LocalFilesystemBackend(write("v.json", "{}"))) == "<LocalFilesystemBackend>"


@pytest.mark.parametrize("text", ['{"k": "s3cret-text"}', "[s3cret-text]", "k: s3cret-text\nl: m", "K=s3cret-text\n"])
@pytest.mark.parametrize("kwarg", ["variables_file_path", "connections_file_path", "configs_file_path"])
def test_the_secrets_themselves_in_the_place_of_the_path_are_not_shown(kwarg: str, text: str) -> None:
    environ = {
        "BILLING__SECRETS__BACKEND": "local_filesystem",
        f"BILLING__SECRETS__BACKEND_KWARG__{kwarg.upper()}": text,
    }
    app = App("billing", environ=environ)
    with pytest.raises(errors.BackendError, match=f"{kwarg} is not a path") as caught:
        app.get_variable("k")
    assert "s3cret" not in str(caught.value)

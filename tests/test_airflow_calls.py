"""The calls of Airflow's own code on `conf`, Connection and Variable; and the alternatives to missing calls."""

from __future__ import annotations

import configparser
import enum
import io
import json
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest
from test_beside_airflow import airflow_python

from framework import App, Connection, Variable, conf, current, errors, masking
from framework.metastore.crypto import generate

CANARY = "canary-5c2e"
SCHEMA = {
    "core": {
        "description": "The core.",
        "options": {
            "plain": {"type": "string", "default": "50%%", "description": "A text.", "example": "x"},
            "new": {"type": "string", "default": "n", "renamed_from": [{"section": "old", "key": "was"}]},
            "token": {"type": "string", "default": "", "sensitive": True, "renamed_from": [{"key": "pass"}]},
            "names": {"type": "list", "default": "a;b"},
            "empty": {"type": "string"},
        },
    },
    "other": {"options": {"count": {"type": "integer", "default": "7"}}},
}


@pytest.fixture
def app(tmp_path: Path) -> Any:
    (tmp_path / "billing.cfg").write_text(f"[core]\nplain = a%%b\ntoken = {CANARY}\n[mine]\nX = 1\n")
    made = App("billing", schema=SCHEMA, home=str(tmp_path), environ={"BILLING__CORE__EMPTY": "env"})
    before = current.use(made)
    yield made
    current.use(before)


class Colour(enum.Enum):
    RED = 1


def test_sections_and_options(app: App) -> None:
    assert conf.has_section("core") and conf.has_section("mine") and not conf.has_section("nope")
    sections = conf.get_sections_including_defaults()
    assert sections[:2] == ["core", "other"] and sections[-1] == "mine"
    assert conf.get_options_including_defaults("core")[:3] == ["plain", "new", "token"]
    assert conf.get_options_including_defaults("nope") == []
    assert dict(conf.items("core"))["plain"] == "a%b"
    assert conf.items("mine") == [("x", "1")]
    assert conf.items("other") == [("count", "7")]
    with pytest.raises(errors.ConfigError, match="no such section"):
        conf.items("nope")


def test_defaults(app: App) -> None:
    assert conf.get_default_value("core", "plain") == "50%"
    assert conf.get_default_value("CORE", "Plain", raw=True) == "50%%"
    assert conf.get_default_value("core", "empty") is None
    assert conf.get_default_value("core", "nope", "f") == "f"
    assert conf.get_default_value("core", "nope", fallback=5, raw=True) == 5


def test_what_is_sensitive(app: App) -> None:
    assert {("core", "token"), ("core", "pass")} <= conf.sensitive_config_values
    assert ("core", "plain") not in conf.sensitive_config_values
    assert masking.redact_text(CANARY) == CANARY
    conf.mask_secrets()
    assert masking.redact_text(CANARY) == "***"


def test_mask_secrets_passes_over_what_fails(tmp_path: Path) -> None:
    environ = {"BILLING__CORE__TOKEN_CMD": "false", "BILLING__SECRETS__BACKEND_KWARG__TOKEN": CANARY}
    App("billing", schema=SCHEMA, home=str(tmp_path), environ=environ).conf.mask_secrets()
    assert masking.redact_text(CANARY) == "***"


def test_call_forms_of_the_getters(app: App) -> None:
    assert conf.getlist("core", "names", ";") == ["a", "b"]
    assert conf.getlist("core", "names", delimiter=";") == ["a", "b"]
    assert conf.getlist("core", "nope", fallback=None) is None
    assert conf.getlist("core", "nope", ";", fallback="x;y") == ["x", "y"]
    assert conf.get_mandatory_list_value("core", "names", ";") == ["a", "b"]
    assert conf.getenumlist("core", "nope", Colour, ";", fallback="RED;RED") == [Colour.RED, Colour.RED]
    assert conf.getjson("core", "nope", {"a": 1}) == {"a": 1}
    assert conf.gettimedelta("core", "nope", None) is None
    assert conf.has_option("core", "plain", False)
    assert conf.as_dict(True, True)["core"]["token"] == (CANARY, "billing.cfg")
    assert conf.as_dict(False, False)["core"]["token"] == "< hidden >"
    assert conf.as_dict(True, True, True, False)["core"]["plain"] == ("a%%b", "billing.cfg")


@pytest.mark.parametrize("getter", ["get", "getint", "getfloat", "getboolean", "getlist", "getimport", "getjson"])
def test_every_getter_can_be_silent(tmp_path: Path, getter: str) -> None:
    value = "json.loads" if getter == "getimport" else "1"
    environ = {"BILLING__OLD__WAS": value}
    made = App("billing", schema=SCHEMA, home=str(tmp_path), environ=environ)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        getattr(made.conf, getter)("core", "new", suppress_warnings=True)
        getattr(made.conf, getter)("old", "was", suppress_warnings=True)
    with pytest.warns(DeprecationWarning):
        getattr(made.conf, getter)("core", "new")
    assert made.conf.get("core", "new", lookup_from_deprecated=False, suppress_warnings=True) == "n"
    with pytest.raises(TypeError):
        getattr(made.conf, getter)("core", "new", no_such_argument=True)


@pytest.mark.parametrize("getter", ["get_mandatory_value", "get_mandatory_list_value"])
def test_a_mandatory_value_that_is_missing_is_a_value_error(app: App, getter: str) -> None:
    for more in ({}, {"fallback": None}):
        with pytest.raises(ValueError, match=r"\[core\] nope") as caught:
            getattr(conf, getter)("core", "nope", **more)
        assert isinstance(caught.value, (errors.OptionNotFound, errors.InvalidValue))
    assert conf.get_mandatory_value("core", "nope", fallback="f") == "f"


def test_write_makes_a_cfg_file_that_reads_back(app: App) -> None:
    stream = io.StringIO()
    conf.write(stream, show_values=True, hide_sensitive=False)
    parser = configparser.ConfigParser()
    parser.read_string(stream.getvalue())
    assert parser["core"]["plain"] == "a%b" and parser["core"]["token"] == CANARY and parser["core"]["empty"] == "env"
    for words in ("# A text.", "# Example: plain = x", "# Source: billing.cfg", "# Variable: BILLING__CORE__PLAIN"):
        assert words in stream.getvalue()


def test_write_hides_secrets_and_values_unless_they_are_asked_for(app: App) -> None:
    for more in ({}, {"show_values": True}, {"show_values": True, "comment_out_everything": True}):
        stream = io.StringIO()
        conf.write(stream, **more)  # type: ignore[arg-type]
        assert CANARY not in stream.getvalue()
    stream = io.StringIO()
    conf.write(stream, "other", include_sources=False, include_env_vars=False, only_defaults=True, show_values=True)
    assert stream.getvalue() == "[other]\ncount = 7\n"


SECRETS = {
    "elasticsearch": {"host": "http://elastic:canary1@es:9200"},
    "openlineage": {"transport": '{"url": "http://x", "auth": {"apiKey": "canary2"}}'},
    "github_enterprise": {"client_secret": "canary3", "host": "github.example"},
    "kubernetes_environment_variables": {"aws_secret_access_key": "canary4"},
    "dag_processor": {"dag_bundle_config_list": '[{"kwargs": {"access_token": "canary5"}}]'},
}


def test_what_holds_secrets_is_hidden_in_every_listing_and_error(tmp_path: Path) -> None:
    """As in `dump`: options with the name of a secret, the password in a URL, and leaves of JSON."""
    text = "".join(f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()) for name, keys in SECRETS.items())
    (tmp_path / "airflow.cfg").write_text(text)
    app = App("airflow", environ={"AIRFLOW_HOME": str(tmp_path)})
    written = io.StringIO()
    app.conf.write(written, show_values=True)
    listed, raw, sources = app.conf.as_dict(), app.conf.as_dict(raw=True), app.conf.as_dict(True)
    for shown in (written.getvalue(), repr(listed), repr(raw), repr(sources)):
        assert "canary" not in shown
    assert listed["elasticsearch"]["host"] == "http://elastic:***@es:9200"
    assert listed["github_enterprise"] == {"client_secret": "< hidden >", "host": "github.example"}
    assert app.conf.as_dict(display_sensitive=True)["github_enterprise"]["client_secret"] == "canary3"
    for section, options in SECRETS.items():
        for key in options:
            with pytest.raises(ValueError) as caught:
                app.conf.getint(section, key)
            assert "canary" not in str(caught.value)


def test_write_takes_a_text_stream_alone(app: App, tmp_path: Path) -> None:
    for wrong in (str(tmp_path / "billing.cfg"), tmp_path, io.BytesIO(), None):
        with pytest.raises(errors.ConfigError, match="expected a text stream"):
            conf.write(wrong)  # type: ignore[arg-type]
    before = (tmp_path / "billing.cfg").read_text()
    conf.write(io.StringIO())
    assert (tmp_path / "billing.cfg").read_text() == before


@pytest.mark.parametrize("call", ["get_mandatory_value", "get_mandatory_list_value", "items", "write"])
def test_errors_leave_clean(tmp_path: Path, call: str) -> None:
    environ = {"BILLING__CORE__TOKEN_CMD": f"false {CANARY}"}
    ours = App("billing", schema=SCHEMA, home=str(tmp_path), environ=environ).conf
    arguments: tuple[Any, ...] = ("core", "token") if call.startswith("get") else ("core",)
    more = {"show_values": True, "hide_sensitive": False} if call == "write" else {}
    with pytest.raises(errors.PointerError) as caught:
        getattr(ours, call)(*((io.StringIO(),) if call == "write" else arguments), **more)
    assert CANARY not in str(caught.value) and caught.value.__context__ is None
    trace = caught.value.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals["__name__"].startswith("framework"):
            held = [repr(value) for value in trace.tb_frame.f_locals.values()]
            assert CANARY not in "".join(held), trace.tb_frame.f_code.co_name
        trace = trace.tb_next


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("set", "conf.override"),
        ("add_section", "conf.override"),
        ("remove_option", "config unset"),
        ("remove_section", "config unset"),
        ("read_string", "config_files"),
        ("read", "config_files"),
        ("read_dict", "conf.override"),
        ("update", "conf.override"),
        ("setdefault", "fallback"),
        ("defaults", "get_default_value"),
        ("load_test_config", "framework.testing"),
    ],
)
def test_what_conf_does_not_support_names_the_alternative(app: App, name: str, words: str) -> None:
    for asked in (conf, app.conf):
        assert not hasattr(asked, name)
        with pytest.raises(AttributeError, match=words):
            getattr(asked, name)
    with pytest.raises(AttributeError, match=r'no_such_thing.: .* conf\.get\("no_such_thing", "port"\)'):
        _ = conf.no_such_thing
    with pytest.raises(AttributeError, match="'no_such_thing'$"):
        _ = app.conf.no_such_thing


def test_the_calls_answer_as_in_airflow(tmp_path: Path) -> None:
    """In an empty home: the same sections, options, defaults and sensitive options, and our own in addition."""
    script = (
        "import json; from airflow.configuration import conf; s = conf.get_sections_including_defaults(); print(json."
        "dumps([{n: conf.get_options_including_defaults(n) for n in s}, {n: {k: [conf.get_default_value(n, k), "
        "conf.get_default_value(n, k, raw=True)] for k in conf.get_options_including_defaults(n)} for n in s}, "
        "sorted(conf.sensitive_config_values)]))"
    )
    environ = {"AIRFLOW_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run([airflow_python(), "-c", script], capture_output=True, text=True, check=True, env=environ)
    options, defaults, sensitive = json.loads(done.stdout.strip().splitlines()[-1])
    (tmp_path / "airflow.cfg").unlink(missing_ok=True)  # Airflow's own, with its random secrets
    ours = App("airflow", home=str(tmp_path), environ=environ).conf
    random = {("core", "fernet_key"), ("api", "secret_key"), ("api_auth", "jwt_secret")}
    assert set(options) <= set(ours.get_sections_including_defaults())
    for section, keys in options.items():
        assert set(keys) <= set(ours.get_options_including_defaults(section))
        for key in keys:
            if (section, key) not in random:
                given = [ours.get_default_value(section, key), ours.get_default_value(section, key, raw=True)]
                assert given == defaults[section][key], (section, key)
    assert {tuple(name) for name in sensitive} <= ours.sensitive_config_values


# Connections and variables


@pytest.fixture
def stocked(world: Any) -> Any:
    world.set(BILLING__CORE__FERNET_KEY=generate())
    world.app().use()
    return world


def test_a_connection_by_airflows_calls(stocked: Any) -> None:
    stocked.set(BILLING_CONN_A="http://u:p@h")
    assert Connection.get_connection_from_secrets("a") == Connection.get("a")
    with pytest.raises(errors.ConnectionNotFound):
        Connection.get_connection_from_secrets(conn_id="b", team_name=None)
    with pytest.raises(errors.InvalidConnection, match="teams are not supported"):
        Connection.get_connection_from_secrets("a", "team")  # type: ignore[arg-type]


def test_a_connection_tests_itself(stocked: Any) -> None:
    file = stocked.home / "a.db"
    import sqlite3

    sqlite3.connect(file).close()
    file.write_bytes(b"")
    works, message = Connection("a", "sqlite", host=str(file)).test_connection()
    assert works and message
    works, message = Connection("a", "sqlite", host=str(stocked.home / "nowhere.db")).test_connection()
    assert not works and "does not exist" in message
    assert Connection("a", "x").test_connection(timeout=1.0)[0] is False


def test_what_a_connection_does_not_support_names_the_alternative() -> None:
    made = Connection("a", "x")
    assert not hasattr(made, "get_hook")
    with pytest.raises(AttributeError, match="get_uri"):
        made.get_hook()
    with pytest.raises(AttributeError, match="'nonsense'$"):
        _ = made.nonsense
    with pytest.raises(AttributeError, match="aget_connection"):
        Connection.async_get("x")  # type: ignore[attr-defined]
    assert made.to_dict(prune_empty=True, validate=False) == {"conn_id": "a", "conn_type": "x"}
    import copy
    import pickle

    assert copy.deepcopy(made) == made and pickle.loads(pickle.dumps(made)) == made


def test_a_variable_by_airflows_calls(stocked: Any) -> None:
    stocked.set(BILLING_VAR_A="1")
    assert Variable.get_variable_from_secrets("a") == "1"
    assert Variable.get_variable_from_secrets(key="b", team_name=None) is None
    with pytest.warns(errors.FrameworkWarning, match="the link environment has it too"):
        Variable.check_for_write_conflict("a")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Variable.check_for_write_conflict("b")
    with pytest.raises(errors.InvalidValue, match="teams are not supported"):
        Variable.get_variable_from_secrets("a", "team")  # type: ignore[arg-type]


@pytest.mark.parametrize(("value", "text"), [(5, "5"), (1.5, "1.5"), (True, "True"), (0, "0"), ("x", "x"), ("", "")])
def test_numbers_are_stored_as_python_writes_them(stocked: Any, value: Any, text: str) -> None:
    Variable.set("k", value)
    assert Variable.get("k") == text
    Variable.update("k", value)
    assert Variable.get("k") == text
    assert Variable.setdefault("other", value) == value
    assert Variable.get("other") == text


@pytest.mark.parametrize("value", [{"a": 1}, [1], None, b"x", (1,), object()])
def test_what_is_neither_text_nor_number_is_refused(stocked: Any, value: Any) -> None:
    for write in (Variable.set, Variable.update):
        with pytest.raises(errors.InvalidValue, match="serialize_json"):
            write("k", value)
    assert Variable.keys() == Variable.keys(None) == Variable.keys(prefix=None) == []


@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_values_that_are_json_can_be_exported_as_json(stocked: Any, ending: str) -> None:
    texts = {
        "a": '{"b":  {"c": [1, 2]}}',
        "n": "5",
        "t": "text",
        "q": '"quoted"',
        "nan": "NaN",
        "f": "1.50",
        "z": "null",
    }
    for key, text in texts.items():
        Variable.set(key, text)
    file = stocked.home / f"v.{ending}"
    stocked.run("variables", "export", str(file))
    status, _, _ = stocked.run("variables", "export", "--json-values", str(file) + "2", "--file-format", ending)
    assert status == 0
    exact, typed = _read(file.read_text(), ending), _read(Path(str(file) + "2").read_text(), ending)
    assert typed == {**texts, "a": {"b": {"c": [1, 2]}}, "n": 5, "f": 1.5, "z": None}
    assert exact["a"] == texts["a"] and exact["f"] == "1.50"


def _read(text: str, ending: str) -> dict[str, Any]:
    import yaml

    read: dict[str, Any] = json.loads(text) if ending == "json" else yaml.safe_load(text)
    return read


def test_json_values_are_not_for_env_files(stocked: Any) -> None:
    status, _, err = stocked.run("variables", "export", "--json-values", "v.env")
    assert status == 2 and "--json-values requires" in err


def test_get_shows_what_airflow_shows(stocked: Any) -> None:
    stocked.run("connections", "add", "a", "--conn-uri", "http://u:p@h")
    stocked.run(
        "connections", "add", "b", "--conn-type", "http", "--conn-uri", "", "--conn-json", "", "--conn-host", "h"
    )
    stocked.set(BILLING_CONN_E="http://h")
    fields = ["id", "conn_id", "conn_type", "description", "host", "schema", "login", "password", "port"]
    fields += ["is_encrypted", "is_extra_encrypted", "extra_dejson", "get_uri"]
    answers = {}
    for name in ("a", "b", "e"):
        (answers[name],) = json.loads(stocked.run("connections", "get", name, "-o", "json")[1])
        assert list(answers[name]) == fields
    assert [answers["a"][name] for name in ("id", "is_encrypted", "is_extra_encrypted")] == [1, True, False]
    assert [answers["b"][name] for name in ("id", "is_encrypted", "host")] == [2, False, "h"]
    assert [answers["e"][name] for name in ("id", "is_encrypted", "is_extra_encrypted")] == [None, None, None]


@pytest.mark.parametrize("value", [None, "Disabled", "Hidden", " enabled ", "ENABLED"])
def test_tests_of_connections_are_allowed_by_one_word(world: Any, value: str | None) -> None:
    file = world.home / "a.db"
    file.write_bytes(b"")
    world.set(AIRFLOW_HOME=str(world.home), AIRFLOW_CONN_A=json.dumps({"conn_type": "sqlite", "host": str(file)}))
    if value is not None:
        world.set(AIRFLOW__CORE__TEST_CONNECTION=value)
    status, _, err = world.run("--name", "airflow", "connections", "test", "a")
    if value and value.strip().lower() == "enabled":
        assert status == 0 and "works" in err
    else:
        assert status == 1
        assert "[core] test_connection" in err and "AIRFLOW__CORE__TEST_CONNECTION=Enabled" in err


@pytest.mark.parametrize("port", ["1234", 1234, 1234.0, "", None])
@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_a_port_of_a_table_may_be_a_text(stocked: Any, port: Any, ending: str) -> None:
    stocked.write(f"c.{ending}", json.dumps({"a": {"conn_type": "x", "host": "h", "port": port, "extra": {}}}))
    assert stocked.run("connections", "import", f"c.{ending}")[0] == 0
    assert Connection.get("a").port == (1234 if port else None)
    assert stocked.run("connections", "import", f"c.{ending}", "--overwrite", "--dry-run")[2].endswith("1 unchanged\n")
    kwargs = json.dumps({"connections_file_path": str(stocked.home / f"c.{ending}")})
    stocked.set(BILLING__SECRETS__BACKEND="local_filesystem", BILLING__SECRETS__BACKEND_KWARGS=kwargs)
    assert stocked.app().get_connection("a").port == (1234 if port else None)


@pytest.mark.parametrize("port", ["x", "-1", "70000", "1.5", True, [1]])
def test_an_invalid_port_is_refused_with_its_line(stocked: Any, port: Any) -> None:
    stocked.write("c.json", json.dumps({"a": {"conn_type": "x", "port": port}}))
    status, _, err = stocked.run("connections", "import", "c.json")
    assert status == 1 and "c.json:1: " in err and "port" in err


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("a=postgres://u:p@h/db # prod", "schema", "db"),
        ("a=postgres://u:p@h\t # prod", "host", "h"),
        ("a=postgres://u:p@h/db?x=y  # prod", "extra_dejson", {"x": "y"}),
        ("a=postgres://u:p@h/d%20 # prod", "schema", "d "),
    ],
)
def test_the_blank_before_a_comment_is_not_part_of_the_value(stocked: Any, line: str, field: str, value: Any) -> None:
    stocked.write("c.env", line.replace("\t", " ") + "\n")
    kwargs = json.dumps({"connections_file_path": str(stocked.home / "c.env")})
    stocked.set(BILLING__SECRETS__BACKEND="local_filesystem", BILLING__SECRETS__BACKEND_KWARGS=kwargs)
    assert getattr(stocked.app().get_connection("a"), field) == value

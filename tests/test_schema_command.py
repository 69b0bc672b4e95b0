"""`schema export` and `schema check`: each format is what its readers take; a schema comes back as it was."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from framework import App
from framework.layers.environment import DotEnv
from framework.options.declaration import Option
from framework.options.schema import Schema, load
from framework.schema_export import FORMATS, export, format_of

SCHEMA = """\
server:
  description: The HTTP service.
  renamed_from: [{section: web, since: "1.0"}]
  options:
    port: {description: Port to listen on., type: integer, default: "8000", example: "8443", minimum: 1, maximum: 65535}
    log_level:
      type: string
      choices: [debug, info, error]
      default: info
      renamed_from: [{section: logging, key: level, since: "2.0"}, {key: loglevel, since: "1.0"}]
      deprecated_values: [{pattern: "^verbose$", replacement: debug, since: "2.1"}]
    timeout: {type: duration, default: 30s, minimum: 1s, maximum: 1h}
    pause: {type: timedelta, default: "300"}
    origins: {type: list, items: url, unique_items: true, default: "https://billing.example"}
    words: {type: list, default: "a, b", min_length: 1}
    upload_dir: {type: path, default: "{BILLING_HOME}/uploads"}
    expanded: {type: string, default: "100%% of $HOME"}
    token: {description: 'What "callers" must send.', type: string, sensitive: true, required: [production]}
    old_layout: {type: boolean, deprecated: true, deprecation_reason: there is one layout only since 3.0}
    ratio: {type: float, default: 0.5, exclusive_minimum: 0}
    size: {type: bytes, default: 64MiB, maximum: 1GiB}
    limits: {type: json, default: '{"a": [1, {"b": []}]}'}
    table: {type: object}
    price: {type: decimal, default: "9.95"}
    start: {type: datetime, default: "2024-05-01"}
    plugin: {type: import}
    levels: {type: list, items: integer, choices: [1, 2, 3], default: "1, 2"}
    retries: {type: integer, choices: [1, 3, 5], default: 3}
    code: {type: string, pattern: "^[A-Z]{3}$", default: ABC}
    quoted: {type: string, default: "it's \\\\ \\"x\\""}
    debug: {type: boolean, default: "f"}
    empty: {type: integer, default: ""}
    empty_path: {type: path, default: ""}
    no_secret_token: {type: string, sensitive: false, default: ""}
    log-file: {type: string}
server.tls:
  options:
    cert: {type: path}
    key: {type: string, sensitive: true, required: true}
db:
  description: |
    The database "main".

    A second paragraph, with a | pipe.
  options:
    class: {type: string}
    url: {type: url, sensitive: true}
    pool: {type: integer, default: 5}
"""


@pytest.fixture
def billing(world: Any) -> Any:
    world.write("schema.yaml", SCHEMA)
    world.project(schema="schema.yaml")
    return world


def declared(schema: Schema) -> dict[tuple[str, str], Option]:
    schema.describe()
    return {(option.section, option.name): option for option in schema if not option.own}


def facts(option: Option) -> dict[str, Any]:
    names = (*("type", "items", "default", "required", "sensitive", "sensitivity", "choices", "constraints"),)
    names += ("renamed_from", "deprecated", "retired", "deprecation_reason", "description", "example")
    found = {name: getattr(option, name) for name in names}
    found["deprecated_values"] = [(pattern.text, new, since) for pattern, new, since in option.deprecated_values]
    return found


def loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


# --- schema -> format -> schema


@pytest.mark.parametrize(("file_format", "file"), [("toml", "again.toml"), ("json-schema", "again.json")])
def test_a_schema_comes_back_as_it_was(billing: Any, file_format: str, file: str) -> None:
    assert billing.run("schema", "export", "--format", file_format, "-o", file)[0] == 0
    before, after = load("schema.yaml"), load(file)
    assert list(declared(after)) == list(declared(before)) or set(declared(after)) == set(declared(before))
    for name, option in declared(before).items():
        assert facts(declared(after)[name]) == facts(option), name
    for section in before.sections:
        assert after.description(section) == before.description(section), section
        assert after.older_sections(section) == before.older_sections(section)
    assert after.unmapped == []


def test_the_export_of_an_export_is_the_same(billing: Any) -> None:
    for file_format, file in (("toml", "again.toml"), ("json-schema", "again.json")):
        first = billing.run("schema", "export", "--format", file_format)[1]
        billing.write(file, first)
        billing.project(schema=file)
        assert billing.run("schema", "export", "--format", file_format)[1] == first


def test_the_dataclasses_declare_the_same_options(billing: Any) -> None:
    billing.run("schema", "export", "--format", "python", "-o", "billing_classes.py")
    module = loaded(billing.home / "billing_classes.py")
    before = declared(load("schema.yaml"))
    after = declared(App("billing", home=str(billing.home), environ={}, schema=module.Settings).schema)
    assert set(before) - set(after) == {
        *(("server", "log-file"), ("db", "class")),  # no names in Python
        ("server", "old_layout"),  # to read it would warn
    }
    for name, option in before.items():
        if name not in after:
            continue
        found, text = after[name], option.description
        assert found.type == {"array": "list", "timedelta": "duration"}.get(option.type, option.type), name
        assert (found.items or "string", found.choices) == (option.items or "string", option.choices), name
        assert found.sensitive == option.sensitive, name
        is_somewhere = name in (("server", "upload_dir"), ("server", "expanded"))
        assert found.required is (option.required is True or is_somewhere), name
        assert found.constraints.keys() == option.constraints.keys() - {"unique_items"}, name
        assert text in found.description, name
        if option.default not in (None, "") and not is_somewhere:
            assert found.convert(found.default) == option.convert(option.default), name


def test_an_object_of_the_dataclasses_has_what_conf_value_has(billing: Any) -> None:
    billing.write(
        "billing.cfg",
        "[server]\nport = 9000\nsize = 1MiB\nlimits = [1]\npause = 5\nplugin = os.path.join\n[server.tls]\nkey = abc\n",
    )
    billing.run("schema", "export", "--format", "python", "-o", "billing_bound.py")
    module, app = loaded(billing.home / "billing_bound.py"), billing.app()
    settings = module.bind(app)
    for section, name in declared(app.schema):
        holder = settings
        for part in section.split("."):
            holder = getattr(holder, part)
        if hasattr(holder, name):
            value = app.conf.value(section, name, fallback=None)
            assert getattr(holder, name) == value or (value is None and getattr(holder, name) is None), (section, name)
    assert settings.server.size == 1024**2
    assert settings.server.limits == [1]
    assert repr(settings.server.tls.key) == "Secret('***')"


def test_the_dataclasses_refuse_what_the_schema_refuses(billing: Any) -> None:
    from framework.errors import SettingsError

    billing.write("billing.cfg", "[server]\nport = 0\ncode = abc\nsize = 2GiB\norigins = x\n[server.tls]\nkey = k\n")
    billing.run("schema", "export", "--format", "python", "-o", "billing_refused.py")
    with pytest.raises(SettingsError) as caught:
        loaded(billing.home / "billing_refused.py").bind(billing.app())
    assert {fault.what.split(":")[0].split("]")[-1].strip() or fault.what for fault in caught.value.faults} >= set()
    for key in ("port", "code", "size", "origins"):
        assert f"[server] {key}" in str(caught.value)


# --- type checkers


def mypy(folder: Path, *files: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *files],
        capture_output=True,
        text=True,
        cwd=folder,
    )
    return done.returncode, done.stdout


@pytest.mark.external
def test_mypy_knows_the_options_and_finds_a_misspelt_one(billing: Any) -> None:
    pytest.importorskip("mypy")  # of the extra `lint`
    billing.run("schema", "export", "--format", "python", "-o", "billing_settings.py")
    billing.run("schema", "export", "--format", "stub", "-o", "billing_options.py")
    billing.write(
        "fine.py",
        """\
from framework import App
from billing_options import Options
from billing_settings import bind

app = App("billing")
settings = bind(app)
port: int = settings.server.port
key: str = settings.server.tls.key.get_secret_value()
levels: list[int] = [*settings.server.levels]
options: Options = app.conf
also: int = options.value("server", "port")
""",
    )
    assert mypy(billing.home, "fine.py", "billing_settings.py", "billing_options.py") == (0, "")
    billing.write(
        "wrong.py",
        """\
from framework import App
from billing_options import Options
from billing_settings import bind

app = App("billing")
settings = bind(app)
settings.server.timout
port: str = settings.server.port
options: Options = app.conf
options.value("server", "prot")
""",
    )
    status, out = mypy(billing.home, "wrong.py")
    assert status == 1
    lines = [line for line in out.splitlines() if ": error:" in line]
    assert lines[0] == 'wrong.py:7: error: "Server" has no attribute "timout"; maybe "timeout"?  [attr-defined]'
    assert [line.split(":")[1] for line in lines] == ["7", "8", "10"]


# --- editors


def validator(billing: Any) -> Any:
    import jsonschema

    schema = json.loads(billing.run("schema", "export", "--format", "json-schema")[1])
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


GOOD = """\
[server]
port = 9000
log_level = "error"
timeout = "5m"
origins = ["https://a.example"]
token_secret = "api-token"
limits = {a = [1, 2]}
levels = [1, 3]
debug = true
ratio = "0.25"
loglevel = "info"

[server.tls]
cert = "~/cert.pem"
key_cmd = "pass tls"

[db]
pool = "$POOL"

[secrets]
backend = "vault"

[secrets.other]
backend = "aws_ssm"
"""


def test_the_json_schema_takes_real_files(billing: Any) -> None:
    import yaml

    from framework.files.tables import read_table

    check = validator(billing)
    (billing.home / "good.toml").write_text(GOOD)
    good, _ = read_table(str(billing.home / "good.toml"))
    assert list(check.iter_errors(good)) == []
    (billing.home / "good.yaml").write_text(yaml.safe_dump(good))
    assert list(check.iter_errors(read_table(str(billing.home / "good.yaml"))[0])) == []
    assert list(check.iter_errors({})) == []
    for text, place in {
        "[server]\nprot = 1\n": "server",
        "[server]\nport = 70000\n": "server/port",
        "[server]\nport = 'http'\n": "server/port",
        "[server]\nlog_level = 'loud'\n": "server/log_level",
        "[server]\norigins = ['no url']\n": "server/origins",
        "[server]\ncode = 'abc'\n": "server/code",
        "[server]\nlevels = [4]\n": "server/levels",
        "[server]\ndebug = 'maybe'\n": "server/debug",
        "[server.tls]\ncrt = 'x'\n": "server/tls",
        "[sever]\nport = 1\n": "",
    }.items():
        (billing.home / "bad.toml").write_text(text)
        bad, _ = read_table(str(billing.home / "bad.toml"))
        assert ["/".join(map(str, fault.path)) for fault in check.iter_errors(bad)] == [place], text


VALUES: list[Any] = [
    *(0, 1, 3, 8000, 70000, -1, 0.5, 1.0, 1e3, True, False, "", "1", "8_000", " 3 ", "0.5", ".5", "true", "T", "f"),
    *("ABC", "abc", "info", "loud", "30s", "2h", "5", "64MiB", "2GiB", "9.95", "2024-05-01", "/tmp/x", "x"),
    *("https://a.example", "a, b", "1, 2", [], ["a"], [1], [1, 2], [4], ["https://a.example"], ["x"], {}, {"a": 1}),
    *("[1]", '{"a": 1}', "os.path"),
]


def test_an_editor_never_marks_what_the_application_reads(billing: Any) -> None:
    check = validator(billing)
    exact = ("integer", "float", "boolean", "string", "url")
    for (section, key), option in declared(load("schema.yaml")).items():
        for value in VALUES:
            table: Any = {key: value}
            for part in reversed(section.split(".")):
                table = {part: table}
            is_valid = check.is_valid(table)
            if isinstance(value, float) and option.type == "boolean":
                continue  # in JSON, 1.0 is 1
            try:
                option.convert(value)
            except ValueError:
                if option.type in exact:
                    assert not is_valid, (section, key, value)
                continue
            if isinstance(value, bool) and option.type != "boolean":
                continue  # it counts as 1 or 0, which is hardly intended
            if isinstance(value, float) and option.type == "boolean":
                continue  # 1.0 is 1 in JSON
            text_of_a_number = option.type == "string" and not isinstance(value, str)
            assert is_valid or text_of_a_number, (section, key, value)


# --- people


def test_the_example_of_a_dotenv_file_is_all_comments_and_holds_when_uncommented(billing: Any) -> None:
    billing.run("schema", "export", "--format", "env-example", "-o", ".env.example")
    text = (billing.home / ".env.example").read_text()
    assert all(line.startswith("#") or not line for line in text.splitlines())
    assert DotEnv(str(billing.home / ".env.example")).values == {}
    lines = [line[2:] for line in text.splitlines() if line.startswith("# BILLING__") and not line.endswith("=")]
    (billing.home / ".env").write_text("\n".join(lines) + "\n")
    values = {name: value for name, (value, _) in DotEnv(str(billing.home / ".env")).values.items()}
    assert values["BILLING__SERVER__PORT"] == "8000"
    options = declared(load("schema.yaml"))
    names = billing.app().names
    for (section, key), option in options.items():
        if (name := names.option(section, key)) in values:
            option.convert(values[name])
    assert "{BILLING_HOME}" not in str(values)


def test_the_tables_of_markdown_have_every_option_once(billing: Any) -> None:
    text = billing.run("schema", "export", "--format", "markdown")[1]
    names = billing.app().names
    for section, key in declared(load("schema.yaml")):
        assert text.count(f"`{names.option(section, key)}` |") == 1
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {5}


@pytest.mark.parametrize("file_format", FORMATS)
def test_no_default_of_a_secret_is_in_what_people_read(billing: Any, file_format: str) -> None:
    billing.write(
        "schema.yaml", "a:\n  options:\n    secret: {sensitive: true, default: canary-1}\n    open: {default: x}\n"
    )
    text = billing.run("schema", "export", "--format", file_format)[1]
    is_schema = file_format in ("toml", "python", "json-schema")  # what declares the option again has its default
    assert ("canary-1" in text) == is_schema


# --- is it current?


@pytest.mark.parametrize("file_format", FORMATS)
def test_check_tells_whether_a_file_is_current(billing: Any, file_format: str) -> None:
    assert billing.run("schema", "export", "--format", file_format, "-o", "made")[0] == 0
    assert format_of((billing.home / "made").read_text()) == file_format
    assert billing.run("schema", "check", "made") == (0, "", "")
    billing.write("schema.yaml", SCHEMA.replace("    pool: {type: integer, default: 5}", "    pools: {type: integer}"))
    status, out, err = billing.run("schema", "check", "made", "--diff")
    assert status == 1
    assert err == (f"error: made is not current: python -m framework schema export --format {file_format} -o made\n")
    assert any(line.startswith("+") and "pools" in line.lower() for line in out.splitlines())
    billing.run("schema", "export", "--format", file_format, "-o", "made")
    assert billing.run("schema", "check", "made")[0] == 0


def test_check_refuses_a_file_of_another_origin(billing: Any) -> None:
    billing.write("other.py", "x = 1\n")
    assert billing.run("schema", "check", "other.py") == (
        2,
        "",
        "error: other.py: this file was not written by schema export\n",
    )
    status, _, err = billing.run("schema", "check", "missing.py")
    assert (status, "does not exist" in err) == (1, True)


def test_an_application_without_a_schema(world: Any) -> None:
    world.project()
    status, out, err = world.run("schema", "export", "--format", "toml")
    assert (status, out) == (1, "")
    assert err.startswith("error: the application has no schema. Declare its options")


@pytest.mark.parametrize("file_format", FORMATS)
def test_an_empty_schema_has_every_format(world: Any, file_format: str) -> None:
    world.write("schema.yaml", "server:\n")
    world.project(schema="schema.yaml")
    status, out, _ = world.run("schema", "export", "--format", file_format)
    assert status == 0
    if file_format in ("python", "stub"):
        compile(out, "made.py", "exec")


def test_every_name_and_text_makes_valid_source() -> None:
    nasty = ['"""', "\\", 'ends with "', "'", "{x}", "\n\n", "a\tb", "é", "${X}", "#", "|", "`", "<b>", "\x07"]
    options = {
        f"o{number}": {"description": text, "default": text, "example": text, "choices": [text, "b"]}
        for number, text in enumerate(nasty)
    }
    options |= {"from": {}, "int": {"type": "integer"}, "o-o": {}}
    schema = load(
        {"a": {"description": '"""', "options": options}, "a.from": {"options": options}, "from": {"options": {}}}
    )
    from framework.names import Names

    for file_format in FORMATS:
        text = export(schema, Names("billing"), file_format)
        if file_format in ("python", "stub"):
            compile(text, "made.py", "exec")
        elif file_format == "json-schema":
            json.loads(text)
        elif file_format == "env-example":
            assert all(line.startswith("#") or not line for line in text.splitlines())


def test_the_schema_of_a_class_is_written_with_defaults_that_mean_the_same(world: Any) -> None:
    world.write(
        "classes.py",
        """\
from dataclasses import dataclass, field

@dataclass(frozen=True)
class Peer:
    host: str

@dataclass(frozen=True)
class Server:
    rate: str = "50%"
    home: str = "$HOME {BILLING_HOME}"
    hosts: list[str] = field(default_factory=lambda: ["a"])
    peers: list[Peer] = field(default_factory=list)

@dataclass(frozen=True)
class Settings:
    server: Server
""",
    )
    world.project(schema="classes:Settings")
    for file_format, file in (("toml", "again.toml"), ("json-schema", "again.json")):
        assert world.run("schema", "export", "--format", file_format, "-o", file)[0] == 0
        app = App("billing", home=str(world.home), schema=file, environ={"HOME": "/h"})
        assert app.conf.get("server", "rate") == "50%", file_format
        assert app.conf.value("server", "hosts") == ["a"]
        home = "-" if file_format == "toml" else "$HOME {BILLING_HOME}"
        assert app.conf.get("server", "home", fallback="-") == home
    assert "# default = $HOME {BILLING_HOME} (it would be expanded here)" in Path("again.toml").read_text()
    for file_format in FORMATS:
        assert world.run("schema", "export", "--format", file_format)[0] == 0

"""`App("airflow")` beside the real thing: one home, two readers, equal answers.

Needs Apache Airflow 3.3.2 in its own venv: `FRAMEWORK_AIRFLOW_PYTHON` names its Python, or
`FRAMEWORK_INSTALL_AIRFLOW=1` makes `.airflow-venv` beside this repository's `tests`, once. Otherwise skipped.
"""

from __future__ import annotations

import json
import operator
import os
import subprocess
import sys
from collections.abc import Callable
from configparser import ConfigParser
from itertools import cycle
from pathlib import Path
from typing import Any

import airflow_home
import pytest
from patience import GUARD

import framework
from framework import App, Connection, errors

ROOT = Path(__file__).parents[1]
VERSION = "3.3.2"
BACKEND = "airflow.secrets.local_filesystem.LocalFilesystemBackend"
FERNET_KEY = "cFGXmjfoTK7Fmq8nJ-aJVm0iH5S7hD1TfnwK0Xh6Rfs="

#: Without a value of their own, Airflow makes up new ones in every process.
RANDOM = [("core", "fernet_key"), ("api", "secret_key"), ("api_auth", "jwt_secret")]
#: True makes Airflow read a configuration for its own tests over ours.
TEST_MODE = "core.unit_test_mode"


class Home:
    """A folder for both readers and the environment that they are run with."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.env = {
            "HOME": str(path.parent),
            "AIRFLOW_HOME": str(path),
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SOMEWHERE": "/some where",
        }

    def write_cfg(self, values: dict[tuple[str, str], str], head: str = "") -> None:
        sections: dict[str, list[str]] = {}
        for (section, key), text in values.items():
            lines = text.replace("\n", "\n    ")
            sections.setdefault(section, []).append(f"{key} = {lines}")
        body = "\n\n".join("\n".join([f"[{section}]", *lines]) for section, lines in sections.items())
        self.cfg.write_text(f"{head}{body}\n", encoding="utf-8")
        self.cfg.chmod(0o600)

    @property
    def cfg(self) -> Path:
        return self.path / "airflow.cfg"

    def set(self, section: str, key: str, text: str, form: str = "") -> None:
        """Set an option in the environment."""
        self.env[f"AIRFLOW__{section.upper()}__{key.upper()}{form}"] = text

    def files(self) -> dict[str, tuple[int, int]]:
        """Every entry of the folder, with what a write would change. Airflow's database is in WAL mode."""
        found = [path for path in self.path.rglob("*") if not path.name.endswith(("-wal", "-shm"))]
        entries = {str(path.relative_to(self.path)): path.stat() for path in found}
        return {name: (entry.st_mtime_ns, entry.st_size) for name, entry in entries.items()}


class Airflow:
    """A real Airflow, and what it declares."""

    def __init__(self, python: Path, scratch: Path) -> None:
        self.python, self.scratch = python, scratch
        (declared,) = self.ask(self.home("declared"), ["airflow_declared"])
        assert declared["version"] == VERSION
        self.schema: str = declared["schema"]
        #: The folder of the packages that Airflow is among.
        self.site = str(Path(self.schema).parents[2])
        self.options: list[list[str]] = [option[:3] for option in declared["options"]]
        self.sensitive: list[tuple[str, str]] = [(s, k) for s, k, _, sensitive in declared["options"] if sensitive]
        self.renamed: list[list[str]] = declared["renamed"]
        self.choices = {(section, key): choices for section, key, choices in declared["choices"]}

    def ask(self, home: Home, *questions: list[Any]) -> list[Any]:
        """Ask questions of one process of Airflow; see airflow_home.py."""
        return _ask(self.python, home, questions)

    def ask_us(self, home: Home, *questions: list[Any]) -> list[Any]:
        """Ask questions of one process with our package."""
        return _ask(Path(sys.executable), home, questions, PYTHONPATH=self._framework())

    def run_us(self, home: Home, *words: str) -> subprocess.CompletedProcess[str]:
        """Run our command line with Airflow's Python, as if it were installed there."""
        command = [str(self.python), "-m", "framework", "--name", "airflow", *words]
        env = {**home.env, "PYTHONPATH": self._framework()}
        return subprocess.run(command, cwd=home.path.parent, env=env, capture_output=True, text=True, timeout=GUARD)

    def _framework(self) -> str:
        """A folder that holds only the framework, without the packages that may be installed with it."""
        folder = self.scratch / "framework only"
        if not folder.exists():
            folder.mkdir()
            (folder / "framework").symlink_to(Path(framework.__file__).parent)
        return str(folder)

    def home(self, name: str) -> Home:
        return Home(self.scratch / name)


def _ask(python: Path, home: Home, questions: tuple[list[Any], ...], **env: str) -> list[Any]:
    done = subprocess.run(
        [python, airflow_home.__file__],
        input=json.dumps(questions),
        cwd=home.path.parent,
        env={**home.env, **env},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    answers: list[Any] = json.loads(done.stdout)
    return answers


def airflow_python() -> Path:
    """The Python of an Airflow, named, kept or made."""
    if named := os.environ.get("FRAMEWORK_AIRFLOW_PYTHON"):
        return Path(named)
    venv = ROOT / ".airflow-venv"
    if not (venv / "bin" / "airflow").exists():
        if os.environ.get("FRAMEWORK_INSTALL_AIRFLOW") != "1":
            pytest.skip("no Airflow: set FRAMEWORK_AIRFLOW_PYTHON, or FRAMEWORK_INSTALL_AIRFLOW=1 to install one")
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run(
            [venv / "bin" / "python", "-m", "pip", "install", "-q", f"apache-airflow=={VERSION}"], check=True
        )
    return venv / "bin" / "python"


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    return Airflow(airflow_python(), tmp_path_factory.mktemp("airflow"))


# The homes


def clean(home: Home, airflow: Airflow) -> None:
    """Nothing but the folder."""


def written(home: Home, airflow: Airflow) -> None:
    """The airflow.cfg that Airflow writes when one of its commands is first run."""
    airflow.ask(home, ["airflow_commands", ["config", "list"]])
    assert home.cfg.exists()


def own_cfg(home: Home, airflow: Airflow) -> None:
    """A cfg in which every option is changed."""
    texts = cycle(
        [
            "plain text",
            "100%% sure",
            "~/folder and ~nobody-of-this-name/folder",
            "$SOMEWHERE/x:${SOMEWHERE}/y:$NOT_SET_ANYWHERE",
            "first\nsecond = 2\n  third: 3",
            "a = b ; no comment # nor this",
            "Žluťoučký kůň 🐎",
            "",
            '"quoted"',
            '{"a": [1, 2.5, null], "b": {"c": "d"}}',
            "one, two ,three,,",
            "{not a placeholder} {AIRFLOW_HOME}",
        ]
    )
    values = changed(airflow, lambda section, key: next(texts))
    values["core", "dags_folder"] = "$AIRFLOW_HOME/own dags"
    values["core", "plugins_folder"] = "%(dags_folder)s/plugins of %(security)s 5%%"
    values["core", "security"] = "~"
    values["company", "undeclared"] = "kept"
    home.write_cfg(values, head="# a comment\n; and another\n\n")


def own_environment(home: Home, airflow: Airflow) -> None:
    """Every option changed in the environment, over a cfg with other values."""
    texts = cycle(
        [
            "plain",
            "100% %(sure)s %",
            "~/x",
            "$SOMEWHERE ${NOT_SET}",
            "a\nb",
            "Ünï",
            "",
            '{"a": 1}',
            " blanks ",
            "a,b , c",
        ]
    )
    own_cfg(home, airflow)
    for (section, key), text in changed(airflow, lambda section, key: next(texts)).items():
        home.set(section, key, text)


def old_cfg(home: Home, airflow: Airflow) -> None:
    """A cfg of Airflow 2: older names of options, and values that have new names today."""
    old = "dag_id={{ ti.dag_id }}/run_id={{ ti.run_id }}/task_id={{ ti.task_id }}/"
    old += "{%% if ti.map_index >= 0 %%}map_index={{ ti.map_index }}/{%% endif %%}attempt={{ try_number }}.log"
    home.write_cfg(
        secrets_given()
        | old_names(airflow)
        | {
            ("core", "executor"): "SequentialExecutor",
            ("core", "sql_alchemy_conn"): "postgres+psycopg2://user:canary@db/old",
            ("logging", "log_filename_template"): old,
        }
    )


def old_environment(home: Home, airflow: Airflow) -> None:
    """Older names in the environment, over a cfg with the current ones."""
    current = {(new[0], new[1]): "1" for new in airflow.renamed}
    home.write_cfg(secrets_given() | changed(airflow, lambda section, key: "in the cfg") | current)
    for (section, key), text in old_names(airflow).items():
        home.set(section, key, text)
    home.env["AIRFLOW__CORE__EXECUTOR"] = "SequentialExecutor"
    home.env["AIRFLOW__CORE__SQL_ALCHEMY_CONN"] = "postgres://user:canary@db/old"


def pointers_in_environment(home: Home, airflow: Airflow) -> None:
    """Every sensitive option by `_CMD` or `_SECRET`, with Airflow's own backend for local files."""
    configs = {}
    home.write_cfg({("secrets", "backend"): BACKEND})
    for number, (section, key) in enumerate(airflow.sensitive):
        value = f"canary/{section}%2F{key} $HOME"
        if (section, key) == ("secrets", "backend_kwargs"):
            home.set(section, key, f"printf %s '{backend_kwargs(home)}'", "_CMD")
        elif number % 2:
            home.set(section, key, f"printf %s '{value}'", "_CMD")
        else:
            home.set(section, key, f"name_of_{key}", "_SECRET")
            configs[f"name_of_{key}"] = value
    write_configs(home, configs)


def pointers_in_cfg(home: Home, airflow: Airflow) -> None:
    """Every sensitive option by `_cmd` or `_secret`, and pointers that are shadowed."""
    configs, values = {}, {("secrets", "backend"): BACKEND}
    for number, (section, key) in enumerate(airflow.sensitive):
        if (section, key) == ("secrets", "backend_kwargs"):
            values[section, key] = backend_kwargs(home)
        elif number % 2:
            values[section, f"{key}_secret"] = f"name_of_{key}"
            configs[f"name_of_{key}"] = f"canary 100% from the file for {key}"
        else:
            values[section, f"{key}_cmd"] = f"printf '%%s%%s' 'canary by a command for ' {key}"
    write_configs(home, configs)
    values["core", "fernet_key"] = "canary: plain beats the command"
    values["core", "executor_cmd"] = "echo not sensitive, so no pointer"
    home.env["AIRFLOW__API__SECRET_KEY_CMD"] = "printf %s 'canary from the environment'"
    home.env["AIRFLOW__SENTRY__SENTRY_DSN"] = "canary in the environment"
    home.env["AIRFLOW__SENTRY__SENTRY_DSN_CMD"] = "false"
    home.env["AIRFLOW__CORE__PARALLELISM_CMD"] = "echo not sensitive either"
    home.write_cfg(values)


def old_pointers(home: Home, airflow: Airflow) -> None:
    """Pointers under older names, in the cfg and in the environment."""
    kwargs = {("secrets", "backend"): BACKEND, ("secrets", "backend_kwargs"): backend_kwargs(home)}
    home.write_cfg(
        {
            **kwargs,
            ("core", "fernet_key_secret"): "by_name",
            ("core", "sql_alchemy_conn_cmd"): "printf %%s canary://by.a/command",
            ("webserver", "secret_key_cmd"): "false",
            ("api_auth", "jwt_secret"): "canary as it is",
        }
    )
    write_configs(home, {"by_name": "canary by name", "old_key": "canary by an old name"})
    home.env["AIRFLOW__WEBSERVER__SECRET_KEY_SECRET"] = "old_key"


def single_kwargs(home: Home, airflow: Airflow) -> None:
    """A secrets backend whose arguments are set one by one."""
    home.write_cfg(secrets_given() | {("secrets", "backend"): BACKEND})
    home.env["AIRFLOW__SECRETS__BACKEND_KWARG__CONFIGS_FILE_PATH"] = str(home.path / "configs.json")
    home.env["AIRFLOW__SENTRY__SENTRY_DSN_SECRET"] = "dsn"
    write_configs(home, {"dsn": "https://canary@sentry.example/1"})


def elsewhere(home: Home, airflow: Airflow) -> None:
    """A home and a cfg whose places are written with variables, and the cfg that `config list` prints."""
    home.env["BASE"] = str(home.path.parent)
    home.env["AIRFLOW_HOME"] = "${BASE}/elsewhere"
    home.env["AIRFLOW_CONFIG"] = "~/elsewhere/airflow.cfg"
    home.env["AIRFLOW__CORE__FERNET_KEY"] = FERNET_KEY
    (printed,) = airflow.ask(home, ["airflow_commands", ["config", "list", "--show-values", "--exclude-providers"]])[0]
    home.cfg.write_text(printed[printed.index("[") :], encoding="utf-8")


def changed(airflow: Airflow, text: Callable[[str, str], str]) -> dict[tuple[str, str], str]:
    """A value of its type for every option, but for those that Airflow itself needs to start."""
    by_type = {"integer": "7", "float": "2.5", "boolean": "TRUE"}
    values = {}
    for section, key, type_ in airflow.options:
        choices = airflow.choices.get((section, key))
        values[section, key] = choices[-1] if choices else by_type.get(type_) or text(section, key)
        if (section, key) in airflow.sensitive:
            values[section, key] = f"canary {values[section, key]}"
    del values["core", "unit_test_mode"], values["secrets", "backend"], values["workers", "secrets_backend"]
    for section, key in (("secrets", "backend_kwargs"), ("workers", "secrets_backend_kwargs")):
        values[section, key] = '{"variables_file_path": "~/none.json"}'
    return values


def old_names(airflow: Airflow) -> dict[tuple[str, str], str]:
    """A value of its type for every renamed option, under its older name."""
    by_type = {"integer": "11", "float": "1.25", "boolean": "f"}
    types = {(section, key): type_ for section, key, type_ in airflow.options}
    values = {}
    for section, key, old_section, old_key in airflow.renamed:
        choices = airflow.choices.get((section, key))
        text = choices[0] if choices else by_type.get(types.get((section, key), ""), f"old {key}")
        if (old_section, old_key) not in types:  # else it is another option today
            values[old_section, old_key] = text
    return values


def secrets_given() -> dict[tuple[str, str], str]:
    """What would otherwise be random."""
    return {(section, key): f"canary given for {key}" for section, key in RANDOM} | {RANDOM[0]: FERNET_KEY}


def backend_kwargs(home: Home) -> str:
    return json.dumps({"configs_file_path": str(home.path / "configs.json")})


def write_configs(home: Home, configs: dict[str, str]) -> None:
    (home.path / "configs.json").write_text(json.dumps(configs))


HOMES = [
    clean,
    written,
    own_cfg,
    own_environment,
    old_cfg,
    old_environment,
    pointers_in_environment,
    pointers_in_cfg,
    old_pointers,
    single_kwargs,
    elsewhere,
]
NAME = operator.attrgetter("__name__")
#: Homes in which all of Airflow starts, and not its configuration alone.
WHOLE = {clean, written, single_kwargs, elsewhere}


class Asked:
    """One home, and what both readers return for its options."""

    def __init__(self, home: Home, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
        self.home, self.theirs, self.ours = home, theirs, ours
        #: What cannot be compared: a home without a cfg gives no value to what Airflow makes up.
        self.random = {".".join(name) for name in RANDOM} if not home.cfg.exists() else set()
        self.left_out = {TEST_MODE} | self.random

    def differences(self, ours: dict[str, Any], theirs: dict[str, Any] | None = None) -> dict[str, Any]:
        pairs = {name: (answer, ours.get(name)) for name, answer in (theirs or self.theirs).items()}
        compared = {name: tuple(map(airflow_home.comparable, pair)) for name, pair in pairs.items()}
        return {name: pair for name, pair in compared.items() if name not in self.left_out and pair[0] != pair[1]}


@pytest.fixture(scope="module", params=HOMES, ids=NAME)
def asked(request: pytest.FixtureRequest, airflow: Airflow) -> Asked:
    home = airflow.home(request.param.__name__)
    request.param(home, airflow)
    before = home.files()
    (ours,) = airflow.ask_us(home, ["framework_answers", airflow.site, airflow.schema, airflow.options])
    assert home.files() == before, "a read wrote something"
    (theirs,) = airflow.ask(home, ["airflow_answers", airflow.options, request.param in WHOLE])
    return Asked(home, theirs, ours)


def test_every_core_option_is_equal(asked: Asked, airflow: Airflow) -> None:
    assert len(asked.theirs) == len(airflow.options) > 300
    assert asked.differences(asked.ours["found"]) == {}
    for name, answer in asked.theirs.items():
        assert (answer["get"] == {"error": True}) is not answer["has_option"], f"{name} is equal because nobody answers"


def test_what_airflow_makes_up_has_no_value(asked: Asked) -> None:
    for name in asked.random:
        assert asked.ours["found"][name]["has_option"] is False


def test_a_named_schema_and_a_given_environ_answer_the_same(asked: Asked) -> None:
    assert asked.ours["named"] == asked.ours["found"]


def test_values_have_the_declared_types(asked: Asked, airflow: Airflow) -> None:
    getters = {f"{section}.{key}": airflow_home.GETTERS.get(type_, "get") for section, key, type_ in airflow.options}
    theirs = {name: answer[getters[name]] for name, answer in asked.theirs.items() if answer["get"] != ""}
    assert asked.differences(asked.ours["typed"], theirs) == {}


def test_dump(asked: Asked, airflow: Airflow) -> None:
    """In one environment with Airflow, as an operator runs it: a cfg with equal values and without a secret."""
    done = airflow.run_us(asked.home, "dump")
    assert done.returncode == 0, done.stderr
    secrets = [str(asked.theirs[f"{section}.{key}"]["get"]) for section, key in airflow.sensitive]
    assert not [secret for secret in ["canary", *secrets] if len(secret) > 4 and secret in done.stdout + done.stderr]
    shown = ConfigParser()
    shown.read_string(done.stdout)
    declared = {(section, key) for section, key, _ in airflow.options}
    values = {(s, k): shown[s][k] for s in shown.sections() for k in shown[s] if (s, k) in declared}
    assert not set(values) & set(airflow.sensitive)
    assert len(values) > 250
    theirs = {f"{s}.{k}": asked.theirs[f"{s}.{k}"]["get"] for s, k in values}
    assert asked.differences({f"{s}.{k}": text for (s, k), text in values.items()}, theirs) == {}


@pytest.mark.parametrize("asked", [own_cfg, pointers_in_cfg], indirect=True, ids=NAME)
def test_airflow_reads_the_dump(asked: Asked, airflow: Airflow) -> None:
    """With `dump --show-secrets` as its airflow.cfg, Airflow answers as it did."""
    done = airflow.run_us(asked.home, "dump", "--show-secrets")
    assert done.returncode == 0, done.stderr
    again = airflow.home(f"{asked.home.path.name}_dumped")
    again.cfg.write_text(done.stdout, encoding="utf-8")
    again.env["AIRFLOW_CONFIG"], again.env["AIRFLOW_HOME"] = str(again.cfg), str(asked.home.path)
    (answers,) = airflow.ask(again, ["airflow_answers", airflow.options, False])
    assert asked.differences(answers) == {}


# The metastore


CONNECTIONS: dict[str, list[str]] = {
    "uri": ["--conn-uri", "postgres://user:canary-p%40ss%2F@db.example:5432/schema?sslmode=require&retries=5"],
    "uri_described": ["--conn-uri", "mysql://root@localhost", "--conn-description", "Für „alle“ 🐎"],
    "uri_bare": ["--conn-uri", "fs://"],
    "uri_http": ["--conn-uri", "http://https%3A%2F%2Fapi.example%2Fv1:443"],
    "uri_protocol": ["--conn-uri", "http://https://api.example:8443/v1"],
    "uri_dash": ["--conn-uri", "google-cloud-platform://?project=p&num_retries=5"],
    "uri_capital": ["--conn-uri", "ssh://User:canary-PASS@HOST.Example:22/"],
    "uri_ipv6": ["--conn-uri", "redis://:canary-redis@[::1]:6379/0"],
    "uri_extra": [
        "--conn-uri",
        "aws://?__extra__=%7B%22region%22%3A+%22eu%22%2C+%22n%22%3A+%7B%22a%22%3A+%5B1%5D%7D%7D",
    ],
    "uri_odd": ["--conn-uri", "spark://k8s%3A%2F%2Fhost:99/a%20b?x=%25&y=%C3%A9&z="],
    "json": ["--conn-json", '{"conn_type": "postgres", "host": "h", "port": 5432, "extra": {"a": {"b": [1, null]}}}'],
    "json_texts": ["--conn-json", '{"conn_type": "aws", "login": "", "port": "99", "extra": "{\\"x\\": \\"ž\\"}"}'],
    "json_uri": ["--conn-json", '{"uri": "ftp://u:canary-ftp@h:21/s"}'],
    "fields": [
        *["--conn-type", "fs", "--conn-host", "hôst", "--conn-login", "log in", "--conn-password", "canary %s $HOME"],
        *["--conn-schema", "sch/ema?", "--conn-port", "65535", "--conn-description", "several\nlines"],
        *["--conn-extra", '{"path": "/ä", "secret": "canary-extra", "n": 1.5}'],
    ],
    "type_alone": ["--conn-type", "fs"],
    "unknown_type": ["--conn-type", "made_up_type", "--conn-host", "h"],
    "dotted.and-dashed": ["--conn-uri", "sqlite:///tmp/x.db"],
}
VARIABLES: dict[str, list[str]] = {
    "text": ["plain text"],
    "empty": [""],
    "unicode": ["Žluťoučký kůň\n🐎\t"],
    "looks_like_json": ['{"a": [1, 2.5, null, "ü"]}'],
    "serialized": ["as text", "--json"],
    "described": ["value", "--description", "what it is for: 100 %"],
    "long": ["canary " * 20_000],
    "odd": ["  %(x)s $HOME ~ {{ var }} 'quotes\" \\ "],
    "Upper.case-key/with:all": ["1"],
    "api_password": ["canary-variable"],
}


@pytest.fixture(scope="module")
def metastore(airflow: Airflow) -> tuple[Home, dict[str, Any]]:
    """A home with a database of Airflow's own, filled by its commands, and the rows as Airflow reads them."""
    home = airflow.home("metastore")
    lines = [["db", "migrate"]]
    lines += [["connections", "add", name, *words] for name, words in CONNECTIONS.items()]
    lines += [["variables", "set", name, *words] for name, words in VARIABLES.items()]
    _, rows = airflow.ask(home, ["airflow_commands", *lines], ["airflow_rows"])
    return home, rows


def test_rows_that_airflow_writes(metastore: tuple[Home, dict[str, Any]], airflow: Airflow) -> None:
    home, rows = metastore
    before = home.files()
    app = App("airflow", home=str(home.path), schema=airflow.schema, environ={"HOME": str(home.path.parent)})
    assert set(rows["connections"]) >= set(CONNECTIONS)
    assert set(rows["variables"]) == set(VARIABLES)
    ours = {name: airflow_home.fields_of(app.get_connection(name)) for name in rows["connections"]}
    assert {name: (ours[name], row) for name, row in rows["connections"].items() if ours[name] != row} == {}
    assert {name: app.get_variable(name) for name in rows["variables"]} == rows["variables"]
    assert app.get_variable("serialized", deserialize_json=True) == "as text"
    assert app.list_names("connection") == sorted(rows["connections"])
    assert app.list_names("variable") == sorted(VARIABLES)
    with pytest.raises(errors.VariableNotFound):
        app.get_variable("nobody's")
    assert home.files() == before, "a read wrote something"


def test_rows_that_we_write(metastore: tuple[Home, dict[str, Any]], airflow: Airflow) -> None:
    home, rows = metastore
    made = [{**row, "conn_id": f"ours_{name}"} for name, row in rows["connections"].items()]
    made += [
        {"conn_id": "ours_all", "conn_type": "http", "host": "h", "login": "ž", "password": "canary 🐎", "port": 1},
        {"conn_id": "ours_dict", "conn_type": "aws", "extra": {"key": "canary-ü", "deep": {"n": [1, None, 2.5]}}},
        {
            "conn_id": "ours_empty",
            "conn_type": "fs",
            "host": "",
            "login": "",
            "password": "",
            "schema": "",
            "extra": "",
        },
        {"conn_id": "uri", "conn_type": "changed", "description": "over Airflow's row", "password": "canary-new"},
    ]
    for connection in made:
        connection.pop("extra_dejson", None)
        connection.pop("uri", None)
    texts = {f"ours_{name}": text for name, text in rows["variables"].items()}
    changes: list[list[Any]] = [["store.set_connection", connection] for connection in made]
    changes += [["Variable.set", name, text, f"about {name}"] for name, text in texts.items()]
    changes += [
        ["Variable.set", "ours_json", {"a": [1, "ü", None]}, None, True],
        ["Variable.set", "text", "ours over Airflow's"],
        ["Variable.update", "described", "updated"],
        ["Variable.delete", "looks_like_json"],
        ["store.delete_connection", "uri_bare"],
    ]
    (results,) = airflow.ask_us(home, ["framework_writes", airflow.site, changes])
    assert results[-2:] == [1, 1]

    names = ["ours_unicode", "ours_odd"]
    commands = [["variables", "get", name] for name in names] + [["connections", "get", "ours_all", "-o", "json"]]
    printed, after, alive = airflow.ask(
        home, ["airflow_commands", *commands], ["airflow_rows"], ["airflow_commands", ["db", "check"]]
    )
    assert printed[:2] == [f"{texts[name]}\n" for name in names]
    assert json.loads(printed[2])[0]["password"] == "canary 🐎"
    assert alive
    assert after["in clear"] == []

    expected = {name: row for name, row in rows["connections"].items() if name != "uri_bare"}
    expected |= {fields["conn_id"]: airflow_home.fields_of(Connection(**fields)) for fields in made}
    assert {name: (row, expected[name]) for name, row in after["connections"].items() if row != expected[name]} == {}
    assert set(after["connections"]) == set(expected)

    variables = {**rows["variables"], **texts, "text": "ours over Airflow's", "described": "updated"}
    del variables["looks_like_json"]
    assert json.loads(after["variables"].pop("ours_json")) == {"a": [1, "ü", None]}
    assert after["variables"] == variables
    assert after["descriptions"]["described"] == "what it is for: 100 %"
    assert after["descriptions"]["ours_odd"] == "about ours_odd"


def test_dump_of_connections_and_variables(metastore: tuple[Home, dict[str, Any]], airflow: Airflow) -> None:
    done = airflow.run_us(metastore[0], "dump", "--connections", "--variables", "--format", "json")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert {*CONNECTIONS} - {"uri_bare"} <= set(shown["connections"])
    assert {*VARIABLES} - {"looks_like_json", "long"} <= set(shown["variables"])
    del shown["variables"]["long"]  # not of a secret's name, and so it is shown
    assert "canary" not in json.dumps({**shown, "variables": shown["variables"]["api_password"]}) + done.stderr

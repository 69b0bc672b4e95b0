"""`App("airflow")` beside the real thing: one home, two readers, equal answers.

Needs Apache Airflow 3.3.2 in a venv of its own: `FRAMEWORK_AIRFLOW_PYTHON` names its Python, or
`FRAMEWORK_INSTALL_AIRFLOW=1` makes `.airflow-venv` beside this repository's `tests`, once. Otherwise skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from itertools import cycle
from pathlib import Path
from typing import Any

import airflow_home
import pytest

import framework
from framework import App, Connection, errors

ROOT = Path(__file__).parents[1]
VERSION = "3.3.2"
BACKEND = "airflow.secrets.local_filesystem.LocalFilesystemBackend"
FERNET_KEY = "cFGXmjfoTK7Fmq8nJ-aJVm0iH5S7hD1TfnwK0Xh6Rfs="

#: Without a value of their own, Airflow makes them up, in every process anew.
RANDOM = {"core.fernet_key", "api.secret_key", "api_auth.jwt_secret"}
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

    def option(self, section: str, key: str, form: str = "") -> str:
        return f"AIRFLOW__{section.upper()}__{key.upper()}{form}"

    def entries(self) -> list[str]:
        """What Airflow does not make by being imported."""
        return sorted(str(p.relative_to(self.path)) for p in self.path.rglob("*") if p.parts[-1] != "logs")


class Airflow:
    """A real Airflow, and what it declares."""

    def __init__(self, python: Path, scratch: Path) -> None:
        self.python, self.scratch = python, scratch
        self.site = str(Path(self._run(python, "import sysconfig as s; print(s.get_path('purelib'))", scratch).strip()))
        (declared,) = self.ask(Home(scratch / "declared"), ["airflow_declared"])
        self.schema: str = declared["schema"]
        self.options: list[list[str]] = [option[:3] for option in declared["options"]]
        self.sensitive: list[tuple[str, str]] = [(s, k) for s, k, _, sensitive in declared["options"] if sensitive]
        self.renamed: list[list[str]] = declared["renamed"]
        self.choices = {(section, key): choices for section, key, choices in declared["choices"]}

    @staticmethod
    def _run(python: Path, code: str, cwd: Path) -> str:
        return subprocess.run([python, "-c", code], cwd=cwd, capture_output=True, text=True, check=True).stdout

    def ask(self, home: Home, *questions: list[Any]) -> list[Any]:
        return ask(str(self.python), home, *questions)

    def home(self, name: str) -> Home:
        return Home(self.scratch / name)


def ask(python: str, home: Home, *questions: list[Any], **env: str) -> list[Any]:
    """Put questions to one process; see airflow_home.py."""
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
    told: list[Any] = json.loads(done.stdout)
    return told


def airflow_python() -> Path:
    """The Python of an Airflow, named, kept or made."""
    if named := os.environ.get("FRAMEWORK_AIRFLOW_PYTHON"):
        return Path(named)
    venv = ROOT / ".airflow-venv"
    if not (venv / "bin" / "airflow").exists():
        if os.environ.get("FRAMEWORK_INSTALL_AIRFLOW") != "1":
            pytest.skip("no Airflow: set FRAMEWORK_AIRFLOW_PYTHON, or FRAMEWORK_INSTALL_AIRFLOW=1 to install one")
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin" / "python", "-m", "pip", "install", "-q", f"apache-airflow=={VERSION}"], check=True)
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
    """Every option changed in the environment, over a cfg that says something else."""
    texts = cycle(
        ["plain", "100% %(sure)s %", "~/x", "$SOMEWHERE ${NOT_SET}", "a\nb", "Ünï", "", '{"a": 1}', " blanks ", "a,b , c"]
    )
    own_cfg(home, airflow)
    for (section, key), text in changed(airflow, lambda section, key: next(texts)).items():
        home.env[home.option(section, key)] = text


def old_cfg(home: Home, airflow: Airflow) -> None:
    """A cfg of Airflow 2: older names of options, and values that are called otherwise today."""
    old = "dag_id={{ ti.dag_id }}/run_id={{ ti.run_id }}/task_id={{ ti.task_id }}/"
    old += "{%% if ti.map_index >= 0 %%}map_index={{ ti.map_index }}/{%% endif %%}attempt={{ try_number }}.log"
    home.write_cfg(
        secrets_given(airflow)
        | old_names(airflow)
        | {
            ("core", "executor"): "SequentialExecutor",
            ("core", "sql_alchemy_conn"): "postgres+psycopg2://user:made-up@db/old",
            ("logging", "log_filename_template"): old,
        }
    )


def old_environment(home: Home, airflow: Airflow) -> None:
    """Older names in the environment, over a cfg with the current ones."""
    current = {(new[0], new[1]): "1" for new in airflow.renamed}
    home.write_cfg(secrets_given(airflow) | changed(airflow, lambda section, key: "in the cfg") | current)
    for (section, key), text in old_names(airflow).items():
        home.env[home.option(section, key)] = text
    home.env["AIRFLOW__CORE__EXECUTOR"] = "SequentialExecutor"
    home.env["AIRFLOW__CORE__SQL_ALCHEMY_CONN"] = "postgres://user:made-up@db/old"


def pointers_in_environment(home: Home, airflow: Airflow) -> None:
    """Every sensitive option by `_CMD` or `_SECRET`, with Airflow's own backend for local files."""
    configs = {}
    home.write_cfg(secrets_given(airflow) | {("secrets", "backend"): BACKEND})
    for number, (section, key) in enumerate(airflow.sensitive):
        value = secrets_given(airflow)[section, key] if f"{section}.{key}" in RANDOM else f"ptr/{section}%2F{key} $HOME"
        if (section, key) == ("secrets", "backend_kwargs"):
            command = ["printf", "%s", f"'{backend_kwargs(home)}'"]
            home.env[home.option(section, key, "_CMD")] = " ".join(command)
        elif number % 2:
            home.env[home.option(section, key, "_CMD")] = f"printf %s '{value}'"
        else:
            home.env[home.option(section, key, "_SECRET")] = f"name_of_{key}"
            configs[f"name_of_{key}"] = value
    write_configs(home, configs)


def pointers_in_cfg(home: Home, airflow: Airflow) -> None:
    """Every sensitive option by `_cmd` or `_secret`, and pointers that somebody shadows."""
    configs, values = {}, {("secrets", "backend"): BACKEND}
    for number, (section, key) in enumerate(airflow.sensitive):
        if (section, key) == ("secrets", "backend_kwargs"):
            values[section, key] = backend_kwargs(home)
        elif number % 2:
            values[section, f"{key}_secret"] = f"name_of_{key}"
            configs[f"name_of_{key}"] = f"100% from the file for {key}"
        else:
            values[section, f"{key}_cmd"] = f"printf '%%s%%s' 'by a command for ' {key}"
    write_configs(home, configs)
    values["core", "fernet_key"] = "plain beats the command"
    values["core", "executor_cmd"] = "echo not sensitive, so no pointer"
    home.env["AIRFLOW__API__SECRET_KEY_CMD"] = "printf %s 'from the environment'"
    home.env["AIRFLOW__SENTRY__SENTRY_DSN"] = "plain in the environment"
    home.env["AIRFLOW__SENTRY__SENTRY_DSN_CMD"] = "false"
    home.env["AIRFLOW__CORE__PARALLELISM_CMD"] = "echo not sensitive either"
    home.write_cfg(values)


def single_kwargs(home: Home, airflow: Airflow) -> None:
    """A secrets backend whose arguments are set one by one."""
    home.write_cfg(secrets_given(airflow) | {("secrets", "backend"): BACKEND})
    del home.env["LC_ALL"]
    home.env["AIRFLOW__SECRETS__BACKEND_KWARG__CONFIGS_FILE_PATH"] = str(home.path / "configs.json")
    home.env["AIRFLOW__SENTRY__SENTRY_DSN_SECRET"] = "dsn"
    write_configs(home, {"dsn": "https://made-up@sentry.example/1"})


def changed(airflow: Airflow, text: Callable[[str, str], str]) -> dict[tuple[str, str], str]:
    """A value of its type for every option, but for those that Airflow itself needs to start."""
    by_type = {"integer": "7", "float": "2.5", "boolean": "TRUE"}
    values = {}
    for section, key, type_ in airflow.options:
        choices = airflow.choices.get((section, key))
        values[section, key] = choices[-1] if choices else by_type.get(type_) or text(section, key)
    del values["core", "unit_test_mode"], values["secrets", "backend"], values["workers", "secrets_backend"]
    for section, key in (("secrets", "backend_kwargs"), ("workers", "secrets_backend_kwargs")):
        values[section, key] = '{"variables_file_path": "~/none.json"}'
    return values


def old_names(airflow: Airflow) -> dict[tuple[str, str], str]:
    types = {(section, key): type_ for section, key, type_ in airflow.options}
    by_type = {"integer": "11", "float": "1.25", "boolean": "f"}
    return {
        (section, key): airflow.choices.get((new[0], new[1]), [by_type.get(types.get((new[0], new[1]), ""), f"old {key}")])[0]
        for *new, section, key in airflow.renamed
        if [section, key] not in [name[:2] for name in airflow.options]
    }


def secrets_given(airflow: Airflow) -> dict[tuple[str, str], str]:
    """What would otherwise be random."""
    given = {tuple(name.split(".")): f"given for {name}" for name in RANDOM}
    return {**given, ("core", "fernet_key"): FERNET_KEY}  # type: ignore[dict-item]


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
    single_kwargs,
]


class Asked:
    """One home, and what both readers say of it."""

    def __init__(self, home: Home, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
        self.home, self.theirs, self.ours = home, theirs, ours


@pytest.fixture(scope="module", params=HOMES, ids=lambda make: make.__name__)
def asked(request: pytest.FixtureRequest, airflow: Airflow) -> Asked:
    home = airflow.home(request.param.__name__)
    request.param(home, airflow)
    before = home.entries()
    (ours,) = ask(sys.executable, home, ["framework_answers", airflow.site, airflow.schema, airflow.options], **our_path(airflow))
    assert home.entries() == before, "a read wrote something"
    (theirs,) = airflow.ask(home, ["airflow_answers", airflow.options])
    return Asked(home, theirs, ours)


def our_path(airflow: Airflow) -> dict[str, str]:
    """Where the framework alone is, without the packages that may be beside it."""
    folder = airflow.scratch / "framework only"
    if not folder.exists():
        folder.mkdir()
        (folder / "framework").symlink_to(Path(framework.__file__).parent)
    return {"PYTHONPATH": str(folder)}


def left_out(asked: Asked) -> set[str]:
    return {TEST_MODE} | (RANDOM if not asked.home.cfg.exists() else set())


def differences(theirs: dict[str, Any], ours: dict[str, Any], skipped: set[str]) -> dict[str, Any]:
    return {name: (theirs[name], ours.get(name)) for name in theirs if name not in skipped and theirs[name] != ours[name]}


def test_every_core_option_is_equal(asked: Asked, airflow: Airflow) -> None:
    assert len(asked.theirs) == len(airflow.options) > 300
    assert differences(asked.theirs, asked.ours["found"], left_out(asked)) == {}

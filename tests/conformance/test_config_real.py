"""A whole Airflow home: which files are read, what is upgraded, what fails at start, and what is never written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from framework import masking
from framework.app import App

from .harness import Case, Refusal, Row, attempt, decode, encode, environment, hide_tmp, of_file, write_files
from .test_airflow_defaults import schema_of_airflow
from .test_config_precedence import listed, with_warnings

#: What Airflow reads when it is imported, and replaces there if it is outdated.
UPGRADED = (("database", "sql_alchemy_conn"), ("core", "executor"))


def unique(items: list[Any]) -> list[Any]:
    return [item for number, item in enumerate(items) if item not in items[:number]]


def rows_of(case: Case) -> Iterator[Row]:
    for name, expected in case.data["expect"].items():
        if name == "gets":
            for number, get in enumerate(expected):
                answer = {key: get[key] for key in ("value", "error") if key in get}
                yield Row(f"gets[{number}]", {"get": answer, "warnings": unique(get.get("warnings", []))}, get)
        elif name == "import_warnings":
            yield Row(name, unique(expected))
        else:
            yield Row(name, expected)


@of_file("config_real.json", rows=rows_of)
def test_home(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr("framework.masking.masker._masker", masking.Masker())
    write_files(case.data.get("extra_files"), tmp_path)
    if "cfg" in case.data:
        write_files({"home/airflow.cfg": case.data["cfg"]}, tmp_path)
        (tmp_path / "home/airflow.cfg").chmod(0o600)
    (tmp_path / "home").mkdir(exist_ok=True)
    before = sorted(tmp_path.rglob("*"))
    schema = schema_of_airflow(Path(request.config.getoption("oracle")))
    start = Start(lambda: environment(tmp_path, case.data["env"]), schema)
    for row in case.rows.values():
        case.compare(row.name, lambda row=row: hide_tmp(encode(ask(case, row, start)), tmp_path))  # type: ignore[misc]
    assert sorted(tmp_path.rglob("*")) == before, "reads never write"


class Start:
    """Makes applications, each with its own environment."""

    def __init__(self, variables: Callable[[], dict[str, str]], schema: dict[str, Any]) -> None:
        self._variables, self._schema = variables, schema

    def app(self) -> App:
        self.before, self.after = self._variables(), self._variables()
        return App("airflow", schema=self._schema, environ=self.after)

    def started(self) -> App:
        """An application that has read what Airflow reads when it is imported."""
        app = self.app()
        for name in UPGRADED:
            app.conf.get(*name)
        return app


def ask(case: Case, row: Row, start: Start) -> Any:
    if row.key == "gets":
        app, _ = with_warnings(start.started, [])
        name = row.data["section"], row.data["key"]
        getter = getattr(app.conf, getter_of(case, row))
        answer, warned = with_warnings(lambda: attempt(lambda: getter(*name)), row.expected["warnings"])
        return {"get": answer if isinstance(answer, Refusal) else {"value": answer}, "warnings": warned}
    return {
        "import": lambda: imported(start),
        "airflow_home": lambda: start.app().home,
        "airflow_config": lambda: start.app().main_file()[0],
        "import_warnings": lambda: with_warnings(start.started, row.expected)[1],
        "upgraded": lambda: [] if start.started() else None,
        "env_now": lambda: changed(start),
        "env_gone": lambda: [name for name in start.before if name not in start.after] if start.started() else None,
        "written": lambda: Path(start.started().main_file()[0]).exists(),
        "mode": lambda: None,
        "as_dict": lambda: without_defaults(case, start),
    }[row.name]()


def getter_of(case: Case, row: Row) -> str:
    """The data do not say which getter was asked: the type of what it gave does."""
    if "error" in row.data:
        return "getboolean" if case.data["group"] == "typed" else "get"
    return {bool: "getboolean", int: "getint", float: "getfloat", list: "getlist"}.get(type(row.data["value"]), "get")


def imported(start: Start) -> str:
    """What fails in Airflow at its import fails here when it is read, and is reported by `check`."""
    app = start.started()
    for name in app.engine.entries():
        option = app.schema.option(*name)
        if option is not None and option.choices and app.conf.has_option(*name):
            app.conf.value(*name)
    app.conf.getboolean("core", "unit_test_mode")
    return ", ".join(type(link.backend).__name__ for link in app.chain.links)


def changed(start: Start) -> dict[str, str]:
    start.started()
    return {name: value for name, value in start.after.items() if start.before.get(name) != value}


def without_defaults(case: Case, start: Start) -> dict[str, Any]:
    table = listed(start.started(), {"hidden": "source"}.get(decode(case.data["as_dict"]), "source_sensitive"))
    found = {s: {k: v for k, v in options.items() if v[1] != "default"} for s, options in table.items()}
    return {section: options for section, options in found.items() if options}

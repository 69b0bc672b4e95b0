"""Every option of a real Airflow and its providers, in a clean environment."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from framework.app import App

from .harness import Case, Row, environment, hide_tmp, of_file

GETTERS = ("get", "getint", "getboolean", "getfloat")


def rows_of(case: Case) -> Iterator[Row]:
    for name in (*GETTERS, "type", "sensitive", "has_option", "is_sensitive"):
        if name in case.data:
            expected = case.data[name]
            yield Row(name, expected or "string" if name == "type" else expected)  # no type: it is text


@functools.cache
def schema_of_airflow(oracle: Path) -> dict[str, Any]:
    """The schema of Airflow and its providers, in the shape of a `config.yml`."""
    raw = json.loads((oracle / "airflow_schema.json").read_text(encoding="utf-8"))
    schema: dict[str, Any] = {}
    for part in ("sections", "provider_sections"):
        for section, content in raw[part].items():
            options = schema.setdefault(section, {"options": {}})["options"]
            for key, option in content["options"].items():
                reason = "see the release notes" if option.get("has_deprecation_reason") else None
                options[key] = {**option, "deprecation_reason": reason}
    return schema


@pytest.fixture(scope="module")
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> App:
    oracle = Path(request.config.getoption("oracle"))
    tmp = tmp_path_factory.mktemp("clean")
    return App("airflow", schema=schema_of_airflow(oracle), environ=environment(tmp, home="{TMP}"))


@of_file("airflow_defaults.json", rows=rows_of)
def test_default(case: Case, app: App) -> None:
    section, key = case.data["section"], case.data["option"]
    option = app.schema.option(section, key)
    assert option is not None
    for name in case.rows:
        if name in GETTERS:
            case.compare(name, lambda name=name: answered(case, app, name))  # type: ignore[misc]
        elif name in ("type", "sensitive"):
            case.compare(name, lambda name=name: getattr(option, name))  # type: ignore[misc]
        else:
            case.compare(name, lambda name=name: getattr(app.conf, name)(section, key))  # type: ignore[misc]


def answered(case: Case, app: App, getter: str) -> dict[str, Any]:
    value = getattr(app.conf, getter)(case.data["section"], case.data["option"])
    value = hide_tmp(value, app.home).replace("{TMP}", "{AIRFLOW_HOME}") if isinstance(value, str) else value
    return {"value": value}


def test_sections_are_in_airflows_order(request: pytest.FixtureRequest, app: App) -> None:
    path = Path(request.config.getoption("oracle")) / "airflow_defaults.json"
    if not path.exists():
        pytest.skip("the folder has no airflow_defaults.json")
    order = json.loads(path.read_text(encoding="utf-8"))["section_order"]
    assert [section for section in app.conf.sections() if section in order] == order

"""Every getter over every kind of text: from the environment, a file, a default, a fallback, or from nowhere."""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path
from typing import Any

from framework.app import App
from framework.errors import ConfigFileError

from .harness import Case, decode, environment, of_file

DELIMITERS = {"getlist[;]": ";", "getlist[nl]": "\n"}


@of_file("config_getters.json")
def test_getters(case: Case, tmp_path: Path) -> None:
    section, key, source = case.shared["section"], case.shared["key"], case.data["source"]
    schema: dict[str, Any] = {name: {"options": {}} for name in (*case.shared["schema_options"], section)}
    for name, options in case.shared["schema_options"].items():
        schema[name]["options"] = {option: {"default": default} for option, default in options.items()}
    if source == "default":
        schema[section]["options"][key] = {"default": decode(case.data["default"])}
    variables = environment(tmp_path, case.shared["env"], home=case.shared["default_variables"]["AIRFLOW_HOME"])
    if source == "env":
        variables[f"AIRFLOW__{section.upper()}__{key.upper()}"] = case.data["value"]
    cfg = tmp_path / "airflow.cfg"
    cfg.write_text(case.data.get("cfg", ""), encoding="utf-8", newline="")

    def app() -> App:
        return App("airflow", schema=schema, config=str(cfg), environ=variables)

    if "load" in case.rows:
        case.compare("load", lambda: loaded(case, app))
        return
    fallback = {"fallback": decode(case.data["fallback"])} if "fallback" in case.data else {}
    for row in case.rows.values():
        case.compare(row.name, asking(case, row.name.partition(".")[2], app, section, key, fallback))


def loaded(case: Case, app: Callable[[], App]) -> dict[str, Any]:
    """The option, if the file or schema is taken after all; an error names the lines that Airflow's names."""
    try:
        return {"value": app().conf.get(case.shared["section"], case.shared["key"])}
    except ConfigFileError as error:
        expected = case.rows["load"].expected
        for line in expected.get("lines", [expected["lineno"]] if "lineno" in expected else []):
            if not error.where.endswith(f":{line}"):
                raise AssertionError(f"{error} does not name line {line}") from None
        raise


def asking(
    case: Case, getter: str, app: Callable[[], App], section: str, key: str, fallback: dict[str, Any]
) -> Callable[[], Any]:
    members = enum.Enum("Letters", case.shared["enum"])  # type: ignore[misc]

    def ask() -> dict[str, Any]:
        conf = app().conf
        if getter == "has_option":
            return {"value": conf.has_option(section, key)}
        name, _, delimited = getter.partition("[")
        arguments = [members] if name in ("getenum", "getenumlist") else []
        more = {"delimiter": DELIMITERS[getter]} if delimited else {}
        return {"value": getattr(conf, name)(section, key, *arguments, **fallback, **more)}

    return ask

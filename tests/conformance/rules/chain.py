"""Connections and variables through the chain."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from framework import errors

from ..harness import Case, Refusal, Row, check, predicate, same


def kind_of(row: Row) -> str:
    return "connections" if "Connection" in row.data["op"] else "variables"


@predicate
def broken_file_in_the_chain(case: Case, row: Row) -> bool:
    """The secrets file that would be asked first cannot be read, or gives one name two values."""
    from framework.backends import local_filesystem

    load = {"variables": local_filesystem.load_variables, "connections": local_filesystem.load_connections_dict}
    kwargs = json.loads((case.inputs.get("env") or {}).get("AIRFLOW__SECRETS__BACKEND_KWARGS") or "{}")
    named = kwargs.get(f"{kind_of(row)[:-1]}s_file_path", "").removeprefix("{TMP}/")
    if not named:
        return False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, named)
        if named in case.inputs.get("files", {}):
            path.write_text(case.inputs["files"][named], encoding="utf-8")
        try:
            load[kind_of(row)](str(path))
        except errors.FrameworkError:
            return True
    return False


@predicate
def unreadable_variable_in_the_chain(case: Case, row: Row) -> bool:
    """`AIRFLOW_CONN_…` holds no connection."""
    text = (case.inputs.get("env") or {}).get(f"AIRFLOW_CONN_{str(row.data.get('conn_id')).upper()}")
    if kind_of(row) != "connections" or text is None:
        return False
    from framework.connection import Connection

    try:
        Connection.from_json(text) if text.startswith("{") else Connection.from_uri(uri=text)
    except errors.InvalidConnection:
        return True
    return False


@check
def failure_stops(case: Case, row: Row, got: Any) -> bool:
    """A read fails; a write is done, and warns of the links that can be asked."""
    warnings = [entry for entry in row.expected["log"] if entry["level"] == "warning"]
    if row.data["op"] in ("Variable.set", "Variable.update", "Variable.delete"):
        return same({**row.expected, "log": warnings}, got)
    answer = got["get"]
    return isinstance(answer, Refusal) and isinstance(answer.error, errors.InvalidSecret) and not got["log"]


@predicate
def variable_changes_under_a_cache(case: Case, row: Row) -> bool:
    return bool(row.data.get("setenv")) and (case.inputs.get("env") or {}).get("AIRFLOW__SECRETS__USE_CACHE") == "True"


@check
def read_live(case: Case, row: Row, got: Any) -> bool:
    """The text that the variable holds now."""
    now = row.data["setenv"][-1]["value"]
    value = got["get"]["value"]
    if isinstance(value, dict):
        from framework.connection import Connection

        made = Connection.from_uri(uri=now)
        return (value["connection"]["conn_type"], value["connection"]["host"]) == (made.conn_type, made.host)
    return bool(value == now)


@predicate
def name_like_a_teams(case: Case, row: Row) -> bool:
    """`a___b`, which Airflow keeps for teams when it serves several."""
    return "___" in str(row.data.get("key", row.data.get("conn_id"))) and "team_name" not in row.data


@check
def found_by_its_name(case: Case, row: Row, got: Any) -> bool:
    name = str(row.data.get("key", row.data.get("conn_id"))).upper()
    value, env = got["get"]["value"], case.inputs["env"]
    if isinstance(value, dict):
        return bool(env[f"AIRFLOW_CONN_{name}"].startswith(value["connection"]["conn_type"] + "://"))
    return bool(value == env[f"AIRFLOW_VAR_{name}"])

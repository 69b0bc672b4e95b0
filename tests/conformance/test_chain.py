"""Connections and variables through the chain: local files, the environment, a metastore in Airflow's shape."""

from __future__ import annotations

import functools
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from framework import current, masking
from framework.app import App
from framework.connection import Connection
from framework.metastore.crypto import Keys
from framework.variable import Variable

from .harness import Case, Refusal, Row, attempt, decode, encode, environment, hide_tmp, of_file, write_files
from .test_airflow_defaults import schema_of_airflow
from .test_connections import ATTRIBUTES, fields_of

#: What Airflow 3.3 makes, as far as it matters here.
TABLES = """
    CREATE TABLE connection (id INTEGER NOT NULL PRIMARY KEY, conn_id VARCHAR(250) NOT NULL UNIQUE,
        conn_type VARCHAR(500) NOT NULL, description VARCHAR(5000), host VARCHAR(500), schema VARCHAR(500), login TEXT,
        port INTEGER, team_name VARCHAR(50), password TEXT, extra TEXT, is_encrypted BOOLEAN NOT NULL,
        is_extra_encrypted BOOLEAN NOT NULL);
    CREATE TABLE variable (id INTEGER NOT NULL PRIMARY KEY, "key" VARCHAR(250) NOT NULL UNIQUE, val TEXT NOT NULL,
        description TEXT, is_encrypted BOOLEAN NOT NULL, team_name VARCHAR(50));
"""


def rows_of(case: Case) -> Iterator[Row]:
    for number, step in enumerate(case.data["steps"]):
        answer = {"error": step["error"]["error"]} if "error" in step else {"value": step["result"]}
        earlier = [before for before in case.data["steps"][:number] if before["op"] == "setenv"]
        yield Row(f"steps[{number}]", {"get": answer, "log": step.get("log", [])}, {**step, "setenv": earlier})


@of_file("chain.json", rows=rows_of)
def test_chain(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr("framework.masking.masker._masker", masking.Masker())
    write_files(case.data.get("files"), tmp_path)
    variables = environment(tmp_path, case.shared["base_env"], case.data.get("env"))
    path = tmp_path / "home/airflow.db"
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.executescript(TABLES)
    schema = schema_of_airflow(Path(request.config.getoption("oracle")))
    app = App("airflow", schema=schema, environ=variables)
    fill(case, path, variables["AIRFLOW__CORE__FERNET_KEY"])
    secrets = [row[name] for row in case.data.get("connections", []) for name in ("password", "uri") if name in row]
    before = current.use(app)
    try:
        for row in case.rows.values():
            ask = functools.partial(asked, app, variables, path, row)
            case.compare(row.name, lambda ask=ask: hide_tmp(encode(ask()), tmp_path), secrets=secrets)  # type: ignore[misc]
    finally:
        current.use(before)


def fill(case: Case, path: Path, key: str) -> None:
    """The rows of the case, encrypted as Airflow does it; a team's rows by SQL."""
    keys, teams = Keys(key), []
    from framework.metastore import database as databases
    from framework.metastore.store import Store

    store = Store(databases.open(f"sqlite:///{path}", create=False), keys)
    for row in case.data.get("variables", []):
        store.set_variable(row["key"], decode(row["val"]), row.get("description"))
        teams.append(("variable", "key", row["key"], row.get("team_name")))
    for row in case.data.get("connections", []):
        fields = {name: value for name, value in row.items() if name != "team_name"}
        store.set_connection(Connection(**fields))
        teams.append(("connection", "conn_id", row["conn_id"], row.get("team_name")))
    with closing(sqlite3.connect(path)) as database:
        for table, column, name, team in teams:
            database.execute(f'UPDATE {table} SET team_name = ? WHERE "{column}" = ?', (team, name))
        for statement in case.data.get("raw_sql", []):
            database.execute(statement)
        database.commit()


def asked(app: App, variables: dict[str, str], path: Path, row: Row) -> dict[str, Any]:
    step = row.data
    asks: dict[str, Callable[[], Any]] = {
        "Connection.get_connection_from_secrets": lambda: {
            "connection": fields_of(app.get_connection(step["conn_id"], **team(step)), ATTRIBUTES)
        },
        "Connection.add": lambda: app.store.set_connection(Connection(**step["fields"]), overwrite=False),
        "Connection.delete": lambda: app.store.delete_connection(step["conn_id"]),
        "stored_variable": lambda: stored(app, path, step["key"]),
        "backends": lambda: [type(link.backend).__name__ for link in app.chain.links],
        "cache_init": lambda: app.conf.getboolean("secrets", "use_cache"),
        "setenv": lambda: variables.update({step["name"]: step["value"]}),
    }
    ask = asks.get(step["op"], lambda: of_variable(step))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = attempt(ask)
    log = [as_logged(app, step, warning) for warning in caught]
    return {"get": answer if isinstance(answer, Refusal) else {"value": answer}, "log": log}


def team(step: dict[str, Any]) -> dict[str, Any]:
    return {"team_name": step["team_name"]} if "team_name" in step else {}


def of_variable(step: dict[str, Any]) -> Any:
    names = ("value", "default", "default_var", "description", "serialize_json", "deserialize_json", "team_name")
    arguments = {name: decode(step[name]) for name in names if name in step}
    return getattr(Variable, step["op"].partition(".")[2])(decode(step["key"]), **arguments)


def stored(app: App, path: Path, key: str) -> dict[str, Any] | None:
    with closing(sqlite3.connect(path)) as database:
        sql = 'SELECT val, description, is_encrypted, team_name FROM variable WHERE "key" = ?'
        row = database.execute(sql, (key,)).fetchone()
    if row is None:
        return None
    val, description, is_encrypted, team_name = row
    val = app.store.keys.decrypt(val, "the row") if is_encrypted else val
    return {"val": val, "description": description, "is_encrypted": bool(is_encrypted), "team_name": team_name}


def as_logged(app: App, step: dict[str, Any], warning: warnings.WarningMessage) -> dict[str, Any]:
    """A warning as Airflow logs it: the key, and twice the class of the backend that shadows it."""
    text = str(warning.message)
    if text.startswith("it is unknown whether an earlier link"):
        [failed] = [link for link in app.chain.links if f": {link.name}: " in text]
        return {"level": "error", "args": [type(failed.backend).__name__]}
    for link in app.chain.links:
        if f"the link {link.name} " in text and repr(step.get("key")) in text:
            name = type(link.backend).__name__
            return {"level": "warning", "args": [step["key"], name, name]}
    return {"level": "warning", "message": text}

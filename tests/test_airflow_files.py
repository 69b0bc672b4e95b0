"""Round trips with a real Airflow: what it exports, we import, and the reverse, equal. Skipped without an Airflow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_beside_airflow import Airflow, Home, airflow  # noqa: F401 - a fixture
from test_transfer import TEXTS

from framework.metastore import bulk
from framework.metastore.crypto import generate

KEY = generate()

CONNECTIONS: dict[str, dict[str, Any]] = {
    "plain": {
        "conn_type": "postgres",
        "host": "h.example",
        "login": "u",
        "password": "p",
        "port": 5432,
        "schema": "db",
    },
    "odd": {"conn_type": "http", "host": "https://api.example/v1", "login": "ž@:/?#", "password": "p%@ :/?#[]ž🐎 "},
    "typed": {
        "conn_type": "google_cloud_platform",
        "extra": '{"n": 1, "l": [true, null], "d": {"token": "t"}, "s": "1"}',
    },
    "described": {"conn_type": "ssh", "description": "a word, to people: ž", "host": "h", "extra": '{"key": "a\\nb"}'},
    "bare": {"conn_type": "fs"},
}
#: Airflow refuses a description that is missing where it would be written, and reads a NUL nowhere.
VARIABLES = {f"key {n}": text for n, text in enumerate(TEXTS) if "\0" not in text and len(text) < 4000}
FILES = {
    "connections": ("c.json", "c.yaml", "c.env", "cj.env"),
    "variables": ("v.json",),
}


def fields(connection: Any) -> dict[str, Any]:
    """A connection in the form of both sides; an empty field is None."""
    names = ("conn_type", "description", "host", "login", "password", "schema", "port")
    return {**{name: getattr(connection, name) or None for name in names}, "extra": connection.extra_dejson}


def comparable_row(row: dict[str, Any]) -> dict[str, Any]:
    names = ("conn_type", "description", "host", "login", "password", "schema", "port")
    return {**{name: row[name] or None for name in names}, "extra": row["extra_dejson"]}


def exports(folder: Path) -> list[list[str]]:
    flags = {"cj.env": ["--serialization-format", "json"]}
    return [
        [kind, "export", str(folder / name), *flags.get(name, [])] for kind, names in FILES.items() for name in names
    ]


@pytest.fixture(scope="module")
def theirs(airflow: Airflow) -> tuple[Home, dict[str, Any], Path]:  # noqa: F811
    """An Airflow that was filled, its rows, and the folder with what it exported of them."""
    home = airflow.home("exporting")
    home.set("core", "fernet_key", KEY)
    folder = home.path / "files"
    folder.mkdir()
    (folder / "in_c.json").write_text(json.dumps(CONNECTIONS))
    (folder / "in_v.json").write_text(
        json.dumps({k: {"value": v, "description": f"of {k}"} for k, v in VARIABLES.items()})
    )
    fill = [["connections", "import", str(folder / "in_c.json")], ["variables", "import", str(folder / "in_v.json")]]
    _, rows = airflow.ask(home, ["airflow_commands", ["db", "migrate"], *fill, *exports(folder)], ["airflow_rows"])
    assert set(rows["connections"]) == set(CONNECTIONS)
    assert rows["variables"] == VARIABLES
    return home, rows, folder


@pytest.mark.parametrize("name", FILES["connections"])
def test_we_import_the_connections_that_airflow_exports(theirs: Any, world: Any, name: str) -> None:
    _, rows, folder = theirs
    world.set(BILLING__CORE__FERNET_KEY=KEY)
    assert world.run("connections", "import", str(folder / name))[0] == 0
    ours = {found: fields(value) for found, value, _ in bulk.stored(world.app().store, "connection")}
    expected = {conn_id: comparable_row(row) for conn_id, row in rows["connections"].items()}
    if name == "c.env":  # no URI has a description
        for connection in (*ours.values(), *expected.values()):
            connection["description"] = None
    assert ours == expected


def test_we_import_the_variables_that_airflow_exports(theirs: Any, world: Any) -> None:
    """Airflow exports a text that looks like JSON as JSON, and imports that as another text."""
    _, rows, folder = theirs
    world.set(BILLING__CORE__FERNET_KEY=KEY)
    assert world.run("variables", "import", str(folder / "v.json"))[0] == 0
    ours = {name: (value, description) for name, value, description in bulk.stored(world.app().store, "variable")}
    meant = {name: _through_json(text) for name, text in rows["variables"].items()}
    assert ours == {name: (text, rows["descriptions"][name]) for name, text in meant.items()}


def _through_json(text: str) -> str:
    """A text after Airflow's own export and import."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, str) else json.dumps(json.loads(json.dumps(value, sort_keys=True)), indent=2)


def test_our_files_are_airflows_byte_for_byte(theirs: Any, world: Any) -> None:
    """Where Airflow loses nothing, except for the newline at the end."""
    _, _, folder = theirs
    world.set(BILLING__CORE__FERNET_KEY=KEY)
    world.run("connections", "import", str(folder / "c.json"))
    for name in FILES["connections"]:
        flags = ["--serialization-format", "json"] if name == "cj.env" else []
        assert world.run("connections", "export", name, *flags)[0] == 0
        mine, other = Path(name).read_text(), (folder / name).read_text()
        assert mine.rstrip("\n") == other.rstrip("\n"), name


def test_airflow_imports_what_we_export(theirs: Any, world: Any, airflow: Airflow) -> None:  # noqa: F811
    _, rows, _ = theirs
    world.set(BILLING__CORE__FERNET_KEY=KEY)
    world.write("in.json", json.dumps(CONNECTIONS))
    assert world.run("connections", "import", "in.json")[0] == 0
    world.app().store.write_many([("variable", key, text, None) for key, text in VARIABLES.items()])
    for line in exports(world.home):
        assert world.run(*line)[0] == 0
    home = airflow.home("importing")
    home.set("core", "fernet_key", KEY)
    questions: list[list[Any]] = [
        ["airflow_commands", ["db", "migrate"], ["variables", "import", str(world.home / "v.json")]]
    ]
    readable = FILES["connections"][:3]  # Airflow does not read the JSON in a .env file that it writes itself
    for name in readable:
        questions += [
            ["airflow_commands", ["connections", "import", "--overwrite", str(world.home / name)]],
            ["airflow_rows"],
        ]
    answers = airflow.ask(home, *questions)
    for name, found in zip(readable, answers[2::2], strict=True):
        imported = {conn_id: comparable_row(row) for conn_id, row in found["connections"].items()}
        expected = {conn_id: comparable_row(row) for conn_id, row in rows["connections"].items()}
        if name == "c.env":
            for connection in (*imported.values(), *expected.values()):
                connection["description"] = None
        assert imported == expected, name
    assert answers[-1]["variables"] == VARIABLES, "to the letter"


def test_we_rotate_airflows_own_database(airflow: Airflow) -> None:  # noqa: F811
    home = airflow.home("rotating")
    home.set("core", "fernet_key", KEY)
    fill = [
        ["connections", "add", "c", "--conn-uri", "x://u:p%40@h/s?token=t"],
        ["variables", "set", "v", "value ž"],
        ["variables", "set", "w", ""],
    ]
    _, before = airflow.ask(home, ["airflow_commands", ["db", "migrate"], *fill], ["airflow_rows"])
    new = generate()
    home.set("core", "fernet_key", f"{new},{KEY}")
    done = airflow.run_us(home, "rotate-fernet-key")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "3 rows rotated, 0 had the first key already")
    home.set("core", "fernet_key", new)
    assert airflow.ask(home, ["airflow_rows"]) == [before]

"""`db check`, `db migrate`, `db reset` on every database: what is printed where, and the exit status."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from conftest import World
from servers import PASSWORD, QUOTED_PASSWORD, Place
from test_databases import AIRFLOW_TABLES, PARTS

from framework.metastore import migrations
from framework.metastore.crypto import generate

OLD, NEW, LOST = generate(), generate(), generate()
COMMANDS = (("check",), ("migrate",), ("migrate", "--add-secrets-table"), ("reset", "--yes"))


@pytest.fixture
def at(world: World, place: Place) -> Place:
    """A database that the application `billing` uses."""
    world.set(BILLING__DATABASE__SQL_ALCHEMY_CONN=place.url, BILLING__CORE__FERNET_KEY=NEW)
    return place


def check(world: World, *words: str) -> tuple[int, dict[str, Any], str]:
    """The exit status, the answers and stderr of `db check`."""
    status, out, err = world.run("db", "check", "--output", "json", *words)
    return status, {row["what"]: row["answer"] for row in json.loads(out)}, err


def test_from_nothing_to_rows(world: World, at: Place) -> None:
    status, answers, _ = check(world)
    assert answers["reachable"].startswith("yes, ")
    assert (answers["tables"].startswith("none"), answers["version"]) == (True, None)
    assert status == (0 if at.kind == "sqlite" else 1)  # the first write makes a file's tables, and no server's
    status, out, err = world.run("db", "migrate")
    assert (status, out) == (0, "")
    assert "migrated from nothing to version 0001" in err
    assert "nothing to do" in world.run("db", "migrate")[2]
    store = at.store(NEW)
    store.write_many([("variable", "a", "1", None), ("variable", "b", "2", None), ("config", "c", "3", None)])
    at.store(OLD).set_variable("old", "4")
    world.set(BILLING__CORE__FERNET_KEY=f"{NEW},{OLD}")
    status, answers, err = check(world)
    assert (status, err) == (0, "")
    product = {"sqlite": "SQLite 3", "postgresql": "PostgreSQL 1", "mysql": "MariaDB 1"}[at.kind]
    assert answers.pop("reachable").startswith(f"yes, {product}")
    assert "canary" not in answers["database"]
    assert answers.pop("database").endswith(at.name + (".db" if at.kind == "sqlite" else ""))
    assert answers == {
        "tables": "owned by this application, migrated", "version": "0001",
        "rows in connection": 0, "rows in variable": 3, "rows in config_secret": 1,
        "rows opened by key 1 of 2": 3, "rows opened by key 2 of 2": 1, "rows in clear": 0,
        "rows that no key opens": 0,
    }  # fmt: skip


def test_rows_that_no_key_opens_are_a_problem(world: World, at: Place) -> None:
    world.run("db", "migrate")
    at.store(LOST).set_variable("k", "v")
    status, answers, err = check(world)
    assert (status, answers["rows that no key opens"], answers["rows opened by key 1 of 1"]) == (1, 1, 0)
    assert "fernet check names the rows" in err


def test_every_output(world: World, at: Place) -> None:
    world.run("db", "migrate")
    _, table, _ = world.run("db", "check")
    assert "rows in variable" in table
    _, plain, _ = world.run("db", "check", "--output", "plain")
    assert "rows in variable\t0\n" in plain
    _, text, _ = world.run("db", "check", "--output", "yaml")
    assert {"what": "rows in variable", "answer": 0} in yaml.safe_load(text)
    for words in COMMANDS:
        _, out, err = world.run("db", *words)
        assert PASSWORD not in out + err
        assert QUOTED_PASSWORD not in out + err


def test_reset(world: World, at: Place) -> None:
    world.run("db", "migrate")
    store = at.store(NEW)
    store.set_variable("k", "v")
    status, out, err = world.run("db", "reset", "--yes")
    assert (status, out, store.list_names("variable")) == (0, "", [])
    assert "all rows were removed" in err
    assert check(world)[1]["tables"] == "owned by this application, migrated"


@pytest.mark.parametrize(("typed", "rows"), [("yes\n", []), ("Y\n", []), ("no\n", ["k"]), ("\n", ["k"]), ("", ["k"])])
def test_reset_asks_at_a_terminal(
    world: World, at: Place, monkeypatch: pytest.MonkeyPatch, typed: str, rows: list[str]
) -> None:
    world.run("db", "migrate")
    at.store(NEW).set_variable("k", "v")
    terminal = io.StringIO(typed)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    status, out, err = world.run("db", "reset")
    assert (status, out, at.store(NEW).list_names("variable")) == (1 if rows else 0, "", rows)
    assert "0 in connection, 1 in variable, 0 in config_secret" in err


def test_reset_does_not_ask_without_a_terminal(world: World, at: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run("db", "migrate")
    at.store(NEW).set_variable("k", "v")
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    status, _, err = world.run("db", "reset")
    assert (status, at.store(NEW).list_names("variable")) == (2, ["k"])
    assert "--yes" in err


def test_a_database_of_another_application(world: World, at: Place) -> None:
    at.execute(*(statement.format(**PARTS[at.kind]) for statement in AIRFLOW_TABLES))
    at.store(NEW).set_variable("k", "v")
    status, answers, _ = check(world)
    assert (status, answers["rows in variable"], answers["rows opened by key 1 of 1"]) == (0, 1, 1)
    assert answers["tables"] == "owned by another application, used unchanged; none for config secrets"
    before = at.store(NEW).database.tables()
    for words in (("migrate",), ("reset", "--yes")):
        status, out, err = world.run("db", *words)
        assert (status, out) == (1, "")
        assert "another application" in err
    assert "--add-secrets-table" in world.run("db", "migrate")[2]
    assert at.store(NEW).database.tables() == before
    assert world.run("db", "migrate", "--add-secrets-table")[0] == 0
    assert "nothing to do" in world.run("db", "migrate", "--add-secrets-table")[2]
    assert at.store(NEW).database.tables() - before == {migrations.SECRETS_TABLE, migrations.SECRETS_VERSION_TABLE}
    status, answers, _ = check(world)
    assert (status, answers["version"], answers["rows in config_secret"]) == (0, "0001", 0)
    assert at.store(NEW).get_variable("k") == "v"


def test_the_secrets_table_is_added_to_foreign_databases(world: World, at: Place) -> None:
    status, _, err = world.run("db", "migrate", "--add-secrets-table")
    assert status == 1
    assert "python -m framework db migrate" in err
    world.run("db", "migrate")
    status, _, err = world.run("db", "migrate", "--add-secrets-table")
    assert (status, "nothing to do" in err) == (0, True)


def test_nothing_to_look_at(world: World) -> None:
    world.set(BILLING__DATABASE__SQL_ALCHEMY_CONN="")
    for words in COMMANDS:
        status, out, err = world.run("db", *words)
        assert (status, out) == (1, "")
        assert "no metastore" in err


def test_check_creates_nothing(world: World) -> None:
    status, answers, _ = check(world)
    assert (status, answers["tables"]) == (0, "none yet; the first write creates them")
    assert not (world.home / "billing.db").exists()


def test_check_finds_a_replica_of_something_else(world: World) -> None:
    assert world.run("db", "migrate")[0] == 0
    url = f"sqlite:///{world.home}/billing.db"
    world.set(BILLING__DATABASE__SQL_ALCHEMY_CONN_READ=url)
    status, answers, _ = check(world)
    assert (status, answers["replica reachable"][:3], "replica tables" in answers) == (0, "yes", False)
    world.set(BILLING__DATABASE__SQL_ALCHEMY_CONN_READ=f"sqlite:///{world.home}/other.db")
    status, answers, _ = check(world)
    assert (status, answers["replica tables"][:12]) == (1, "not the same")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (lambda at: at.server.url(at.name, password="canary-wrong"), "refuses the user or the password"),
        (lambda at: at.server.url("no_such_database"), "no database of that name"),
        (lambda at: at.url.replace(f":{at.server.port}/", ":1/"), "does not answer"),
        (lambda at: at.url.replace("://", "+nosuch://"), "driver nosuch is not installed"),
    ],
)
def test_unreachable(world: World, served: Place, url: Callable[[Place], str], words: str) -> None:
    world.set(BILLING__DATABASE__SQL_ALCHEMY_CONN=url(served), BILLING__CORE__FERNET_KEY=NEW)
    world.set(BILLING__DATABASE__FAILOVER_TIMEOUT_SECONDS="0")
    status, out, err = world.run("db", "check", "--output", "json")
    assert status == 3
    assert words in err
    assert [row["answer"] for row in json.loads(out) if row["what"] == "reachable"] in (["no"], [])
    for command in COMMANDS:
        status, out, err = world.run("db", *command)
        assert status in (1, 3)
        assert "canary" not in out + err
        assert "Traceback" not in err


def test_check_waits_for_a_server(world: World, served: Place) -> None:
    assert served.server is not None
    world.set(BILLING__DATABASE__SQL_ALCHEMY_CONN=served.url, BILLING__DATABASE__FAILOVER_TIMEOUT_SECONDS="0")
    served.server.stop()
    try:
        assert world.run("db", "check", "--retry", "1", "--retry-delay", "0.1")[0] == 3
    finally:
        served.server.start()
    assert world.run("db", "check", "--retry", "1")[0] == 1  # it answers, and has no tables


def test_usage(world: World) -> None:
    for words in ((), ("nothing",), ("check", "--retry", "x"), ("migrate", "extra"), ("check", "--output", "xml")):
        status, out, err = world.run("db", *words)
        assert (status, out) == (2, "")
        assert "usage" in err
    status, out, _ = world.run("db", "--help")
    assert (status, "for example" in out) == (0, True)

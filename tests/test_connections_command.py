"""`connections get|list|add|delete`, with good, bad, empty, huge and unicode input."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest
from servers import Place, served  # noqa: F401 - a fixture

from framework import Connection
from framework.metastore.crypto import generate

KEY = generate()
URI = "postgres://ada:p%40ss%2Fcanary@db.example:5432/shop?sslmode=require"


@pytest.fixture
def stocked(world: Any) -> Any:
    world.set(BILLING__CORE__FERNET_KEY=KEY)
    return world


def stdin(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))


def stored(world: Any, conn_id: str = "a") -> Connection:
    found = world.app().store.get_connection(conn_id)
    assert found is not None
    return found  # type: ignore[no-any-return]


# --- add


@pytest.mark.parametrize(
    "words",
    [
        ["--conn-uri", URI],
        ["--conn-json", Connection.from_uri(URI).as_json()],
        [
            *("--conn-type", "postgres", "--conn-host", "db.example", "--conn-login", "ada", "--conn-port", "5432"),
            *("--conn-password", "p@ss/canary", "--conn-schema", "shop", "--conn-extra", '{"sslmode": "require"}'),
        ],
    ],
    ids=["uri", "json", "fields"],
)
def test_add_in_three_spellings(stocked: Any, words: list[str]) -> None:
    status, out, err = stocked.run("connections", "add", "a", *words)
    assert (status, out, err) == (0, "", "the connection 'a' was written to the metastore\n")
    assert stored(stocked).get_uri() == URI


def test_add_with_a_description_and_more(stocked: Any) -> None:
    words = ["--conn-uri", "http://h", "--conn-description", "a word 🐎", "--conn-extra", '{"a": 1}']
    assert stocked.run("connections", "add", "--conn-id", "a", *words)[0] == 0
    assert (stored(stocked).description, stored(stocked).extra_dejson) == ("a word 🐎", {"a": 1})


@pytest.mark.parametrize("field", ["uri", "json", "password", "extra"])
def test_secrets_come_from_stdin(stocked: Any, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = {"uri": URI, "json": '{"conn_type": "x", "password": "canary"}', "password": "canary"}
    stdin(monkeypatch, text.get(field, '{"token": "canary"}') + "\n")
    before = ["--conn-type", "x"] if field in ("password", "extra") else []
    status, out, err = stocked.run("connections", "add", "a", *before, f"--conn-{field}", "-")
    assert (status, out, "canary" in err) == (0, "", False)
    assert "canary" in stocked.run("connections", "get", "a")[1]


def test_add_replaces_only_with_overwrite(stocked: Any) -> None:
    assert stocked.run("connections", "add", "a", "--conn-type", "old", "--conn-login", "u")[0] == 0
    status, _, err = stocked.run("connections", "add", "a", "--conn-type", "new")
    assert (status, "exists already" in err, stored(stocked).conn_type) == (1, True, "old")
    assert stocked.run("connections", "add", "a", "--conn-type", "new", "--overwrite")[0] == 0
    assert (stored(stocked).conn_type, stored(stocked).login) == ("new", None)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["a"], 2),
        (["a", "--conn-uri", "x://canary", "--conn-json", "{}"], 2),
        (["a", "--conn-uri", "x://canary", "--conn-host", "h"], 2),
        (["a", "--conn-json", "{}", "--conn-extra", "{}"], 2),
        (["a", "--conn-json", "-", "--conn-id", "b"], 2),
        (["a", "--conn-type", "x", "--conn-password", "-", "--conn-extra", "-"], 2),
        (["a", "--conn-type", "x", "--conn-port", "canary"], 2),
        (["--conn-type", "x"], 2),
        (["a", "--conn-uri", "canary no uri"], 1),
        (["a", "--conn-uri", "//canary"], 1),
        (["a", "--conn-uri", ""], 2),
        (["a", "--conn-json", "{canary"], 1),
        (["a", "--conn-json", '{"host": "canary"}'], 1),
        (["a", "--conn-json", ""], 2),
        (["a", "--conn-type", "x", "--conn-extra", "canary"], 1),
        (["a", "--conn-type", "x", "--conn-extra", "[1]"], 1),
        (["", "--conn-type", "x"], 1),
        (["a b;", "--conn-type", "x"], 1),
        (["a" * 251, "--conn-type", "x"], 1),
        (["a", "--conn-type", "x", "--conn-login", "\ud800"], 1),
        (["a", "--conn-type", "x", "--conn-description", "a\0b"], 1),
        (["a", "--conn-type", "x", "--conn-port", "99999999999"], 1),
    ],
)
def test_what_add_refuses(stocked: Any, words: list[str], status: int) -> None:
    done, out, err = stocked.run("connections", "add", *words)
    assert (done, out) == (status, "")
    if "--conn-port" not in words:  # argparse shows a port that is not a number
        assert "canary" not in err
    assert "Traceback" not in err
    assert not (stocked.home / "billing.db").exists() or stocked.app().list_names("connection") == []


def test_what_a_servers_columns_do_not_hold(served: Place, stocked: Any) -> None:  # noqa: F811
    stocked.set(BILLING__DATABASE__SQL_ALCHEMY_CONN=served.url)
    assert stocked.run("db", "migrate")[0] == 0
    for words in (["--conn-type", "x" * 501], ["--conn-type", "x", "--conn-host", "canary" * 100]):
        status, out, err = stocked.run("connections", "add", "a", *words)
        assert (status, out, "500 is the most" in err, "canary" in err) == (1, "", True, False)
    stocked.write("c.json", json.dumps({"fine": "x://h", "long": {"conn_type": "x", "schema": "canary" * 100}}))
    status, _, err = stocked.run("connections", "import", "c.json")
    assert (status, "c.json:1: schema has 600 characters" in err) == (1, True)
    assert stocked.run("connections", "list", "-o", "plain") == (0, "", "")


def test_huge_fields(stocked: Any) -> None:
    huge = "ž" * 300_000
    assert stocked.run("connections", "add", "a" * 250, "--conn-type", "x", "--conn-password", huge)[0] == 0
    assert huge in stocked.run("connections", "get", "a" * 250, "-o", "json")[1]


def test_without_a_key_nothing_is_written(world: Any) -> None:
    status, _, err = world.run("connections", "add", "a", "--conn-uri", URI)
    assert (status, "fernet_key" in err, "canary" in err) == (1, True, False)
    assert not (world.home / "billing.db").exists()


def test_a_shadowed_write_is_warned_about(stocked: Any) -> None:
    stocked.set(BILLING_CONN_A="http://env")
    status, _, err = stocked.run("connections", "add", "a", "--conn-type", "x")
    assert (status, "the link environment has it too" in err) == (0, True)


# --- get


@pytest.mark.parametrize("output", ["table", "json", "yaml", "plain"])
def test_get_is_in_clear(stocked: Any, output: str) -> None:
    stocked.run("connections", "add", "a", "--conn-uri", URI)
    status, out, err = stocked.run("connections", "get", "a", "--output", output)
    assert (status, err) == (0, "")
    assert "p@ss/canary" in out
    assert URI in out


def test_get_has_airflows_names(stocked: Any) -> None:
    stocked.set(BILLING_CONN_A=URI)
    (row,) = json.loads(stocked.run("connections", "get", "a", "-o", "json", "--color", "off")[1])
    assert row == {
        "id": None,
        "is_encrypted": None,
        "is_extra_encrypted": None,
        "conn_id": "a",
        "conn_type": "postgres",
        "description": None,
        "host": "db.example",
        "schema": "shop",
        "login": "ada",
        "password": "p@ss/canary",
        "port": 5432,
        "extra_dejson": {"sslmode": "require"},
        "get_uri": URI,
    }


def test_get_of_a_name_that_is_absent_or_fails(stocked: Any) -> None:
    status, out, err = stocked.run("connections", "get", "nobody")
    assert (status, out, "not found (asked:" in err) == (1, "", True)
    stocked.set(BILLING_CONN_BAD="canary no uri")
    status, out, err = stocked.run("connections", "get", "bad")
    assert (status, out, "canary" in err) == (3, "", False)
    stocked.run("connections", "add", "lost", "--conn-uri", URI)
    stocked.set(BILLING__CORE__FERNET_KEY=generate())
    status, out, err = stocked.run("connections", "get", "lost")
    assert (status, out, "does not open it" in err) == (3, "", True)
    assert stocked.run("connections", "get", "")[0] in (1, 3)


# --- delete


def test_delete(stocked: Any) -> None:
    stocked.run("connections", "add", "a", "--conn-uri", URI)
    stocked.set(BILLING__CORE__FERNET_KEY=generate())  # what no key opens can be deleted
    assert stocked.run("connections", "delete", "a")[:2] == (0, "")
    status, _, err = stocked.run("connections", "delete", "a")
    assert (status, "has no connection 'a'" in err) == (1, True)
    assert stocked.run("connections", "delete", "\ud800")[0] == 1


# --- list


def test_a_list_needs_no_key(stocked: Any) -> None:
    stocked.run("connections", "add", "own", "--conn-uri", URI)
    stocked.run("connections", "add", "both", "--conn-uri", URI)
    stocked.set(BILLING__CORE__FERNET_KEY="", BILLING_CONN_BOTH="http://h", BILLING_CONN_ENV="http://h")
    assert json.loads(stocked.run("connections", "list", "-o", "json")[1]) == [
        {"conn_id": "both", "conn_type": "http", "link": "environment", "shadowed_by": None},
        {"conn_id": "both", "conn_type": "postgres", "link": "metastore", "shadowed_by": "environment"},
        {"conn_id": "env", "conn_type": "http", "link": "environment", "shadowed_by": None},
        {"conn_id": "own", "conn_type": "postgres", "link": "metastore", "shadowed_by": None},
    ]
    assert stocked.run("connections", "list", "--prefix", "o", "-o", "plain") == (0, "own\tpostgres\tmetastore\t\n", "")


def test_every_link_that_knows_a_type_reports_it(stocked: Any) -> None:
    files = {"connections_file_path": str(stocked.write("c.json", '{"filed": "postgres://u:canary@h/d"}'))}
    stocked.set(BILLING__SECRETS__BACKEND="local_filesystem", BILLING__SECRETS__BACKEND_KWARGS=json.dumps(files))
    stocked.set(BILLING_CONN_ENV="http://u:canary@h", BILLING_CONN_BROKEN="canary")
    stocked.run("connections", "add", "own", "--conn-uri", URI)
    status, out, err = stocked.run("connections", "list", "-o", "json")
    types = {row["conn_id"]: (row["link"], row["conn_type"]) for row in json.loads(out)}
    assert status == 0 and types == {
        "broken": ("environment", None),
        "env": ("environment", "http"),
        "filed": ("local_filesystem", "postgres"),
        "own": ("metastore", "postgres"),
    }
    assert "note: a type is unknown: environment: connection 'broken'" in err and "canary" not in out + err


@pytest.mark.parametrize("output", ["table", "json", "yaml", "plain"])
def test_values_in_a_list_are_masked(stocked: Any, output: str) -> None:
    extra = '{"token": "canary-1", "nested": {"private_key": "canary-2"}, "region": "north"}'
    stocked.run("connections", "add", "a", "--conn-uri", URI, "--conn-extra", extra)
    stocked.run("connections", "add", "b", "--conn-type", "http", "--conn-host", "https://u:canary-3@h/")
    status, out, err = stocked.run("connections", "list", "--show-values", "-o", output)
    assert (status, err) == (0, "")
    assert "canary" not in out
    assert "db.example" in out
    assert "north" in out
    out = stocked.run("connections", "list", "--show-values", "--hide-sensitive", "-o", output)[1]
    assert "db.example" in out
    assert "north" not in out
    assert stocked.run("connections", "list", "--hide-sensitive")[0] == 2


def test_a_connection_that_fails_does_not_stop_a_list(stocked: Any) -> None:
    stocked.set(BILLING_CONN_BAD="canary no uri", BILLING_CONN_GOOD="http://h")
    status, out, err = stocked.run("connections", "list", "--show-values", "-o", "json")
    assert (status, [row["host"] for row in json.loads(out)]) == (3, [None, "h"])
    assert "BILLING_CONN_BAD" in err
    assert "canary" not in out + err


@pytest.mark.parametrize(
    "words", [[], ["git"], ["get"], ["delete"], ["import"], ["export"], ["test"], ["get", "a", "-o", "xml"]]
)
def test_wrong_usage(stocked: Any, words: list[str]) -> None:
    status, out, err = stocked.run("connections", *words)
    assert (status, out) == (2, "")
    assert "usage:" in err

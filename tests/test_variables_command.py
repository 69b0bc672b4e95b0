"""`variables` and `secrets`, with good, bad, empty, huge and unicode input."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from framework.metastore.crypto import generate

KEY = generate()

#: Denied, unavailable and senseless, each by its key.
BACKEND = """
from framework import BaseSecretsBackend, errors

class Backend(BaseSecretsBackend):
    def get_variable(self, key, team_name=None):
        if key == "denied": raise errors.AccessDenied("no entry")
        if key == "down": raise OSError("canary-text of a driver")
        return {"shared": "theirs", "typed": {"a": [1, "ž"]}}.get(key)
    def get_config(self, key):
        return self.get_variable(key)
    def list_names(self, kind):
        if LISTS is None: raise NotImplementedError
        if LISTS == "fails": raise errors.AccessDenied("no listing")
        return ["shared", "typed"] if kind != "connection" else []
"""


@pytest.fixture
def stocked(world: Any) -> Any:
    world.set(BILLING__CORE__FERNET_KEY=KEY)
    return world


def with_backend(world: Any, lists: object = True) -> None:
    sys.modules.pop("mine", None)
    world.write("mine.py", f"LISTS = {lists!r}\n{BACKEND}")
    world.write("billing.cfg", "[secrets]\nbackend = mine.Backend\n")


@pytest.mark.parametrize("value", ["1", "", "žluťoučký 🐎", "-5", "two\nlines", "x" * 100_000, '{"a": 1}', "  "])
@pytest.mark.parametrize("command", ["variables", "secrets"])
def test_set_get_delete(stocked: Any, command: str, value: str) -> None:
    assert stocked.run(command, "set", "the key", value)[:2] == (0, "")
    assert stocked.run(command, "get", "the key") == (0, f"{value}\n", "")
    assert stocked.run(command, "delete", "the key")[:2] == (0, "")
    status, out, err = stocked.run(command, "get", "the key")
    assert (status, out) == (1, "")
    assert "not found" in err


@pytest.mark.parametrize("command", ["variables", "secrets"])
def test_a_value_on_stdin_stays_out_of_the_shells_history(
    stocked: Any, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text, value in {"canary\n": "canary", "a\nb\n\n": "a\nb\n", "ž": "ž", "x\r\n": "x"}.items():
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8", newline=""))
        status, out, err = stocked.run(command, "set", "k", "-")
        assert (status, out, "canary" in err) == (0, "", False)
        assert stocked.run(command, "get", "k")[1] == f"{value}\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))  # what came before the pipe has failed
    status, _, err = stocked.run(command, "set", "k", "-")
    assert (status, "standard input is empty" in err) == (1, True)
    assert stocked.run(command, "get", "k")[1] == "x\n"


@pytest.mark.parametrize("command", ["variables", "secrets"])
@pytest.mark.parametrize("key", ["", "\ud800", "a\0b"])
def test_keys_that_no_database_takes(stocked: Any, command: str, key: str) -> None:
    status, out, err = stocked.run(command, "set", key, "canary")
    assert (status, out) == (1, "")
    assert err.startswith("error: ")
    assert "canary" not in err
    assert stocked.run(command, "get", key)[0] in (1, 3)
    assert stocked.run(command, "delete", key)[0] == (0 if command == "variables" else 1)


def test_without_a_key_nothing_is_written(world: Any) -> None:
    for command in ("variables", "secrets"):
        status, _, err = world.run(command, "set", "a", "canary")
        assert (status, "fernet_key" in err, "canary" in err) == (1, True, False)
    assert not (world.home / "billing.db").exists()


def test_without_a_metastore(world: Any) -> None:
    world.set(BILLING__DATABASE__SQL_ALCHEMY_CONN="", BILLING__CORE__FERNET_KEY=KEY, BILLING_VAR_A="1")
    assert world.run("variables", "get", "a") == (0, "1\n", "")
    assert world.run("variables", "list", "-o", "plain") == (0, "a\tenvironment\t\n", "")
    for words in (["set", "a", "1"], ["delete", "a"], ["import", "x.json"], ["export", "-"]):
        assert world.run("variables", *words)[0] == 1


def test_airflows_words(stocked: Any) -> None:
    assert stocked.run("variables", "set", "-j", "k", '{"a": 1}', "--description", "d", "-v")[0] == 0
    assert stocked.run("variables", "get", "k")[1] == '"{\\"a\\": 1}"\n'  # as in Airflow: a JSON text
    assert stocked.run("variables", "get", "-j", "k")[1] == '{"a": 1}\n'
    assert stocked.run("variables", "get", "no", "-d", "default")[:2] == (0, "default\n")
    assert stocked.run("variables", "get", "no", "--default", "")[:2] == (0, "\n")
    status, _, err = stocked.run("variables", "delete", "no")
    assert (status, "had no such key" in err) == (0, True)  # as in Airflow
    assert stocked.run("secrets", "delete", "no")[0] == 1


def test_get_as_json(stocked: Any) -> None:
    stocked.run("variables", "set", "t", '{"a": [1, "ž", null]}')
    assert json.loads(stocked.run("variables", "get", "t", "--json")[1]) == {"a": [1, "ž", None]}
    stocked.run("variables", "set", "bad", "{canary")
    status, out, err = stocked.run("variables", "get", "bad", "--json")
    assert (status, out, "canary" in err) == (1, "", False)
    assert "not JSON" in err


@pytest.mark.parametrize("command", ["variables", "secrets"])
def test_a_failing_link_is_not_absence(stocked: Any, command: str) -> None:
    with_backend(stocked)
    for key in ("denied", "down"):
        default = ["-d", "x"] if command == "variables" else []
        status, out, err = stocked.run(command, "get", key, *default)
        assert (status, out, "canary" in err) == (3, "", False)
    assert stocked.run(command, "get", "shared")[:2] == (0, "theirs\n")


def test_a_typed_value_is_printed_as_json(stocked: Any) -> None:
    with_backend(stocked)
    assert stocked.run("variables", "get", "typed")[1] == '{"a": [1, "ž"]}\n'


def test_a_row_that_no_key_opens(stocked: Any) -> None:
    for command in ("variables", "secrets"):
        stocked.run(command, "set", "lost", "canary")
    stocked.set(BILLING__CORE__FERNET_KEY=generate())
    for command in ("variables", "secrets"):
        assert stocked.run(command, "get", "lost")[0] == 3
        assert stocked.run(command, "list", "-o", "plain") == (0, "lost\tmetastore\t\n", "")
        assert stocked.run(command, "delete", "lost")[0] == 0
        assert stocked.run(command, "list", "-o", "plain") == (0, "", "")


@pytest.mark.parametrize("command", ["variables", "secrets"])
def test_a_shadowed_write_is_warned_about(stocked: Any, command: str) -> None:
    with_backend(stocked)
    status, _, err = stocked.run(command, "set", "shared", "ours")
    assert (status, "the link Backend has it too" in err) == (0, True)
    assert stocked.run(command, "get", "shared")[1] == "theirs\n"


# --- lists


def test_a_list_names_links_and_shadows(stocked: Any) -> None:
    with_backend(stocked)
    stocked.set(BILLING_VAR_SHARED="env", BILLING_VAR_MINE="env", BILLING_SECRET_MINE="env")
    for key in ("shared", "Mine", "own", "ž"):
        stocked.run("variables", "set", key, "1")
    assert stocked.run("variables", "list", "-o", "json")[0] == 0
    rows = json.loads(stocked.run("variables", "list", "-o", "json")[1])
    assert [tuple(row.values()) for row in rows] == [
        ("Mine", "metastore", "environment"),
        ("mine", "environment", None),
        ("own", "metastore", None),
        ("shared", "Backend", None),
        ("shared", "environment", "Backend"),
        ("shared", "metastore", "Backend"),
        ("typed", "Backend", None),
        ("ž", "metastore", None),
    ]
    assert stocked.run("variables", "list", "--prefix", "ow", "-o", "plain")[1] == "own\tmetastore\t\n"
    assert "mine\tenvironment\t\n" in stocked.run("secrets", "list", "-o", "plain")[1]


def test_links_that_cannot_be_listed_are_reported(stocked: Any) -> None:
    stocked.run("variables", "set", "a", "1")
    with_backend(stocked, None)
    status, out, err = stocked.run("variables", "list", "-o", "plain")
    assert (status, out) == (0, "a\tmetastore\t\n")
    assert err == "note: the link Backend cannot list its variables; what it has is not shown here\n"
    with_backend(stocked, "fails")
    status, out, err = stocked.run("variables", "list", "-o", "plain")
    assert (status, out) == (3, "a\tmetastore\t\n")
    assert err.startswith("error: Backend: names of every variable: no listing")


def test_values_in_lists_are_masked(stocked: Any) -> None:
    stocked.set(BILLING_VAR_API_TOKEN="canary-1")
    stocked.run("variables", "set", "plain", "shown")
    stocked.run("variables", "set", "db_password", "canary-2")
    stocked.run("variables", "set", "nested", '{"password": "canary-3", "host": "h"}')
    stocked.run("variables", "set", "url", "x://u:canary-4@h")
    for output in ("table", "json", "yaml", "plain"):
        assert "canary" not in stocked.run("variables", "list", "-o", output)[1]
        out = stocked.run("variables", "list", "--show-values", "-o", output)[1]
        assert "canary" not in out
        assert "shown" in out
        out = stocked.run("variables", "list", "--show-values", "--hide-sensitive", "-o", output)[1]
        assert "canary" not in out
        assert "shown" not in out
    assert stocked.run("variables", "list", "--hide-sensitive")[0] == 2
    assert "canary-2" in stocked.run("variables", "export", "-")[1]


def test_a_value_that_fails_does_not_stop_a_list(stocked: Any) -> None:
    stocked.run("variables", "set", "lost", "1")
    stocked.set(BILLING__CORE__FERNET_KEY=generate())
    stocked.run("variables", "set", "fine", "2")
    status, out, err = stocked.run("variables", "list", "--show-values", "-o", "plain")
    assert (status, out) == (3, "fine\t2\tmetastore\t\nlost\t\tmetastore\t\n")
    assert "variable 'lost'" in err


# --- wrong usage


@pytest.mark.parametrize(
    "words",
    [
        ["variables"],
        ["variables", "git"],
        ["variables", "get"],
        ["variables", "set", "a"],
        ["variables", "set", "a", "--unknown", "b"],
        ["variables", "list", "-o", "xml"],
        ["variables", "import"],
        ["variables", "import", "x.json", "-a", "maybe"],
        ["secrets"],
        ["secrets", "set", "a"],
        ["secrets", "import", "x"],
    ],
)
def test_wrong_usage(stocked: Any, words: list[str]) -> None:
    status, out, err = stocked.run(*words)
    assert (status, out) == (2, "")
    assert "usage:" in err


def test_a_value_that_begins_with_a_dash(stocked: Any) -> None:
    assert stocked.run("variables", "set", "--", "a", "--b")[0] == 0
    assert stocked.run("variables", "get", "a")[1] == "--b\n"

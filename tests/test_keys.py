"""`fernet check`, `fernet rotate` and `rotate-fernet-key`: no row is lost, and a row without a key blocks nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from servers import Place, place  # noqa: F401 - a fixture
from test_metastore import AIRFLOW_TABLES, execute

from framework import Connection, errors
from framework.metastore import bulk, migrations, rotation
from framework.metastore.crypto import Keys, generate
from framework.metastore.store import Store

OLD, NEW, LOST = generate(), generate(), generate()


@pytest.fixture
def stocked(world: Any) -> Any:
    world.set(BILLING__CORE__FERNET_KEY=OLD)
    return world


def fill(store: Store, prefix: str = "", rows: int = 3) -> None:
    store.write_many([("variable", f"{prefix}v{n}", f"value {n} ž", None) for n in range(rows)])
    store.write_many(
        [
            ("connection", f"{prefix}c{n}", Connection(f"{prefix}c{n}", "x", password="p", extra={"n": n}), None)
            for n in range(rows)
        ]
    )
    store.write_many([("config", f"{prefix}s{n}", f"secret {n}", None) for n in range(rows)])


def everything(store: Store) -> dict[str, dict[str, Any]]:
    """Every value by kind and name; a row that no key opens as None."""
    return {
        kind: {
            name: None if isinstance(value, errors.SecretsError) else value
            for name, value, _ in bulk.stored(store, kind)
        }
        for kind in ("connection", "variable", "config")
    }


def check(world: Any) -> tuple[int, dict[str, list[int]], str]:
    status, out, err = world.run("fernet", "check", "-o", "json")
    return status, {row.pop("opened by"): list(row.values()) for row in json.loads(out)}, err


# --- as an operator rotates


@pytest.mark.parametrize("command", [["fernet", "rotate"], ["rotate-fernet-key"]], ids=" ".join)
def test_a_rotation_from_the_old_key_to_the_new(stocked: Any, command: list[str]) -> None:
    fill(stocked.app().store)
    before = everything(stocked.app().store)
    assert check(stocked) == (
        0,
        {"key 1 of 1, which encrypts": [3, 3, 3], "nothing: in clear": [0, 0, 0], "no key": [0, 0, 0]},
        "",
    )
    stocked.set(BILLING__CORE__FERNET_KEY=f"{NEW},{OLD}")
    assert check(stocked)[1]["key 2 of 2"] == [3, 3, 3]
    assert stocked.run(*command) == (0, "", "9 rows rotated, 0 had the first key already\n")
    assert check(stocked)[1]["key 1 of 2, which encrypts"] == [3, 3, 3]
    assert stocked.run(*command) == (0, "", "0 rows rotated, 9 had the first key already\n")
    stocked.set(BILLING__CORE__FERNET_KEY=NEW)
    assert everything(stocked.app().store) == before
    assert check(stocked)[0] == 0


def test_rows_in_clear_are_encrypted(stocked: Any) -> None:
    fill(stocked.app().store)
    before = everything(stocked.app().store)
    path = stocked.home / "billing.db"
    execute(
        path,
        """
        UPDATE variable SET val = 'value 1 ž', is_encrypted = 0 WHERE key = 'v1';
        UPDATE connection SET password = 'p', is_encrypted = 0 WHERE conn_id = 'c1';
        UPDATE connection SET extra = '{"n": 2}', is_extra_encrypted = 0 WHERE conn_id = 'c2';
        """,
    )
    assert check(stocked)[1]["nothing: in clear"] == [2, 1, 0]
    assert stocked.run("fernet", "rotate") == (0, "", "3 rows rotated, 6 had the first key already\n")
    assert everything(stocked.app().store) == before
    assert b"value 1" not in path.read_bytes().replace(b"\0", b"") or check(stocked)[1]["nothing: in clear"] == [
        0,
        0,
        0,
    ]


def test_what_no_key_opens_is_named_and_blocks_nothing(stocked: Any) -> None:
    fill(stocked.app().store, "old-")
    stocked.set(BILLING__CORE__FERNET_KEY=LOST)
    fill(stocked.app().store, "lost-", rows=1)
    stocked.set(BILLING__CORE__FERNET_KEY=f"{NEW},{OLD}")
    names = {"connection 'lost-c0'", "variable 'lost-v0'", "config secret 'lost-s0'"}
    for words in (["fernet", "check"], ["fernet", "rotate"], ["rotate-fernet-key"]):
        status, _, err = stocked.run(*words)
        assert status == 1
        assert {line.partition("opens the ")[2] for line in err.splitlines() if "opens the" in line} == names
        assert "variables delete" in err
    stocked.set(BILLING__CORE__FERNET_KEY=NEW)
    values = everything(stocked.app().store)
    assert {name for kind in values.values() for name, value in kind.items() if value is None} == {
        "lost-c0",
        "lost-v0",
        "lost-s0",
    }
    for command, name in (("connections", "lost-c0"), ("variables", "lost-v0"), ("secrets", "lost-s0")):
        assert stocked.run(command, "delete", name)[0] == 0
    assert check(stocked)[0] == 0


def test_a_connection_whose_two_tokens_have_two_keys(stocked: Any) -> None:
    stocked.run("connections", "add", "c", "--conn-type", "x", "--conn-password", "p", "--conn-extra", '{"a": 1}')
    path = stocked.home / "billing.db"
    execute(path, f"UPDATE connection SET extra = '{Keys(LOST).encrypt('{}')}'")
    stocked.set(BILLING__CORE__FERNET_KEY=f"{NEW},{OLD}")
    status, _, err = stocked.run("fernet", "rotate")
    assert (status, "connection 'c'" in err) == (1, True)
    assert err.startswith("1 row rotated, 0 had")
    stocked.set(BILLING__CORE__FERNET_KEY=f"{NEW},{LOST}")
    assert check(stocked)[1]["key 2 of 2"] == [1, 0, 0]
    assert stocked.run("fernet", "rotate")[0] == 0
    stocked.set(BILLING__CORE__FERNET_KEY=NEW)
    assert stocked.app().get_connection("c").password == "p"


# --- bad keys and bad places


@pytest.mark.parametrize(
    "key", ["canary", "canary,", f"{OLD},canary", f",{OLD}"], ids=["alone", "comma", "second", "empty first"]
)
def test_a_malformed_key_is_reported_and_not_shown(stocked: Any, key: str) -> None:
    fill(stocked.app().store)
    before = (stocked.home / "billing.db").read_bytes()
    stocked.set(BILLING__CORE__FERNET_KEY=key)
    for words in (["fernet", "check"], ["fernet", "rotate"]):
        status, _, err = stocked.run(*words)
        assert (status, "URL-safe base64" in err, "canary" in err) == (3, True, False)
    assert (stocked.home / "billing.db").read_bytes() == before


def test_without_a_key_or_rows(world: Any) -> None:
    assert world.run("fernet", "rotate")[0] == 1
    assert world.run("fernet", "check")[0] == 0
    world.set(BILLING__CORE__FERNET_KEY=OLD)
    assert world.run("fernet", "rotate") == (0, "", "0 rows rotated, 0 had the first key already\n")
    assert world.run("fernet", "check")[0] == 0
    assert not (world.home / "billing.db").exists()
    world.write("billing.db", "no database " * 100)
    for action in ("check", "rotate"):
        status, _, err = world.run("fernet", action)
        assert (status, "not a SQLite database" in err) == (3, True)


def test_rows_without_a_key(stocked: Any) -> None:
    fill(stocked.app().store)
    stocked.set(BILLING__CORE__FERNET_KEY="")
    status, counts, err = check(stocked)
    assert (status, counts) == (1, {"nothing: in clear": [0, 0, 0], "no key": [3, 3, 3]})
    assert "variable 'v0'" in err


def test_a_key_is_made_where_no_application_can_be(world: Any) -> None:
    world.write("pyproject.toml", "no TOML [")
    status, out, _ = world.run("fernet", "generate")
    assert status == 0
    assert Keys(out.strip()).encrypt("x")
    assert world.run("fernet", "check")[0] == 1
    assert world.run("fernet")[0] == 2


# --- rows that must not be lost


def test_an_error_in_a_batch_undoes_that_batch_alone(stocked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = stocked.app().store
    fill(store, rows=30)
    monkeypatch.setattr(rotation, "BATCH", 10)
    verify, seen = rotation._verify, list[Any]()

    def fail_late(*args: Any) -> None:
        seen.append(args)
        if len(seen) == 75:
            raise errors.MetastoreError("on purpose")
        verify(*args)

    monkeypatch.setattr(rotation, "_verify", fail_late)
    keys = Store(store.database, Keys(f"{NEW},{OLD}"))
    with pytest.raises(errors.MetastoreError):
        rotation.rotate(keys)
    counts = rotation.census(keys).counts
    assert counts == {"connection": [30, 0, 0, 0], "variable": [10, 20, 0, 0], "config secret": [0, 30, 0, 0]}
    monkeypatch.setattr(rotation, "_verify", verify)
    done = rotation.rotate(keys)
    assert (done.rotated, done.current) == (50, 40)


def test_a_token_that_does_not_open_again_is_never_committed(stocked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = stocked.app().store
    fill(store)
    keys = Store(store.database, Keys(f"{NEW},{OLD}"))
    monkeypatch.setattr(rotation, "_Change", _broken(rotation._Change))
    with pytest.raises(errors.MetastoreError, match="does not decrypt to the original text"):
        rotation.rotate(keys)
    assert None not in everything(store)["connection"].values()


def _broken(change: Any) -> Any:
    def make(id: object, column: str, flag: str | None, was: str, text: str, token: str) -> Any:
        return change(id, column, flag, was, text, token[:-4] + "AAA=")

    return make


def test_what_is_written_meanwhile_stays(stocked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = stocked.app().store
    fill(store)
    keys = Store(store.database, Keys(f"{NEW},{OLD}"))
    write, calls = rotation._try_to_write, list[str]()

    def overtaken(store_: Store, table: Any, changes: Any) -> Any:
        calls.append(table.name)
        if calls.count("variable") == 1 and table.name == "variable":
            store.set_variable("v1", "newer")  # by a process that has the old key still
            store.delete_variable("v2")
        return write(store_, table, changes)

    monkeypatch.setattr(rotation, "_try_to_write", overtaken)
    done = rotation.rotate(keys)
    assert calls.count("variable") == 2, "once more, for what was written with the old key"
    assert (done.rotated, done.unopened) == (3 + 1 + 1 + 3, [])
    assert everything(Store(store.database, Keys(NEW)))["variable"] == {"v0": "value 0 ž", "v1": "newer"}


def test_a_rotation_reads_more_than_one_page(stocked: Any) -> None:
    fill(stocked.app().store, rows=1201)
    stocked.set(BILLING__CORE__FERNET_KEY=f"{NEW},{OLD}")
    assert stocked.run("fernet", "rotate")[2] == "3,603 rows rotated, 0 had the first key already\n"
    assert check(stocked)[1]["key 1 of 2, which encrypts"] == [1201, 1201, 1201]


# --- Airflow's database, and servers


def test_every_token_of_airflows_tables(tmp_path: Path) -> None:
    path = tmp_path / "airflow.db"
    execute(path, AIRFLOW_TABLES)
    old = Keys(OLD)
    execute(
        path,
        f"""
        CREATE TABLE trigger (id INTEGER NOT NULL PRIMARY KEY, classpath TEXT, kwargs TEXT NOT NULL);
        CREATE TABLE connection_test_request (id CHAR(32) NOT NULL PRIMARY KEY, connection_id VARCHAR(250),
            password TEXT, extra TEXT, is_encrypted BOOLEAN NOT NULL, is_extra_encrypted BOOLEAN NOT NULL);
        INSERT INTO variable (key, val, is_encrypted, team_name) VALUES ('of a team', '{old.encrypt("x")}', 1, 'red');
        INSERT INTO trigger VALUES (1, 'x.Y', '{old.encrypt("{}")}'), (2, 'x.Z', '{Keys(LOST).encrypt("{{}}")}');
        INSERT INTO connection_test_request VALUES ('0f', 'c', '{old.encrypt("p")}', NULL, 1, 0),
            ('0e', 'd', NULL, NULL, 0, 0);
        """,
    )
    from framework.metastore import database

    store = Store(database.open(f"sqlite:///{path}", create=False), Keys(f"{NEW},{OLD}"))
    assert rotation.census(store).unopened == ["trigger 2"]
    done = rotation.rotate(store)
    assert (done.rotated, done.unopened) == (3, ["trigger 2"])
    counts = rotation.census(Store(store.database, Keys(NEW))).counts
    assert counts == {
        "connection": [0, 0, 0],
        "variable": [1, 0, 0],
        "config secret": [0, 0, 0],
        "trigger": [1, 0, 1],
        "connection test": [1, 0, 0],
    }


def test_on_every_database(place: Place) -> None:  # noqa: F811
    store = place.store(OLD)
    migrations.migrate(store.database)
    fill(store, rows=700)
    before = everything(store)
    newer = place.store(f"{NEW},{OLD}")
    assert rotation.rotate(newer).rotated == 2100
    assert everything(place.store(NEW)) == before
    assert rotation.rotate(newer).current == 2100


def test_import_and_export_on_every_database(place: Place, world: Any) -> None:  # noqa: F811
    world.set(BILLING__CORE__FERNET_KEY=OLD, BILLING__DATABASE__SQL_ALCHEMY_CONN=place.url)
    assert world.run("db", "migrate")[0] == 0
    table = {f"key {n:04} ž": f"value {n}" for n in range(1201)}
    world.write("v.json", json.dumps(table, indent=4) + "\n")
    assert world.run("variables", "import", "v.json")[2] == "variables imported from v.json: 1,201 added\n"
    assert world.run("variables", "export", "out.json")[0] == 0
    assert Path("out.json").read_bytes() == Path("v.json").read_bytes()
    assert world.run("variables", "import", "v.json")[2] == "variables imported from v.json: 1,201 unchanged\n"
    world.write("bad.json", json.dumps({**table, "x\0": "1"}))
    assert world.run("variables", "import", "bad.json")[0] == 1
    world.write("c.json", json.dumps({f"c{n}": f"x://u:p{n}@h/s" for n in range(600)}))
    assert world.run("connections", "import", "c.json")[0] == 0
    assert world.run("connections", "import", "c.json")[2].endswith("600 skipped\n")
    assert len(json.loads(world.run("connections", "list", "-o", "json")[1])) == 600
    assert world.run("variables", "get", "key 0007 ž") == (0, "value 7\n", "")

"""The metastore on real SQLite files. Speed is guarded by counts: of statements, connections and imported modules."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from framework import errors
from framework.backends.metastore import MetastoreBackend
from framework.connection import Connection
from framework.metastore import database as databases
from framework.metastore import migrations
from framework.metastore.crypto import Keys, generate
from framework.metastore.store import Store

KEY, OTHER_KEY = generate(), generate()
CANARY = "canary-8d1f-value"
FIELDS = ("conn_id", "conn_type", "description", "host", "login", "password", "schema", "port", "extra")

#: What Airflow 3.3.2 makes, as far as it matters here.
AIRFLOW_TABLES = """
    CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
    INSERT INTO alembic_version VALUES ('d2f4e1b3c5a7');
    CREATE TABLE connection (id INTEGER NOT NULL PRIMARY KEY, conn_id VARCHAR(250) NOT NULL UNIQUE,
        conn_type VARCHAR(500) NOT NULL, description VARCHAR(5000), host VARCHAR(500), schema VARCHAR(500), login TEXT,
        port INTEGER, team_name VARCHAR(50), password TEXT, extra TEXT, is_encrypted BOOLEAN NOT NULL,
        is_extra_encrypted BOOLEAN NOT NULL);
    CREATE TABLE variable (id INTEGER NOT NULL PRIMARY KEY, "key" VARCHAR(250) NOT NULL UNIQUE, val TEXT NOT NULL,
        description TEXT, is_encrypted BOOLEAN NOT NULL, team_name VARCHAR(50));
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "billing.db"


@pytest.fixture
def store(path: Path) -> Store:
    return open_store(path)


@pytest.fixture
def airflow_store(tmp_path: Path) -> Store:
    path = tmp_path / "airflow.db"
    execute(path, AIRFLOW_TABLES)
    return open_store(path, create=False)


def open_store(path: Path, key: str = KEY, **options: Any) -> Store:
    return Store(databases.open(f"sqlite:///{path}", options.pop("timeout", 30.0), **options), Keys(key))


def execute(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def fields(connection: Connection | None) -> dict[str, Any]:
    return {name: getattr(connection, name) for name in FIELDS}


def shown(error: BaseException) -> str:
    """Everything that an error could reveal, with the errors that it is chained to."""
    parts = ["".join(traceback.format_exception(error))]
    while error.__context__ is not None:
        error = error.__context__
        parts.append(repr(error) + repr(vars(error)))
    return "".join(parts)


class Spied(databases.SQLite):
    """Collects every statement that SQLite runs, and every connection that is opened."""

    __slots__ = ("opened", "statements")

    def __init__(self, path: Path, timeout: float = 30.0, *, create: bool = True) -> None:
        super().__init__(str(path), timeout, create=create)
        self.statements: list[str] = []
        self.opened: list[str] = []

    def _connect(self, mode: str) -> sqlite3.Connection:
        connection = super()._connect(mode)
        connection.set_trace_callback(self.statements.append)
        self.opened.append(mode)
        return connection


# --- reads


def test_a_missing_file_is_an_empty_metastore_and_stays_missing(store: Store, path: Path) -> None:
    assert store.get_variable("k") is None
    assert store.get_connection("k") is None
    assert store.get_config("k") is None
    assert store.get_many("variable", ["k"]) == {}
    assert store.list_names("connection") == []
    assert (store.update_variable("k", "v"), store.delete_variable("k")) == (0, 0)
    assert not path.parent.exists()


def test_missing_tables_are_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    store = open_store(path)
    assert (store.get_variable("k"), store.list_names("config")) == (None, [])
    assert path.stat().st_size == 0


def test_round_trip_of_all_kinds(store: Store) -> None:
    connection = Connection(
        conn_id="c", conn_type="x", description="d", host="h", login="u", password="pass-word", schema="s", port=5,
        extra='{"a": 1}',
    )  # fmt: skip
    store.set_connection(connection)
    store.set_variable("v", "é\n🔑 %(x)s $HOME", "about")
    store.set_config("s/1", "text")
    assert fields(store.get_connection("c")) == fields(connection)
    assert store.get_variable("v") == "é\n🔑 %(x)s $HOME"
    assert store.get_config("s/1") == "text"
    assert [store.list_names(kind) for kind in ("connection", "variable", "config")] == [["c"], ["v"], ["s/1"]]


def test_names_are_compared_exactly(store: Store) -> None:
    store.set_variable("a", "1")
    for other in ("A", "a ", " a", "a%", "", "a\0", "\udc80"):
        assert store.get_variable(other) is None
        assert store.get_many("variable", [other]) == {}
    store.set_variable("", "empty")
    assert store.get_variable("") == "empty"


@pytest.mark.parametrize("text", ["", " ", "x" * 100_000, "a\0b"])
def test_any_text_is_a_value(store: Store, text: str) -> None:
    store.set_variable("k", text)
    assert store.get_variable("k") == text


def test_a_connection_without_anything(store: Store) -> None:
    store.set_connection(Connection(conn_id="c", conn_type="x", login="", password="", schema="", extra=""))
    found = fields(store.get_connection("c"))
    assert (found["login"], found["password"], found["schema"], found["extra"]) == ("", None, "", "")


def test_plain_rows_are_read_as_they_are(airflow_store: Store) -> None:
    path = Path(airflow_store.database.where)
    execute(path, "INSERT INTO variable VALUES (1, 'k', 'plain', NULL, 0, NULL)")
    execute(path, "INSERT INTO connection VALUES (1,'k','',NULL,NULL,NULL,NULL,0,NULL,'p','{\"a\": 1}',0,0)")
    assert airflow_store.get_variable("k") == "plain"
    found = fields(airflow_store.get_connection("k"))
    assert (found["conn_type"], found["port"], found["password"], found["extra"]) == ("", 0, "p", '{"a": 1}')


def test_get_many_is_one_statement_per_500_names(path: Path) -> None:
    names = [f"v{i}" for i in range(1200)]
    spied = Spied(path)
    store = Store(spied, Keys(KEY))
    store.write_many(("variable", name, name, None) for name in names)
    spied.statements.clear()
    assert store.get_many("variable", [*names, "absent", "v1"]) == {name: name for name in names}
    assert len(spied.statements) == 3


def test_get_many_returns_the_error_of_a_bad_row_with_the_good_rows(store: Store, path: Path) -> None:
    store.set_connection(Connection(conn_id="good", conn_type="x"))
    open_store(path, OTHER_KEY).set_connection(Connection(conn_id="bad", conn_type="x", password=CANARY))
    found = store.get_many("connection", ["good", "bad", "absent"])
    assert set(found) == {"good", "bad"}
    assert isinstance(found["bad"], errors.InvalidSecret)
    assert isinstance(found["good"], Connection)


def test_one_held_connection_serves_all_reads_of_a_thread(path: Path) -> None:
    open_store(path).set_variable("k", "v")
    spied = Spied(path)
    store = Store(spied, Keys(KEY))
    for _ in range(5):
        assert store.get_variable("k") == "v"
    assert (len(spied.statements), spied.opened) == (5, ["ro"])
    thread = threading.Thread(target=store.get_variable, args=("k",))
    thread.start()
    thread.join()
    assert spied.opened == ["ro", "ro"]


def test_reads_leave_no_trace(path: Path) -> None:
    open_store(path).set_variable("k", "v")
    before = path.stat(), sorted(os.listdir(path.parent))
    store = open_store(path)
    assert store.get_variable("k") == "v"
    after = path.stat(), sorted(os.listdir(path.parent))
    assert (before[0].st_mtime_ns, before[0].st_size, before[1]) == (after[0].st_mtime_ns, after[0].st_size, after[1])


def test_a_replaced_and_a_deleted_file_are_noticed(store: Store, path: Path, tmp_path: Path) -> None:
    store.set_variable("k", "old")
    assert store.get_variable("k") == "old"
    other = tmp_path / "other.db"
    open_store(other).set_variable("k", "new")
    os.replace(other, path)
    assert store.get_variable("k") == "new"
    path.unlink()
    assert store.get_variable("k") is None
    store.set_variable("k", "again")
    assert store.get_variable("k") == "again"


def test_a_child_process_opens_its_own_connection(path: Path) -> None:
    spied = Spied(path)
    store = Store(spied, Keys(KEY))
    store.set_variable("k", "v")
    assert store.get_variable("k") == "v"
    spied.opened.clear()
    answers = multiprocessing.get_context("fork").SimpleQueue()

    def read() -> None:
        answers.put((store.get_variable("k"), spied.opened))

    child = multiprocessing.get_context("fork").Process(target=read)
    child.start()
    child.join()
    assert (answers.get(), child.exitcode) == (("v", ["ro"]), 0)
    assert (store.get_variable("k"), spied.opened) == ("v", [])


@pytest.mark.parametrize("name", ["with space", "q?mode=rwc", "hash#1", "per%20cent", "ünï", "a'b\"c"])
def test_paths_are_quoted(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.db"
    store = Store(databases.SQLite(str(path)), Keys(KEY))
    store.set_variable("k", "v")
    assert store.get_variable("k") == "v"
    assert os.listdir(tmp_path) == [f"{name}.db"]


def test_after_a_killed_writer_the_old_rows_are_read(store: Store, path: Path) -> None:
    store.write_many(("variable", f"v{i}", "x" * 2000, None) for i in range(500))
    killed = f"""
import os, sqlite3
c = sqlite3.connect({str(path)!r}, isolation_level=None)
c.execute("PRAGMA cache_size = 2")
c.execute("BEGIN IMMEDIATE")
c.execute("UPDATE variable SET val = 'y' || val")
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == 9
    assert Path(f"{path}-journal").stat().st_size > 0
    assert store.get_variable("v7") == "x" * 2000
    assert len(open_store(path).get_many("variable", [f"v{i}" for i in range(500)])) == 500


# --- what is imported


def test_a_plain_row_is_read_without_sqlalchemy_and_cryptography(airflow_store: Store) -> None:
    path = airflow_store.database.where
    execute(Path(path), "INSERT INTO variable VALUES (1, 'k', 'plain', NULL, 0, NULL)")
    script = f"""
import sys
before = set(sys.modules)
from framework.metastore import crypto, database, store
for heavy in ("sqlite3", "typing", "json", "threading", "cryptography", "sqlalchemy", "pathlib", "urllib.parse"):
    assert heavy not in set(sys.modules) - before, heavy
opened = store.Store(database.open("sqlite:///{path}"), crypto.Keys({KEY!r}))
assert "sqlite3" not in sys.modules
assert opened.get_variable("k") == "plain"
for heavy in ("cryptography", "sqlalchemy", "json", "framework.connection"):
    assert heavy not in set(sys.modules) - before, heavy
"""
    subprocess.run([sys.executable, "-c", script], check=True)


# --- writes


def test_the_first_write_makes_the_file_for_its_owner_alone(store: Store, path: Path) -> None:
    store.set_variable("k", "v")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == [path.name]
    assert query(path, "PRAGMA journal_mode") == [("delete",)]
    assert query(path, f"SELECT * FROM {migrations.VERSION_TABLE}") == [(migrations.VERSION,)]


def test_only_one_directory_is_made(tmp_path: Path) -> None:
    with pytest.raises(errors.MetastoreError, match="cannot be created"):
        open_store(tmp_path / "no" / "such" / "x.db").set_variable("k", "v")
    assert os.listdir(tmp_path) == []


def test_a_write_is_one_transaction(path: Path) -> None:
    spied = Spied(path)
    store = Store(spied, Keys(KEY))
    store.set_variable("k", "v")
    spied.statements.clear()
    spied.opened.clear()
    store.set_variable("k", "w")
    verbs = [statement.split()[0] for statement in spied.statements]
    assert verbs == ["BEGIN", "SELECT", "SELECT", "INSERT", "COMMIT"]  # columns, teams, row
    assert (spied.statements[0], spied.opened) == ("BEGIN IMMEDIATE", ["rw"])


def test_write_many_is_all_or_nothing(path: Path) -> None:
    spied = Spied(path)
    store = Store(spied, Keys(KEY))
    connection = Connection(conn_id="c", conn_type="x", password="pass-word")
    rows: list[Any] = [("variable", "v", "1", None), ("connection", "c", connection, None), ("config", "s", "2", None)]
    assert store.write_many(rows) == 3
    commits = [statement for statement in spied.statements if statement.startswith("COMMIT")]
    assert len(commits) == 1

    def broken() -> Iterator[Any]:
        yield ("variable", "v", "changed", None)
        yield ("config", "s", "\udc80", None)

    with pytest.raises(errors.MetastoreError):
        store.write_many(broken())
    assert (store.get_variable("v"), store.get_config("s")) == ("1", "2")


def test_the_description_stays_unless_one_is_given(store: Store, path: Path) -> None:
    def description() -> Any:
        return query(path, "SELECT description FROM variable")[0][0]

    seen = []
    for value, given in (("one", "d1"), ("two", None), ("three", "d3"), ("four", "")):
        store.set_variable("k", value, given)
        seen.append((store.get_variable("k"), description()))
    assert seen == [("one", "d1"), ("two", "d1"), ("three", "d3"), ("four", "")]
    store.set_variable("k", "five", "kept")
    assert store.update_variable("k", "six") == 1
    assert (store.get_variable("k"), description()) == ("six", "kept")


def test_update_and_delete_count(store: Store) -> None:
    assert (store.update_variable("k", "v"), store.delete_variable("k"), store.delete_config("k")) == (0, 0, 0)
    store.write_many([("variable", "k", "v", None), ("config", "k", "v", None)])
    store.set_connection(Connection(conn_id="k", conn_type="x"))
    assert store.update_variable("other", "v") == 0
    assert (store.delete_variable("k"), store.delete_config("k"), store.delete_connection("k")) == (1, 1, 1)
    assert (store.get_variable("k"), store.get_config("k"), store.get_connection("k")) == (None, None, None)


def test_a_connection_is_overwritten_whole_or_not_at_all(store: Store) -> None:
    store.set_connection(Connection(conn_id="k", conn_type="x", host="h", password="pass-word"))
    with pytest.raises(errors.MetastoreError, match=r"'k'.*exists already"):
        store.set_connection(Connection(conn_id="k", conn_type="y"), overwrite=False)
    store.set_connection(Connection(conn_id="k", conn_type="y"))
    found = fields(store.get_connection("k"))
    assert (found["conn_type"], found["host"], found["password"]) == ("y", None, None)
    with pytest.raises(errors.MetastoreError, match=r"'n'.*exists already"):
        store.write_many([("variable", "n", "1", None), ("variable", "n", "2", None)], overwrite=False)


def test_writers_of_many_processes_lose_nothing(path: Path) -> None:
    script = f"""
import sys
from framework.metastore import crypto, database, store
opened = store.Store(database.open("sqlite:///{path}", 600.0), crypto.Keys({KEY!r}))
for i in range(10):
    opened.set_variable(f"{{sys.argv[1]}}-{{i}}", "v")
    opened.set_variable("same", sys.argv[1])
"""
    writers = [subprocess.Popen([sys.executable, "-c", script, str(i)]) for i in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    assert len(open_store(path).list_names("variable")) == 41


# --- another's database


def test_airflows_rows_are_read_and_written_in_place(airflow_store: Store) -> None:
    path = Path(airflow_store.database.where)
    before = query(path, "SELECT name FROM sqlite_master")
    airflow_store.set_variable("k", "v", "d")
    airflow_store.set_connection(Connection(conn_id="c", conn_type="x", password="pass-word", extra='{"a": 1}'))
    assert airflow_store.get_variable("k") == "v"
    row = query(path, "SELECT is_encrypted, is_extra_encrypted, team_name FROM connection")
    assert row == [(1, 1, None)]
    assert query(path, "SELECT name FROM sqlite_master") == before


def test_config_secrets_in_a_database_of_another_application_need_the_extra_table(airflow_store: Store) -> None:
    path = Path(airflow_store.database.where)
    assert (airflow_store.get_config("s"), airflow_store.list_names("config")) == (None, [])
    with pytest.raises(errors.MetastoreError, match="db migrate --add-secrets-table"):
        airflow_store.set_config("s", CANARY)
    assert migrations.add_secrets_table(airflow_store.database) is True
    assert migrations.add_secrets_table(airflow_store.database) is False
    airflow_store.set_config("s", "text")
    assert airflow_store.get_config("s") == "text"
    assert query(path, f"SELECT * FROM sqlite_master WHERE name = '{migrations.VERSION_TABLE}'") == []


def test_an_applications_own_tables_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    execute(path, "CREATE TABLE orders (id INTEGER)")
    store = open_store(path)
    assert store.get_variable("k") is None
    with pytest.raises(errors.MetastoreError, match="no table 'variable'"):
        store.set_variable("k", "v")
    assert query(path, "SELECT name FROM sqlite_master") == [("orders",)]


def test_no_file_and_no_tables_are_made_under_airflows_schema(tmp_path: Path) -> None:
    store = open_store(tmp_path / "airflow.db", create=False)
    with pytest.raises(errors.MetastoreError, match="there is no database"):
        store.set_variable("k", "v")
    assert os.listdir(tmp_path) == []
    (tmp_path / "airflow.db").touch()
    with pytest.raises(errors.MetastoreError, match="no table"):
        store.set_variable("k", "v")
    assert (tmp_path / "airflow.db").stat().st_size == 0


def test_the_journal_mode_of_another_application_stays(airflow_store: Store) -> None:
    path = Path(airflow_store.database.where)
    assert query(path, "PRAGMA journal_mode = wal") == [("wal",)]
    airflow_store.set_variable("k", "v")
    assert airflow_store.get_variable("k") == "v"
    assert query(path, "PRAGMA journal_mode") == [("wal",)]


def test_rows_of_a_team_are_not_found_without_the_team(airflow_store: Store) -> None:
    path = Path(airflow_store.database.where)
    execute(path, "INSERT INTO variable VALUES (1, 'k', 'plain', NULL, 0, 'team_a')")
    assert (airflow_store.get_variable("k"), airflow_store.list_names("variable")) == (None, [])
    assert airflow_store.get_many("variable", ["k"]) == {}
    assert (airflow_store.delete_variable("k"), airflow_store.update_variable("k", "v")) == (0, 0)
    link = MetastoreBackend(airflow_store)  # inside Airflow a team may ask
    assert link.get_variable("k", team_name="team_a") == "plain"
    assert link.get_variable("k", team_name="team_b") is None
    with pytest.raises(errors.MetastoreError, match="belongs to a team"):
        airflow_store.set_variable("k", "v")
    assert query(path, "SELECT val FROM variable") == [("plain",)]


def test_an_older_shape_without_teams(tmp_path: Path) -> None:
    path = tmp_path / "airflow.db"
    execute(path, AIRFLOW_TABLES.replace("team_name VARCHAR(50),", "").replace(", team_name VARCHAR(50)", ""))
    store = open_store(path, create=False)
    store.set_variable("k", "v")
    store.set_connection(Connection(conn_id="c", conn_type="x"))
    assert (store.get_variable("k"), store.list_names("connection")) == ("v", ["c"])


AIRFLOW = os.environ.get("AIRFLOW_PYTHON", "")


@pytest.mark.skipif(not AIRFLOW, reason="AIRFLOW_PYTHON names no Python that has Apache Airflow")
def test_a_real_airflow_reads_our_rows_and_we_read_its(tmp_path: Path) -> None:
    keep = ("PATH", "HOME", "LANG")
    env = {name: os.environ[name] for name in keep if name in os.environ}
    env |= {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__FERNET_KEY": KEY, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}

    def airflow(*arguments: str) -> str:
        command = [AIRFLOW, "-m", "airflow", *arguments]
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout.strip()

    airflow("db", "migrate")
    airflow("variables", "set", "theirs", "é 100% $HOME", "--description", "about")
    airflow("connections", "add", "theirs", "--conn-uri", "http://u:p%40@h:1/s?a=b")
    store = open_store(tmp_path / "airflow.db", create=False)
    assert store.get_variable("theirs") == "é 100% $HOME"
    found = fields(store.get_connection("theirs"))
    assert (found["login"], found["password"], found["port"], found["extra"]) == ("u", "p@", 1, '{"a": "b"}')
    store.set_variable("ours", "ü 100% $HOME")
    store.set_connection(Connection(conn_id="ours", conn_type="http", host="h", password="p@", extra='{"a": "b"}'))
    assert airflow("variables", "get", "ours").splitlines()[-1] == "ü 100% $HOME"
    assert '"password": "p@"' in airflow("connections", "get", "ours", "--output", "json")


# --- keys


def test_the_first_key_writes_and_each_key_reads(path: Path) -> None:
    open_store(path, OTHER_KEY).set_variable("old", "1")
    both = open_store(path, f" {KEY} , {OTHER_KEY} ")
    both.set_variable("new", "2")
    assert (both.get_variable("old"), both.get_variable("new")) == ("1", "2")
    assert open_store(path, KEY).get_variable("new") == "2"


def test_generated_keys_are_fernets() -> None:
    from cryptography.fernet import Fernet

    made = generate()
    assert (len(made), made == generate(), len(Keys(made)), len(Keys(" "))) == (44, False, 1, 0)
    assert Fernet(made.encode()).decrypt(Keys(made).encrypt("x").encode()) == b"x"


def test_no_key_no_write(path: Path) -> None:
    with pytest.raises(errors.NoFernetKey) as caught:
        open_store(path, "").set_variable("k", CANARY)
    assert "python -m framework fernet generate" in str(caught.value)
    assert not path.parent.exists()


@pytest.mark.parametrize(
    "bad", [CANARY, f"{KEY},{CANARY}", f"{KEY},", "é" * 44], ids=["alone", "second", "empty", "letters"]
)
def test_a_bad_key_is_named_and_not_shown(path: Path, bad: str) -> None:
    with pytest.raises(errors.BackendError, match=r"\[core\] fernet_key") as caught:
        open_store(path, bad).set_variable("k", "v")
    assert CANARY not in shown(caught.value)
    assert KEY not in shown(caught.value)
    assert CANARY not in repr(Keys(bad))


@pytest.mark.parametrize("keys", [OTHER_KEY, f"{OTHER_KEY},{generate()}", ""], ids=["other", "two others", "none"])
def test_a_row_that_no_key_opens(path: Path, keys: str) -> None:
    open_store(path).set_variable("k", CANARY)
    token = query(path, "SELECT val FROM variable")[0][0]
    with pytest.raises(errors.InvalidSecret, match=r"variable 'k'.*\[core\] fernet_key") as caught:
        open_store(path, keys).get_variable("k")
    assert token not in shown(caught.value)
    assert KEY not in shown(caught.value)


# --- errors: what they are, and that nothing of a driver's text is in them


def rewritten(sql: str) -> Callable[[Store], None]:
    return lambda store: execute(Path(store.database.where), sql)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (rewritten(f"UPDATE variable SET val = '{CANARY}'"), "does not open it"),
        (rewritten(f"UPDATE variable SET val = X'FF' || '{CANARY}', is_encrypted = 0"), "bytes|UTF-8"),
        (rewritten(f"UPDATE variable SET val = CAST(X'FF' || '{CANARY}' AS TEXT), is_encrypted = 0"), "UTF-8"),
        (lambda store: Path(store.database.where).write_text(CANARY * 500), "not a SQLite database"),
        (lambda store: cut(Path(store.database.where)), "damaged"),
    ],
    ids=["garbage", "bytes", "not utf-8", "not a database", "cut"],
)
def test_what_makes_no_sense_is_invalid(store: Store, spoil: Callable[[Store], None], words: str) -> None:
    store.set_variable("k", "v")
    spoil(store)
    with pytest.raises(errors.InvalidSecret, match=words) as caught:
        store.get_variable("k")
    assert store.database.where in str(caught.value)
    assert CANARY not in shown(caught.value)


def cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))


@pytest.mark.parametrize("extra", ["text", "[1]", "{", "1" * 5000, "[" * 100_000])
def test_an_extra_that_is_not_a_json_object(airflow_store: Store, extra: str) -> None:
    execute(
        Path(airflow_store.database.where),
        f"INSERT INTO connection VALUES (1,'k','x',NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{extra}',0,0)",
    )
    with pytest.raises(errors.InvalidSecret, match=r"connection 'k'.*not a JSON object"):
        airflow_store.get_connection("k")


def test_a_locked_database(store: Store, path: Path) -> None:
    store.set_variable("k", "v")
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(errors.BackendUnavailable, match="locked"):
            open_store(path, timeout=0.05).get_variable("k")
        with pytest.raises(errors.MetastoreError, match="locked") as caught:
            open_store(path, timeout=0.05).write_many([("variable", "k", CANARY, None)])
        assert CANARY not in str(caught.value)
        holder.execute("ROLLBACK")
    assert store.get_variable("k") == "v"


def test_a_directory_in_place_of_the_file(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with pytest.raises(errors.BackendUnavailable, match="cannot be"):
        store.get_variable("k")
    with pytest.raises(errors.MetastoreError, match="cannot be"):
        store.set_variable("k", "v")


def test_a_file_in_place_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = open_store(tmp_path / "file" / "x.db")
    with pytest.raises(errors.BackendUnavailable, match="Not a directory"):
        store.get_variable("k")
    with pytest.raises(errors.MetastoreError, match="cannot be created"):
        store.set_variable("k", "v")


def test_a_file_that_may_not_be_read(store: Store, path: Path) -> None:
    store.set_variable("k", "v")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(errors.BackendUnavailable, match="permissions"):
        open_store(path).get_variable("k")


def test_a_file_that_may_not_be_written(store: Store, path: Path) -> None:
    store.set_variable("k", "v")
    path.chmod(0o400)
    if os.access(path, os.W_OK):
        pytest.skip("this user may write everything")
    assert open_store(path).get_variable("k") == "v"
    with pytest.raises(errors.MetastoreError, match="permissions"):
        open_store(path).set_variable("k", "w")


@pytest.mark.parametrize("text", [f"{CANARY}\udc80", "\udc80"])
def test_a_text_without_utf8(store: Store, text: str) -> None:
    with pytest.raises(errors.MetastoreError, match="UTF-8") as caught:
        store.set_variable("k", text)
    assert CANARY not in str(caught.value)
    assert caught.value.__context__ is None
    with pytest.raises(errors.MetastoreError, match="UTF-8"):
        store.set_variable("k\udc80", "v")


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "sqlite", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///file:x?uri=true",
        f"sqlite://{CANARY}/x.db", f"oracle://u:{CANARY}@h/d", "sqlite:///a\0b",
    ],
)  # fmt: skip
def test_urls_that_name_no_file(url: str) -> None:
    with pytest.raises(errors.BackendError, match="sql_alchemy_conn") as caught:
        databases.open(url)
    assert CANARY not in str(caught.value)


def test_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    relative = databases.open("sqlite:///x.db")
    monkeypatch.chdir("/")
    assert relative.where == str(tmp_path / "x.db")
    assert databases.open("sqlite+pysqlite:////a/b.db?timeout=5").where == "/a/b.db"

"""A metastore whose tables are older, or whose rows make no sense: the error names table, column and row."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers import Place

from framework import errors
from framework.connection import Connection
from framework.metastore import bulk
from framework.metastore.crypto import Keys, generate
from framework.metastore.failures import explain
from framework.metastore.sqlite import SQLite
from framework.metastore.store import Store

KEY = generate()

#: What Airflow 1.10 made: no descriptions, and a conn_id that may appear twice.
TABLES = (
    """CREATE TABLE connection (id INTEGER NOT NULL PRIMARY KEY, conn_id VARCHAR(250), conn_type VARCHAR(500),
        host VARCHAR(500), "schema" VARCHAR(500), login VARCHAR(500), password VARCHAR(5000), port INTEGER,
        extra VARCHAR(5000), is_encrypted BOOLEAN, is_extra_encrypted BOOLEAN)""",
    """CREATE TABLE variable (id INTEGER NOT NULL PRIMARY KEY, "key" VARCHAR(250) UNIQUE, val TEXT,
        is_encrypted BOOLEAN)""",
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('a56c9515abdc')",
)
ROW = "INSERT INTO connection (id, conn_id, conn_type, host, port) VALUES ({id}, {conn_id}, 'postgres', 'h', {port})"


def row(number: int, conn_id: str | None, port: str = "NULL") -> str:
    return ROW.format(id=number, conn_id="NULL" if conn_id is None else f"'{conn_id}'", port=port)


@pytest.fixture
def store(place: Place) -> Store:
    place.execute(*TABLES)
    return place.store(KEY, create=False)


def test_rows_of_1_10_are_read(place: Place, store: Store) -> None:
    place.execute(row(1, "a"), "INSERT INTO variable (id, \"key\", val) VALUES (1, 'k', 'text')")
    found = store.get_connection("a")
    assert found is not None and (found.host, found.description) == ("h", None)
    assert store.get_variable("k") == "text"
    assert (store.list_names("connection"), store.list_names("variable")) == (["a"], ["k"])
    assert [name for name, _, _ in bulk.stored(store, "variable")] == ["k"]
    assert bulk.conn_types(store) == {"a": "postgres"}
    assert store.delete_connection("a") == 1


@pytest.mark.parametrize("kind", ["connection", "variable"])
def test_rows_of_1_10_are_not_written(store: Store, kind: str) -> None:
    value = Connection("a", "x") if kind == "connection" else "text"
    for write in (
        lambda: store.write_many([(kind, "a", value, None)]),
        lambda: bulk.put(store, kind, [(kind, "a", value, None)]),
    ):
        with pytest.raises(errors.MetastoreError, match=rf"the table {kind} .*column description.*airflow db migrate"):
            write()
    assert store.list_names(kind) == []


def test_a_duplicate_name_is_an_error_with_both_rows(place: Place, store: Store) -> None:
    place.execute(row(3, "a"), row(7, "a"), row(8, "b"))
    twice = r"'a' in .*: table connection holds several rows with this conn_id, those with the ids 3 and 7.*id = 7"
    for ask in (lambda: store.get_connection("a"), lambda: store.delete_connection("a")):
        with pytest.raises(errors.InvalidSecret, match=twice):
            ask()
    found = store.get_many("connection", ["a", "b"])
    assert isinstance(found["a"], errors.InvalidSecret) and isinstance(found["b"], Connection)
    assert store.list_names("connection") == ["a", "b"]
    failed = [(name, isinstance(value, errors.InvalidSecret)) for name, value, _ in bulk.stored(store, "connection")]
    assert failed == [("a", True), ("b", False)]


def test_duplicate_rows_are_not_lost_between_two_pages(place: Place, store: Store) -> None:
    place.execute(*(row(number, "same") for number in range(1, bulk.BATCH + 3)))
    assert len(list(bulk.pages(store.database, "connection", "conn_id"))) == bulk.BATCH + 2
    ((name, value, _),) = bulk.stored(store, "connection")
    assert name == "same" and isinstance(value, errors.InvalidSecret)


def test_a_row_without_a_name_is_named_and_left_out(place: Place, store: Store) -> None:
    place.execute(row(5, None), row(6, "b"))
    with pytest.warns(errors.FrameworkWarning, match="column conn_id of row 5 of table connection is NULL"):
        assert store.list_names("connection") == ["b"]
    messages = [
        str(value) for _, value, _ in bulk.stored(store, "connection") if isinstance(value, errors.SecretsError)
    ]
    assert len(messages) == 1 and "row 5" in messages[0]


def test_an_id_that_is_not_a_valid_name(place: Place, store: Store) -> None:
    place.execute(row(4, "my conn"))
    with pytest.raises(errors.InvalidSecret) as caught:
        store.get_connection("my conn")
    for words in ("connection 'my conn' in ", "row 4 of table connection", "column conn_id", "letters, digits", "SQL"):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("assignment", "kind", "words"),
    [
        ("extra = '[]'", "connection", "column extra of row 4 of table connection is not a JSON object"),
        ("extra = 'text'", "connection", "column extra of row 4 of table connection is not a JSON object"),
        ("val = NULL", "variable", "column val of row 4 of table variable is NULL"),
    ],
)
def test_a_malformed_column_is_reported_with_its_row(
    place: Place, store: Store, assignment: str, kind: str, words: str
) -> None:
    place.execute(row(4, "a"), "INSERT INTO variable (id, \"key\", val) VALUES (4, 'a', 'text')")
    place.execute(f"UPDATE {kind} SET {assignment}")
    with pytest.raises(errors.InvalidSecret) as caught:
        store.get_connection("a") if kind == "connection" else store.get_variable("a")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("table", "missing", "kind"),
    [
        ("connection", "conn_id", "connection"),
        ("connection", "password", "connection"),
        ("variable", "key", "variable"),
        ("variable", "val", "variable"),
    ],
)
def test_a_table_without_a_column(place: Place, store: Store, table: str, missing: str, kind: str) -> None:
    if place.kind == "sqlite" and missing == "key":
        place.execute("DROP TABLE variable", "CREATE TABLE variable (id INTEGER PRIMARY KEY, val TEXT)")
    else:
        place.execute(f'ALTER TABLE {table} DROP COLUMN "{missing}"')
    get = store.get_connection if kind == "connection" else store.get_variable
    for name in ("a", missing):  # SQLite takes a column that is not there for a text
        with pytest.raises(errors.InvalidSecret, match=rf"the table {table} has no column {missing}.*db migrate"):
            get(name)
    for ask in (
        lambda: store.list_names(kind),
        lambda: store.get_many(kind, ["a"]),
        lambda: list(bulk.stored(store, kind)),
    ):
        with pytest.raises(errors.InvalidSecret, match=f"the table {table} has no column {missing}"):
            ask()


@pytest.mark.parametrize("extra", [{}, "", "{}", None])
def test_an_empty_extra_is_stored(place: Place, extra: object) -> None:
    from framework.metastore import migrations

    store = place.store(KEY)
    migrations.migrate(store.database)
    store.set_connection(Connection("a", "x", extra=extra))  # type: ignore[arg-type]
    found = store.get_connection("a")
    assert found is not None and found.extra_dejson == {}


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ('INSERT INTO "connection" (conn_id, description) VALUES (:a, :a)', "its tables have an unknown structure"),
        ('INSERT INTO "connection" (conn_id, port) VALUES (:a, :b)', "of a type that the database cannot store"),
        ('INSERT INTO "connection" (id) VALUES (1), (1)', "violates a constraint"),
        (
            'INSERT INTO "connection" (conn_id) VALUES (:a) ON CONFLICT (conn_id) DO NOTHING',
            "does not keep names unique",
        ),
        ('INSERT INTO "nowhere" VALUES (1)', "the table does not exist"),
        ("SELECT nonsense(", "refused the statement"),
    ],
)
def test_what_sqlite_refuses_is_not_a_fault_of_the_disk(tmp_path: Path, sql: str, words: str) -> None:
    database = SQLite(str(tmp_path / "a.db"), create=True)
    with database.write() as transaction:
        transaction.execute(TABLES[0])
    with pytest.raises(errors.MetastoreError, match=words) as caught, database.write() as transaction:
        transaction.execute(sql, [{"a": "x", "b": {}}])
    assert "disk" not in str(caught.value).lower()


@pytest.mark.parametrize(
    ("state", "words"),
    [("53100", "disk is full"), ("53200", "memory"), ("53400", "limit"), ("53000", "limit"), ("42P10", "unique")],
)
def test_only_a_full_disk_is_called_one(state: str, words: str) -> None:
    fault = Exception()
    fault.sqlstate = state  # type: ignore[attr-defined]
    text = str(explain(fault).for_writing("here"))
    assert words in text and ("disk" in text) == (state == "53100")


def test_a_foreign_key_of_another_store_does_not_hide_the_row(tmp_path: Path) -> None:
    """A row that no key opens is named by its connection, in an old table, too."""
    database = SQLite(str(tmp_path / "a.db"), create=False)
    made = SQLite(str(tmp_path / "a.db"), create=True)
    with made.write() as transaction:
        transaction.execute(TABLES[0])
        token = Keys(generate()).encrypt("pw")
        transaction.execute(
            'INSERT INTO "connection" (id, conn_id, password, is_encrypted) VALUES (1, :c, :t, 1)',
            [{"c": "a", "t": token}],
        )
    with pytest.raises(errors.InvalidSecret, match="connection 'a' in .*: the only key"):
        Store(database, Keys(KEY)).get_connection("a")

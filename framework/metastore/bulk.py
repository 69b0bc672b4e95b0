"""Many rows in constant memory: all rows of a kind, and an import as one transaction."""

from __future__ import annotations

from framework import errors
from framework.metastore import migrations, rows
from framework.metastore.base import quoted
from framework.metastore.rows import TABLES
from framework.metastore.store import chosen_by_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from framework.connection import Connection
    from framework.metastore.database import Database, Transaction
    from framework.metastore.store import Item, Store

#: Rows read, compared and written by one statement.
BATCH = 500


def stored(store: Store, kind: str) -> Iterator[tuple[str, str | Connection | errors.SecretsError, str | None]]:
    """Every row of one kind in the database's order of names: name, value, and a variable's description.

    They are read page by page without a lock, so a row that is written meanwhile has its old or its new value. An
    invalid row yields its error as the value.

    Raises:
        BackendUnavailable: the database does not answer.
        BackendError: a key is malformed.
    """
    store.check_columns(kind)
    column = TABLES[kind][1]
    for same in _of_one_name(store.database, kind):
        row = same[0]
        value: str | Connection | errors.SecretsError
        try:
            if (fault := rows.fault_of_name(kind, row, store.database.where)) is not None:
                raise fault
            if len(same) > 1:
                raise rows.named_twice(kind, same, store.database.where)
            value = store.value_of(kind, row)
        except errors.SecretsError as error:
            value = error
        yield row[column], value, row.get("description") if kind == "variable" else None


def _of_one_name(database: Database, kind: str) -> Iterator[list[dict[str, Any]]]:
    """The rows of one kind that belong to no team, grouped by name: old tables may have a name twice."""
    table, column = TABLES[kind]
    same: list[dict[str, Any]] = []
    for row in pages(database, table, column):
        if row.get("team_name") is None:
            if same and (row[column] is None or row[column] != same[0][column]):
                yield same
                same = []
            if len(same) < 2:  # messages name no more, and there may be many
                same.append(row)
    if same:
        yield same


def pages(database: Database, table: str, column: str = "id") -> Iterator[dict[str, Any]]:
    """Every row of a table, ordered by a column and then by `id`: old tables may have a name twice."""
    by, tie = quoted(column), "" if column == "id" else ', "id"'
    order = f"ORDER BY {by}{tie} LIMIT {BATCH}"
    after = f'{by} >= :after AND ({by} > :after OR "id" > :id)'
    page = database.read(f"SELECT * FROM {quoted(table)} {order}", {})
    while page:
        yield from page
        if len(page) < BATCH:
            return
        last = {"after": page[-1][column], "id": page[-1]["id"]}
        page = database.read(f"SELECT * FROM {quoted(table)} WHERE {after} {order}", last)


def count(database: Database, kind: str) -> int:
    """The approximate number of rows of one kind, for a progress bar."""
    found = database.read(f"SELECT COUNT(*) AS n FROM {quoted(TABLES[kind][0])}", {})
    return int(found[0]["n"]) if found else 0


def conn_types(store: Store) -> dict[str, str]:
    """The type of every connection, by its id. No key is needed."""
    store.check_columns("connection")
    found = pages(store.database, *TABLES["connection"])
    return {row["conn_id"]: row["conn_type"] for row in found if row.get("team_name") is None}


class Report:
    """What an import did, or would do.

    Attributes:
        counts: `added`, `changed`, `unchanged`, `skipped` -> how many rows.
        rows: name, which of the four, and the names of the fields that differ; only in a dry run.
        skipped: the names that exist and were not changed.
    """

    __slots__ = ("counts", "rows", "skipped")

    def __init__(self) -> None:
        self.counts = dict.fromkeys(("added", "changed", "unchanged", "skipped"), 0)
        self.rows: list[tuple[str, str, list[str]]] = []
        self.skipped: list[str] = []


def put(
    store: Store, kind: str, items: Iterable[Item], *, existing: str = "overwrite", dry_run: bool = False
) -> Report:
    """Write rows of one kind in one transaction: all of them, or none if anything fails.

    Args:
        store: the metastore.
        kind: the kind of every item.
        items: read as they are written. Its exceptions undo everything.
        existing: `overwrite`, `skip` or `fail`: what happens to rows whose name exists.
        dry_run: compare only; nothing is written, locked or created.

    Raises:
        NoFernetKey: there is no key.
        MetastoreError: rows exist and may not be replaced (all of them are named), or the database refuses.
        BackendError: a key is malformed.
    """
    store.keys.encrypt("")  # before a file is created or a lock is taken: check the key
    report, taken = Report(), list[str]()
    batches = _batches(items)
    first = next(batches, None)  # an early error is raised before the database is touched
    if dry_run or first is None:
        for batch in _chained(first, batches):
            taken += _compare(store, store.database, kind, batch, existing, report, details=True)[1]
    else:
        with store.database.write() as transaction:
            columns = migrations.columns_for_writing(store.database, transaction, TABLES[kind][0])
            rows.check_writable(kind, columns, store.database.where)
            for batch in _chained(first, batches):
                due, conflicts = _compare(store, transaction, kind, batch, existing, report, details=False)
                taken += conflicts
                if not taken:
                    for part in (
                        [item for item in due if item[3] is None],
                        [item for item in due if item[3] is not None],
                    ):
                        store.upsert(transaction, kind, part, overwrite=existing == "overwrite")
            _refuse(store, kind, taken)
    _refuse(store, kind, taken)
    return report


def _refuse(store: Store, kind: str, taken: list[str]) -> None:
    if taken:
        names = ", ".join(map(repr, taken[:20])) + (f" and {len(taken) - 20} more" if len(taken) > 20 else "")
        raise errors.MetastoreError(
            f"nothing was imported, because {len(taken)} of the names exist already: {names}",
            where=f"every {kind} in {store.database.where}",
            hint="Choose to overwrite or to skip them.",
        )


def _compare(
    store: Store,
    reader: Database | Transaction,
    kind: str,
    batch: list[Item],
    existing: str,
    report: Report,
    *,
    details: bool,
) -> tuple[list[Item], list[str]]:
    """Which items have to be written, and which names are taken."""
    table, column = TABLES[kind]
    sql, params = chosen_by_name(table, column, [item[1] for item in batch], "*")
    present = {row[column]: row for row in reader.read(sql, params)}
    due: list[Item] = []
    taken: list[str] = []
    for item in batch:
        row, fields = present.get(item[1]), list[str]()
        if row is None:
            state = "added"
        elif row.get("team_name") is not None:
            raise store.belongs_to_a_team(kind, item[1])
        elif existing != "overwrite":
            state = "skipped"
            (report.skipped if existing == "skip" else taken).append(item[1])
        else:
            fields = _differing(store, kind, row, item)
            state = "changed" if fields else "unchanged"
        report.counts[state] += 1
        if details:
            report.rows.append((item[1], state, fields))
        if state in ("added", "changed"):
            due.append(item)
    return due, taken


def _differing(store: Store, kind: str, row: dict[str, object], item: Item) -> list[str]:
    """The names of the fields in which an item differs from its row."""
    _, _, value, description = item
    try:
        before = store.value_of(kind, row)
    except errors.SecretsError:
        return ["(unreadable before)"]
    if isinstance(value, str) or isinstance(before, str):
        differing = ["value"] if value != before else []
        return differing + (
            ["description"] if description is not None and description != row.get("description") else []
        )
    old, new = before.to_dict(), value.to_dict()
    new["conn_type"] = new["conn_type"] or ""
    return [name for name in new if new[name] != old[name]]


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _chained(first: list[Item] | None, rest: Iterator[list[Item]]) -> Iterator[list[Item]]:
    if first is not None:
        yield first
    yield from rest

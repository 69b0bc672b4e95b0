"""Which key decrypts which row, and new tokens under the first key for all of them.

Every token that Airflow may have written counts: also rows of its teams, and tables that only Airflow reads. Else they
would be lost when the old key is removed.
"""

from __future__ import annotations

from framework import errors
from framework.metastore import migrations
from framework.metastore.base import persistently, quoted
from framework.metastore.bulk import BATCH, pages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from framework.metastore.store import Store

    Row = dict[str, Any]

#: How often the tables are read again because rows were changed meanwhile.
_PASSES = 10


class _Table:
    """A table with tokens.

    Attributes:
        name: the table.
        kind: the name of a row in messages.
        named_by: the column of its name.
        tokens: column -> the column that says whether it is encrypted; None if it always is.
    """

    __slots__ = ("name", "kind", "named_by", "tokens")

    def __init__(self, name: str, kind: str, named_by: str, tokens: dict[str, str | None]) -> None:
        self.name, self.kind, self.named_by, self.tokens = name, kind, named_by, tokens

    def row(self, row: Row) -> str:
        return f"{self.kind} {row[self.named_by]!r}"

    def fields(self, row: Row) -> Iterator[tuple[str, str | None, str, bool]]:
        """Every text of a row that is or should be a token: column, flag's column, text, whether it is a token."""
        for column, flag in self.tokens.items():
            text = row.get(column)
            # An empty password or extra is never encrypted, whatever the flag says: as in Airflow.
            if isinstance(text, str) and (text or self.kind in ("variable", "config secret")):
                yield column, flag, text, flag is None or bool(row.get(flag))


_TABLES = (
    _Table("connection", "connection", "conn_id", {"password": "is_encrypted", "extra": "is_extra_encrypted"}),
    _Table("variable", "variable", "key", {"val": "is_encrypted"}),
    _Table(migrations.SECRETS_TABLE, "config secret", "name", {"value": "is_encrypted"}),
    _Table("trigger", "trigger", "id", {"kwargs": None}),
    _Table(
        "connection_test_request",
        "connection test",
        "connection_id",
        {"password": "is_encrypted", "extra": "is_extra_encrypted"},
    ),
)


class Census:
    """Which keys the rows need.

    Attributes:
        keys: the number of configured keys.
        counts: kind -> how many rows need each key, how many are not encrypted, and how many no key decrypts. A row
            with two tokens counts for the key that comes last.
        unopened: the rows that no key decrypts.
    """

    __slots__ = ("keys", "counts", "unopened")

    def __init__(self, keys: int) -> None:
        self.keys, self.counts, self.unopened = keys, dict[str, list[int]](), list[str]()


def census(store: Store, advance: Callable[[int], None] = lambda rows: None) -> Census:
    """Look at every row of every table with tokens.

    Raises:
        BackendUnavailable: the database does not answer.
        BackendError: a key is malformed.
    """
    found = Census(len(store.keys))
    for table in _TABLES:
        counts = [0] * (found.keys + 2)
        for row in pages(store.database, table.name):
            places = [_place(store, text, is_token) for _, _, text, is_token in table.fields(row)]
            if places:
                counts[max(places)] += 1
                if max(places) == found.keys + 1:
                    found.unopened.append(table.row(row))
            advance(1)
        if any(counts) or table.kind in ("connection", "variable", "config secret"):
            found.counts[table.kind] = counts
    return found


def _place(store: Store, text: str, is_token: bool) -> int:
    if not is_token:
        return len(store.keys)
    opened = store.keys.find(text)
    return len(store.keys) + 1 if opened is None else opened[0]


class Rotation:
    """What a rotation did.

    Attributes:
        rotated: how many rows got new tokens from this run.
        current: how many rows had a token of the first key already, also from another run meanwhile.
        unopened: the rows that no key decrypts; they were not changed.
    """

    __slots__ = ("rotated", "current", "unopened")

    def __init__(self) -> None:
        self.rotated, self.current, self.unopened = 0, 0, list[str]()


def rotate(store: Store, advance: Callable[[int], None] = lambda rows: None) -> Rotation:
    """Encrypt every row with the first key: those under older keys, and those that are not encrypted.

    Each batch is one transaction, and is decrypted again before it is committed. Rows under the first key are skipped,
    so a rotation that was stopped continues when it is started again. A row that is changed meanwhile keeps its new
    value.

    Raises:
        NoFernetKey: there is no key.
        MetastoreError: the database refuses, or a batch does not open again; earlier batches are committed.
        BackendUnavailable: the database does not answer.
        BackendError: a key is malformed.
    """
    store.keys.encrypt("")
    done = Rotation()
    for table in _TABLES:
        ours: set[object] = set()  # the rows that this run has rotated
        for _ in range(_PASSES):
            overtaken = False
            unopened: list[str] = []
            batch: list[list[_Change]] = []
            current = 0
            for row in pages(store.database, table.name):
                changes, lost = _changes(store, table, row)
                if lost:
                    unopened.append(table.row(row))
                if changes:
                    batch.append(changes)
                elif not lost and row["id"] not in ours:
                    current += 1
                if len(batch) == BATCH:
                    overtaken |= _write(store, table, batch, ours)
                    batch = []
                advance(1)
            if batch:
                overtaken |= _write(store, table, batch, ours)
            if not overtaken:
                break
        done.rotated += len(ours)
        done.current += current
        done.unopened += unopened
    return done


class _Change:
    """One column of one row: its content, its text, and its new token."""

    __slots__ = ("id", "column", "flag", "was", "text", "token")

    def __init__(self, id: object, column: str, flag: str | None, was: str, text: str, token: str) -> None:
        self.id, self.column, self.flag, self.was, self.text, self.token = id, column, flag, was, text, token


def _changes(store: Store, table: _Table, row: Row) -> tuple[list[_Change], bool]:
    """The changes of a row, and whether no key decrypts one of its tokens."""
    changes, lost = list[_Change](), False
    for column, flag, was, is_token in table.fields(row):
        opened = store.keys.find(was) if is_token else (-1, was)
        if opened is None:
            lost = True
        elif opened[0] != 0:
            changes.append(_Change(row["id"], column, flag, was, opened[1], store.keys.encrypt(opened[1])))
    return changes, lost


def _write(store: Store, table: _Table, batch: list[list[_Change]], ours: set[object]) -> bool:
    """Write and verify one batch in one transaction; True if one of its rows was changed meanwhile."""
    changes = [change for of_row in batch for change in of_row]
    written = persistently(store.database, lambda: _try_to_write(store, table, changes))
    ours.update(id for id, _ in written)
    return len(written) < len(changes)


def _try_to_write(store: Store, table: _Table, changes: list[_Change]) -> set[tuple[object, str]]:
    """The rows and columns that have their new tokens; the others were changed by another process, or deleted."""
    written: set[tuple[object, str]] = set()
    with store.database.write() as transaction:
        for column, flag in table.tokens.items():
            due = [change for change in changes if change.column == column]
            if not due:
                continue
            flagged = f", {quoted(flag)} = :flag" if flag else ""
            # Only if the old token is unchanged: a value that was written meanwhile is newer, and under the first key.
            sql = (
                f"UPDATE {quoted(table.name)} SET {quoted(column)} = :token{flagged} "
                f'WHERE "id" = :id AND {quoted(column)} = :was'
            )
            rows: list[dict[str, object]] = [{"token": c.token, "id": c.id, "was": c.was} for c in due]
            transaction.execute(sql, [{**row, "flag": True} for row in rows] if flag else rows)
            params: dict[str, object] = {f"n{number}": change.id for number, change in enumerate(due)}
            among = ", ".join(f":{name}" for name in params)
            sql = f'SELECT "id", {quoted(column)} FROM {quoted(table.name)} WHERE "id" IN ({among})'
            now = {row["id"]: row[column] for row in transaction.read(sql, params)}
            for change in due:
                if now.get(change.id) == change.token:
                    _verify(store, change, table)
                    written.add((change.id, column))
    return written


def _verify(store: Store, change: _Change, table: _Table) -> None:
    if store.keys.find(change.token) != (0, change.text):
        raise errors.MetastoreError(
            "a new token does not decrypt to the original text, so its batch was rolled back",
            where=f"{table.name}, row {change.id!r}, in {store.database.where}",
            hint="Nothing is lost. Check the machine's memory, then run it again.",
        )

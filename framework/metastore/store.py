"""Connections, variables and config secrets as rows: encrypted on the way in, decrypted on the way out.

Reads never write. Every write is one transaction. Rows that belong to a team of Airflow's are never returned and never
changed.
"""

from __future__ import annotations

from itertools import chain

from framework import errors
from framework.masking import safe_repr
from framework.metastore import rows
from framework.metastore.base import UNKNOWN, is_storable, persistently, quoted, sign_of
from framework.metastore.rows import TABLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from framework.connection import Connection
    from framework.metastore.crypto import Keys
    from framework.metastore.database import Database, Transaction

    #: kind, name, value, and a variable's description (None leaves the stored one).
    Item = tuple[str, str, str | Connection, str | None]

#: Names in one query, and rows in one write: old versions of SQLite allow 999 parameters.
_CHUNK = 500
#: Names that are remembered as written; after these all count as written.
REMEMBERED = 100_000


@errors.public
class Store:
    """The rows of one metastore.

    Args:
        database: where they are.
        keys: encrypt and decrypt them.

    Attributes:
        written: the kinds and names that this process has written; None: they are not noted.
    """

    __slots__ = ("database", "keys", "written", "_sound")

    def __init__(self, database: Database, keys: Keys) -> None:
        self.database, self.keys = database, keys
        self.written: set[tuple[str, str]] | None = None
        self._sound: set[str] = set()  # the kinds whose table was checked

    def get_connection(self, conn_id: str, team: str | None = None) -> Connection | None:
        """The connection of that id, or None. With a team, also a row of that team of Airflow's.

        Raises:
            InvalidSecret: no key opens it, or its extra is not a JSON object.
            BackendUnavailable: the database does not answer.
            BackendError: a key is malformed.
        """
        row = self._find(self.database, "connection", conn_id, team)
        return None if row is None else rows.connection_of(row, self.database.where, self.keys)

    def get_variable(self, key: str, team: str | None = None) -> str | None:
        """The text of the variable, or None; raises as `get_connection` does."""
        row = self._find(self.database, "variable", key, team)
        return None if row is None else rows.stored_text(row, self.database.where, self.keys, "variable")

    def get_config(self, name: str) -> str | None:
        """The config secret, or None (as in a database that has no table for them); raises as `get_connection` does."""
        row = self._find(self.database, "config", name)
        return None if row is None else rows.stored_text(row, self.database.where, self.keys, "config")

    def get_many(self, kind: str, names: Iterable[str]) -> dict[str, str | Connection | errors.SecretsError]:
        """Many values at once, 500 in one statement. Absent names are left out; an invalid row maps to its error.

        Raises:
            BackendUnavailable: the database does not answer.
            BackendError: a key is malformed.
        """
        found: dict[str, str | Connection | errors.SecretsError] = {}
        column = TABLES[kind][1]
        seen: dict[str, list[dict[str, Any]]] = {}
        for row in self._rows(self.database, kind, names):
            seen.setdefault(row[column], []).append(row)
        for name, same in seen.items():
            try:
                if len(same) > 1:
                    raise rows.named_twice(kind, same, self.database.where)
                found[name] = self.value_of(kind, same[0])
            except errors.SecretsError as error:
                found[name] = error
        return found

    def list_names(self, kind: str) -> list[str]:
        """The names of one kind, sorted: `connection`, `variable` or `config`."""
        table, column = TABLES[kind]
        columns = self.database.columns(table)
        if not columns:
            return []
        rows.check_columns(kind, columns, self.database.where)
        filters = " WHERE team_name IS NULL" if "team_name" in columns else ""
        names = set()
        for row in self.database.read(f'SELECT "id", "{column}" FROM "{table}"{filters}', {}):
            if (fault := rows.fault_of_name(kind, row, self.database.where)) is not None:
                errors.warn(f"{fault.where}: {fault.what}; it is left out")
            else:
                names.add(row[column])
        return sorted(names)

    def set_variable(self, key: str, text: str, description: str | None = None) -> None:
        """Create or change a variable. Its description stays unless one is given (Airflow removes it).

        Raises:
            NoFernetKey: there is no key, so nothing is written.
            MetastoreError: the database refuses.
            BackendError: a key is malformed.
        """
        self.write_many([("variable", key, text, description)])

    def update_variable(self, key: str, text: str) -> int:
        """Change a variable that exists. Returns how many were changed (0 or 1); raises as `set_variable` does."""
        token = self.keys.encrypt(text)
        if not self.database.columns("variable"):  # without a row to change, no file is created
            return 0

        self._remember("variable", (key,))

        def update() -> int:
            with self.database.write() as transaction:
                row = self._find(transaction, "variable", key)
                if row is None:
                    return 0
                changed = {"id": row["id"], "val": token, "is_encrypted": True}
                sql = 'UPDATE "variable" SET "val" = :val, "is_encrypted" = :is_encrypted WHERE "id" = :id'
                return transaction.execute(sql, [changed])

        return persistently(self.database, update)

    def delete_variable(self, key: str) -> int:
        """Delete a variable. Returns how many were deleted (0 or 1)."""
        return self._delete("variable", key)

    def set_connection(self, connection: Connection, *, overwrite: bool = True) -> None:
        """Create or replace a connection, with all fields.

        Raises:
            MetastoreError: it exists and `overwrite` is false, or the database refuses.
            NoFernetKey: there is no key, so nothing is written.
            BackendError: a key is malformed.
        """
        if connection.conn_id is None:
            raise errors.MetastoreError("a connection without an id cannot be stored", where=self.database.where)
        self.write_many([("connection", connection.conn_id, connection, None)], overwrite=overwrite)

    def delete_connection(self, conn_id: str) -> int:
        """Delete a connection. Returns how many were deleted (0 or 1)."""
        return self._delete("connection", conn_id)

    def set_config(self, name: str, text: str) -> None:
        """Create or change a config secret; raises as `set_variable` does."""
        self.write_many([("config", name, text, None)])

    def delete_config(self, name: str) -> int:
        """Delete a config secret. Returns how many were deleted (0 or 1)."""
        return self._delete("config", name)

    def write_many(self, items: Iterable[Item], *, overwrite: bool = True) -> int:
        """Write any number of rows of any kind in one transaction: all of them or none.

        Args:
            items: (kind, name, value, description), read as they are written; the description is a variable's.
            overwrite: replace rows that exist; otherwise one of them stops the transaction.

        Returns:
            How many were written.

        Raises:
            NoFernetKey: there is no key, so nothing is written.
            MetastoreError: the database refuses, or a row of that name exists and may not be replaced.
            BackendError: a key is malformed.
        """
        self.keys.encrypt("")  # before a file is created or a lock is taken: check the key
        if not isinstance(items, list):
            return self._write(items, overwrite)
        # In one order, so that writers of the same rows wait for each other; repeated after a deadlock all the same.
        ordered = sorted(items, key=_kind_and_name)
        return persistently(self.database, lambda: self._write(ordered, overwrite), repeatable=overwrite)

    def _write(self, items: Iterable[Item], overwrite: bool) -> int:
        batches = _batches(items, self.database.bounded)
        first = next(batches, None)  # an early error is raised before a file is created
        if first is None:
            return 0
        from framework.metastore.migrations import columns_for_writing

        written = 0
        with self.database.write() as transaction:
            seen: dict[str, tuple[str, ...]] = {}
            for kind, batch in chain((first,), batches):
                if kind not in seen:
                    seen[kind] = columns_for_writing(self.database, transaction, TABLES[kind][0])
                    rows.check_writable(kind, seen[kind], self.database.where)
                self._check(transaction, kind, "team_name" in seen[kind], batch, overwrite)
                self.upsert(transaction, kind, batch, overwrite=overwrite)
                written += len(batch)
        return written

    @safe_repr
    def __repr__(self) -> str:
        return f"<Store in {self.database.where}>"

    def upsert(self, transaction: Transaction, kind: str, batch: list[Item], *, overwrite: bool = True) -> None:
        """Write rows of one kind, all with a description or all without. The caller has checked that it is allowed.

        Without `overwrite`, a row that another process has created since that check is an error.
        """
        if not batch:
            return
        self._remember(kind, (item[1] for item in batch))
        table, column = TABLES[kind]
        described = batch[0][3] is not None
        made = [
            rows.row_of(name, value, description, kind, self.keys)
            for _, name, value, description in sorted(batch, key=_kind_and_name)
        ]
        kept = {column} if described or kind != "variable" else {column, "description"}
        if overwrite:
            sql = self.database.upsert(table, made[0], column, [name for name in made[0] if name not in kept])
        else:
            sql = self.database.insert(table, made[0])
        transaction.execute(sql, made)
        if not self.database.exact:
            self._refuse_confusion(transaction, kind, {item[1] for item in batch})

    def _refuse_confusion(self, transaction: Transaction, kind: str, names: set[str]) -> None:
        """Undo a write that changed a row with another name: in Airflow's MySQL, `a ` is `a`."""
        table, column = TABLES[kind]
        for part in _chunks(sorted(names)):
            sql, params = chosen_by_name(table, column, part, f'"{column}"')
            missing = sorted(set(part) - {row[column] for row in transaction.read(sql, params)})
            if missing:
                raise errors.MetastoreError(
                    "the database does not distinguish it from another name, so nothing was written",
                    where=f"{kind} {missing[0]!r} in {self.database.where}",
                    hint="Choose a name that differs in more than case, accents and trailing spaces.",
                )

    def _check(self, transaction: Transaction, kind: str, teams: bool, batch: list[Item], overwrite: bool) -> None:
        """Refuse rows that may not be replaced: a team's row, and with `overwrite` false any row."""
        if not teams and overwrite:
            return
        table, column = TABLES[kind]
        chosen = f'"{column}", "team_name"' if teams else f'"{column}"'
        filters = ' AND "team_name" IS NOT NULL' if overwrite else ""
        names = [item[1] for item in batch]
        taken = set()
        for part in _chunks(names):
            sql, params = chosen_by_name(table, column, part, chosen)
            for row in transaction.read(sql + filters, params):
                if row[column] in names:
                    taken.add((row[column], row.get("team_name")))
        if not overwrite and len(set(names)) < len(names):
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            taken.add((twice, None))
        for name, team in sorted(taken, key=str):
            if team is not None:
                raise self.belongs_to_a_team(kind, name)
            hint = "Allow it to be overwritten, or choose another name."
            raise errors.MetastoreError(
                "it exists already", where=f"{kind} {name!r} in {self.database.where}", hint=hint
            )

    def belongs_to_a_team(self, kind: str, name: str) -> errors.MetastoreError:
        """The error for a row of a team."""
        return errors.MetastoreError(
            "the name belongs to a team, and teams are not supported",
            where=f"{kind} {name!r} in {self.database.where}",
            hint="Choose another name.",
        )

    def _delete(self, kind: str, name: str) -> int:
        table = TABLES[kind][0]
        if not self.database.columns(table):
            return 0
        self._remember(kind, (name,))
        unsettled = 0  # what an attempt deleted that may or may not have been committed

        def delete() -> int:
            nonlocal unsettled
            deleted = 0
            try:
                with self.database.write() as transaction:
                    row = self._find(transaction, kind, name)
                    if row is not None:
                        deleted = transaction.execute(f'DELETE FROM "{table}" WHERE "id" = :id', [{"id": row["id"]}])
            except errors.MetastoreError as error:
                unsettled = deleted if sign_of(error) == UNKNOWN else unsettled
                raise
            return deleted or unsettled

        return persistently(self.database, delete)

    def _remember(self, kind: str, names: Iterable[str]) -> None:
        if self.written is not None and len(self.written) < REMEMBERED:
            self.written.update((kind, name) for name in names)

    def find_row(self, kind: str, name: str) -> dict[str, object] | None:
        """The row of one name, as it is stored; raises as `get_connection` does."""
        return self._find(self.database, kind, name)

    def _find(
        self, reader: Database | Transaction, kind: str, name: str, team: str | None = None
    ) -> dict[str, object] | None:
        table, column = TABLES[kind]
        # All columns, because older shapes lack some: Airflow 3.0 has no team_name.
        sql = f'SELECT * FROM "{table}" WHERE "{column}" = :name'
        found = self._select(reader, kind, sql, {"name": name})
        # MariaDB finds "A" and "a " for "a"
        found = [row for row in found if row.get(column) == name and row.get("team_name") in (None, team)]
        if len(found) > 1:
            raise rows.named_twice(kind, found, self.database.where)
        return found[0] if found else None

    def _select(
        self, reader: Database | Transaction, kind: str, sql: str, params: dict[str, object]
    ) -> list[dict[str, object]]:
        """The rows of one kind. If there are none, or an error, the columns of the table are checked first."""
        try:
            found = reader.read(sql, params)
        except (errors.InvalidSecret, errors.MetastoreError):
            self.check_columns(kind)
            raise
        if not found:  # SQLite reads the name of a missing column as a text
            self.check_columns(kind)
        return found

    def check_columns(self, kind: str) -> None:
        """Refuse a table without the columns that a lookup needs; checked once.

        Raises:
            InvalidSecret: names the table and the columns.
        """
        if kind not in self._sound:
            columns = self.database.columns(TABLES[kind][0])
            rows.check_columns(kind, columns, self.database.where)
            if columns:
                self._sound.add(kind)

    def _rows(self, reader: Database, kind: str, names: Iterable[str]) -> Iterator[dict[str, Any]]:
        table, column = TABLES[kind]
        wanted = dict.fromkeys(name for name in names if is_storable(name))
        for part in _chunks(list(wanted)):
            for row in self._select(reader, kind, *chosen_by_name(table, column, part, "*")):
                if row.get(column) in wanted and row.get("team_name") is None:
                    yield row

    def value_of(self, kind: str, row: dict[str, object]) -> str | Connection:
        """The value of a row, decrypted.

        Raises:
            InvalidSecret: no key opens it, or it makes no sense.
            BackendError: a key is malformed.
        """
        if kind == "connection":
            return rows.connection_of(row, self.database.where, self.keys)
        return rows.stored_text(row, self.database.where, self.keys, kind)


def _kind_and_name(item: Item) -> tuple[str, str]:
    return item[:2]


def chosen_by_name(table: str, column: str, names: list[str], chosen: str) -> tuple[str, dict[str, object]]:
    params: dict[str, object] = {f"n{i}": name for i, name in enumerate(names)}
    among = ", ".join(f":{param}" for param in params)
    return f"SELECT {chosen} FROM {quoted(table)} WHERE {quoted(column)} IN ({among})", params


def _chunks(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _CHUNK):
        yield names[start : start + _CHUNK]


def _batches(items: Iterable[Item], bounded: bool) -> Iterator[tuple[str, list[Item]]]:
    """Neighbours of one kind, all with a description or all without, at most 500 at a time."""
    from framework.metastore.limits import checked

    batch: list[Item] = []
    kind, described = "", False
    for item in items:
        checked(*item, bounded=bounded, nameless=True)
        if batch and ((item[0], item[3] is not None) != (kind, described) or len(batch) == _CHUNK):
            yield kind, batch
            batch = []
        kind, described = item[0], item[3] is not None
        batch.append(item)
    if batch:
        yield kind, batch

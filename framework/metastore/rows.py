"""Converts rows to values, decrypted, and values to rows. The error for an invalid row names its column."""

from __future__ import annotations

from framework import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from framework.connection import Connection
    from framework.metastore.crypto import Keys

#: kind -> its table and the column that names a row.
TABLES = {
    "connection": ("connection", "conn_id"),
    "variable": ("variable", "key"),
    "config": ("config_secret", "name"),
}
#: kind -> the columns that hold a value. Older tables lack others: 1.10 has no description, 3.0 no team_name.
_NEEDED = {
    "connection": ("conn_type", "host", "schema", "login", "password", "port", "extra"),
    "variable": ("val",),
    "config": ("value",),
}
PLAIN_FIELDS = ("conn_type", "description", "host", "schema", "login", "port")
_MIGRATE = "Let the application that owns the table migrate it (Airflow: airflow db migrate)."


def check_columns(kind: str, columns: tuple[str, ...], where: str) -> None:
    """Refuse a table in which rows of a kind cannot be found and read; a table that does not exist is fine.

    Raises:
        InvalidSecret: names the table and the columns that it lacks.
    """
    table, column = TABLES[kind]
    missing = [name for name in ("id", column, *_NEEDED[kind]) if name not in columns]
    if columns and missing:
        raise errors.InvalidSecret(
            f"the table {table} has no column {' and '.join(missing)}", where=where, hint=_MIGRATE
        )


def check_writable(kind: str, columns: tuple[str, ...], where: str) -> None:
    """Refuse to write into a table of an older shape, in which a name may also appear twice.

    Raises:
        MetastoreError: names the table and the columns that it lacks.
    """
    written = {
        "connection": (*PLAIN_FIELDS, "conn_id", "password", "extra", "is_encrypted", "is_extra_encrypted"),
        "variable": ("key", "val", "description", "is_encrypted"),
        "config": ("name", "value", "is_encrypted"),
    }
    missing = [name for name in written[kind] if name not in columns]
    if missing:
        what = f"the table {TABLES[kind][0]} is from an older version and lacks the column {' and '.join(missing)}"
        raise errors.MetastoreError(f"{what}: nothing was written", where=where, hint=_MIGRATE)


def place_of(kind: str, row: dict[str, object], where: str) -> str:
    """`connection 'warehouse' in PATH`, for messages."""
    return f"{kind} {row[TABLES[kind][1]]!r} in {where}"


def column_of(kind: str, row: Mapping[str, object], column: str) -> str:
    """`column extra of row 3 of table connection`, for messages."""
    return f"column {column} of row {row.get('id')} of table {TABLES[kind][0]}"


def fault_of_name(kind: str, row: Mapping[str, object], where: str) -> errors.InvalidSecret | None:
    """Why the name of a row is not valid, or None."""
    column = TABLES[kind][1]
    if isinstance(row[column], str):
        return None
    what = "is NULL" if row[column] is None else f"holds {type(row[column]).__name__} instead of text"
    return errors.InvalidSecret(
        f"{column_of(kind, row, column)} {what}",
        where=where,
        hint="Correct or delete the row.",
    )


def named_twice(kind: str, rows: list[dict[str, object]], where: str) -> errors.InvalidSecret:
    """The error for several rows of one name: it is not known which one counts."""
    table, column = TABLES[kind]
    ids = " and ".join(str(row.get("id")) for row in rows[:2])
    return errors.InvalidSecret(
        f"table {table} holds several rows with this {column}, those with the ids {ids}",
        where=place_of(kind, rows[0], where),
        hint=f"Delete all but one: DELETE FROM {table} WHERE id = {rows[1].get('id')}",
    )


def stored_text(row: dict[str, object], where: str, keys: Keys, kind: str) -> str:
    """The value of a variable or a config secret.

    Raises:
        InvalidSecret: no key decrypts it, or the value is not text.
        BackendError: a key is malformed.
    """
    column, place = "val" if kind == "variable" else "value", place_of(kind, row, where)
    text = _column(kind, row, column, row.get("is_encrypted"), place, keys)
    if text is None:
        what = f"{column_of(kind, row, column)} is NULL"
        raise errors.InvalidSecret(what, where=place, hint="Set or delete it.")
    return text


def connection_of(row: dict[str, Any], where: str, keys: Keys) -> Connection:
    """The connection of a row.

    Raises:
        InvalidSecret: no key decrypts it, or a column is not valid.
        BackendError: a key is malformed.
    """
    from framework.connection import Connection

    place = place_of("connection", row, where)
    fields: dict[str, Any] = {name: row.get(name) for name in PLAIN_FIELDS}
    for name in ("conn_type", "description", "host", "schema", "login"):
        _column("connection", row, name, False, place, keys)
    fields["conn_type"] = fields["conn_type"] or ""
    # An empty password or extra was never encrypted, whatever the flag says: as in Airflow.
    fields["password"] = _column(
        "connection", row, "password", row.get("is_encrypted") and row["password"], place, keys
    )
    extra = _column("connection", row, "extra", row.get("is_extra_encrypted") and row["extra"], place, keys)
    if extra and not _is_json_object(extra):
        what = f"{column_of('connection', row, 'extra')} is not a JSON object"
        raise errors.InvalidSecret(what, where=place, hint="Add the connection again.")
    try:
        return Connection(conn_id=row["conn_id"], extra=extra, **fields)
    except errors.InvalidConnection as error:
        column = "conn_id" if "conn_id" in error.what else "port" if "port" in error.what else ""
        what, hint = error.what, error.hint
    raise errors.InvalidSecret(
        f"row {row.get('id')} of table connection{f', column {column}' if column else ''}: {what}",
        where=place,
        hint=f"{hint} Correct the row with SQL, or delete it.",
    )


def row_of(name: str, value: str | Connection, description: str | None, kind: str, keys: Keys) -> dict[str, object]:
    """A value as the columns of its row, encrypted.

    Raises:
        NoFernetKey: there is no key.
        BackendError: a key is malformed.
    """
    if isinstance(value, str):
        token = keys.encrypt(value)
        if kind == "config":
            return {"name": name, "value": token, "is_encrypted": True}
        return {"key": name, "val": token, "description": description, "is_encrypted": True}
    row: dict[str, object] = {"conn_id": name, **{field: getattr(value, field) for field in PLAIN_FIELDS}}
    row["conn_type"] = value.conn_type or ""
    # Airflow stores an empty password as none, and an empty text as it is.
    row["password"] = keys.encrypt(value.password) if value.password else None
    row["extra"] = keys.encrypt(value.extra) if value.extra else None if value.extra is None else ""
    row["is_encrypted"], row["is_extra_encrypted"] = bool(value.password), bool(value.extra)
    return row


def _column(kind: str, row: Mapping[str, object], column: str, encrypted: object, place: str, keys: Keys) -> str | None:
    """The text of a column, decrypted if it is encrypted."""
    stored = row.get(column)
    if stored is None:
        return None
    if not isinstance(stored, str):
        what = f"{column_of(kind, row, column)} holds bytes or a number instead of text"
        raise errors.InvalidSecret(what, where=place, hint="Set it again.")
    return keys.decrypt(stored, place) if encrypted else stored


def _is_json_object(text: str) -> bool:
    from framework.parsing import read_json

    try:
        return isinstance(read_json(text), dict)
    except ValueError:
        return False

"""Connections: URI, fields and JSON, both ways."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from framework.backends.base import BaseSecretsBackend
from framework.connection import FIELDS, Connection
from framework.errors import InvalidConnection

from .harness import Case, Row, attempt, decode, default_rows, of_file

URI_FIELDS = ("conn_type", "host", "login", "password", "schema", "port", "extra", "extra_dejson")
ATTRIBUTES = ("conn_id", "conn_type", "description", "host", "login", "password", "schema", "port", "extra")


def fields_of(connection: Connection, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(connection, name) for name in names}


def differing(connection: Connection, uri: Any, normal: Any) -> Any:
    """The fields that change when the connection's URI is read again, or the error."""

    def read() -> list[str]:
        before, after = normal(connection), normal(Connection.from_uri(uri=uri))
        return [name for name in before if before[name] != after[name]]

    return attempt(read)


def with_uri(answer: dict[str, Any], connection: Connection, key: str, normal: Any) -> dict[str, Any]:
    """The answer with `get_uri`, and what it loses where there is a URI."""
    answer["get_uri"] = attempt(connection.get_uri)
    if isinstance(answer["get_uri"], str):
        answer[key] = differing(connection, answer["get_uri"], normal)
    return answer


def as_read(connection: Connection) -> dict[str, Any]:
    return fields_of(connection, URI_FIELDS)


def as_meant(connection: Connection) -> dict[str, Any]:
    """The fields with what a URI cannot tell apart made one: no text and empty, the letters of a host and a type."""
    fields = {name: value or None for name, value in as_read(connection).items() if name != "extra"}
    fields["port"] = connection.port
    conn_type = (connection.conn_type or "").lower().replace("-", "_")
    fields["conn_type"] = "postgres" if conn_type == "postgresql" else conn_type
    fields["host"] = (connection.host or "").lower()
    return fields


@of_file("connections_uri.json")
def test_uri(case: Case) -> None:
    uri = case.data["uri"]

    def answer(connection: Connection) -> dict[str, Any]:
        return with_uri(as_read(connection), connection, "reparse_differs", as_read)

    case.compare("core", lambda: answer(Connection(conn_id="c", uri=uri)), secrets=[uri])
    if "sdk" in case.rows:
        case.compare("sdk", lambda: answer(Connection.from_uri(uri=uri, conn_id="c")), secrets=[uri])


def field_rows(case: Case) -> Iterator[Row]:
    for row in default_rows(case):
        if row.name == "sanitize_conn_id" and "airflow_quirk" in case.data:
            row = Row(row.name, row.expected, {"airflow_quirk": True})  # the dropping itself is the quirk
        yield row


@of_file("connections_fields.json", rows=field_rows)
def test_fields(case: Case) -> None:
    fields = {"conn_id": "c", **decode(case.data["fields"])}

    def answer() -> dict[str, Any]:
        connection = Connection(**fields)
        answered = {
            "attrs": fields_of(connection, ATTRIBUTES),
            "extra_dejson": connection.extra_dejson,
            "as_json": connection.as_json(),
            "to_dict": connection.to_dict(),
        }
        return with_uri(answered, connection, "uri_round_trip_differs", as_meant)

    secrets = [
        field for name, field in fields.items() if name in ("password", "extra", "uri") and isinstance(field, str)
    ]
    for name in case.rows:
        if name == "sanitize_conn_id":
            case.compare(name, lambda: sanitized(fields["conn_id"]))
        else:
            case.compare(name, answer, secrets=secrets)


def sanitized(conn_id: Any) -> str | None:
    try:
        return Connection(conn_id=conn_id).conn_id
    except InvalidConnection:
        return None


class OneValue(BaseSecretsBackend):
    def __init__(self, value: str) -> None:
        self.value = value

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        return self.value


@of_file("connections_json.json")
def test_json(case: Case) -> None:
    text = case.data["text"]

    def answer() -> dict[str, Any] | None:
        if case.data["function"] == "Connection.from_json":
            connection: Connection | None = Connection.from_json(value=text, conn_id="c")
        else:
            connection = OneValue(text).get_connection("c")
        if connection is None:
            return None
        return {
            "attrs": fields_of(connection, ATTRIBUTES),
            "extra_dejson": connection.extra_dejson,
            "get_uri": attempt(connection.get_uri),
            "as_json": connection.as_json(),
        }

    for name in case.rows:
        case.compare(name, answer, secrets=[text, *texts_in(text)])


def texts_in(text: str) -> Iterator[str]:
    """The texts inside a JSON text, which an error must not repeat; the keys are not secret."""
    try:
        values = [json.loads(text)]
    except ValueError:
        return
    while values:
        value = values.pop()
        values += value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        if isinstance(value, str) and value not in FIELDS:
            yield value

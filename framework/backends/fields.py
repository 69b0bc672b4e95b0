"""Connections in a company's own JSON."""

from __future__ import annotations

from framework.errors import InvalidConnection, warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any


def mapped(conn_id: str, text: str, connection_map: Mapping[str, object]) -> str:
    """A connection's JSON from a company's own, by a map: `{"login": "username", "conn_type": {"const": "postgres"}}`.

    Raises:
        InvalidConnection: the text is not a JSON object. It is not in the message.
    """
    given = json_object(text)
    if given is None:
        hint = "Store one, or remove [secrets] connection_map."
        raise InvalidConnection("connection_map requires a JSON object", hint=hint)
    fields = {field: _follow(given, source) for field, source in connection_map.items()}
    if all(fields[field] is None or isinstance(source, dict) for field, source in connection_map.items()):
        warn_of_empty(conn_id, given, "nothing that [secrets] connection_map looks for", "Correct the map.")
    return as_json(fields)


def json_object(text: str) -> dict[str, object] | None:
    """The object of a JSON text; None if it is anything else."""
    from framework.parsing import read_json

    try:
        found = read_json(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def as_json(fields: Mapping[str, object]) -> str:
    """The JSON text of a connection's fields, without those that are None."""
    import json

    return json.dumps({field: value for field, value in fields.items() if value is not None})


def _follow(value: Any, source: Any) -> object:
    if isinstance(source, dict):
        return source.get("const")
    for step in str(source).split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def warn_of_empty(conn_id: str, names: Iterable[str], lacks: str, hint: str) -> None:
    """Warn that a secret is JSON, but the connection is empty. The warning has the names of its fields, no value."""
    shown = [name if _is_name(name) else "(a hidden name)" for name in names]
    has = ", ".join(dict.fromkeys(shown)) or "no field"
    warn(f"connection {conn_id!r} is empty: the JSON of its secret has {lacks}. It has {has}. {hint}")


def _is_name(text: str) -> bool:
    """Whether it looks like a name; anything else may be a misplaced secret."""
    plain = text.replace("_", "").replace("-", "").replace(".", "")
    return len(text) <= 40 and plain.isascii() and plain.isalnum() and not any(map(str.isdigit, plain[:-2]))

"""A company's own JSON as a connection's."""

from __future__ import annotations

from framework.errors import InvalidConnection, warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any


def mapped(conn_id: str, text: str, connection_map: Mapping[str, Any]) -> str:
    """A company's JSON as a connection's, by a map such as `{"login": "username", "conn_type": {"const": "postgres"}}`.

    Raises:
        InvalidConnection: the text is not a JSON object. It is not in the message.
    """
    import json

    from framework.parsing import read_json

    try:
        said = read_json(text)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise InvalidConnection(
            "connection_map wants a JSON object", hint="Store one, or remove [secrets] connection_map."
        )
    fields = {field: _follow(said, source) for field, source in connection_map.items()}
    if all(fields[field] is None or isinstance(source, dict) for field, source in connection_map.items()):
        warn_of_nothing(conn_id, said, "nothing that [secrets] connection_map looks for", "Correct the map.")
    return json.dumps({field: value for field, value in fields.items() if value is not None})


def _follow(said: Any, source: Any) -> Any:
    if isinstance(source, dict):
        return source.get("const")
    for step in str(source).split("."):
        said = said.get(step) if isinstance(said, dict) else None
    return said


def warn_of_nothing(conn_id: str, names: Iterable[str], lacks: str, hint: str) -> None:
    """Warn that a secret is JSON, but gives an empty connection; with the names that it has, and never a value."""
    shown = [name if _is_name(name) else "(a name that is not shown)" for name in names]
    has = ", ".join(dict.fromkeys(shown)) or "no field"
    warn(f"connection {conn_id!r} is empty: the JSON of its secret has {lacks}. It has {has}. {hint}")


def _is_name(text: str) -> bool:
    """Whether it is spelt like a name; anything else may be a misplaced secret."""
    plain = text.replace("_", "").replace("-", "").replace(".", "")
    return len(text) <= 40 and plain.isascii() and plain.isalnum() and not any(map(str.isdigit, plain[:-2]))

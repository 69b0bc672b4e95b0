"""A company's own JSON as a connection's."""

from __future__ import annotations

from framework.errors import InvalidConnection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def mapped(text: str, connection_map: Mapping[str, Any]) -> str:
    """A company's JSON as a connection's, by a map such as `{"login": "username", "conn_type": {"const": "postgres"}}`.

    Raises:
        InvalidConnection: the text is no JSON object. It is not in the message.
    """
    import json

    from framework.files.formats import read_json

    try:
        said = read_json(text)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise InvalidConnection(
            "connection_map wants a JSON object", hint="Store one, or remove [secrets] connection_map."
        )
    fields = {field: _follow(said, source) for field, source in connection_map.items()}
    return json.dumps({field: value for field, value in fields.items() if value is not None})


def _follow(said: Any, source: Any) -> Any:
    if isinstance(source, dict):
        return source.get("const")
    for step in str(source).split("."):
        said = said.get(step) if isinstance(said, dict) else None
    return said

"""The scalars of typed files as they are written, to find values that are not read as intended."""

from __future__ import annotations

from framework.files.tables import read_table
from framework.files.text import read_text
from framework.files.yaml_nodes import loader
from framework.parsing import read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Trail = tuple[str, ...]


class Written:
    """A scalar without quotes.

    Attributes:
        text: as in the file.
        place: `path:line`, for JSON `path#/the/key`.
        format: YAML, TOML or JSON.
        mark: what separates a key from its value.
        is_null: whether it is YAML's `null`, which sets nothing.
    """

    __slots__ = ("text", "place", "format", "mark", "is_null")

    def __init__(self, text: str, place: str, kind: str, mark: str, *, is_null: bool = False) -> None:
        self.text, self.place, self.format, self.mark, self.is_null = text, place, kind, mark, is_null


def scalars(path: str) -> dict[tuple[str, str], Written]:
    """What is written without quotes in a typed file that was read before, by section and key.

    Raises:
        ConfigFileError: it cannot be read any more.
    """
    text = read_text(path)
    table, places = read_table(path, text=text)  # raises for a malformed file
    ending = path[path.rfind(".") :].lower()
    if ending == ".toml":
        found = _toml(text, table, places)
    elif ending == ".json":
        found = _json(text, places)
    else:
        found = _yaml(text, places)
    return {(".".join(trail[:-1]).lower(), trail[-1].lower()): written for trail, written in found if len(trail) > 1}


def _toml(text: str, table: object, places: dict[Trail, str]) -> Iterator[tuple[Trail, Written]]:
    """By the line of the key: its value is what follows the `=`, if it is one scalar."""
    lines = text.split("\n")
    for trail, value in _leaves(table, ()):
        place = places.get(trail, "")
        number = place.rpartition(":")[2]
        if not isinstance(value, str) and number.isdigit():
            written = lines[int(number) - 1].partition("=")[2].partition("#")[0].strip()
            if written and not any(mark in written for mark in "[{\"'"):
                yield trail, Written(written, place, "TOML", " = ")


def _json(text: str, places: dict[Trail, str]) -> Iterator[tuple[Trail, Written]]:
    for trail, value in _leaves(read_json(text, parse_int=_Number, parse_float=_Number), ()):
        if isinstance(value, _Number):
            yield trail, Written(str(value), places.get(trail, ""), "JSON", ": ")


class _Number(str):
    """A number's text."""


def _yaml(text: str, places: dict[Trail, str]) -> Iterator[tuple[Trail, Written]]:
    import yaml

    reader = loader(text)
    try:
        pending: list[tuple[Trail, Any]] = [((), reader.get_single_node())]
    finally:
        reader.dispose()
    while pending:
        above, node = pending.pop()
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode):
                continue
            trail = (*above, key.value)
            if isinstance(value, yaml.ScalarNode):
                if not value.style and not value.tag.endswith((":str", ":binary")) and value.value:
                    is_null = value.tag.endswith(":null")
                    yield trail, Written(value.value, places.get(trail, ""), "YAML", ": ", is_null=is_null)
            elif trail in places:  # nothing inside what an alias repeats
                pending.append((trail, value))


def _leaves(value: object, trail: Trail) -> Iterator[tuple[Trail, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*trail, str(key)))
    else:
        yield trail, value

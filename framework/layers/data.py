"""TOML, YAML and JSON files: typed values, one section a table, each with its line (JSON: the key's path)."""

from __future__ import annotations

from framework.errors import ConfigFileError
from framework.files.tables import read_table
from framework.files.text import read_file
from framework.layers.base import Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def read_layer(path: str, name: str = "config file") -> Layer:
    """A typed file as a layer.

    A table inside a section is an option with a table for its value, and the section `outer.inner` as well:
    which of the two it is depends on what is asked for.

    Raises:
        ConfigFileError: unreadable or malformed, with the line; or an option outside every section.
    """
    text, status = read_file(path)
    sections, places = read_table(path, text=text)
    values: dict[str, dict[str, tuple[Any, str]]] = {}
    for section, table in sections.items():
        if table is None:  # all of its options are comments
            table = {}
        if not isinstance(table, dict):
            raise _outside(str(section), table, places.get((str(section),), path))
        file_sections(values, (str(section),), table, lambda trail: places.get(trail, path))
    layer = Layer(name, path, values)
    layer.opened = {path: status}
    return layer


def _outside(name: str, value: object, where: str) -> ConfigFileError:
    """The error about a value where a section is expected."""
    outer, dot, inner = name.rpartition(".")
    if isinstance(value, list):
        hint = "Put it under a section; if it is one, write its options as name and value."
        return ConfigFileError(f"{name!r} is a list, but must be a section", where=where, hint=hint)
    hint = f"Put {inner} under the section {outer}." if dot and outer else "Put it under a section."
    return ConfigFileError(f"{name!r} is outside every section", where=where, hint=hint)


def file_sections(
    values: dict[str, dict[str, tuple[object, str]]],
    trail: tuple[str, ...],
    table: Mapping[str, object],
    place_of: Callable[[tuple[str, ...]], str],
) -> None:
    """Add a table and those inside it to `values`: each is a section, and those inside are options as well."""
    options = values.setdefault(".".join(trail).lower(), {})
    for key, value in table.items():
        inner = (*trail, str(key))
        if _holds_bytes(value):
            what = f"{key!r} is !!binary, which is bytes, and an option is text"
            raise ConfigFileError(what, where=place_of(inner), hint="Write it as text: base64 without the tag, say.")
        if value is not None:  # YAML's and JSON's null: not written
            options[str(key).lower()] = value, place_of(inner)
        if isinstance(value, dict):
            file_sections(values, inner, value, place_of)


def _holds_bytes(value: object) -> bool:
    return isinstance(value, bytes) or (isinstance(value, list) and any(map(_holds_bytes, value)))

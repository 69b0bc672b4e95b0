"""Reads the tables of TOML, YAML and JSON files, with the place of every key."""

from __future__ import annotations

from framework.errors import ConfigFileError
from framework.files.text import read_text
from framework.parsing import Malformed, json_names, read_json, read_toml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from yaml import Node

    from framework.parsing import Table
#: The extensions of typed files.
ENDINGS = (".toml", ".yaml", ".yml", ".json")
#: How a parser's words on a usual mistake begin -> what to do.
_HINTS = {
    "Invalid value": "Write text in quotes, and true and false in small letters.",
    "Unescaped '\\' in a string": "Write the text in single quotes, or each backslash twice.",
    "Illegal character": "Look for a quote that is not closed.",
    "Cannot overwrite a value": "Keep one of the two.",
    "a table is declared twice": "Put its options into one.",
    "found character that cannot start": "Indent with spaces, not tabs, and quote text that begins with @, ` or %.",
    "mapping values are not allowed": "Indent it as the line above, and put text that holds ': ' in quotes.",
    "Expecting property name": "Write names in double quotes, and no comma before }.",
    "Expecting ',' delimiter": "Write a comma between two items, and close what is open.",
    "Expecting value": "Write text in double quotes, true, false and null in small letters, and no comma before ].",
}
#: How sections are written in YAML, and in JSON.
_SECTIONS = ("Write `server:`, and below it, indented, `port: 8080`.", 'Write {"server": {"port": 8080}}.')
_FORMATS = {".toml": "TOML", ".json": "JSON", ".yaml": "YAML", ".yml": "YAML"}


def read_table(
    path: str, error: type[ConfigFileError] = ConfigFileError, *, text: str | None = None
) -> tuple[Table, dict[tuple[str, ...], str]]:
    """The top-level table of a TOML, YAML or JSON file, and where its keys are.

    Args:
        path: the file; its extension is its format.
        error: the class of the errors.
        text: what is in the file, if it was read already.

    Returns:
        The table, and for the trail of each key its place: `path:line`, for JSON `path#/the/key`.

    Raises:
        ConfigFileError: unreadable or malformed, with the line and without a value; a key that is written twice.
    """
    ending = path[path.rfind(".") :].lower()
    if ending not in ENDINGS:
        raise error("unsupported file extension", where=path, hint=f"Use one of {', '.join(ENDINGS)}.")
    if text is None:
        text = read_text(path)
    fault: Malformed | None = None
    table: object
    try:
        if ending == ".toml":
            table, places = read_toml(text), _toml_places(text, path)
        elif ending == ".json":
            table = _json(text)
            places = {trail: f"{path}#/{'/'.join(trail)}" for trail in _trails(table, ())}
        else:
            table, places = _yaml(text, path)
            if isinstance(table, dict):  # such names are for anchors
                table = {name: table for name, table in table.items() if not str(name).startswith(("x-", "."))}
    except Malformed as malformed:
        fault = malformed
    del text
    if fault is not None:
        what = fault.what if " twice, " in fault.what else f"this is not valid {_FORMATS[ending]} ({fault.what})"
        hint = "Keep one of the two." if what == fault.what else _hint(fault.what)
        raise error(what, where=f"{path}:{fault.line or 1}", hint=hint)
    if table is None:
        table = {}
    if not isinstance(table, dict):
        what = "a list" if isinstance(table, list) else "a single value"
        raise error(f"the file holds {what}, and no sections", where=f"{path}:1", hint=_SECTIONS[ending == ".json"])
    return table, places


def _hint(what: str) -> str:
    return next((hint for start, hint in _HINTS.items() if what.startswith(start)), "Correct the line.")


def _toml_places(text: str, path: str) -> dict[tuple[str, ...], str]:
    """Lines of keys, found by looking at each line, for tomli has no lines. A mistake here only costs a line number."""
    places: dict[tuple[str, ...], str] = {}
    table: tuple[str, ...] = ()
    quoted = ""
    for number, line in enumerate(text.split("\n"), 1):
        body = line.strip()
        if not quoted:
            if body.startswith("["):
                table = _toml_trail(body.strip("[]").split("#")[0].strip(" ]"))
                places.setdefault(table, f"{path}:{number}")
            elif "=" in body and not body.startswith("#"):
                trail = table + _toml_trail(body.split("=", 1)[0])
                places.setdefault(trail, f"{path}:{number}")
        for mark in ('"""', "'''"):
            if quoted in ("", mark) and body.count(mark) % 2:
                quoted = "" if quoted else mark
    return places


def _toml_trail(text: str) -> tuple[str, ...]:
    parts: list[str] = []
    for piece in text.strip().split("."):
        piece = piece.strip()
        if parts and parts[-1][:1] in "\"'" and parts[-1][:1] != parts[-1][-1:]:
            parts[-1] += "." + piece  # a quoted name that holds a dot
        else:
            parts.append(piece)
    return tuple(part.strip("\"'") for part in parts)


def _json(text: str) -> object:
    twice: list[str] = []

    def table(pairs: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(pairs)
        if len(made) < len(pairs):
            twice.append("")
        return made

    value = read_json(text, object_pairs_hook=table)
    if twice:
        trail, line, first = next(found for found in json_names(text) if found[2])
        raise Malformed(line, _written_twice(trail[-1], first))
    return value


def _yaml(text: str, path: str) -> tuple[object, dict[tuple[str, ...], str]]:
    import yaml

    from framework.files.yaml_nodes import Growth, loader, yaml_fault

    reader = loader(text)
    try:
        node = reader.get_single_node()
        if node is None:
            return None, {}
        if "&" in text and "*" in text:
            Growth().check(node)
        places = dict(_yaml_places(yaml, node, (), path))
        return reader.construct_document(node), places
    except Exception as error:  # PyYAML raises what Python happens to raise
        fault = Malformed(*yaml_fault(error, text, 1))
    finally:
        reader.dispose()
    raise fault


def _yaml_places(
    yaml: ModuleType, node: Node, trail: tuple[str, ...], path: str
) -> Iterator[tuple[tuple[str, ...], str]]:
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        name, line = key.value, key.start_mark.line + 1
        if name in seen and name != "<<":
            raise Malformed(line, _written_twice(name, seen[name]))
        seen[name] = line
        yield (*trail, name), f"{path}:{line}"
        yield from _yaml_places(yaml, value, (*trail, name), path)


def _written_twice(name: str, first: int) -> str:
    return f"{name!r} appears twice, first on line {first}"


def _trails(value: object, trail: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*trail, str(key))
            yield from _trails(inner, (*trail, str(key)))

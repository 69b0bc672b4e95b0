"""Reads the tables of TOML, YAML and JSON files, with the place of every key."""

from __future__ import annotations

from framework.errors import ConfigFileError
from framework.files.text import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

#: The endings of typed files.
ENDINGS = (".toml", ".yaml", ".yml", ".json")


def read_table(
    path: str, error: type[ConfigFileError] = ConfigFileError
) -> tuple[dict[str, Any], dict[tuple[str, ...], str]]:
    """The top-level table of a TOML, YAML or JSON file, and where its keys stand.

    Args:
        path: the file; its ending says what it is.
        error: the class of the errors.

    Returns:
        The table, and for the trail of each key its place: `path:line`, for JSON `path#/the/key`.

    Raises:
        ConfigFileError: unreadable or malformed, with the line and without a value; a key that is written twice.
    """
    ending = path[path.rfind(".") :].lower()
    if ending not in ENDINGS:
        raise error("the ending is none that can be read", where=path, hint=f"Use one of {', '.join(ENDINGS)}.")
    text = read_text(path)
    if ending == ".toml":
        said, places = _toml(text, path, error), _toml_places(text, path)
    elif ending == ".json":
        said = _json(text, path, error)
        places = {trail: f"{path}#/{'/'.join(trail)}" for trail in _trails(said, ())}
    else:
        said, places = _yaml(text, path, error)
    if said is None:
        said = {}
    if not isinstance(said, dict):
        raise error("the file holds no table of sections", where=f"{path}:1", hint="Write sections with options.")
    return said, places


def _toml(text: str, path: str, error: type[ConfigFileError]) -> Any:
    import tomli

    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as fault:
        line, what = fault.lineno, fault.msg
    raise error(f"this is no TOML ({_without_values(what)})", where=f"{path}:{line}", hint="Correct the line.")


def _toml_places(text: str, path: str) -> dict[tuple[str, ...], str]:
    """Lines of keys, by a look at each line: tomli tells none. A line that it misjudges costs a line number only."""
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


def _json(text: str, path: str, error: type[ConfigFileError]) -> Any:
    import json

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise error(f"{twice!r} is written twice", where=path, hint="Keep one of the two.")
        return table

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as fault:
        line, what = fault.lineno, fault.msg
    except RecursionError:
        line, what = 1, "nested too deep"
    raise error(f"this is no JSON ({what})", where=f"{path}:{line}", hint="Correct the line.")


def _yaml(text: str, path: str, error: type[ConfigFileError]) -> tuple[Any, dict[tuple[str, ...], str]]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        places = {} if node is None else dict(_yaml_places(yaml, node, (), path, error))
        return (None if node is None else loader.construct_document(node)), places
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        line, what = (mark.line + 1 if mark else 1), getattr(fault, "problem", None) or "it cannot be read"
    except (ValueError, TypeError, AttributeError, RecursionError):  # a date that is none, a list as a name
        line, what = 1, "a value is none of its kind"
    finally:
        loader.dispose()
    raise error(f"this is no YAML ({_without_values(what)})", where=f"{path}:{line}", hint="Correct the line.")


def _yaml_places(
    yaml: Any, node: Any, trail: tuple[str, ...], path: str, error: type[ConfigFileError], depth: int = 0
) -> Iterator[tuple[tuple[str, ...], str]]:
    if not isinstance(node, yaml.MappingNode) or depth > 20:
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in seen and name != "<<":
            raise error(
                f"{name!r} is written twice, first on line {seen[name]}", where=f"{path}:{line}", hint="Keep one."
            )
        seen[name] = line
        yield (*trail, name), f"{path}:{line}"
        yield from _yaml_places(yaml, value, (*trail, name), path, error, depth + 1)


def _trails(value: Any, trail: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*trail, str(key))
            yield from _trails(inner, (*trail, str(key)))


def _without_values(what: str) -> str:
    """A parser's message up to the first thing that it quotes: that may be a piece of a secret."""
    if '"' not in what and all(len(piece) == 1 for piece in what.split("'")[1::2]):
        return what  # it quotes marks such as ',' only
    return what.split("'")[0].split('"')[0].strip() or "a character that cannot stand here"

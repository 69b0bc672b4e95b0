"""Reads a JSON Schema as a schema of this package."""

from __future__ import annotations

from framework.limits import DEPTH
from framework.schemas.translated import Translated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from framework.parsing import Table

    Trail = tuple[str, ...]
#: Our extension of JSON Schema: what it has no word for, in the words of our own schemas.
EXTENSION = "x-framework"

#: Our word -> that of JSON Schema.
LIMITS = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusive_minimum": "exclusiveMinimum",
    "exclusive_maximum": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
}
#: A few $ref can stand for any number of sections.
_MOST_SECTIONS = 10_000
_OF_LISTS = {"min_length": "minItems", "max_length": "maxItems", "unique_items": "uniqueItems"}
_TYPES = {"string": "string", "integer": "integer", "number": "float", "boolean": "boolean", "object": "object"}
_FORMATS = {
    **dict.fromkeys(("uri", "url", "iri", "uri-reference"), "url"),
    **dict.fromkeys(("path", "file-path", "directory-path"), "path"),
    "date-time": "datetime",
    "date": "datetime",
    "duration": "duration",
}
#: Words that do not limit the values, and words that are read elsewhere.
_SILENT = frozenset(
    (
        *("title", "description", "$comment", "examples", "example", "default", "deprecated", "readOnly", "writeOnly"),
        *("format", "type", "items", "enum", "const", "properties", "required", "additionalProperties", "$schema"),
        *("$id", "$defs", "definitions", "$ref", "allOf", "anyOf"),
    )
)


def from_json_schema(table: Mapping[str, object], places: Mapping[Trail, str], path: str) -> Translated:
    """A JSON Schema whose properties are tables: each is a section, its properties are the options.

    Args:
        table: the content of the file.
        places: where its keys are.
        path: the file.
    """
    return _JsonSchema(table, places, path).translated()


class _JsonSchema:
    def __init__(self, table: Table, places: Mapping[Trail, str], path: str) -> None:
        self.table, self.places, self.path = table, places, path
        self.found, self.visited = Translated(path), 0
        self.found.plain = EXTENSION not in table

    def translated(self) -> Translated:
        for name, part in self._properties(self.table):
            node, trail = self._resolved(part, ("properties", name))
            if isinstance(node.get("properties"), dict):
                self._section(name, node, trail, ())
            elif name.startswith(("x-", ".")):
                continue
            else:
                self._note(trail, f"{name!r} belongs to no section: put it into the properties of an object")
        self._note_unknown(self.table, (), "the schema")
        return self.found

    def _section(self, section: str, node: Mapping[str, object], trail: Trail, above: tuple[int, ...]) -> None:
        self.visited += 1
        if self.visited > _MOST_SECTIONS or len(above) > DEPTH:
            if not self.found.unmapped or "too many sections" not in self.found.unmapped[-1][1]:
                self._note(trail, "too many sections, or one inside the other: the others are left out")
            return
        if id(node["properties"]) in above:
            self._note(trail, f"[{section}] contains itself through a $ref")
            return
        more = node.get(EXTENSION)
        if isinstance(more, dict) and more.get("own"):
            return
        content = self.found.setdefault(section, {})
        if isinstance(more, dict):
            content.update(more)
        if isinstance(node.get("description"), str):
            content["description"] = node["description"]
        needed = node.get("required")
        for key, part in self._properties(node):
            inner, inner_trail = self._resolved(part, (*trail, "properties", key))
            if isinstance(inner.get("properties"), dict):
                self._section(f"{section}.{key}", inner, inner_trail, (*above, id(node["properties"])))
                continue
            if isinstance(inner.get(EXTENSION), dict) and inner[EXTENSION].get("own"):
                continue
            option = self._option(f"[{section}] {key}", inner, inner_trail)
            if isinstance(needed, list) and key in needed and "default" not in option:
                option.setdefault("required", True)
            self.found.add(section, key, option, self._place(inner_trail))
        if isinstance(node.get("patternProperties"), dict) and not isinstance(more, dict):
            self._note(trail, f"[{section}]: patternProperties have no counterpart: declare each option")
        self._note_unknown(node, trail, f"[{section}]", but=("patternProperties",))

    def _option(self, name: str, node: Table, trail: Trail) -> dict[str, Any]:
        more = node.get(EXTENSION)
        option: dict[str, Any] = {}
        if isinstance(node.get("description"), str):
            option["description"] = node["description"]
        if isinstance(more, dict):
            return {**option, **more}
        option["type"] = type_ = self._type(name, node, trail)
        values = node["enum"] if isinstance(node.get("enum"), list) else [node["const"]] if "const" in node else None
        if values is not None:
            option["choices"] = [value for value in values if value is not None]
        if isinstance(node.get("default"), (str, int, float, bool, list, dict)):
            option["default"] = node["default"]
        if node.get("writeOnly") is True or node.get("format") == "password":
            option["sensitive"] = True
        if node.get("deprecated") is True:
            option["deprecated"] = True
        if isinstance(node.get("examples"), list) and node["examples"]:
            option["example"] = node["examples"][0]
        words = _OF_LISTS if type_ == "list" else LIMITS
        if type_ == "list":
            self._items(name, option, node, trail)
        self._limits(name, option, node, words, trail)
        self._note_unknown(node, trail, name, but=tuple(words.values()))
        return option

    def _limits(self, name: str, option: dict[str, Any], node: Table, words: Mapping[str, str], trail: Trail) -> None:
        for ours, theirs in words.items():
            if theirs not in node or node[theirs] is False:
                continue
            fits = _fits(ours, node[theirs], option["type"])
            if fits:
                option[ours] = node[theirs]
            else:
                self._note((*trail, theirs), f"{name}: {theirs} has no counterpart for the type {option['type']}")

    def _type(self, name: str, node: Mapping[str, object], trail: Trail) -> str:
        kinds = node.get("type")
        kinds = [kind for kind in kinds if kind != "null"] if isinstance(kinds, list) else [kinds] if kinds else []
        if not kinds and ("enum" in node or "const" in node):
            values = node.get("enum", [node.get("const")])
            if isinstance(values, list) and all(type(value) is int for value in values):
                return "integer"
            return "string"
        if len(kinds) != 1 or kinds[0] not in (*_TYPES, "array"):
            what = "has no type" if not kinds else f"has the type {' or '.join(map(str, kinds))}"
            self._note(trail, f"{name} {what}: it is read as JSON or text")
            return "json"
        if kinds[0] == "array":
            return "list"
        form = node.get("format")
        if kinds[0] != "string" or form in (None, "password"):
            return _TYPES[kinds[0]]
        if form not in _FORMATS:
            self._note((*trail, "format"), f"{name}: the format {form!r} is not checked")
        return _FORMATS.get(str(form), "string")

    def _items(self, name: str, option: dict[str, object], node: Table, trail: Trail) -> None:
        if not isinstance(node.get("items"), dict):
            return
        inner, inner_trail = self._resolved(node["items"], (*trail, "items"))
        if isinstance(inner.get("enum"), list):
            option["choices"] = inner["enum"]
        elif inner.get("type") in ("array", "object") or "properties" in inner:
            option["type"] = "json"
            self._note(inner_trail, f"{name}: the items are tables or lists, which are read and not checked")
            return
        option["items"] = self._type(f"{name}, an item", inner, inner_trail)
        words = [word for word in inner if word in LIMITS.values()]
        if words:
            self._note(inner_trail, f"{name}: {', '.join(words)} of an item have no counterpart")

    def _resolved(self, node: object, trail: Trail) -> tuple[Table, Trail]:
        """The part of the schema that counts: behind a `$ref` in this file, without a null that may be there."""
        for _ in range(20):
            if not isinstance(node, dict):
                return {}, trail
            reference = node.get("$ref")
            branches = [one for word in ("allOf", "anyOf", "oneOf") for one in _listed(node.get(word))]
            branches = [one for one in branches if not (isinstance(one, dict) and one.get("type") == "null")]
            rest = {key: value for key, value in node.items() if key not in ("$ref", "allOf", "anyOf", "oneOf")}
            if isinstance(reference, str):
                target = self._target(reference)
                if target is None:
                    self._note(trail, f"the $ref {reference!r} leads to no place in this file")
                    return rest, trail
                node = {**target, **rest}
            elif len(branches) == 1 and EXTENSION not in node:
                node = {**(branches[0] if isinstance(branches[0], dict) else {}), **rest}
            else:
                return node, trail
        self._note(trail, "too many $ref in a row")
        return {}, trail

    def _target(self, reference: str) -> Mapping[str, object] | None:
        if not reference.startswith("#"):
            return None
        node: Any = self.table
        for step in reference[1:].strip("/").split("/") if reference != "#" else ():
            step = step.replace("~1", "/").replace("~0", "~")
            node = node.get(step) if isinstance(node, dict) else None
        return node if isinstance(node, dict) else None

    def _properties(self, node: Mapping[str, object]) -> Iterator[tuple[str, object]]:
        properties = node.get("properties")
        yield from properties.items() if isinstance(properties, dict) else ()

    def _note_unknown(self, node: Mapping[str, object], trail: Trail, name: str, but: tuple[str, ...] = ()) -> None:
        if EXTENSION in node:
            return
        for word in node:
            if word not in _SILENT and word not in but and not str(word).startswith("x-"):
                self._note((*trail, str(word)), f"{name}: {word} has no counterpart")

    def _note(self, trail: Trail, what: str) -> None:
        self.found.unmapped.append((self._place(trail), what))

    def _place(self, trail: Trail) -> str:
        while trail and trail not in self.places:
            trail = trail[:-1]
        return self.places.get(trail, self.path)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _fits(word: str, limit: Any, type_: str) -> bool:
    if word == "pattern":
        import re

        try:
            re.compile(limit)
        except (re.error, TypeError, RecursionError):
            return False
        return type_ in ("string", "path", "url")
    if word in ("min_length", "max_length"):
        return type_ in ("string", "path", "url", "list") and isinstance(limit, int) and limit >= 0
    if word == "unique_items":
        return type_ == "list"
    return type_ in ("integer", "float") and isinstance(limit, (int, float)) and not isinstance(limit, bool)

"""Writes a schema as a JSON Schema of the application's TOML, YAML and JSON files, for editors.

What JSON Schema has no word for is in `x-framework`, so that the file can be read as a schema again.
"""

from __future__ import annotations

from framework.convert import to_text
from framework.names import POINTER_FORMS
from framework.schema_export import MADE_BY
from framework.schema_export.declared import is_plain, option_fields, section_fields, typed_default
from framework.schemas.json_schema import EXTENSION, LIMITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from framework.names import Names
    from framework.options.declaration import Option
    from framework.options.schema import Schema

_NUMBERS = {"integer": "integer", "float": "number"}
#: Texts in which something is inserted: what they will be is not known.
_EXPANDED: dict[str, Any] = {"type": "string", "pattern": r"[$%]|^~"}
#: A number or a boolean may be written as text.
_AS_TEXT = {
    "integer": r"^\s*[+-]?[0-9][0-9_]*\s*$",
    "float": r"^\s*[+-]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9]+|inf|nan)([eE][+-]?[0-9]+)?\s*$",
    "boolean": r"^\s*([tT]|[tT][rR][uU][eE]|1|[fF]|[fF][aA][lL][sS][eE]|0)\s*$",
}
_ANY_TABLE = {"type": ["object", "array", "string", "number", "boolean", "null"]}


def write(schema: Schema, names: Names) -> str:
    import json

    plain = is_plain(schema)
    root: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"{MADE_BY} json-schema",
        "title": f"The configuration files of {names.app}",
        **({} if plain else {EXTENSION: {}}),  # whether defaults are expanded
        "type": "object",
        "properties": {},
        "patternProperties": {"^(x-|\\.)": {}},
        "additionalProperties": False,
    }
    for option in schema:
        node = root
        for part in option.section.split("."):
            node = node["properties"].setdefault(part, _section())
            if "properties" not in node:  # an option of that name, too
                node.clear()
                node.update({"properties": {}, "additionalProperties": True})
        if option.own and not node["properties"]:
            node[EXTENSION] = {"own": True}
        elif not option.own:
            node.pop(EXTENSION, None)
            node.update(_about_section(schema, option.section))
        _add(node, option, plain=plain)
    for content in root["properties"].values():
        if content.get(EXTENSION) == {"own": True}:  # `[secrets.backends.NAME]` and such are not listed
            content["additionalProperties"] = True
    return json.dumps(root, indent=2, ensure_ascii=False, default=to_text) + "\n"


def _section() -> dict[str, Any]:
    return {"type": ["object", "null"], "properties": {}, "additionalProperties": False}


def _about_section(schema: Schema, section: str) -> dict[str, object]:
    fields = section_fields(schema, section)
    about = {"description": fields.pop("description")} if "description" in fields else {}
    return {**about, EXTENSION: fields} if fields else about


def _add(section: dict[str, Any], option: Option, *, plain: bool) -> None:
    properties = section["properties"]
    node = properties.setdefault(option.name, {})
    if "properties" in node:  # a section of that name: its tables are allowed there
        return
    if option.description:
        node["description"] = option.description
    values = [_value(option.type, option), *_as_text(option)]
    node.update(values[0] if len(values) == 1 else {"anyOf": values})
    default = typed_default(option)
    if default is not None and not option.sensitive:
        node["default"] = default
    if option.example is not None:
        node["examples"] = [option.example]
    if option.retired:
        node["deprecated"] = True
    if option.sensitive:
        node["writeOnly"] = True
        for form in POINTER_FORMS:
            about = f"A pointer to {option.name}."
            properties.setdefault(
                f"{option.name}_{form}", {"type": "string", "description": about, EXTENSION: {"own": True}}
            )
    for old_section, old_key, _ in option.renamed_from:
        if old_section == option.section:
            properties.setdefault(old_key, {"deprecated": True, EXTENSION: {"own": True}})
    node[EXTENSION] = {"own": True} if option.own else option_fields(option, plain=plain)


def _value(type_: str, option: Option) -> dict[str, object]:
    """Values that a file may hold as they are."""
    if type_ in ("list", "array"):
        item = _of_type(option.items) if option.items else {}
        if option.choices:
            item = {"enum": _typed(option.choices, option.items or "string")}
        names = {"min_length": "minItems", "max_length": "maxItems", "unique_items": "uniqueItems"}
        limits = {names[name]: limit for name, limit in option.constraints.items() if name in names}
        return {"type": "array", "items": item, **limits}
    if option.choices:
        return {"enum": _typed(option.choices, type_)}
    is_comparable = type_ in (*_NUMBERS, "string", "path", "url")
    limits = {LIMITS[name]: limit for name, limit in option.constraints.items() if name in LIMITS and is_comparable}
    if limits and type_ in _NUMBERS:
        limits = {name: float(limit) if "." in to_text(limit) else int(limit) for name, limit in limits.items()}
    return {**_of_type(type_), **limits}


def _of_type(type_: str) -> dict[str, object]:
    if type_ in _NUMBERS:
        return {"type": _NUMBERS[type_]}
    if type_ == "boolean":
        return {"type": "boolean"}
    if type_ in ("json", "object"):
        return dict(_ANY_TABLE)
    if type_ in ("bytes", "duration", "timedelta", "decimal"):
        return {"type": ["string", "number"]}
    if type_ == "url":
        return {"type": "string", "format": "uri", "pattern": "://"}
    return {"type": "string"}


def _typed(choices: list[str], type_: str) -> list[object]:
    from framework.options.types import TYPES

    if type_ not in (*_NUMBERS, "boolean"):
        return list(choices)
    return [TYPES[type_].to(choice) for choice in choices]


def _as_text(option: Option) -> list[dict[str, object]]:
    """Texts that are read as a value of the type."""
    if option.type in ("list", "array"):
        return [{"type": "string"}]
    texts: list[dict[str, Any]] = []
    if option.default == "" and option.type not in ("string", "path", "url", "json", "object"):
        texts.append({"const": ""})
    if option.type == "boolean" and not option.choices:
        texts.append({"enum": [0, 1]})
    if option.type in _AS_TEXT and not option.choices:
        texts.append({"type": "string", "pattern": _AS_TEXT[option.type]})
    elif option.choices and option.type in (*_NUMBERS, "boolean"):
        texts.append({"type": "string", "pattern": rf"^\s*({'|'.join(map(_escaped, option.choices))})\s*$"})
    is_limited = bool(option.choices or option.constraints) or option.type in (*_AS_TEXT, "url")
    return [*texts, dict(_EXPANDED)] if is_limited else texts


def _escaped(text: str) -> str:
    return text.replace(".", r"\.").replace("+", r"\+")

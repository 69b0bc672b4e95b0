"""A schema as tables: the shape of a schema file, without empty fields."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from framework.options.declaration import Option
    from framework.options.schema import Schema


def sections(schema: Schema) -> dict[str, list[Option]]:
    """The sections and options that the application declares, without the framework's own."""
    found: dict[str, list[Option]] = {}
    for option in schema:
        if not option.own:
            found.setdefault(option.section, []).append(option)
    return found


def section_fields(schema: Schema, section: str) -> dict[str, object]:
    """The fields of a section but its options."""
    fields: dict[str, Any] = {}
    if text := schema.description(section):
        fields["description"] = text
    if older := schema.older_sections(section):
        fields["renamed_from"] = [_without_empty({"section": name, "since": since}) for name, since in older]
    return fields


def is_plain(schema: Schema) -> bool:
    """Whether nothing in the defaults is expanded, as in the schema of a class."""
    return all(option.plain for options in sections(schema).values() for option in options)


def option_fields(option: Option, *, plain: bool = False) -> dict[str, object]:
    """The fields of an option, as a schema file has them.

    Args:
        plain: whether nothing is expanded in the defaults of that file. If it is, a default of a class that would
            then mean something else is left out.
    """
    fields: dict[str, Any] = {"description": option.description, "type": option.type, "items": option.items}
    fields["default"] = option.default
    if option.plain and not plain and isinstance(option.default, str):
        fields["default"] = None if _has_references(option.default) else option.default.replace("%", "%%")
    fields["required"] = list(option.required) if isinstance(option.required, tuple) else option.required or None
    fields["sensitive"] = True if option.sensitive else option.sensitivity
    fields["choices"] = option.choices
    fields.update(option.constraints)
    fields["example"] = option.example
    fields["renamed_from"] = [
        _without_empty({"section": section if section != option.section else "", "key": key, "since": since})
        for section, key, since in option.renamed_from
    ] or None
    fields["deprecated_values"] = [
        _without_empty({"pattern": pattern.text, "replacement": replacement, "since": since}, "replacement")
        for pattern, replacement, since in option.deprecated_values
    ] or None
    fields["deprecated"] = option.deprecated or None
    fields["deprecation_reason"] = option.deprecation_reason
    if option.retired and not option.deprecated and not option.deprecation_reason:
        fields["version_deprecated"] = "0"  # which release it was, the schema need not know
    return _without_empty(fields, "default")


def _without_empty(fields: Mapping[str, object], *kept: str) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None and (value != "" or name in kept)}


def is_expanded(option: Option) -> bool:
    """Whether the default is known on the machine only: it has `{BILLING_HOME}`, `$VAR`, `~` or `%(x)s`."""
    text = option.default
    return isinstance(text, str) and not option.plain and ("%" in text or _has_references(text))


def _has_references(text: str) -> bool:
    import re

    return bool(re.search(r"\$|^~|\{[A-Z][A-Z0-9_]*\}", text))


def typed_default(option: Option) -> object:
    """The default as a value of JSON; None where that is not known."""
    default = option.default
    if is_expanded(option):
        return None
    if default is None or default == "" or not isinstance(default, str):
        return default
    try:
        value = option.convert(default)
    except ValueError:
        return default
    return value if isinstance(value, (bool, int, float, str, list, dict)) else default

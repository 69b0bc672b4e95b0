"""What a schema may say, declared once: field -> what it must be. A schema is held against it before it is used."""

from __future__ import annotations

from framework.errors import SchemaError
from framework.options.constraints import CONSTRAINTS, compiled, replaces
from framework.options.types import TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any, TypeGuard, TypeVar

    from framework.parsing import Table

    T = TypeVar("T")

    Trail = tuple[Any, ...]
    #: Where in the schema, what is wrong there, and what to write.
    Mistake = tuple[Trail, str, str]


class Field:
    """What one field must be.

    Args:
        must: in words, after "must be".
        fits: whether a value is that.
        hint: what to write.
        entries: the fields of its tables, for a list of tables; and those that each of them must have.
    """

    __slots__ = ("must", "fits", "hint", "entries", "needs")

    def __init__(
        self,
        must: str,
        fits: Callable[[Any], bool],
        hint: str = "",
        entries: Mapping[str, Field] | None = None,
        needs: tuple[str, ...] = (),
    ) -> None:
        self.must, self.fits, self.hint, self.entries, self.needs = must, fits, hint, entries, needs


def _is_table(value: object) -> TypeGuard[Mapping[object, object]]:
    return hasattr(value, "items") and hasattr(value, "get")


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and (isinstance(value, float) or _is_whole(value))


def _is_whole(value: object) -> bool:
    """Whether a value is a whole number, and not so large that Python refuses to write it."""
    return isinstance(value, int) and value.bit_length() < 10_000


def _is_scalar(value: object) -> bool:
    return isinstance(value, (str, float)) or _is_whole(value) or hasattr(value, "isoformat")


def _is_plain(value: object) -> bool:
    """Whether a file can hold a value: text, number, boolean, date, or lists and tables of them."""
    from framework.convert import to_text

    if not (_is_scalar(value) or isinstance(value, (list, tuple, dict))):
        return False
    try:
        to_text(value)
    except (ValueError, RecursionError):
        return False
    return True


def _is_text_list(value: object) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(item, str) and item for item in value)


ANY = Field("anything", lambda value: True)
TEXT = Field("text", lambda value: isinstance(value, str), "Write it in quotes.")
NAME = Field("a name", lambda value: isinstance(value, str) and bool(value.strip()), "Write it in quotes.")
VERSION = Field("a version", lambda value: isinstance(value, str) or _is_number(value), 'For example "2.1".')
FLAG = Field("true or false", lambda value: isinstance(value, bool), "Write it without quotes.")
COUNT = Field(
    "a whole number, 0 or more", lambda value: _is_whole(value) and not isinstance(value, bool) and value >= 0
)
TYPE = Field("one of the types", lambda value: isinstance(value, str), f"Use one of {', '.join(TYPES)}.")
LIMIT = Field(
    "a number, or text such as 30s, 64MiB or 2024-05-01",
    lambda value: _is_scalar(value) and not isinstance(value, bool),
)


def _tables(entries: Mapping[str, Field], needs: tuple[str, ...], example: str) -> Field:
    return Field(
        "a list of tables",
        lambda value: isinstance(value, (list, tuple)) and all(map(_is_table, value)),
        f"For example [{example}].",
        entries,
        needs,
    )


#: The fields of an option.
OPTION: dict[str, Field] = {
    "type": TYPE,
    "default": Field("text, a number, true or false, a list or a table", _is_plain),
    "required": Field(
        "true, false or a list of environments",
        lambda value: isinstance(value, bool) or _is_text_list(value),
        'For example true, or ["production"].',
    ),
    "sensitive": FLAG,
    "choices": Field(
        "a list of one or more values",
        lambda value: isinstance(value, (list, tuple)) and bool(value) and all(map(_is_scalar, value)),
        "For example [one, two].",
    ),
    "items": TYPE,
    **{name: LIMIT for name, constraint in CONSTRAINTS.items() if "number" in constraint.families},
    "min_length": COUNT,
    "max_length": COUNT,
    "pattern": TEXT,
    "unique_items": FLAG,
    "renamed_from": _tables(
        {"section": NAME, "key": NAME, "since": VERSION}, (), '{section: old, key: name, since: "2.0"}'
    ),
    "deprecated_values": _tables(
        {"pattern": TEXT, "replacement": TEXT, "since": VERSION},
        ("pattern", "replacement"),
        '{pattern: "^old$", replacement: new, since: "2.0"}',
    ),
    "deprecated": FLAG,
    "deprecation_reason": TEXT,
    "description": TEXT,
    "example": Field("text, a number, true or false, a list or a table", _is_plain),
    "version_added": VERSION,
    # What Airflow's config.yml says besides.
    "version_deprecated": VERSION,
    "see_also": ANY,
    "is_template": ANY,
}

#: The fields of a section.
SECTION: dict[str, Field] = {
    "description": TEXT,
    "options": Field("a table of options", _is_table, "For example options: {port: {type: integer}}."),
    "renamed_from": _tables({"section": NAME, "since": VERSION}, ("section",), '{section: old, since: "2.0"}'),
    "renamed": Field(
        "a table",
        _is_table,
        'For example {previous_name: old, version: "2.0"}.',
        {"previous_name": NAME, "version": VERSION},
        ("previous_name",),
    ),
}

#: Common other names of a field.
_SYNONYMS = {
    "enum": "choices",
    "values": "choices",
    "min": "minimum",
    "max": "maximum",
    "regex": "pattern",
    "secret": "sensitive",
    "help": "description",
    "mandatory": "required",
    "int": "integer",
    "str": "string",
    "bool": "boolean",
    "number": "float",
}


def refuse(mistakes: Iterable[Mistake], origin: str, places: Mapping[tuple[str, ...], str]) -> None:
    """Raise an error about the first mistake, with the places of the others.

    Args:
        mistakes: what was found.
        origin, places: the schema's file, and the line of each key in it.

    Raises:
        SchemaError: if there is any mistake; names file and line, section and option.
    """
    found = list(mistakes)
    if not found:
        return
    trail, what, hint = found[0]
    others = ", ".join(dict.fromkeys(_place(other, origin, places) for other, _, _ in found[1:4]))
    more = f" {len(found) - 1} more: {others}{', …' if len(found) > 4 else ''}." if others else ""
    label = _label(trail)
    raise SchemaError(
        f"{label}: {what}" if label else what,
        where=_place(trail, origin, places),
        hint=f"{hint}{more}".strip(),
    )


def _place(trail: Trail, origin: str, places: Mapping[tuple[str, ...], str]) -> str:
    names = tuple(map(str, trail))
    while names and names not in places:
        names = names[:-1]
    return places.get(names, origin)


def _label(trail: Trail) -> str:
    """`[section] option`, as shown in messages."""
    if not trail:
        return ""
    return f"[{trail[0]}] {trail[2]}".rstrip() if trail[1:2] == ("options",) and len(trail) > 2 else f"[{trail[0]}]"


def dropped(sections: Table, places: Mapping[tuple[str, ...], str]) -> Iterator[tuple[str, str]]:
    """Take out of the options of a translated schema what has another shape here.

    Returns:
        What was taken out, as (place, what).
    """
    for trail, what, _ in list(of_schema(sections)):
        fields: dict[str, Any] = sections[trail[0]]["options"][trail[2]] if trail[1:2] == ("options",) else {}
        for name in [name for name in fields if name == trail[-1] or what.startswith(f"{name} ")]:
            del fields[name]
            yield _place(trail, str(trail[0]), places), f"{_label(trail)}: {what}"


def of_schema(schema: object, *, lenient: bool = False) -> Iterator[Mistake]:
    """What is wrong with a schema's shape: its names, fields and their types.

    Args:
        schema: the schema, as its file has it.
        lenient: whether unknown fields and odd names are left alone, as in another application's schema (Airflow's),
            which may be newer than we are.
    """
    if not _is_table(schema):
        yield (), "a schema must be a table of sections", "See docs/guides/schema.md for its shape."
        return
    seen: dict[str, Trail] = {}
    for section, content in schema.items():
        if isinstance(section, str) and section.startswith(("x-", ".")):
            continue  # for anchors
        yield from _of_name(section, (section,), "a section", ".-_", lenient)
        yield from _twice(seen, str(section), (section,))
        if content is None:
            continue
        if not _is_table(content):
            yield (section,), "must be a table", "For example {description: …, options: {…}}."
            continue
        yield from _of_fields(content, SECTION, (section,), lenient)
        options = content.get("options")
        for key, option in options.items() if _is_table(options) else ():
            trail = (section, "options", key)
            yield from _of_name(key, trail, "an option", "-_", lenient)
            yield from _twice(seen, f"{section}__{key}" if lenient else f"{section}__{key}".replace(".", "_"), trail)
            if option is None:
                continue
            if _is_table(option):
                yield from _of_fields(option, OPTION, trail, lenient)
            else:
                yield trail, "must be a table of fields", "For example {type: integer, default: 8000}."


def _of_name(name: object, trail: Trail, what: str, marks: str, lenient: bool) -> Iterator[Mistake]:
    if not isinstance(name, str):
        yield trail, f"the name {name!r} is not text", "Write it in quotes."
        return
    if lenient:
        return
    plain = name
    for mark in marks:
        plain = plain.replace(mark, "")
    if not plain.isalnum() or (".." in f".{name}." and "." in marks):
        hint = ""
        if "." in name and "." not in marks:
            hint = f"Dots are for sections: [{trail[0]}.{name.rpartition('.')[0]}] {name.rpartition('.')[2]}."
        yield trail, f"the name of {what} can hold letters, digits and {' '.join(marks)} only: {name!r}", hint
    elif "__" in name:
        yield (
            trail,
            f"a name cannot hold '__', which separates section and option in a variable: {name!r}",
            "Write one _.",
        )


def _twice(seen: dict[str, Trail], name: str, trail: Trail) -> Iterator[Mistake]:
    first = seen.setdefault(name.lower(), trail)
    if first is not trail:
        yield trail, f"declared twice, first as {_label(first)}: one variable would write both", "Keep one of them."


def _of_fields(table: Mapping[Any, Any], fields: Mapping[str, Field], trail: Trail, lenient: bool) -> Iterator[Mistake]:
    for name, value in table.items():
        field = fields.get(name) if isinstance(name, str) else None
        if field is not None:
            if value is not None:
                yield from _of_field(name, value, field, (*trail, name), lenient)
        elif not lenient and not (isinstance(name, str) and name.startswith("x-")):
            yield (*trail, name), *_unknown(name, value, fields, trail)


def _of_field(name: str, value: Any, field: Field, trail: Trail, lenient: bool) -> Iterator[Mistake]:
    if not field.fits(value):
        yield trail, f"{name} must be {field.must}", field.hint
    elif field is TYPE and value not in TYPES:
        near = _nearest(value, TYPES)
        yield trail, f"unknown type {value!r}", f"Did you mean {near}? {field.hint}" if near else field.hint
    elif name == "pattern":
        yield from _raised(trail, name, compiled, value)
    elif field.entries is not None:
        for entry in value if isinstance(value, (list, tuple)) else (value,):
            missing = [need for need in field.needs if entry.get(need) is None]
            if missing:
                yield trail, f"an entry of {name} lacks {' and '.join(missing)}", field.hint
            elif not any(entry.get(key) is not None for key in field.entries if key != "since"):
                yield trail, f"an entry of {name} names neither section nor key", field.hint
            faults = list(_of_fields(entry, field.entries, trail, lenient))
            yield from faults
            if name == "deprecated_values" and not missing and not faults:
                yield from _raised(trail, name, replaces, entry)


def _raised(trail: Trail, name: str, check: Callable[[T], object], value: T) -> Iterator[Mistake]:
    try:
        check(value)
        return
    except ValueError as fault:
        what = str(fault)
    yield trail, f"{name}: {what}", ""


def _unknown(name: object, value: object, fields: Mapping[str, Field], trail: Trail) -> tuple[str, str]:
    """What is wrong with an unknown field, and what was probably intended."""
    what = f"unknown field {name!r}" if isinstance(name, str) else f"the field {name!r} is not text"
    if near := _nearest(str(name), fields):
        return what, f"Did you mean {near}?"
    if fields is SECTION and _is_table(value) and "options" in value:
        return what, f'A section with a dot in its name is written in quotes: ["{trail[0]}.{name}"].'
    if fields is SECTION:
        return what, f"Options go under options: [{trail[0]}.options.{name}]."
    return what, f"Use one of {', '.join(fields)}, or a name that begins with x-."


def _nearest(name: str, names: Iterable[str]) -> str | None:
    from difflib import get_close_matches

    plain = name.replace("-", "_").lower()
    meant = _SYNONYMS.get(plain)
    known = list(names)
    return meant if meant in known else next(iter(get_close_matches(plain, known, 1, 0.7)), None)

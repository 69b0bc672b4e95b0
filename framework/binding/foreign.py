"""Exceptions that a settings class raises, reported without their messages: those may contain a value.

The messages of pydantic's built-in error types are shown: they say what is expected.
"""

from __future__ import annotations

from framework.binding.kinds import NOTHING, kind_of, make, origin_of
from framework.binding.scalars import Key
from framework.errors import FrameworkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from framework.binding.scalars import Path

    #: The field, empty for the object as a whole; the path inside its value; the message; the message for a sensitive
    #: option, whose messages are left out.
    Refusal = tuple[str, Path, str, str]

#: Built-in error types of pydantic whose messages contain a part of the value, or text of the application.
_WITH_VALUES = ("value_error", "assertion_error", "union_tag_invalid", "get_attribute_error", "timezone_offset")
#: Packages whose frames do not show where a class refuses a value.
_LIBRARIES = ("attr", "attrs", "msgspec", "pydantic", "framework", "dataclasses", "typing", "enum")


def made(cls: type, values: Mapping[str, object], faulty: set[str]) -> tuple[object, list[Refusal]]:
    """An object of a settings class, and why its code refuses the values.

    Args:
        values: the arguments of its constructor.
        faulty: the fields without a value, because the value was refused before. Then no object is made, but a
            pydantic model still checks the other fields.

    Returns:
        The object, or NOTHING.
    """
    if faulty and kind_of(cls) != "pydantic":
        return NOTHING, []
    refusals: list[Refusal]
    try:
        found = make(cls, values)
    except FrameworkError as error:
        refusals = [("", (), str(error), str(error))]
    except Exception as error:
        refusals = (list(_by_attrs(origin_of(cls), values)) if kind_of(cls) == "attrs" else []) or list(
            _refusals(cls, error)
        )
    else:
        return (NOTHING if faulty else found), []
    if faulty:  # the object as a whole cannot be judged without these
        refusals = [refusal for refusal in refusals if refusal[0] not in ("", *faulty)]
    return NOTHING, refusals


def _refusals(cls: type, error: Exception) -> Iterator[Refusal]:
    if not is_pydantics(error):
        what = f"{origin_of(cls).__name__} refuses the values ({raised(error)})"
        yield "", (), what, what
        return
    names = {name: name for name in getattr(cls, "__pydantic_fields__", {})}
    for name, info in getattr(cls, "__pydantic_fields__", {}).items():
        names.update({alias: name for alias in (info.alias, info.validation_alias) if isinstance(alias, str)})
    for trail, what, hidden in messages(error):
        field = names.get(trail[0], "") if trail else ""
        yield field, trail[1:] if field else trail, what, hidden


def _by_attrs(cls: Any, values: Mapping[str, Any]) -> Iterator[Refusal]:
    """What each converter and validator of an attrs class refuses: the class itself stops at the first one."""
    made, is_set = object.__new__(cls), []
    for attribute in cls.__attrs_attrs__:
        default = attribute.default
        arg = getattr(attribute, "alias", None) or attribute.name.lstrip("_")
        try:
            value = values.get(arg, default)
            if value is default and type(default).__name__ == "Factory":
                value = default.factory(made) if default.takes_self else default.factory()
            object.__setattr__(made, attribute.name, _converted(attribute, value, made))
        except Exception as error:
            what = f"a converter refuses it ({raised(error)})"
            yield attribute.name, (), what, what
        else:
            is_set.append(attribute)
    for attribute in is_set:
        try:
            if attribute.validator is not None:
                attribute.validator(made, attribute, getattr(made, attribute.name))
        except Exception as error:
            what = f"a validator refuses it ({raised(error)})"
            yield attribute.name, (), what, what


def _converted(attribute: Any, value: object, made: object) -> object:
    """What the converter of an attribute makes of a value."""
    converter = attribute.converter
    if converter is None or not hasattr(converter, "takes_self"):
        return value if converter is None else converter(value)
    more = [made] * converter.takes_self + [attribute] * converter.takes_field
    return converter.converter(value, *more)


def is_pydantics(error: Exception) -> bool:
    """Whether an exception is pydantic's error about values."""
    return type(error).__name__ == "ValidationError" and type(error).__module__.startswith("pydantic")


def messages(error: Any) -> Iterator[tuple[Path, str, str]]:
    """The errors of a ValidationError: (trail of keys and numbers, message, message for a sensitive option)."""
    from typing import get_args

    from pydantic_core import core_schema

    built_in = get_args(core_schema.ErrorType)
    for entry in error.errors(include_url=False, include_input=False):
        kind, context = entry["type"], entry.get("ctx", {})
        reason = context.get("error")
        what = hidden = f"a validator refuses it ({raised(reason) if isinstance(reason, Exception) else kind})"
        if kind == "union_tag_invalid":
            what = hidden = f"expected one of {context['expected_tags']} for {context['discriminator']}"
        elif kind in built_in and kind not in _WITH_VALUES:
            what = str(entry["msg"])
        yield tuple(Key(step) if isinstance(step, str) else step for step in entry["loc"]), what, hidden


def raised(error: Exception) -> str:
    """The type of an exception and the line of the application that raised it, without the message."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        frame = trace.tb_frame
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in _LIBRARIES and not frame.f_code.co_filename.startswith("<"):
            place = f" at {frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__}{place}"

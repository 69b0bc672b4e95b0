"""The constraints that a schema may put on the values of an option, in the words of JSON Schema, in one table."""

from __future__ import annotations

from framework.convert import to_text
from framework.options.types import TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    class Constrained(Protocol):
        """What is looked at of a declared option."""

        type: str
        default: Any
        items: str | None
        choices: list[str] | None
        constraints: dict[str, Any]

        @property
        def limits(self) -> list[tuple[str, object, object]]: ...


#: Longer texts than this are not searched by a pattern: the time that a pattern takes may grow faster than the text.
MAX_SEARCHED = 10_000


class Constraint:
    """One constraint.

    Attributes:
        families: the families of types that it can be put on.
        holds: whether a value keeps to the limit.
        expected: what is expected; the limit follows, or stands for `…`.
    """

    __slots__ = ("families", "holds", "expected")

    def __init__(self, families: str, holds: Callable[[Any, Any], bool], expected: str) -> None:
        self.families, self.holds, self.expected = families.split(), holds, expected


#: Every constraint, in the words of JSON Schema. `choices` and `items` are not limits.
CONSTRAINTS: dict[str, Constraint] = {
    "minimum": Constraint("number", lambda value, limit: bool(value >= limit), "expected at least …"),
    "maximum": Constraint("number", lambda value, limit: bool(value <= limit), "expected at most …"),
    "exclusive_minimum": Constraint("number", lambda value, limit: bool(value > limit), "expected more than …"),
    "exclusive_maximum": Constraint("number", lambda value, limit: bool(value < limit), "expected less than …"),
    "multiple_of": Constraint("number", lambda value, limit: _divides(limit, value), "expected a multiple of …"),
    "min_length": Constraint("text list", lambda value, limit: len(value) >= limit, "expected a length of at least …"),
    "max_length": Constraint("text list", lambda value, limit: len(value) <= limit, "expected a length of at most …"),
    "pattern": Constraint(
        "text",
        lambda text, pattern: len(text) <= MAX_SEARCHED and pattern.search(text) is not None,
        "expected text that matches the pattern …",
    ),
    "unique_items": Constraint(
        "list", lambda items, wanted: not wanted or _all_differ(items), "expected a list without duplicates"
    ),
}


def _divides(limit: Any, value: Any) -> bool:
    """Whether a value is a multiple of the limit, for fractions as exactly as they can be."""
    if isinstance(value, float) or isinstance(limit, float):
        parts = float(value) / float(limit)
        return abs(parts) < float("inf") and abs(parts - round(parts)) < 1e-9
    return not value % limit


def _all_differ(items: list[object]) -> bool:
    return len({(type(item).__name__, to_text(item)) for item in items}) == len(items)


def limit(type_: str, name: str, stated: object) -> object:
    """A constraint's limit as the schema says it, ready to be compared with values of a type.

    Raises:
        ValueError: the constraint does not apply to the type, or the limit is invalid; says what is expected.
    """
    families = CONSTRAINTS[name].families
    if TYPES[type_].family not in families or (name, type_) == ("multiple_of", "datetime"):
        those = ", ".join(other for other, kind in TYPES.items() if kind.family in families)
        raise ValueError(f"does not apply to the type {type_}, only to {those}")
    if name == "pattern":
        return compiled(stated)
    if "number" in families:
        found = TYPES[type_].to(stated) if not isinstance(stated, bool) else None
        if found is None or found != found:
            raise ValueError("expected a number")
        if name == "multiple_of" and not found > type(found)(0):
            raise ValueError("expected a number above 0")
        return found
    return stated


def limits(option: Constrained) -> list[tuple[str, object, object]]:
    """The limits of an option: the constraint's name, what the schema says, and that ready to be compared."""
    return [(name, stated, limit(option.type, name, stated)) for name, stated in option.constraints.items()]


def fit(option: Constrained, value: object) -> object:
    """A value as the option's type, within its choices and constraints. Empty means none where the default is empty.

    Raises:
        ValueError: says what is expected, never the value.
    """
    if value == "" and option.default == "":
        return none_of(option.type)
    kind = TYPES[option.type]
    found = kind.to(value)
    if option.items is not None:
        found = _items(option.items, found)
    if option.choices is not None:
        _check_choice(option.choices, option.type, option.items, value, found)
    measured = to_text(value) if kind.family == "text" else found
    for name, stated, limit_ in option.limits:
        check_limit(name, stated, limit_, measured)
    return found


def none_of(type_: str) -> object:
    """What an empty text means for an option whose default is empty: "" for a string, [] for a list, else None."""
    return "" if type_ == "string" else [] if TYPES[type_].family == "list" else None


def _items(type_: str, found: list[object]) -> list[object]:
    converted: list[Any] = []
    try:
        for item in found:
            converted.append(TYPES[type_].to(item))
    except ValueError as fault:
        expected = f"item {len(converted) + 1}: {fault}"
    else:
        return converted
    raise ValueError(expected)


def _check_choice(choices: list[str], type_: str, items: str | None, value: object, found: Any) -> None:
    """A value is one of the choices as it is written or by what it means; of a list, every item is."""
    if TYPES[type_].family == "list":
        wrong = [number for number, item in enumerate(found, 1) if not _is_one(choices, items or "string", item, item)]
        place = f"item {wrong[0]}: " if wrong else ""
    else:
        wrong, place = [0] * (not _is_one(choices, type_, value, found)), ""
    if wrong:
        raise ValueError(f"{place}expected one of {', '.join(map(repr, choices))}")


def _is_one(choices: list[str], type_: str, value: object, found: object) -> bool:
    if to_text(value) in choices:
        return True
    return type_ != "string" and any(TYPES[type_].to(choice) == found for choice in choices)


def check_limit(name: str, stated: object, limit_: object, value: Any) -> None:
    """Hold a value against one limit, as `limits` has it.

    Raises:
        ValueError: says what is expected.
    """
    constraint = CONSTRAINTS[name]
    try:
        if value is None or constraint.holds(value, limit_):
            return
        expected = constraint.expected.replace("…", repr(stated) if name == "pattern" else to_text(stated))
        if name == "pattern" and len(value) > MAX_SEARCHED:
            expected += f", and of at most {MAX_SEARCHED} characters"
    except TypeError:  # a time with its offset and one without cannot be compared, nor a text and a number
        has = "with" if getattr(limit_, "tzinfo", None) else "without"
        expected = f"expected a value that can be compared with {to_text(stated)}"
        if hasattr(limit_, "tzinfo"):
            expected = f"expected a time {has} its offset to UTC, like the limit {to_text(stated)}"
    raise ValueError(expected)


def compiled(pattern: Any) -> re.Pattern[str]:
    """A regular expression, ready to be searched for.

    Raises:
        ValueError: it is not one, or it may take endless time: a repetition whose whole content is a repetition.
    """
    import re
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = re.compile(pattern)
            endless = _repeats_repetition(_parsed(pattern), False)
    except re.error as fault:
        what = f"expected a regular expression: {fault.msg}" + (
            f" at character {fault.pos + 1}" if fault.pos is not None else ""
        )
    except (RecursionError, OverflowError, TypeError, ValueError):
        what = "expected a regular expression"
    else:
        if not endless:
            return found
        what = "a repetition of a repetition, such as (a+)+, can take practically forever: write a+"
    raise ValueError(what)


def _parsed(pattern: str) -> object:
    """The pattern as Python's own parser reads it, which is not a public module."""
    try:
        from re import _parser as parser  # type: ignore[attr-defined]
    except ImportError:  # Python 3.10
        import sre_parse as parser
    return parser.parse(pattern)


def _repeats_repetition(parsed: Any, repeated: bool) -> bool:
    """Whether something unbounded is repeated without bound and with nothing fixed beside it."""
    widths = [_width(parsed, at) for at in range(len(parsed))]
    for at, (code, content) in enumerate(parsed):
        name = str(code)
        alone = repeated and sum(widths) - widths[at] == 0
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            many = content[1] > 1_000
            if (many and alone) or _repeats_repetition(content[2], many or alone):
                return True
        elif name == "SUBPATTERN":
            if _repeats_repetition(content[3], alone):
                return True
        elif name == "BRANCH":
            if any(_repeats_repetition(branch, alone) for branch in content[1]):
                return True
        elif name in ("ASSERT", "ASSERT_NOT") and _repeats_repetition(content[1], False):
            return True
    return False


def _width(parsed: Any, at: int) -> int:
    """The least number of characters that one part of a pattern takes."""
    return int(parsed[at : at + 1].getwidth()[0])


def replaces(pattern: Mapping[str, object]) -> tuple[re.Pattern[str], str]:
    """The pattern and replacement of an entry of `deprecated_values`.

    Raises:
        ValueError: the pattern is not a regular expression, or the replacement names a group that it lacks.
    """
    import re

    found, new = compiled(pattern["pattern"]), str(pattern["replacement"])
    try:
        found.sub(new, "")
    except (re.error, IndexError):
        pass
    else:
        return found, new
    raise ValueError("the replacement names a group that the pattern does not have")

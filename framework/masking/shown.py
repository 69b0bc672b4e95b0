"""Values and log records as text, within bounds; and the arguments of the masker."""

from __future__ import annotations

from framework.limits import DEPTH, GROWTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from typing import TypeVar

    Kind = TypeVar("Kind")


def _type_error(given: object, argument: str, expected: str) -> Exception:
    return TypeError(f"{argument}: {expected} is expected, not {type(given).__name__}")


#: Makes the error of an argument of a wrong type.
_wrong: Callable[[object, str, str], Exception] = _type_error


def refuse_with(wrong: Callable[[object, str, str], Exception]) -> None:
    """Set what makes the error of a wrong argument. Errors are redacted, so the masker cannot import them."""
    global _wrong
    _wrong = wrong


def checked(given: object, argument: str, kind: type[Kind], expected: str = "text") -> Kind:
    """The argument, if it is of this type.

    Raises:
        InvalidArgument: it is not.
    """
    if isinstance(given, kind):
        return given
    raise _wrong(given, argument, expected)


def texts(given: object, argument: str) -> list[str]:
    """One text or several as a list; None is none. Raises: as `checked`."""
    if given is None:
        return []
    if isinstance(given, str):
        return [given]
    if isinstance(given, (bytes, bytearray, memoryview)) or hasattr(given, "keys"):
        raise _wrong(given, argument, "text or a list of texts")
    try:
        items = iter(given)  # type: ignore[call-overload] # whether it has items, is what is asked
    except TypeError:
        raise _wrong(given, argument, "text or a list of texts") from None
    return [checked(item, f"{argument}[{number}]", str) for number, item in enumerate(items)]


def shown_text(value: object) -> str:
    """The value as text; its type if that fails."""
    try:
        return str(bounded(value))
    except Exception:  # a __str__ that fails must not make the masker fail
        return f"<{type(value).__name__}>"


def bounded(value: object) -> object:
    """The value, or a note instead of a structure whose text would be too long because it repeats shared parts."""
    if not isinstance(value, (dict, list, tuple, set, frozenset)) or _size(value, {}, 0) <= GROWTH:
        return value
    return f"<{type(value).__name__} too large to show>"


def _size(value: object, known: dict[int, int], level: int) -> int:
    """How many characters its text has at least, with shared parts counted each time."""
    if isinstance(value, (str, bytes)):
        return len(value)
    if not isinstance(value, (dict, list, tuple, set, frozenset)):
        return 1
    if id(value) not in known:
        known[id(value)] = 1  # one that holds itself is shown as `...`
        items = (*value.keys(), *value.values()) if isinstance(value, dict) else value
        known[id(value)] = sum(_size(item, known, level + 1) for item in items) + 1 if level < DEPTH else 1
    return known[id(value)]


def message_of(record: logging.LogRecord) -> str | None:
    """The message of a record; None if the arguments do not fit."""
    try:
        return record.getMessage()
    except Exception:
        return None


def as_texts(layout: str) -> str:
    """The same message with `%s` for `%5.2f`."""
    import re

    return re.sub(
        r"%%|%(\(\w+\))?[-#0 +]*\d*(?:\.\d+)?[hlL]?[a-zA-Z]",
        lambda found: "%%" if found[0] == "%%" else f"%{found[1] or ''}s",
        layout,
    )

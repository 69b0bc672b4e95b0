"""What values and log records read like as text, within bounds."""

from __future__ import annotations

from framework.limits import DEPTH, GROWTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from typing import Any


def checked(given: Any, argument: str, kind: type | tuple[type, ...], expected: str = "text") -> Any:
    """The argument, if it is of this type.

    Raises:
        InvalidArgument: it is not. What makes the error is below this floor, and only loaded for that.
    """
    if isinstance(given, kind):
        return given
    from importlib import import_module

    raise import_module("framework.given").wrong(given, argument, expected)


def texts(given: Any, argument: str) -> list[str]:
    """One text or several as a list. Raises: as `checked`."""
    if given == ():  # while the masker is made
        return []
    from importlib import import_module

    found: list[str] = import_module("framework.given").texts(given, argument)
    return found


def shown_text(value: object) -> str:
    try:
        return str(bounded(value))
    except Exception:  # other people's __str__: the masker must not be what fails
        return f"<{type(value).__name__}>"


def bounded(value: Any) -> Any:
    """The value, or a few words for a structure whose text would be endless: one that shares parts again and again."""
    if not isinstance(value, (dict, list, tuple, set, frozenset)) or _size(value, {}, 0) <= GROWTH:
        return value
    return f"<{type(value).__name__} too large to show>"


def _size(value: Any, known: dict[int, int], level: int) -> int:
    """How many characters its text has at least, with what is shared written out."""
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
    try:
        return record.getMessage()
    except Exception:  # the arguments do not fit the message
        return None


def as_texts(layout: str) -> str:
    """The same message with `%s` for `%5.2f`."""
    import re

    return re.sub(
        r"%%|%(\(\w+\))?[-#0 +]*\d*(?:\.\d+)?[hlL]?[a-zA-Z]",
        lambda found: "%%" if found[0] == "%%" else f"%{found[1] or ''}s",
        layout,
    )

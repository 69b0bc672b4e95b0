"""Values and log records as they may be shown, within bounds."""

from __future__ import annotations

from framework.limits import DEPTH, GROWTH
from framework.masking import REPLACEMENT, redact

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from typing import Any

#: Shown in place of a value.
HIDDEN = "< hidden >"
#: A structure deeper than this is hidden: nothing that a person wrote is.
_DEEPEST = 100


def shown(value: object, name: str | None = None) -> Any:
    """A value as a list may show it: in a table or JSON, what sensitive names hold is hidden; texts are searched."""
    return redact(_searched(value, name, ()), name)


def _searched(value: object, name: str | None, path: tuple[int, ...]) -> object:
    """The same with the JSON texts inside redacted as the structures that they are."""
    if isinstance(value, (dict, list)):
        if id(value) in path or len(path) > _DEEPEST:
            return REPLACEMENT
        path = (*path, id(value))
        if isinstance(value, dict):
            return {key: _searched(item, None, path) for key, item in value.items()}
        return [_searched(item, None, path) for item in value]
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "[", '"'):
        return value
    import json

    from framework.parsing import read_json

    try:
        parsed = read_json(value)
    except ValueError:
        return value
    hidden = redact(_searched(parsed, name, path), name)
    return value if hidden == parsed else json.dumps(hidden, ensure_ascii=False)


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

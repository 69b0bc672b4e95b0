"""Python values in the form of a file: for defaults and limits in a class."""

from __future__ import annotations

from framework.binding.kinds import NOTHING, fields_of, get, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import timedelta
    from enum import Flag
    from typing import Any

#: Modules of the standard library whose objects are written with `str`.
_AS_TEXT = ("decimal", "uuid", "ipaddress", "pathlib", "zoneinfo", "fractions")


def written(value: Any) -> object:
    """Text, a number, a boolean, a list or a table that reads back as the value; None for None.

    Raises:
        ValueError: there is no such form.
    """
    kind = type(value)
    if value is None or kind in (str, int, float, bool):
        return value
    if hasattr(kind, "__members__"):
        return _names(value) if is_flag(kind) else value.name
    if hasattr(value, "get_secret_value"):
        return written(value.get_secret_value())
    if hasattr(value, "total_seconds"):
        return _duration(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if name := kind_of(kind):
        fields = [(field.key, get(name, value, field.name)) for field in fields_of(kind)]
        return {key: written(item) for key, item in fields if item is not None and item is not NOTHING}
    if isinstance(value, dict):
        return {str(written(key)): written(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(written, value), key=str)
    if isinstance(value, (list, tuple)) or kind.__name__ == "deque":
        return [written(item) for item in value]
    if kind.__module__.partition(".")[0] in _AS_TEXT or isinstance(value, str) or _is_url(kind):
        return str(value)
    if hasattr(value, "pattern") and hasattr(value, "fullmatch"):
        return value.pattern
    if callable(value) and "<" not in getattr(value, "__qualname__", "<") and "." not in value.__qualname__:
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (int, float)):
        return kind.__mro__[-2](value)
    raise ValueError("expected a value that a file can hold")


def is_flag(kind: type) -> bool:
    """Whether a class is an `enum.Flag`, whose members can be joined."""
    return any(base.__module__ == "enum" and base.__name__ == "Flag" for base in kind.__mro__)


def _names(value: Flag) -> list[str | None]:
    """The members that are joined in a value of a Flag, without those that are made of others."""
    return [one.name for one in type(value) if one in value and one.value and not one.value & (one.value - 1)]


def _is_url(kind: type) -> bool:
    return kind.__module__.startswith("pydantic") and kind.__name__.endswith(("Url", "Dsn"))


def _duration(value: timedelta) -> str:
    microseconds = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
    if microseconds < 0:
        raise ValueError("expected a duration of 0 or more")
    if microseconds % 1_000_000 == 0:
        return f"{microseconds // 1_000_000}s"
    whole, rest = divmod(microseconds, 1_000)
    return f"{whole}.{rest:03}ms" if rest else f"{whole}ms"

"""The types that a schema may give an option, in one table.

A converter raises ValueError with what is expected, and never with the value. The standard library's modules are
imported where a type needs them, so that an application pays for the types that it uses.
"""

from __future__ import annotations

from framework.convert import (
    to_bool,
    to_float,
    to_import,
    to_int,
    to_json,
    to_list,
    to_text,
    to_timedelta,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    import pathlib
    from collections.abc import Callable, Iterable
    from decimal import Decimal
    from typing import Any

#: No number, duration or size is written with more characters.
MAX_NUMBER = 200

_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_PREFIXES = "kmgtpe"


def to_path(value: object) -> pathlib.Path:
    """A path with a leading `~` expanded; a relative one stays relative.

    Raises:
        ValueError: no text, empty, or a text that no path can be.
    """
    if isinstance(value, str) and value and "\0" not in value:
        from pathlib import Path

        try:
            return Path(value).expanduser()
        except RuntimeError:  # the home is not known
            return Path(value)
    raise ValueError("expected a path, such as /var/lib/app")


def to_url(value: object) -> str:
    """The URL as it is written, with its scheme; `http` and similar schemes need a host.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, str) and not any(letter.isspace() or ord(letter) < 32 for letter in value):
        from urllib.parse import urlsplit

        try:
            url = urlsplit(value)
            _ = url.port
            if "://" in value and url.scheme and (url.hostname or (url.path and not url.scheme.startswith("http"))):
                return value
        except ValueError:  # its own message shows the text
            pass
    raise ValueError("expected a URL, such as https://example.com/path")


def to_duration(value: object) -> datetime.timedelta:
    """`30s`, `5m`, `1h30m`, `1.5h`, `250ms`, ISO 8601 (`PT5M`, `P1DT12H`); a bare number counts seconds.

    Raises:
        ValueError: anything else, also months and years, which have no fixed length, and negative durations.
    """
    import datetime

    if isinstance(value, datetime.timedelta):
        return value
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if value >= 0:
                return datetime.timedelta(seconds=value)
        elif isinstance(value, str) and 0 < len(value) <= MAX_NUMBER:
            return datetime.timedelta(microseconds=_microseconds(value.strip()))
    except (ValueError, OverflowError):
        pass
    raise ValueError("expected a duration, such as 30s, 5m, 1h30m or PT5M")


def _microseconds(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text) * 1_000_000
    if text[:1] == "P":
        days, mark, time = text[1:].partition("T")
        if (mark and not time) or not days + time:
            raise ValueError
        return _sum(days.lower(), ("w", "d")) + _sum(time.lower(), ("h", "m", "s"))
    return _sum(text, ("w", "d", "h", "m", "s", "ms"))


def _sum(text: str, units: Iterable[str]) -> int:
    """Numbers with their units, each unit once and the largest first."""
    total, left = 0, list(units)
    while text:
        end = next((at for at, letter in enumerate(text) if letter not in "0123456789."), len(text))
        number, text = text[:end], text[end:]
        unit = text[:2] if text[:2] in left else text[:1]
        del left[: left.index(unit) + 1]
        text = text[len(unit) :].lstrip(" ")
        total += _scaled(number, 1000 if unit == "ms" else _SECONDS[unit] * 1_000_000)
    return total


def _scaled(number: str, factor: int) -> int:
    """A decimal number times a factor, exactly; ValueError if that is not a whole number."""
    whole, dot, fraction = number.partition(".")
    digits = whole + fraction
    if not (digits.isascii() and digits.isdigit()) or (dot and not (whole and fraction)):
        raise ValueError
    parts = 10 ** len(fraction)
    product = int(digits) * factor
    if product % parts:
        raise ValueError
    return int(product // parts)


def to_bytes(value: object) -> int:
    """A number of bytes: `64MiB` and `64Mi` count in 1024s, `10kB` and `10k` in 1000s, a bare number single bytes.

    Raises:
        ValueError: anything else, also a part of a byte.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and 0 < len(value) <= MAX_NUMBER:
        text = value.strip().lower()
        number = text.rstrip("kmgtpeib ")
        unit = text[len(number) :].strip()
        prefix, rest = (unit[:1], unit[1:]) if unit[:1] in _PREFIXES else ("", unit)
        power = _PREFIXES.index(prefix) + 1 if prefix else 0
        if rest in ("", "b") or (prefix and rest in ("i", "ib")):
            try:
                return _scaled(number, (1024 if rest[:1] == "i" else 1000) ** power)
            except ValueError:
                pass
    raise ValueError("expected a number of bytes, such as 64MiB or 10kB")


def to_datetime(value: object) -> datetime.datetime:
    """ISO 8601: `2024-05-01T12:00:00+02:00`, also with `Z`, with a space for the `T`, or a date alone.

    Raises:
        ValueError: anything else.
    """
    import datetime

    if isinstance(value, datetime.datetime):
        return value
    if isinstance(value, datetime.date):
        return datetime.datetime(value.year, value.month, value.day)
    if isinstance(value, str):
        text = value.strip()
        if text[-1:] in ("Z", "z"):  # Python 3.10 does not take it
            text = f"{text[:-1]}+00:00"
        try:
            return datetime.datetime.fromisoformat(text)
        except ValueError:  # its own message shows the text
            pass
    raise ValueError("expected a date and time, such as 2024-05-01T12:00:00Z")


def to_decimal(value: object) -> Decimal:
    """An exact decimal number, such as `9.95`.

    Raises:
        ValueError: anything else, also `NaN` and `Infinity`.
    """
    if isinstance(value, (str, int, float)) and not isinstance(value, bool) and len(text := str(value)) <= MAX_NUMBER:
        from decimal import Decimal, InvalidOperation

        try:
            number = Decimal(text)
            if number.is_finite():
                return number
        except InvalidOperation:
            pass
    raise ValueError("expected a decimal number, such as 9.95")


class Type:
    """One type.

    Attributes:
        to: its converter.
        family: `text`, `number`, `list` or empty: which constraints can be put on it.
    """

    __slots__ = ("to", "family")

    def __init__(self, to: Callable[[Any], Any], family: str = "") -> None:
        self.to, self.family = to, family


#: Every type. Airflow's config.yml has `string`, `integer`, `float` and `boolean`; the others are ours.
TYPES: dict[str, Type] = {
    "string": Type(to_text, "text"),
    "integer": Type(to_int, "number"),
    "float": Type(to_float, "number"),
    "boolean": Type(to_bool),
    "list": Type(to_list, "list"),
    "array": Type(to_list, "list"),
    "object": Type(to_json),
    "json": Type(to_json),
    "timedelta": Type(to_timedelta, "number"),
    "import": Type(to_import),
    "path": Type(to_path, "text"),
    "url": Type(to_url, "text"),
    "duration": Type(to_duration, "number"),
    "bytes": Type(to_bytes, "number"),
    "datetime": Type(to_datetime, "number"),
    "decimal": Type(to_decimal, "number"),
}

"""What a database can hold: servers limit lengths, SQLite does not, and none accepts a NUL or a lone surrogate."""

from __future__ import annotations

from framework import errors
from framework.metastore.base import has_utf8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: As in Airflow's tables.
_NAME_LENGTH = 250
_LENGTHS = {"conn_type": 500, "host": 500, "schema": 500, "description": 5000}
_LARGEST_PORT = 2**31 - 1


def fault_of(
    kind: str, name: str, value: object, description: str | None = None, *, bounded: bool, nameless: bool = False
) -> str | None:
    """Why a database could not hold this row, or None.

    Args:
        bounded: whether it limits lengths, see `Database.bounded`.
        nameless: an empty name is allowed, as in Airflow's `Variable.set`.
    """
    if not name and not nameless:
        return "the name is empty"
    if bounded and len(name) > _NAME_LENGTH:
        return f"the name has {len(name)} characters, and {_NAME_LENGTH} is the most"
    texts: dict[str, Any] = {"the name": name, "description": description}
    if kind == "connection":
        texts.update({field: getattr(value, field) for field in (*_LENGTHS, "login")})
        port = getattr(value, "port")  # noqa: B009 - the value of a variable has none
        if port is not None and abs(port) > _LARGEST_PORT:
            return "port is not valid"
    else:
        texts["the value"] = value
    for field, text in texts.items():
        if text is None:
            continue
        if field != "the value" and "\0" in text:
            return f"{field} holds a NUL character"
        if bounded and kind == "connection" and len(text) > _LENGTHS.get(field, len(text)):
            return f"{field} has {len(text)} characters, and {_LENGTHS[field]} is the most"
        if not has_utf8(text):
            return f"{field} holds characters that UTF-8 cannot store (lone surrogates)"
    return None


def checked(
    kind: str, name: str, value: object, description: str | None = None, *, bounded: bool, nameless: bool = False
) -> None:
    """Raise the fault of `fault_of` as an error.

    Raises:
        MetastoreError: the database could not hold this row.
    """
    fault = fault_of(kind, name, value, description, bounded=bounded, nameless=nameless)
    if fault is not None:
        shown = name if len(name) <= 50 else f"{name[:50]}…"
        raise errors.MetastoreError(fault, where=f"{kind} {shown!r}", hint="Correct it.")

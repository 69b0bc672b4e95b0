"""The `extra` of a connection: a JSON object, kept as its text."""

from __future__ import annotations

from framework.errors import InvalidConnection
from framework.masking import should_hide_value_for_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def is_unicode(text: str) -> bool:
    """Whether the text can be encoded as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def checked_extra(extra: str | Mapping[str, object]) -> str:
    """The text of a JSON object.

    Raises:
        InvalidConnection: it is not a JSON object.
    """
    import json

    from framework.parsing import Malformed, read_json

    if isinstance(extra, str):
        text = extra
    else:
        try:
            text = json.dumps(dict(extra) if hasattr(extra, "keys") else extra)
        except (TypeError, ValueError, RecursionError):
            text = ""
    fault, hint = "extra is not a JSON object", "Give a dictionary, or the text of a JSON object."
    try:
        # Written once more without escapes, because \ud800 cannot be encoded.
        if isinstance(fields := read_json(text), dict) and is_unicode(json.dumps(fields, ensure_ascii=False)):
            return text
    except Malformed as error:
        if isinstance(extra, str) and error.line:
            fault = f"extra is not a JSON object (line {error.line} column {error.column})"
        if error.is_beyond:
            fault = f"extra cannot be read: {error.what}"
        raise InvalidConnection(fault, hint=hint) from None
    raise InvalidConnection(fault, hint=hint)


def read_extra(extra: str | None) -> dict[str, object]:
    """The JSON object as a dictionary.

    Raises:
        InvalidConnection: the attribute was set to something else.
    """
    if not extra:
        return {}
    from framework.parsing import read_json

    try:
        if isinstance(fields := read_json(extra), dict):
            return fields
    except (ValueError, TypeError):
        pass
    raise InvalidConnection("extra is not a JSON object", hint="Set it to the text of a JSON object.")


def read_nested(value: object) -> object:
    """A value with all JSON texts inside it parsed, to any depth."""
    if isinstance(value, str):
        if not value.lstrip()[:1]:
            return value
        from framework.parsing import Malformed, read_json

        try:
            read = read_json(value)
        except Malformed:
            return value
        return read_nested(read) if value[:1] in "{[" else read
    if isinstance(value, dict):
        return {key: read_nested(inner) for key, inner in value.items()}
    return [read_nested(inner) for inner in value] if isinstance(value, list) else value


def secrets_in(value: object, *, sensitive: bool) -> Iterator[str]:
    """The texts under sensitive names, also inside JSON texts such as a key file."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from secrets_in(inner, sensitive=sensitive or should_hide_value_for_name(name))
    elif isinstance(value, list):
        for inner in value:
            yield from secrets_in(inner, sensitive=sensitive)
    elif isinstance(value, str):
        if sensitive and value:
            yield value
        if value.lstrip()[:1] in ("{", "[") and not isinstance(read := read_nested(value), str):
            yield from secrets_in(read, sensitive=sensitive)

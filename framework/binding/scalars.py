"""Readers of types that are written as one text, and the base of all readers."""

from __future__ import annotations

from framework.binding.marks import Rules
from framework.binding.secret import Secret
from framework.binding.written import is_flag
from framework.convert import to_enum, to_list, to_text
from framework.options.types import TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")

    #: A path: numbers in lists, keys in tables.
    Path = tuple[int | str, ...]
    #: The path inside an option's value, what is expected there, and what is there.
    Fault = tuple[Path, str, object]

_PLAIN = {str: "string", int: "integer", float: "float", bool: "boolean"}
_TYPES = {"datetime.timedelta": "duration", "datetime.datetime": "datetime", "decimal.Decimal": "decimal"}
#: Types that are made from a text, and what is expected then.
_FROM_TEXT = {
    "uuid.UUID": "expected a UUID, such as 12345678-1234-5678-1234-567812345678",
    "datetime.date": "expected a date, such as 2024-05-01",
    "datetime.time": "expected a time, such as 12:30",
    "ipaddress.IPv4Address": "expected an IPv4 address, such as 192.0.2.1",
    "ipaddress.IPv6Address": "expected an IPv6 address, such as 2001:db8::1",
    "ipaddress.IPv4Network": "expected an IPv4 network, such as 192.0.2.0/24",
    "ipaddress.IPv6Network": "expected an IPv6 network, such as 2001:db8::/32",
    "ipaddress.IPv4Interface": "expected an IPv4 address with a prefix, such as 192.0.2.5/24",
    "ipaddress.IPv6Interface": "expected an IPv6 address with a prefix, such as 2001:db8::1/64",
    "fractions.Fraction": "expected a fraction, such as 1/3",
    "zoneinfo.ZoneInfo": "expected a time zone, such as Europe/Berlin",
    "re.Pattern": "expected a regular expression",
}


class Misfit(ValueError):
    """A value does not fit. Has every fault in it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(faults[0][1])
        self.faults = faults


def hashable(key: T) -> T:
    """A key of a table, which must not be a list or a table itself. Raises ValueError."""
    if isinstance(key, (list, set, dict)):
        raise ValueError("expected a key that is text or a number")
    return key


class Key(str):
    """A key in a table that is part of a value, and not the name of a field."""

    __slots__ = ()


def path_of(path: Path, *, hidden: bool = False) -> str:
    """A path as people write it: `[1].port`.

    Args:
        path: numbers and keys.
        hidden: whether keys that are part of the value must not be shown.
    """
    steps = ("…" if hidden and isinstance(step, Key) else step for step in path)
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def faults_of(error: ValueError, value: object, path: Path = ()) -> list[Fault]:
    """The faults in an error of a reader, at a path."""
    if isinstance(error, Misfit):
        return [(path + inner, what, found) for inner, what, found in error.faults]
    return [(path, str(error), value)]


class Reader:
    """How values of one annotation are read.

    Attributes:
        type: the type of the option in a schema. `items`, `choices`: as there.
        to: makes the value; raises ValueError with what is expected, and never with the value.
        none: whether it may be None. `takes_empty`: whether empty text is a value of its own.
        is_structure: whether it is made of tables or lists, so that its text is JSON.
        sensitive: whether the value is a secret or contains one; None if the class does not say.
        rules: the constraints.
    """

    __slots__ = ("type", "to", "items", "choices", "none", "takes_empty", "is_structure", "sensitive", "rules")

    def __init__(
        self,
        type_: str,
        to: Callable[[object], object],
        *,
        items: str | None = None,
        choices: list[str] | None = None,
        is_structure: bool = False,
        sensitive: bool | None = None,
        takes_empty: bool = False,
    ) -> None:
        self.type, self.to, self.items, self.choices = type_, to, items, choices
        self.none, self.is_structure, self.sensitive = False, is_structure, sensitive
        self.takes_empty = takes_empty or type_ == "list"
        self.rules = Rules()

    @property
    def empty_is_none(self) -> bool:
        """Whether empty text is read as None."""
        return self.none and not self.takes_empty

    def read(self, value: object) -> object:
        """A value of a layer, converted to the annotation.

        Raises:
            ValueError: it does not fit. Misfit: something inside it does not fit.
        """
        if self.none and (value is None or (value == "" and self.empty_is_none)):
            return None
        found = self.to(value)
        if self.rules:
            self.rules.check(found, is_text=TYPES[self.type].family == "text")
        return found


def then(first: Callable[[object], object], second: Callable[[object], object]) -> Callable[[object], object]:
    return lambda value: second(first(value))


def is_sensitive(annotation: object) -> bool:
    """Whether a type is one of secrets: pydantic's and ours, and addresses of databases, which contain passwords."""
    name = getattr(annotation, "__name__", "")
    is_secret = hasattr(annotation, "get_secret_value") or (isinstance(annotation, type) and name.endswith("Dsn"))
    return is_secret or any(map(is_sensitive, getattr(annotation, "__args__", ())))


def literal(args: tuple[Any, ...]) -> Reader:
    words = [arg for arg in args if arg is not None]
    type_ = "integer" if all(type(word) is int for word in words) else "string"
    choices = [to_text(word.name if hasattr(type(word), "__members__") else word) for word in words]

    def to(value: object) -> object:
        for word, text in zip(words, choices, strict=True):
            if (type(value) is type(word) and value == word) or to_text(value) == text:
                return word
        for word in words:
            try:
                if type(word) in _PLAIN and TYPES[_PLAIN[type(word)]].to(value) == word:
                    return word
            except ValueError:
                continue
        raise ValueError(f"expected one of {', '.join(map(repr, choices))}")

    made = Reader(type_, to, choices=choices)
    made.none = None in args
    return made


def scalar(annotation: object) -> Reader | None:
    """The reader of a type that is written as one text, or None."""
    if not isinstance(annotation, type):
        return None
    name = f"{annotation.__module__}.{annotation.__qualname__}"
    if annotation in _PLAIN:
        return Reader(_PLAIN[annotation], TYPES[_PLAIN[annotation]].to, takes_empty=annotation is str)
    if name in _TYPES:
        return Reader(_TYPES[name], TYPES[_TYPES[name]].to)
    if annotation is bytes:
        return Reader(
            "string", lambda value: value if type(value) is bytes else to_text(value).encode(), takes_empty=True
        )
    if is_flag(annotation):
        return Reader("list", lambda value: _flags(value, annotation), items="string")
    if hasattr(annotation, "__members__"):
        return Reader("string", lambda value: to_enum(value, annotation), choices=list(annotation.__members__))
    if annotation.__module__.partition(".")[0] == "pathlib":
        return Reader("path", then(TYPES["path"].to, annotation))
    if name in _FROM_TEXT:
        return Reader("string", _from_text(annotation, _FROM_TEXT[name]))
    if hasattr(annotation, "get_secret_value") and (secret := _secret(annotation)) is not None:
        return secret
    for base in (str, int, float):
        if issubclass(annotation, base) and not hasattr(annotation, "__get_pydantic_core_schema__"):
            expected = f"expected a value that {annotation.__name__} accepts"
            to = then(TYPES[_PLAIN[base]].to, _from_text(annotation, expected))
            return Reader(_PLAIN[base], to, takes_empty=base is str)
    return None


def _flags(value: object, annotation: type) -> object:
    """The members of a Flag that a list names, joined: `READ, WRITE` or `READ|WRITE`."""
    if isinstance(value, annotation):
        return value
    found = annotation(0)
    for item in to_list(value):
        for name in item.split("|") if isinstance(item, str) else (item,):
            found |= to_enum(name.strip() if isinstance(name, str) else name, annotation)
    return found


def _secret(annotation: Any) -> Reader | None:
    """`framework.Secret`, `pydantic.SecretStr`, `pydantic.SecretBytes`, and classes derived from them."""
    names = [base.__name__ for base in annotation.__mro__]
    if issubclass(annotation, Secret) or "SecretStr" in names:
        return Reader("string", lambda value: annotation(to_text(value)), sensitive=True, takes_empty=True)
    if "SecretBytes" in names:
        return Reader("string", lambda value: annotation(to_text(value).encode()), sensitive=True, takes_empty=True)
    return None


def _from_text(annotation: Any, expected: str) -> Callable[[object], object]:
    """Makes an object from its text. Its own error is not shown, since that may contain the text."""
    name = f"{annotation.__module__}.{annotation.__qualname__}"

    def to(value: object) -> object:
        if isinstance(value, annotation) and type(value) is annotation:
            return value
        try:
            if name == "re.Pattern":
                import re

                return re.compile(to_text(value))
            if name in ("datetime.date", "datetime.time"):
                return annotation.fromisoformat(to_text(value).strip())
            return annotation(value if not isinstance(value, str) or issubclass(annotation, str) else value.strip())
        except Exception:  # a class of the application may raise anything
            pass
        raise ValueError(expected)

    return to

"""Marks for the annotations of a settings class, for those who want no further package: constraints, and types that
Python has no class for."""

from __future__ import annotations

from framework.masking import safe_repr
from framework.options.types import TYPES


class Limits:
    """Constraints of an option: `Annotated[int, Limits(ge=1, le=65535)]`.

    Args:
        ge, gt, le, lt: at least, more than, at most, less than.
        multiple_of: what a value must be a multiple of.
        min_length, max_length: of a text in characters, of a list in items.
        pattern: a regular expression that matches anywhere in the text.
    """

    __slots__ = ("ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "pattern")

    def __init__(
        self,
        *,
        ge: object = None,
        gt: object = None,
        le: object = None,
        lt: object = None,
        multiple_of: object = None,
        min_length: int | None = None,
        max_length: int | None = None,
        pattern: str | None = None,
    ) -> None:
        self.ge, self.gt, self.le, self.lt, self.multiple_of = ge, gt, le, lt, multiple_of
        self.min_length, self.max_length, self.pattern = min_length, max_length, pattern

    @safe_repr
    def __repr__(self) -> str:
        limits = {name: getattr(self, name) for name in self.__slots__}
        return f"Limits({', '.join(f'{name}={limit!r}' for name, limit in limits.items() if limit is not None)})"


class ReadAs:
    """The type of an option in the words of a schema: `Annotated[int, ReadAs("bytes")]` reads `64MiB`.

    Args:
        type: such as `bytes`, `url`, `json`, `import`; see the table of types of a schema.

    Raises:
        ValueError: there is no such type.
    """

    __slots__ = ("type",)

    def __init__(self, type: str) -> None:
        if type not in TYPES:
            raise ValueError(f"unknown type {type!r}; use one of {', '.join(TYPES)}")
        self.type = type

    @safe_repr
    def __repr__(self) -> str:
        return f"ReadAs({self.type!r})"

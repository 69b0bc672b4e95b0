"""The marks beside a type: constraints of `annotated_types`, `msgspec.Meta` and pydantic's `Field`. They are read by
the names of their attributes, so no library is imported for them."""

from __future__ import annotations

from framework.binding.kinds import filled
from framework.binding.written import written
from framework.errors import SchemaError
from framework.options.constraints import CONSTRAINTS, check_limit, compiled, limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

#: The attribute of a mark -> the constraint in a schema.
_CONSTRAINTS = {
    "ge": "minimum",
    "le": "maximum",
    "gt": "exclusive_minimum",
    "lt": "exclusive_maximum",
    "multiple_of": "multiple_of",
    "min_length": "min_length",
    "max_length": "max_length",
    "pattern": "pattern",
}
#: Marks of pydantic that take the value before it is converted, and that change it before it is measured.
_RAW = ("BeforeValidator", "PlainValidator", "WrapValidator", "Discriminator", "Json")
_CHANGES = ("strip_whitespace", "to_upper", "to_lower")
_WRAPPERS = ("Final", "ClassVar", "Required", "NotRequired", "ReadOnly")


def marks_of(annotation: Any, metadata: Iterable[object] = ()) -> tuple[Any, list[object]]:
    """The bare type of an annotation, and the marks beside it."""
    from typing import get_args, get_origin

    marks: list[object] = []
    while True:
        origin = get_origin(annotation)
        if hasattr(annotation, "__metadata__"):
            marks = [*annotation.__metadata__, *marks]
            annotation = annotation.__origin__
        elif hasattr(annotation, "__supertype__"):  # NewType
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif type(origin).__name__ == "TypeAliasType":  # with arguments: Pair[int]
            parameters = dict(zip(origin.__type_params__, get_args(annotation), strict=False))
            annotation = filled(origin.__value__, parameters)
        elif origin is not None and getattr(origin, "_name", "") in _WRAPPERS:
            annotation = get_args(annotation)[0]
        else:
            return annotation, list(_flat([*marks, *metadata]))


def _flat(marks: Iterable[object]) -> Iterator[object]:
    """The marks, and those that a mark such as pydantic's `Field` holds."""
    for mark in marks:
        yield mark
        inner = getattr(mark, "metadata", None)
        if isinstance(inner, (list, tuple)):
            yield from _flat(inner)


def is_raw(mark: object) -> bool:
    """Whether a mark takes the value before it is converted."""
    name = mark.__name__ if isinstance(mark, type) else type(mark).__name__  # `Json` is used as a class
    return name in _RAW or any(getattr(mark, change, None) for change in _CHANGES)


def is_validator(mark: object) -> bool:
    """Whether a mark is one that only pydantic can apply."""
    return not isinstance(mark, type) and hasattr(mark, "__get_pydantic_core_schema__")


def description_of(marks: Iterable[object]) -> str:
    """The description in a mark: `Doc("…")`, `Field(description=…)`, `Meta(description=…)`."""
    for mark in marks:
        for name in ("documentation", "description"):
            if isinstance(text := getattr(mark, name, None), str):
                return text
    return ""


class Rules:
    """The constraints of one annotation.

    Args:
        marks: the marks beside the type, in order. Those after a validator concern the value that it returns.
        type_: the type of the option.
        place: where the annotation is, for messages.
        by_pydantic: whether pydantic applies them too, so those that cannot be applied here are left to it.

    Raises:
        SchemaError: a constraint cannot be applied.
    """

    __slots__ = ("limits", "_predicates")

    def __init__(
        self, marks: Iterable[object] = (), type_: str = "string", place: str = "", by_pydantic: bool = False
    ) -> None:
        #: Name, limit as in a schema, limit ready to be compared.
        self.limits: list[tuple[str, object, object]] = []
        self._predicates: list[Callable[[object], object]] = []
        for mark in marks:
            if type(mark).__name__.endswith("Validator"):
                break
            try:
                self._add(mark, by_pydantic)
            except ValueError as fault:
                what = str(fault)
            else:
                continue
            if not by_pydantic:
                raise SchemaError(what, where=place, hint="Correct the annotation.")

    def _add(self, mark: Any, by_pydantic: bool) -> None:
        if isinstance(mark, type) or is_raw(mark):
            return
        for attribute, name in _CONSTRAINTS.items():
            given = getattr(mark, attribute, None)
            if given is None or callable(given) or (attribute == "min_length" and given == 0):
                continue
            if name == "pattern":
                ready = given if hasattr(given, "search") else compiled(given)
                self.limits.append((name, getattr(given, "pattern", given), ready))
            else:
                self.limits.append((name, written(given), given))
        kind = type(mark)
        if kind.__name__ == "Predicate":
            self._predicates.append(mark.func)
        elif kind.__name__ == "Not" and kind.__module__.startswith("annotated_types"):
            self._predicates.append(mark)
        elif kind.__name__ == "Timezone" and not by_pydantic:
            raise ValueError("Timezone is not supported")

    def __bool__(self) -> bool:
        return bool(self.limits or self._predicates)

    def declared(self, type_: str) -> dict[str, object]:
        """The constraints that a schema can have for an option of this type."""
        found: dict[str, object] = {}
        for name, given, _ in self.limits:
            try:
                limit(type_, name, given)
            except ValueError:  # such as one of a table: only the class has it
                continue
            found[name] = given
        return found

    def check(self, value: object, *, is_text: bool) -> None:
        """Raises ValueError with what is expected if a value breaks a constraint."""
        text = value
        if is_text:
            text = value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
        for name, given, ready in self.limits:
            check_limit(name, given, ready, text if "text" in CONSTRAINTS[name].families else value)
        for predicate in self._predicates:
            if not _holds(predicate, value):
                name = getattr(predicate, "__qualname__", "") or type(predicate).__name__
                raise ValueError(f"expected a value for which {name} holds")


def _holds(predicate: Callable[[object], object], value: object) -> bool:
    try:
        return bool(predicate(value))
    except Exception:  # a function of the application
        return False

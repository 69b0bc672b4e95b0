"""The supported kinds of classes, with a function for each: which fields a class has, and how an object is made.

A class is recognised by what its library puts on it, so that no library is imported for a class of another.
"""

from __future__ import annotations

from framework.errors import SchemaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from framework.binding.limits import Limits

#: Stands for a missing default, value or object.
NOTHING: Any = object()
SUPPORTED = "a dataclass, a pydantic BaseModel, a TypedDict, a NamedTuple, an attrs class or a msgspec.Struct"


class Field:
    """One field of a class.

    Attributes:
        name: as the class has it; `arg`: as the constructor takes it; `key`: the option's name.
        annotation: its type, resolved. `metadata`: what follows the type in `Annotated`.
        default: the value, or NOTHING. `factory`: what makes it, or None.
        needed: whether the class cannot be made without it.
        is_raw: whether a validator of its class takes the value before it is converted.
        description: its description in the class.
    """

    __slots__ = (
        *("name", "arg", "key", "annotation", "metadata", "default", "factory", "needed", "is_raw", "description"),
    )

    def __init__(
        self,
        name: str,
        annotation: object,
        *,
        arg: str = "",
        metadata: Iterable[object] = (),
        default: object = NOTHING,
        factory: Callable[[], object] | None = None,
        needed: bool | None = None,
        is_raw: bool = False,
        description: str | None = None,
    ) -> None:
        self.name, self.arg, self.key = name, arg or name, name.lstrip("_").lower() or name
        self.annotation, self.metadata = annotation, tuple(metadata)
        self.default, self.factory = default, factory
        self.needed = (default is NOTHING and factory is None) if needed is None else needed
        self.is_raw, self.description = is_raw, description or ""

    def make_default(self) -> object:
        """The default, from the factory if there is one; NOTHING without a default, or if the factory fails."""
        if self.factory is None:
            return self.default
        try:
            return self.factory()
        except Exception:  # a factory of the application
            return NOTHING


def origin_of(cls: Any) -> Any:
    """The class itself: `Pool` for `Pool[int]`."""
    return cls.__origin__ if type(cls).__name__ == "_GenericAlias" else cls


def place_of(cls: type, name: str = "") -> str:
    """Where a class or its field is, for messages: `shop.settings.Server.port`."""
    cls = origin_of(cls)
    return f"{cls.__module__}.{cls.__qualname__}" + (f".{name}" if name else "")


def kind_of(given: object) -> str:
    """The kind of a settings class; empty for anything else."""
    given = origin_of(given)
    if not isinstance(given, type) or (hasattr(given, "__pydantic_root_model__") and given.__pydantic_root_model__):
        return ""
    if hasattr(given, "__pydantic_fields__") or hasattr(given, "__pydantic_validator__"):
        return "pydantic"
    for mark, kind in (
        ("__dataclass_fields__", "dataclass"),
        ("__attrs_attrs__", "attrs"),
        ("__struct_fields__", "msgspec"),
    ):
        if hasattr(given, mark):
            return kind
    if issubclass(given, dict) and hasattr(given, "__required_keys__"):
        return "TypedDict"
    if issubclass(given, tuple) and hasattr(given, "_fields") and "__annotations__" in vars(given):
        return "NamedTuple"
    return ""


def refused(given: object) -> str:
    """Why a class that looks like a settings class is refused; empty if it is not refused."""
    bases = [(base.__module__.partition(".")[0], base.__name__) for base in getattr(given, "__mro__", ())]
    if ("pydantic_settings", "BaseSettings") in bases or ("pydantic", "BaseSettings") in bases:
        return "a BaseSettings class reads the environment itself: derive it from pydantic.BaseModel instead"
    if ("pydantic", "BaseModel") in bases and not hasattr(given, "model_fields"):
        return "models of pydantic 1 are not supported: use those of pydantic 2"
    return ""


def fields_of(cls: type) -> list[Field]:
    """The fields of a settings class that are options, in order.

    Raises:
        SchemaError: an annotation cannot be resolved, or two fields are one option.
    """
    if why := refused(cls):
        raise SchemaError(why, where=place_of(cls))
    kind = kind_of(cls)
    if not kind:
        raise SchemaError(f"this is not a class of settings. Use {SUPPORTED}", where=place_of(cls))
    found = list(_READERS[kind](origin_of(cls)))
    if kind != "pydantic" and hasattr(origin_of(cls), "__orig_bases__"):  # pydantic makes a class for each argument
        _fill_parameters(cls, found)
    seen: dict[str, str] = {}
    for field in found:
        if field.key in seen:
            what = f"{seen[field.key]} and {field.name} are the same option, {field.key}"
            raise SchemaError(what, where=place_of(cls), hint="Rename one of them.")
        seen[field.key] = field.name
    return found


def _fill_parameters(cls: type, fields: list[Field]) -> None:
    """Put the arguments of a generic class, and of those that it is derived from, into the annotations of its fields.

    Raises:
        SchemaError: one of them is missing.
    """
    from typing import TypeVar

    arguments = _arguments(cls)
    together = {name: kind for inner in reversed(list(arguments.values())) for name, kind in inner.items()}
    for field in fields:
        owner = next(
            (base for base in origin_of(cls).__mro__ if field.name in vars(base).get("__annotations__", {})), cls
        )
        field.annotation = filled(field.annotation, {**together, **arguments.get(owner, {})})
        if isinstance(field.annotation, TypeVar):
            name = origin_of(cls).__name__
            what = f"the class is generic, and its {field.annotation.__name__} is not given"
            raise SchemaError(what, where=place_of(cls, field.name), hint=f"Write the type, such as {name}[int].")


def _arguments(cls: object) -> dict[object, dict[object, object]]:
    """The arguments of the type parameters, for a class and each that it is derived from."""
    from typing import Generic, get_args, get_origin

    found: dict[object, dict[object, object]] = {}
    rest = [cls]
    while rest:
        alias = rest.pop()
        base = origin_of(alias)
        given = dict(zip(getattr(base, "__parameters__", ()), get_args(alias), strict=False))
        found.setdefault(base, given)
        inner: tuple[Any, ...] = vars(base).get("__orig_bases__") or base.__bases__
        rest += [
            filled(one, given) for one in inner if isinstance(origin_of(one), type) and get_origin(one) is not Generic
        ]
    return found


def filled(annotation: Any, arguments: Mapping[object, object]) -> object:
    """An annotation with arguments instead of type parameters; a parameter without an argument is its bound."""
    if type(annotation).__name__ == "TypeVar":
        return arguments.get(annotation, annotation.__bound__ or annotation)
    parameters = getattr(annotation, "__parameters__", ())
    if not parameters or issubclass(type(annotation), type):  # for Python 3.10, list[T] is an instance of type
        return annotation
    return annotation[tuple(filled(one, arguments) for one in parameters)]


def _hints(cls: type) -> dict[str, Any]:
    """The annotations of a class, resolved.

    Raises:
        SchemaError: one of them names what is not known; says which, and why that may be.
    """
    from typing import get_type_hints

    try:
        return get_type_hints(cls, include_extras=True)
    except NameError as fault:
        name = fault.name or str(fault)
    except Exception as fault:  # an annotation is code
        raise SchemaError(
            f"its annotations cannot be resolved ({type(fault).__name__})", where=place_of(cls), hint="Correct them."
        ) from None
    raise unresolved(cls, name)


def unresolved(cls: type, name: str) -> SchemaError:
    """The error about an annotation with a name that is not defined."""
    written = ((field, text) for base in cls.__mro__ for field, text in vars(base).get("__annotations__", {}).items())
    field = next((field for field, text in written if isinstance(text, str) and name in text), "")
    if "<locals>" in cls.__qualname__:
        hint = (
            "A class inside a function is not found by its name under `from __future__ import annotations`: move the "
            "classes out of the function, or remove that import."
        )
    else:
        hint = "Import it where the program runs, not only `if TYPE_CHECKING`, and define it before the class is used."
    return SchemaError(f"the annotation names {name}, which is not defined", where=place_of(cls, field), hint=hint)


def _dataclass(cls: Any) -> Iterator[Field]:
    from dataclasses import MISSING, InitVar

    hints = _hints(cls)
    for field in cls.__dataclass_fields__.values():
        type_ = hints.get(field.name, field.type)
        is_variable = isinstance(type_, InitVar)  # an argument of the constructor, and no attribute
        if not field.init or (not is_variable and field._field_type.name == "_FIELD_CLASSVAR"):
            continue
        yield Field(
            field.name,
            type_.type if is_variable else type_,
            default=NOTHING if field.default is MISSING else field.default,
            factory=None if field.default_factory is MISSING else field.default_factory,
            description=_described(field.metadata),
        )


def _described(metadata: Mapping[Any, Any]) -> str | None:
    """The description in a field's metadata, under one of the usual names."""
    return next((metadata[name] for name in ("description", "help", "doc") if name in metadata), None)


def _attrs(cls: Any) -> Iterator[Field]:
    hints = _hints(cls)
    for attribute in cls.__attrs_attrs__:
        if not attribute.init:
            continue
        default, factory = attribute.default, None
        if type(default).__name__ == "Factory":
            default, factory = NOTHING, default.factory  # one that takes the object fails, and attrs calls it
        elif getattr(default, "name", "") == "NOTHING":
            default = NOTHING
        yield Field(
            attribute.name,
            hints.get(attribute.name, attribute.type),
            arg=getattr(attribute, "alias", None) or attribute.name.lstrip("_"),
            default=default,
            factory=factory,
            metadata=() if attribute.converter is not None else _limits(attribute.validator),
            description=_described(attribute.metadata),
        )


#: The operator of a validator of attrs -> the constraint.
_OPERATORS = {"<": "lt", "<=": "le", ">=": "ge", ">": "gt"}


def _limits(validator: Any) -> Iterator[Limits]:
    """The constraints in validators of attrs. It still applies them all itself."""
    if type(validator).__name__ == "_OptionalValidator":
        validator = validator.validator
    from framework.binding.limits import Limits

    for one in getattr(validator, "_validators", (validator,)):
        limits = {name: getattr(one, name) for name in ("min_length", "max_length") if hasattr(one, name)}
        if (name := _OPERATORS.get(getattr(one, "compare_op", ""))) is not None:
            limits[name] = one.bound
        yield Limits(**limits)


def _msgspec(cls: type) -> Iterator[Field]:
    from msgspec import NODEFAULT
    from msgspec.structs import fields

    hints = _hints(cls)
    for field in fields(cls):
        yield Field(
            field.name,
            hints[field.name],
            default=NOTHING if field.default is NODEFAULT else field.default,
            factory=None if field.default_factory is NODEFAULT else field.default_factory,
        )


def _named_tuple(cls: Any) -> Iterator[Field]:
    hints = _hints(cls)
    for name in cls._fields:
        yield Field(name, hints[name], default=cls._field_defaults.get(name, NOTHING))


def _typed_dict(cls: Any) -> Iterator[Field]:
    """`NotRequired` is read from the resolved annotation. Python 3.10 does not see it in an annotation that is text."""
    from typing import get_args, get_origin

    for name, hint in _hints(cls).items():
        needed = name in cls.__required_keys__
        while (origin := getattr(get_origin(hint), "_name", "")) in ("Required", "NotRequired", "ReadOnly"):
            needed = origin == "Required" if origin != "ReadOnly" else needed
            hint = get_args(hint)[0]
        yield Field(name, hint, needed=needed)


def _pydantic(cls: Any) -> Iterator[Field]:
    if not getattr(cls, "__pydantic_complete__", True):
        cls.model_rebuild(raise_errors=False) if hasattr(cls, "model_rebuild") else None
        _hints(cls)  # raises, with the name that is not defined
        if not cls.__pydantic_complete__:
            raise SchemaError("pydantic cannot build this class yet", where=place_of(cls), hint="Call model_rebuild().")
    raw = {
        name
        for decorator in cls.__pydantic_decorators__.field_validators.values()
        if decorator.info.mode != "after"
        for name in decorator.info.fields
    }
    for name, info in cls.__pydantic_fields__.items():
        if getattr(info, "init", None) is False:
            continue
        factory = info.default_factory
        yield Field(
            name,
            info.annotation,
            metadata=info.metadata,
            default=NOTHING if info.is_required() or factory is not None else info.default,
            factory=factory,
            is_raw=name in raw or "*" in raw or bool(info.discriminator),
            description=info.description,
        )


_READERS: dict[str, Callable[[Any], Iterator[Field]]] = {
    "dataclass": _dataclass,
    "pydantic": _pydantic,
    "attrs": _attrs,
    "msgspec": _msgspec,
    "TypedDict": _typed_dict,
    "NamedTuple": _named_tuple,
}


def make(cls: type, values: Mapping[str, object]) -> object:
    """An object of a settings class, from the arguments of its constructor.

    Raises:
        Exception: whatever the class raises; pydantic a ValidationError.
    """
    kind, cls = kind_of(cls), origin_of(cls)
    if kind == "pydantic":
        if hasattr(cls, "model_validate"):
            return cls.model_validate(values, by_alias=False, by_name=True)
        from pydantic import TypeAdapter

        return TypeAdapter(cls).validate_python(values, by_alias=False, by_name=True)
    return dict(values) if kind == "TypedDict" else cls(**values)


def get(kind: str, made: Any, name: str) -> object:
    """A field of an object, or NOTHING."""
    return made.get(name, NOTHING) if kind == "TypedDict" else getattr(made, name, NOTHING)

"""The Python types of options, as text, and what must be imported for them."""

from __future__ import annotations

from framework.convert import to_text
from framework.options.constraints import limits
from framework.schema_export.declared import is_expanded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from framework.options.declaration import Option

#: The type of an option -> its annotation, and the word for `ReadAs` where Python's type is not enough.
_TYPES = {
    "string": ("str", ""),
    "integer": ("int", ""),
    "float": ("float", ""),
    "boolean": ("bool", ""),
    "list": ("list[str]", ""),
    "array": ("list[str]", "array"),
    "object": ("Any", "object"),
    "json": ("Any", "json"),
    "timedelta": ("timedelta", ""),
    "import": ("Any", "import"),
    "path": ("Path", ""),
    "url": ("str", "url"),
    "duration": ("timedelta", ""),
    "bytes": ("int", "bytes"),
    "datetime": ("datetime", ""),
    "decimal": ("Decimal", ""),
}
_MODULES = {"timedelta": "datetime", "datetime": "datetime", "Decimal": "decimal", "Path": "pathlib"}
_FROM_TYPING = ("Annotated", "Any", "Literal", "overload", "Protocol")
_FROM_FRAMEWORK = {"App": "framework", "Secret": "framework", "Sensitive": "framework"}
_WORDS = {
    "minimum": "ge",
    "maximum": "le",
    "exclusive_minimum": "gt",
    "exclusive_maximum": "lt",
    "multiple_of": "multiple_of",
    "min_length": "min_length",
    "max_length": "max_length",
    "pattern": "pattern",
}


class Annotations:
    """Makes annotations, and notes which names they use.

    Attributes:
        reserved: names that a generated class must not have.
    """

    reserved = (*_MODULES, *_FROM_TYPING, *_FROM_FRAMEWORK, "Limits", "ReadAs", "Options")

    def __init__(self) -> None:
        self.used: set[str] = set()

    def _use(self, *names: str) -> None:
        self.used.update(names)

    def imports(self, *, also_from_dataclasses: bool = False) -> Iterator[str]:
        """The lines that import what was used."""
        self._use("App")
        modules: dict[str, list[str]] = {"dataclasses": ["dataclass"] if also_from_dataclasses else []}
        for name in sorted(self.used, key=lambda name: (name.islower(), name)):
            module = _MODULES.get(name) or _FROM_FRAMEWORK.get(name)
            if name in _FROM_TYPING:
                module = "typing"
            elif name in ("Limits", "ReadAs"):
                module = "framework.binding.limits"
            elif name == "field":
                module = "dataclasses"
            modules.setdefault(str(module), []).append(name)
        ours = sorted(module for module in modules if module.startswith("framework"))
        for module in (*sorted(set(modules) - set(ours)), "", *ours):
            if not module:
                yield ""
            elif modules[module]:
                yield f"from {module} import {', '.join(modules[module])}"

    def plain(self, option: Option) -> str:
        """The type of the value that `conf.value` returns."""
        type_, _ = _TYPES[option.type]
        if option.choices and option.type in ("string", "integer"):
            values = [option.convert(choice) for choice in option.choices]
            self._use("Literal")
            type_ = f"Literal[{', '.join(map(quoted, values))}]"
        elif option.items is not None:
            type_ = f"list[{self._named(_TYPES[option.items][0])}]"
        elif type_ == "list[str]" and _holds_more_than_texts(option):
            self._use("Any")
            type_ = "list[Any]"
        return self._named(type_)

    def _named(self, type_: str) -> str:
        if type_ in _MODULES or type_ == "Any":
            self._use(type_)
        return type_

    def field(self, option: Option) -> tuple[str, str]:
        """The annotation of a field, and its default as source; empty without one."""
        default = self._default(option)
        marks = [*self._limits(option)]
        if option.items is not None:
            type_ = f"list[{self._item(option)}]"
        elif option.type == "list" and option.choices:
            self._use("Literal")
            type_ = f"list[Literal[{', '.join(map(quoted, option.choices))}]]"
        else:
            type_ = self.plain(option)
        read_as = _TYPES[option.type][1] if option.items is None and not type_.startswith("Literal") else ""
        if read_as:
            self._use("ReadAs")
            marks.insert(0, f"ReadAs({quoted(read_as)})")
        if option.sensitive and type_ == "str" and not read_as:
            self._use("Secret")
            type_ = "Secret"
        elif option.sensitive:
            self._use("Sensitive")
            marks.append("Sensitive")
        elif option.sensitivity is False:
            self._use("Sensitive")
            marks.append("Sensitive(False)")
        if marks:
            self._use("Annotated")
            type_ = f"Annotated[{type_}, {', '.join(marks)}]"
        return (f"{type_} | None" if default == "None" else type_), default

    def _item(self, option: Option) -> str:
        assert option.items is not None
        if option.choices and option.items in ("string", "integer"):
            from framework.options.types import TYPES

            self._use("Literal")
            return f"Literal[{', '.join(quoted(TYPES[option.items].to(choice)) for choice in option.choices)}]"
        type_, read_as = _TYPES[option.items]
        type_ = self._named(type_)
        if read_as:
            self._use("Annotated", "ReadAs")
            return f"Annotated[{type_}, ReadAs({quoted(read_as)})]"
        return type_

    def _limits(self, option: Option) -> list[str]:
        found = []
        for name, _, limit in limits(option):
            if name in _WORDS:
                value = getattr(limit, "pattern", limit)
                found.append(f"{_WORDS[name]}={self._source(value)}")
        if not found:
            return []
        self._use("Limits")
        return [f"Limits({', '.join(found)})"]

    def _default(self, option: Option) -> str:
        """The default as source: `None` where the option may be left out, empty where it must be written or where the
        default depends on the machine."""
        default = option.default
        if option.required is True:
            return ""
        if default is None or (default == "" and option.type not in ("string", "list", "array")):
            return "None"
        if is_expanded(option):
            return ""
        if option.plain and option.type == "path":  # where it begins with ~, the home differs
            self._use("Path")
            return f"Path({quoted(to_text(default))})"
        try:
            value = option.convert(default)
        except ValueError:
            return ""
        if option.sensitive and isinstance(value, str):
            self._use("Secret")
            return f"Secret({quoted(value)})" if option.type == "string" and not option.choices else self._source(value)
        if option.type == "import":
            return ""
        return self._source(value)

    def _source(self, value: Any) -> str:
        """A value as source."""
        if isinstance(value, (list, dict)):
            self._use("field")
            empty = {"[]": "list", "{}": "dict"}
            return f"field(default_factory={empty.get(str(value)) or f'lambda: {self._nested(value)}'})"
        if hasattr(value, "total_seconds"):
            self._use("timedelta")
            microseconds = f", microseconds={value.microseconds}" if value.microseconds else ""
            return f"timedelta(seconds={value.days * 86_400 + value.seconds}{microseconds})"
        if hasattr(value, "isoformat"):
            self._use("datetime")
            return f"datetime.fromisoformat({quoted(value.isoformat())})"
        kind = type(value).__name__
        if kind == "Decimal":
            self._use("Decimal")
            return f"Decimal({quoted(to_text(value))})"
        if kind.endswith("Path"):
            self._use("Path")
            return f"Path({quoted(str(value))})"
        return quoted(value)

    def _nested(self, value: object) -> str:
        if isinstance(value, list):
            return f"[{', '.join(map(self._nested, value))}]"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{quoted(key)}: {self._nested(inner)}" for key, inner in value.items()) + "}"
        return self._source(value)


def _holds_more_than_texts(option: Option) -> bool:
    """Whether a list without a declared type of items may hold tables: the list of a class, or a default with them."""
    default = option.default
    return option.plain or (isinstance(default, list) and not all(isinstance(item, str) for item in default))


def quoted(value: object) -> str:
    """A value as source, texts in double quotes."""
    source = repr(value)
    return f'"{source[1:-1]}"' if source[:1] == "'" and '"' not in source and "\\'" not in source else source

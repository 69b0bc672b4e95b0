"""Writes a schema as frozen dataclasses, from which type checkers and editors know every option."""

from __future__ import annotations

from keyword import iskeyword

from framework.schema_export import MADE_BY
from framework.schema_export.annotations import Annotations
from framework.schema_export.declared import sections

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from framework.names import Names
    from framework.options.declaration import Option
    from framework.options.schema import Schema

_WIDTH = 112


def write(schema: Schema, names: Names) -> str:
    return "\n".join(_Module(schema, names).lines()) + "\n"


class _Module:
    def __init__(self, schema: Schema, names: Names) -> None:
        self.schema, self.names = schema, names
        self.options = sections(schema)
        self.annotations = Annotations()
        self.classes: dict[str, str] = {}  # section -> name of its class
        self.left_out: list[str] = []

    def lines(self) -> Iterator[str]:
        for section in self._every_section():
            self.classes[section] = self._class_name(section)
        body = [line for section in reversed(self.classes) for line in self._class(section)]
        top = [section for section in self.classes if "." not in section]
        yield f'"""The settings of {self.names.app}.'
        yield ""
        yield f"{MADE_BY} python"
        yield '"""'
        yield ""
        yield "from __future__ import annotations"
        yield ""
        yield from self.annotations.imports(also_from_dataclasses=True)
        yield from body
        yield from ("", "", "@dataclass(frozen=True, kw_only=True)", "class Settings:")
        yield f'    """Every section of {self.names.app}."""'
        yield ""
        for section in top:
            yield f"    {section}: {self.classes[section]}"
        if not top:
            yield "    pass"
        yield from ("", "", "def bind(app: App) -> Settings:")
        yield '    """What is set now, checked. Raises SettingsError with everything that is wrong."""'
        yield "    return app.bind(Settings)"
        if self.left_out:
            yield from ("", "", "# These have no name in Python; conf.value reads them:")
            yield from (f"#   {name}" for name in self.left_out)

    def _every_section(self) -> list[str]:
        """The sections, each after those that it is in; those without a name in Python are left out."""
        found: dict[str, None] = {}
        for section, options in self.options.items():
            parts = section.split(".")
            keys = {(option.section, option.name) for option in options}
            above = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
            taken = {f"{one}.{name}" for one, name in self._option_names()}
            if all(map(_is_name, parts)) and not taken & set(above):
                found.update(dict.fromkeys(above))
            else:
                self.left_out += [f"[{one}] {name}" for one, name in sorted(keys)]
        return sorted(found, key=lambda section: [list(found).index(section.split(".")[0]), section])

    def _option_names(self) -> set[tuple[str, str]]:
        return {(option.section, option.name) for options in self.options.values() for option in options}

    def _class_name(self, section: str) -> str:
        words = section.replace(".", "_").split("_")
        name = "".join(word[:1].upper() + word[1:] for word in words) or "Section"
        while name in (*self.classes.values(), "Settings", *self.annotations.reserved):
            name += "Section"
        return name

    def _class(self, section: str) -> Iterator[str]:
        yield from ("", "", "@dataclass(frozen=True, kw_only=True)", f"class {self.classes[section]}:")
        yield from _docstring(self.schema.description(section) or f"The section [{section}].", "    ")
        for option in self.options.get(section, ()):
            if option.retired:  # to read it would warn
                continue
            if _is_name(option.name):
                yield ""
                yield from self._field(option)
            else:
                self.left_out.append(f"[{section}] {option.name}")
        for below, name in self.classes.items():
            if below.rpartition(".")[0] == section:
                yield ""
                yield f"    {below.rpartition('.')[2]}: {name}"

    def _field(self, option: Option) -> Iterator[str]:
        annotation, default = self.annotations.field(option)
        yield f"    {option.name}: {annotation}" + (f" = {default}" if default else "")
        if option.description:
            yield from _docstring(option.description, "    ")


def _is_name(word: str) -> bool:
    return word.isidentifier() and not iskeyword(word) and not word.startswith("_")


def _docstring(text: str, indent: str) -> list[str]:
    """A description as a docstring, wrapped."""
    from inspect import cleandoc
    from textwrap import wrap

    text = cleandoc(text).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    lines = [piece for line in text.split("\n") for piece in (wrap(line, _WIDTH - len(indent)) or [""])]
    if lines[-1].endswith('"') and not lines[-1].endswith('\\"'):
        lines[-1] = lines[-1][:-1] + '\\"'
    if len(lines) == 1:
        return [f'{indent}"""{lines[0]}"""']
    return [f'{indent}"""{lines[0]}', *(f"{indent}{line}".rstrip() for line in lines[1:]), f'{indent}"""']

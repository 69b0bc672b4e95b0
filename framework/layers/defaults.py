"""The lowest layer: the defaults that the schema declares."""

from __future__ import annotations

from framework.convert import expand, to_text
from framework.layers.base import Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Protocol

    from framework.layers.base import Getenv
    from framework.layers.environment import Environment
    from framework.names import Names

    class Option(Protocol):
        """What a default needs of a declared option."""

        section: str
        name: str
        own: bool
        plain: bool
        default: Any
        required: Any

        def is_required(self, environment: str) -> bool: ...

    class Schema(Protocol):
        """The declared options."""

        def listed(self, section: str, key: str) -> Option | None: ...
        def __iter__(self) -> Iterator[Option]: ...


class DefaultsLayer(Layer):
    """The schema's defaults: `%` interpolation, `$VAR` and `~`, then placeholders such as `{BILLING_HOME}`."""

    __slots__ = ("schema", "names", "environment", "placeholders")

    def __init__(self, schema: Schema, names: Names, environment: Environment, placeholders: dict[str, str]) -> None:
        super().__init__("default", "", {})
        self.schema, self.names, self.environment, self.placeholders = schema, names, environment, placeholders

    def find(self, section: str, key: str) -> tuple[object, str] | None:
        option = self.schema.listed(section, key)
        return None if option is None or not self._has_default(option) else (self._default(option), "default")

    def entries(self) -> Iterator[tuple[str, str]]:
        for option in self.schema:
            if self._has_default(option):
                yield option.section, option.name

    def _has_default(self, option: Option) -> bool:
        """Whether the default answers: where an option is required, it does not."""
        if option.default is None or not option.required:
            return option.default is not None
        return not option.is_required(self.environment.env)

    def _default(self, option: Option) -> object:
        default = option.default
        if option.plain:
            return to_text(default) if isinstance(default, (bool, int, float)) else default
        if isinstance(default, (bool, int, float)):
            return str(default)  # as Airflow's parser has it; value() makes it typed again
        if option.own:
            return default.replace("{HOME}", f"{{{self.names.home}}}").replace("{APP}", self.names.app)
        return default

    def read(self, raw: object, section: str, key: str, where: str, getenv: Getenv) -> Any:
        if not isinstance(raw, str):
            return Layer.read(self, raw, section, key, where, getenv)
        option = self.schema.listed(section, key)
        if option is not None and option.plain:
            return raw
        if "%" in raw:
            from framework.layers.cfg import interpolate

            raw = interpolate(raw, lambda name: self._text(section, name), f"{where}: default of [{section}] {key}")
        return fill(expand(raw, getenv), self.placeholders)

    def _text(self, section: str, key: str) -> str | None:
        found = self.find(section, key.lower())
        return None if found is None else str(found[0])


def fill(text: str, placeholders: dict[str, str]) -> str:
    """Replace `{NAME}` literally, and `{{` by `{`, as Airflow's defaults are written.

    A text that holds any other `{…}` is not a template and stays as it is: nothing is evaluated, no attribute or item
    is looked up.
    """
    if "{" not in text and "}" not in text:
        return text
    pieces, position = [], 0
    while position < len(text):
        char = text[position]
        if char not in "{}":
            pieces.append(char)
        elif text[position : position + 2] == char * 2:
            pieces.append(char)
            position += 1
        else:
            end = text.find("}", position)
            value = placeholders.get(text[position + 1 : end]) if char == "{" and end > 0 else None
            if value is None:
                return text
            pieces.append(value)
            position = end
        position += 1
    return "".join(pieces)

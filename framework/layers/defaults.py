"""The lowest layer: the defaults that the schema declares."""

from __future__ import annotations

from framework.convert import expand
from framework.layers.base import Layer
from framework.layers.cfg import interpolate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from framework.environment import Environment


class DefaultsLayer(Layer):
    """The schema's defaults: `%` interpolation, `$VAR` and `~`, then placeholders such as `{BILLING_HOME}`."""

    __slots__ = ("environment", "placeholders")

    def __init__(
        self, values: dict[str, dict[str, tuple[Any, str]]], environment: Environment, placeholders: dict[str, str]
    ) -> None:
        super().__init__("default", "", values)
        self.environment, self.placeholders = environment, placeholders

    def read(self, raw: Any, section: str, key: str, where: str) -> Any:
        if not isinstance(raw, str):
            return raw
        text = interpolate(raw, lambda name: self._text(section, name), f"{where}: default of [{section}] {key}")
        return fill(expand(text, self.environment.get), self.placeholders)

    def _text(self, section: str, key: str) -> str | None:
        found = self.find(section, key.lower())
        return None if found is None else str(found[0])


def fill(text: str, placeholders: dict[str, str]) -> str:
    """Replace `{NAME}` literally, and `{{` by `{`, as Airflow's defaults are written.

    A text that holds any other `{…}` is no template and stays as it is: nothing is evaluated, no attribute or item
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

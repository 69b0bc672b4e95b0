"""What a layer is: a place where options are written. It finds, and says how its plain texts are read."""

from __future__ import annotations

from framework.convert import expand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from framework.environment import Environment
    from framework.names import Names


class Layer:
    """Options held in memory, each with its place.

    Attributes:
        name: what answers call the layer.
        path: the file that it is from, or empty.
        values: section -> key -> (raw, place or line), all names in lower case.
    """

    __slots__ = ("name", "path", "values")

    def __init__(self, name: str, path: str, values: dict[str, dict[str, tuple[Any, Any]]]) -> None:
        self.name, self.path, self.values = name, path, values

    def find(self, section: str, key: str) -> tuple[Any, str] | None:
        """The raw value of `[section] key` as written, with its place; None if it is not written here."""
        options = self.values.get(section)
        return None if options is None else options.get(key)

    def entries(self) -> Iterator[tuple[str, str]]:
        """Every (section, key) that is written here."""
        for section, options in self.values.items():
            for key in options:
                yield section, key

    def read(self, raw: Any, section: str, key: str, where: str) -> Any:
        """What a plain `raw` means: its expansion. Typed files (TOML, YAML, JSON) mean what they say."""
        return raw

    def reference(self, raw: Any, section: str, key: str, where: str) -> str:
        """What a pointer's `raw` means: it is read like a plain text, but `$` and `~` are left to the pointer."""
        return raw if isinstance(raw, str) else str(raw)

    def __repr__(self) -> str:
        return f"<Layer {self.name} {self.path}>"


class EnvironmentLayer(Layer):
    """The variables of the process, live, or those of the `.env` files; `$VAR` and `~` are expanded."""

    __slots__ = ("names", "environment", "_find", "_list")

    def __init__(
        self,
        name: str,
        names: Names,
        environment: Environment,
        find: Callable[[str], tuple[str | None, str]],
        every: Callable[[], list[str]],
    ) -> None:
        super().__init__(name, "", {})
        self.names, self.environment, self._find, self._list = names, environment, find, every

    def find(self, section: str, key: str) -> tuple[Any, str] | None:
        text, place = self._find(self.names.option(section, key))
        return None if text is None else (text, place)

    def entries(self) -> Iterator[tuple[str, str]]:
        """Split at the first `__`: which section a name with dots or more `__` means, only the schema knows."""
        start = f"{self.names.prefix}__"
        for name in self._list():
            if name.startswith(start) and name == name.upper():
                section, separator, key = name[len(start) :].partition("__")
                if separator:
                    yield section.lower(), key.lower()

    def read(self, raw: Any, section: str, key: str, where: str) -> Any:
        return expand(raw, self.environment.get)


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
        from framework.layers.cfg import interpolate

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

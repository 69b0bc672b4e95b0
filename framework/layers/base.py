"""What a layer is: a place where options are written. It finds, and says how its plain texts are read."""

from __future__ import annotations

from framework.convert import expand
from framework.masking import safe_repr

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from framework.layers.environment import Environment
    from framework.names import Names

    Getenv = Callable[[str], str | None]


class Layer:
    """Options held in memory, each with its place.

    Attributes:
        name: what answers call the layer.
        path: the file that it is from, or empty.
        opened: the files that it is from, as each was when it was opened.
        values: section -> key -> what `find` makes its answer of, here (raw, place); all names in lower case.
    """

    __slots__ = ("name", "path", "opened", "values", "__weakref__")

    #: Whether its texts are those of a cfg file, in which `%` means something.
    interpolates = False

    def __init__(self, name: str, path: str, values: Mapping[str, Mapping[str, Any]]) -> None:
        self.name, self.path, self.values = name, path, values
        self.opened: dict[str, os.stat_result] = {}

    def find(self, section: str, key: str) -> tuple[object, str] | None:
        """The raw value of `[section] key` as written, with its place; None if it is not written here."""
        options = self.values.get(section)
        return None if options is None else options.get(key)

    def entries(self) -> Iterator[tuple[str, str]]:
        """Every (section, key) that is written here."""
        for section, options in self.values.items():
            for key in options:
                yield section, key

    def read(self, raw: object, section: str, key: str, where: str, getenv: Getenv) -> Any:
        """What a plain `raw` means: its expansion, with the variables that `getenv` looks up.

        A value of a typed file (TOML, YAML, JSON) is what is written; a list or table is a copy of its own.
        """
        if isinstance(raw, str):
            return raw
        from framework.copies import copied

        return copied(raw)

    def reference(self, raw: object, section: str, key: str, where: str) -> str:
        """What a pointer's `raw` means: it is read like a plain text, but `$` and `~` are left to the pointer."""
        return raw if isinstance(raw, str) else str(raw)

    def file_of(self, origin: str) -> str:
        """The file that `origin` is in; empty if it is in none."""
        return self.path

    @safe_repr
    def __repr__(self) -> str:
        return f"<Layer {self.name} {self.path}>"


class EnvironmentLayer(Layer):
    """The variables of the process, live, or those of the `.env` files; `$VAR` and `~` are expanded."""

    __slots__ = ("names", "_find", "_list")

    def __init__(
        self,
        name: str,
        names: Names,
        environment: Environment,
        find: Callable[[str], tuple[str | None, str]],
        every: Callable[[], list[str]],
        path: str = "",
    ) -> None:
        super().__init__(name, path, {})
        self.opened = {file.path: file.status for file in environment.dotenv if file.path == path}
        self.names, self._find, self._list = names, find, every

    def find(self, section: str, key: str) -> tuple[object, str] | None:
        for name in self.names.spellings(section, key):
            text, place = self._find(name)
            if text is not None:
                return text, place
        return None

    def entries(self) -> Iterator[tuple[str, str]]:
        """Split at the first `__`: which section a name with dots or more `__` means, only the schema knows."""
        start = f"{self.names.prefix}__"
        for name in self._list():
            if name == name.upper() and (name.startswith(start) or self._is_single(name)):
                section, separator, key = name.removeprefix(start[:-1]).removeprefix("_").partition("__")
                if separator:
                    yield section.lower(), key.lower()

    def _is_single(self, name: str) -> bool:
        """Whether `SHOP_DB__POOL` may set an option; connections, variables and secrets have their own names."""
        start = f"{self.names.prefix}_"
        others = (f"{start}CONN_", f"{start}VAR_", f"{start}SECRET_")
        return self.names.single and name.startswith(start) and not name.startswith(others)

    def read(self, raw: object, section: str, key: str, where: str, getenv: Getenv) -> Any:
        return expand(raw, getenv, where)

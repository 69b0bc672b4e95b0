"""Options that have other values inside a block, in one context (thread or task) alone."""

from __future__ import annotations

from _weakref import ref

from framework.layers.base import Layer
from framework.options.values import held, overrides

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from framework.options.values import Overlay


class Overridden:
    """The overridden options of one engine, as a layer.

    A block may outlast a reload. What its pointers gave before is forgotten then, like that of every other layer.
    """

    __slots__ = ("values", "_made")

    def __init__(self, values: dict[str, dict[str, tuple[object, str]]]) -> None:
        self.values = values
        self._made: tuple[Any, Layer] | None = None

    def layer(self, reading: object) -> Layer:
        """The layer as it belongs to this reading of the files."""
        made = self._made
        if made is None or made[0] is not reading:
            made = self._made = reading, Layer("override", "", self.values)
        return made[1]


class Layers(dict[object, "Overlay"]):
    """Engine -> its overridden options; lives as long as a context holds it."""

    __slots__ = ("__weakref__",)
    __hash__ = object.__hash__  # type: ignore[assignment]


class Override:
    """Puts a layer over the others of one engine, for this context. Names are in lower case."""

    def __init__(self, engine: object, values: Mapping[tuple[str, str], object]) -> None:
        self._engine, self._values = engine, values

    def __enter__(self) -> None:
        before = overrides.get() or {}
        mine = before.get(self._engine)
        merged = {section: dict(options) for section, options in mine.values.items()} if mine else {}
        for (section, key), value in self._values.items():
            merged.setdefault(section, {})[key] = (value, "conf.override()")
        layers = Layers({**before, self._engine: Overridden(merged)})
        held.add(ref(layers, held.discard))
        self._token = overrides.set(layers)

    def __exit__(self, *_: object) -> None:
        overrides.reset(self._token)

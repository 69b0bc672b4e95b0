"""Options that have other values inside a block, in one context (thread or task) alone."""

from __future__ import annotations

from contextvars import ContextVar

from framework.layers.base import Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: engine id -> its layer of overridden options; None while nobody overrides anything in this context.
overrides: ContextVar[Mapping[int, Layer] | None] = ContextVar("framework_overrides", default=None)


class Override:
    """Puts a layer over the others of one engine, for this context.

    Attributes:
        used: whether anybody in this process ever overrode anything: until then `get` need not ask its context.
    """

    used = False

    def __init__(self, engine: int, values: Mapping[tuple[str, str], Any]) -> None:
        self._engine, self._values = engine, values
        Override.used = True

    def __enter__(self) -> None:
        before = overrides.get() or {}
        layer = before.get(self._engine)
        merged = {section: dict(options) for section, options in layer.values.items()} if layer else {}
        for (section, key), value in self._values.items():
            merged.setdefault(section.lower(), {})[key.lower()] = (value, "conf.override()")
        self._token = overrides.set({**before, self._engine: Layer("override", "", merged)})

    def __exit__(self, *_: object) -> None:
        overrides.reset(self._token)

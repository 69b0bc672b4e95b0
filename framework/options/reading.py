"""What one reading of the files gave, and what was found in it since."""

from __future__ import annotations

from time import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from framework.chain.chain import Chain
    from framework.layers.base import Layer


class Reading:
    """Everything that `reload()` forgets, in one object that is replaced as a whole.

    An answer is kept in the reading in which its question began. One that comes after a reload is therefore kept where
    it is not looked for any more.

    Attributes:
        layers: all of them, high to low; the first is the process environment.
        chains: the chain, once it is made.
        warned: the warnings that were given.
        searched: the options beside which pointers that do not count were looked for.
        settings: the object of the settings class, once it was asked for.
        listed: the declared options and those that files hold, section -> keys, once they are listed.
        sections: the environment as it was, and the sections that were read in it, in their kept form.
        at: when the files were read, in seconds since 1970.
    """

    __slots__ = ("layers", "chains", "warned", "searched", "settings", "listed", "sections", "at")

    def __init__(self, layers: list[Layer]) -> None:
        self.layers = layers
        self.chains: list[Chain] = []
        self.warned: set[str] = set()
        self.searched: set[tuple[str, str]] = set()
        self.settings: Any = None
        self.listed: tuple[dict[str, dict[str, None]], dict[str, dict[str, None]]] | None = None
        self.sections: tuple[dict[Any, Any], dict[str, tuple[Any, Any]]] = {}, {}
        self.at = time()

    def again(self) -> Reading:
        """The same layers and chain, with nothing kept of what options were: more is declared by now."""
        made = Reading(self.layers)
        made.at = self.at
        made.chains, made.warned, made.settings = self.chains, self.warned, self.settings
        return made

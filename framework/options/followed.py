"""What pointers gave, kept for as long as the layer is there that they are written in."""

from __future__ import annotations

from _weakref import ref
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from framework.errors import FrameworkError
    from framework.layers.base import Layer

    #: A pointer in a layer: its form, its text, and the levels of the chain that it may ask.
    Key = tuple[str, str, int | None]


class Followed:
    """What one pointer gave.

    Attributes:
        value: the text.
        link: the link that has it; None for a command or a file.
        path: the file that it was read from, or None.
        asked: when its source was asked, on the monotonic clock; a refresh that finds the same value moves it.
        noted: when it was noted here.
        refreshed: when it was last asked for anew; None if it never was.
        fault: why that failed, else None.
    """

    __slots__ = ("value", "link", "path", "asked", "noted", "refreshed", "fault")

    def __init__(self, value: str, link: str | None, asked: float, path: str | None = None) -> None:
        self.value, self.link, self.asked, self.path = value, link, asked, path
        self.noted = monotonic()
        self.refreshed: float | None = None
        self.fault: FrameworkError | None = None

    def confirm(self, asked: float) -> None:
        """Note that the source still had this value when it was asked at that time."""
        self.asked, self.refreshed, self.fault = asked, monotonic(), None

    def fail(self, fault: FrameworkError) -> None:
        """Note that the source could not be asked anew."""
        self.refreshed, self.fault = monotonic(), fault

    def told(self) -> str:
        """How old the value is, and how its last refresh went; empty if there is nothing to tell."""
        now = monotonic()
        age = f", {now - self.asked:.0f} s old"
        if self.refreshed is None:
            return age if now - self.asked >= _OLD else ""
        ago = f"{now - self.refreshed:.0f} s ago"
        return f"{age}, " + (f"refreshed {ago}" if self.fault is None else f"its refresh {ago} failed: {self.fault}")


#: A value that was not refreshed is worth an age from so many seconds on.
_OLD = 60.0


class Table:
    """Layer -> pointer -> what it gave. A reload makes other layers, and so forgets it."""

    __slots__ = ("_layers",)

    def __init__(self) -> None:
        self._layers: dict[ref[Layer], dict[Key, Followed]] = {}

    def of(self, layer: Layer) -> dict[Key, Followed]:
        """The pointers of one layer. What is noted in it after `replace` is not looked up any more."""
        return self._layers.setdefault(ref(layer, self._forget), {})

    def _forget(self, layer: ref[Layer]) -> None:
        self._layers.pop(layer, None)

    def __iter__(self) -> Iterator[tuple[Layer, dict[Key, Followed]]]:
        for weak, followed in list(self._layers.items()):
            if (layer := weak()) is not None:
                yield layer, followed

    def replace(self, changes: Iterable[tuple[Layer, Key, Followed | None]], since: float) -> None:
        """Make changes that every reader sees together; None forgets a pointer.

        A secret that was first followed after `since` is forgotten too: it may come from before a change that the
        others come from after. It is asked for again.
        """
        layers = {
            ref(layer, self._forget): {
                key: kept for key, kept in known.items() if key[0] != "secret" or kept.noted < since
            }
            for layer, known in self
        }
        for layer, key, new in changes:
            table = layers.setdefault(ref(layer, self._forget), {})
            if new is None:
                table.pop(key, None)
            else:
                table[key] = new
        self._layers = layers  # one assignment: a reader sees all of it or nothing

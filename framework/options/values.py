"""What the engine hands around and keeps: a mention is a writing, an answer is a value."""

from __future__ import annotations

from _contextvars import ContextVar  # its module loads more than we need
from _weakref import ref
from os import getpid

from framework.locks import ProcessLock
from framework.masking import safe_repr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Protocol

    from framework.layers.base import Layer
    from framework.lifetime import Preferred
    from framework.options.followed import Followed

    #: A pointer in a layer: its form, its text, and the levels of the chain that it may ask.
    Key = tuple[str, str, int | None]

    #: What must not be set for a compiled option to hold, and the compiled option itself: see `compiled.py`.
    Absent = tuple[Any, Any, Any, Any]
    Compiled = tuple[Any, Any, Absent | None, Any]

    class Overlay(Protocol):
        """The overridden options of one engine: see `overrides.py`."""

        @property
        def values(self) -> dict[str, dict[str, tuple[object, str]]]: ...
        def layer(self, reading: object) -> Layer: ...


#: Engine -> what `conf.override` has put over its layers in this context; None while there is nothing.
overrides: ContextVar[Mapping[object, Overlay] | None] = ContextVar("framework_overrides", default=None)

#: What any context holds of these, that of a task which outlives its block as well. While there are none, `get` need
#: not ask its own context.
held: set[ref[Any]] = set()


class Mention:
    """One writing of an option in one layer, as it is written.

    Attributes:
        layer: `override`, `environment`, `.env`, `config file`, `settings`, `main cfg` or `default`.
        origin: where exactly: a variable's name, `path:line`, or the schema.
        section, key: the option asked for.
        name: `(section, key)` under which it is written: the current name or an older one.
        form: `plain`, `cmd`, `secret` or `file`.
        raw: the text, or the typed value of a file; never shown.
        source: the layer object, which knows how its plain texts are expanded.
    """

    __slots__ = ("layer", "origin", "section", "key", "name", "form", "raw", "source")

    def __init__(
        self, layer: str, origin: str, section: str, key: str, name: tuple[str, str], form: str, raw: Any, source: Layer
    ) -> None:
        self.layer, self.origin = layer, origin
        self.section, self.key, self.name = section, key, name
        self.form, self.raw, self.source = form, raw, source

    @property
    def is_pointer(self) -> bool:
        return self.form != "plain"

    @property
    def is_old_name(self) -> bool:
        return self.name != (self.section, self.key)

    @safe_repr
    def __repr__(self) -> str:
        return f"<Mention [{self.section}] {self.key} in {self.origin} ({self.form})>"


def pointer_text(mention: Mention) -> str:
    """What a pointer holds: the command, the reference or the path, as its layer means it.

    Raises:
        ConfigError: a bad `%`.
    """
    section, key = mention.name
    return mention.source.reference(mention.raw, section, f"{key}_{mention.form}", mention.origin)


def place_of(mention: Mention, max_level: int | None) -> tuple[Layer, Key]:
    """Where in the table it is noted what a pointer gave. Raises: as `pointer_text`."""
    return mention.source, (mention.form, pointer_text(mention), max_level)


class Answer:
    """A value, the mention that it came from, and whom the pointer led to.

    Attributes:
        value: text, or the typed value of a file.
        mention: the winning mention.
        link: the link that answered a `_secret` pointer, else None.
        sensitive: true if the option is declared so or a pointer was followed.
    """

    __slots__ = ("value", "mention", "link", "sensitive")

    def __init__(self, value: Any, mention: Mention, *, link: str | None = None, sensitive: bool = False) -> None:
        self.value, self.mention, self.link, self.sensitive = value, mention, link, sensitive

    @safe_repr
    def __repr__(self) -> str:
        return f"<Answer of {self.mention!r}>"


class Table:
    """What pointers gave: layer -> pointer -> `Followed`. A reload makes other layers, and so forgets it.

    A pointer that is followed for the first time is under way until its value is noted. A refresh that begins meanwhile
    asks for it too, and what the refresh finds counts, whichever of the two ends first.

    Attributes:
        lock: held for every change.
        since: what is followed for the first time must have been asked for after this time, if the store answers: when
            the last refresh began, or as much earlier as the shared cache may answer it. None: there was none.
        has_lifetimes: whether anything noted here had a lifetime of its own.
    """

    __slots__ = ("_layers", "_under_way", "lock", "since", "has_lifetimes")

    def __init__(self) -> None:
        self.lock, self.has_lifetimes = ProcessLock(), False
        self.since: Preferred | None = None
        self._layers: dict[ref[Layer], dict[Key, Followed]] = {}
        # With the process, whose threads do not survive a fork, and whether it is read only to be shown.
        self._under_way: list[tuple[int, bool, Layer, Key]] = []

    def of(self, layer: Layer) -> dict[Key, Followed]:
        """The pointers of one layer."""
        return self._layers.setdefault(ref(layer, self._forget), {})

    def begin(self, places: Iterable[tuple[Layer, Key]]) -> Preferred | None:
        """Note that these pointers are under way. Returns `since`."""
        with self.lock:
            self._under_way += map(_marked, places)
            return self.since

    def end(self, places: Iterable[tuple[Layer, Key]]) -> None:
        """Note that these pointers are not under way any more."""
        with self.lock:
            for place in places:
                self._under_way.remove(_marked(place))

    def under_way(self, layer: Layer, key: Key) -> list[bool]:
        """For each reader that follows a pointer for the first time, whether it only looks."""
        with self.lock:
            return [looks for pid, looks, *place in self._under_way if (pid, *place) == (getpid(), layer, key)]

    def note(self, layer: Layer, key: Key, first: Followed) -> Followed:
        """Note what a pointer gave, unless that is known by now. Returns what is noted."""
        with self.lock:
            noted = self.of(layer).setdefault(key, first)
            self.has_lifetimes |= noted.lifetime is not None
            return noted

    def learn(self, other: Table) -> None:
        """Take over what is noted in another table."""
        with self.lock:
            for layer, known in other:
                self.of(layer).update(known)
            self.has_lifetimes |= other.has_lifetimes

    def _forget(self, layer: ref[Layer]) -> None:
        self._layers.pop(layer, None)

    def __iter__(self) -> Iterator[tuple[Layer, dict[Key, Followed]]]:
        for weak, followed in list(self._layers.items()):
            if (layer := weak()) is not None:
                yield layer, followed

    def forget_leases(self) -> bool:
        """Forget what belongs to another process, after a fork; whether there was any."""
        found = False
        for _, known in self:
            for key, kept in list(known.items()):
                if kept.lifetime is not None and kept.lifetime.is_lease:
                    found |= known.pop(key, None) is not None
        return found

    def replace(self, changes: Iterable[tuple[Layer, Key, Followed | None]], since: Preferred, began: float) -> None:
        """Make changes that every reader sees together; None forgets a pointer.

        A secret that was first followed after the refresh began, and that it did not ask for, is forgotten too: it may
        come from before a change that the others come from after. It is asked for again.

        Args:
            since: what is forgotten is asked for again unless it was asked for after this time.
            began: when the refresh began.
        """
        layers = {
            ref(layer, self._forget): {
                key: kept
                for key, kept in known.items()
                if key[0] != "secret" or kept.noted < began or kept.refreshed is not None
            }
            for layer, known in self
        }
        for layer, key, new in changes:
            table = layers.setdefault(ref(layer, self._forget), {})
            if new is None:
                table.pop(key, None)
                self.since = since  # so that it does not come back from a cache
            else:
                table[key] = new
                self.has_lifetimes |= new.lifetime is not None
        self._layers = layers  # one assignment: a reader sees all of it or nothing


def _marked(place: tuple[Layer, Key]) -> tuple[int, bool, Layer, Key]:
    from framework.lifetime import is_looking

    return getpid(), is_looking(), *place


def text_of(answer: Answer) -> str:
    """What `get` gives for an answer."""
    from framework.convert import to_text
    from framework.errors import ConfigError

    try:
        return to_text(answer.value)
    except ValueError as fault:
        mention = answer.mention
        raise ConfigError(f"[{mention.section}] {mention.key}: {fault}", where=mention.origin) from None

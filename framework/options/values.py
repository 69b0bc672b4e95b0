"""What the engine hands around and keeps: a mention is a writing, an answer is a value."""

from __future__ import annotations

from _weakref import ref

from framework.masking import safe_repr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from framework.layers.base import Layer
    from framework.options.followed import Followed

    #: A pointer in a layer: its form, its text, and the levels of the chain that it may ask.
    Key = tuple[str, str, int | None]

    #: What must not be set for a compiled option to hold, and the compiled option itself: see `compiled.py`.
    Absent = tuple[Any, Any, Any, Any]
    Compiled = tuple[Any, Any, Absent | None, Any]


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
    """What pointers gave: layer -> pointer -> `Followed`. A reload makes other layers, and so forgets it."""

    __slots__ = ("_layers", "has_lifetimes")

    def __init__(self) -> None:
        self.has_lifetimes = False  # whether anything noted here had a lifetime of its own
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

    def forget_leases(self) -> bool:
        """Forget what belongs to another process, after a fork; whether there was any."""
        found = False
        for _, known in self:
            for key, kept in list(known.items()):
                if kept.lifetime is not None and kept.lifetime.is_lease:
                    found = known.pop(key, None) is not None
        return found

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


def text_of(answer: Answer) -> str:
    """What `get` gives for an answer."""
    from framework.convert import to_text
    from framework.errors import ConfigError

    try:
        return to_text(answer.value)
    except ValueError as fault:
        mention = answer.mention
        raise ConfigError(f"[{mention.section}] {mention.key}: {fault}", where=mention.origin) from None

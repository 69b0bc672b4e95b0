"""Which options there are: what is declared, and what is written somewhere."""

from __future__ import annotations

from time import time

from framework.errors import FrameworkError
from framework.layers.base import EnvironmentLayer
from framework.names import POINTER_FORMS
from framework.options.values import place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from framework.chain.chain import Chain
    from framework.files.text import Stamp
    from framework.layers.base import Layer
    from framework.lifetime import Preferred
    from framework.names import Names
    from framework.options.followed import Followed
    from framework.options.schema import Schema
    from framework.options.spec import Spec
    from framework.options.values import Key, Mention, Table

    Sections = dict[str, dict[str, None]]  # section -> its keys, in order


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


class Listing:
    """The options of an engine. Those that are declared, and those in files, are looked for once in a reading."""

    names: Names
    schema: Schema
    reading: Reading

    if TYPE_CHECKING:
        kept: Table

        def mentions(self, section: str, key: str) -> Iterator[Mention]: ...
        def may_point(self, section: str, key: str) -> bool: ...

        max_level: Callable[[str, str], int | None]

        def spec(self, section: str, key: str) -> Spec: ...
        def _live_layers(self) -> list[Layer]: ...

    def entries(self) -> Iterator[tuple[str, str]]:
        """Every option that is declared or written, by its current name, section by section, declared ones first."""
        sections: Sections = {}
        for part in self._parts():
            for section, keys in part.items():
                sections.setdefault(section, {}).update(keys)
        for section, keys in sections.items():
            for key in keys:
                yield section, key

    def keys(self, section: str) -> list[str]:
        """The keys of a section that are declared or written, by their current names, declared ones first."""
        return list(dict.fromkeys(key for part in self._parts() for key in part.get(section, ())))

    def entries_in_files(self) -> Iterator[tuple[str, str]]:
        """Every option that is written in a file layer."""
        layers = [*self._live_layers(), *self.reading.layers[1:]]
        for layer in layers:
            if not isinstance(layer, EnvironmentLayer):
                yield from filter(None, (self._entry(*entry, layers) for entry in layer.entries()))

    def _parts(self) -> tuple[Sections, Sections, Sections]:
        """The options that are declared, those written in layers that may change, and those written in the others."""
        reading, live = self.reading, self._live_layers()
        if reading.listed is None:
            declared = self._grouped(((option.section, option.name) for option in self.schema), ())
            files = reading.layers[1:]
            reading.listed = declared, self._grouped(self._written_in(files), files)
        declared, written = reading.listed
        return declared, self._grouped(self._written_in(live), [*live, *reading.layers[1:]]), written

    def _grouped(self, entries: Iterable[tuple[str, str]], layers: Sequence[Layer]) -> Sections:
        found: Sections = {}
        for entry in entries:
            name = self._entry(*entry, layers)
            if name is not None:
                found.setdefault(name[0], {})[name[1]] = None
        return found

    def _written_in(self, layers: Iterable[Layer]) -> Iterator[tuple[str, str]]:
        for layer in layers:
            if isinstance(layer, EnvironmentLayer):
                yield from (self._as_declared(*entry) for entry in layer.entries())
            else:
                yield from layer.entries()

    def _as_declared(self, section: str, key: str) -> tuple[str, str]:
        """A variable's section and key as the schema spells them: `a_b` may be `a.b`, or hold a `__`."""
        named = section.replace("secrets_", "secrets.", 1)  # [secrets.corp], which no schema can list
        if named.startswith("secrets.") and any(self.schema.option(named, name) for name in (key, *_without_form(key))):
            return named, key
        whole = self.names.option(section, key)
        for declared in self.schema.sections:
            start = self.names.option(declared, "")
            if whole.startswith(start) and declared != section:
                rest = whole[len(start) :].lower()
                if any(self.schema.option(declared, name) for name in (rest, *_without_form(rest))):
                    return declared, rest
        return section, key

    def _entry(self, section: str, key: str, layers: Sequence[Layer]) -> tuple[str, str] | None:
        """The option of an entry, or None if the entry is part of another one."""
        if self.schema.option(section, key) is None:
            is_section, is_in_one = self.schema.has_section(f"{section}.{key}"), self.schema.has_section(section)
            if is_section and (not is_in_one or _is_table(section, key, layers)):
                return None
            if self._is_in_option(section):
                return None
            for base in _without_form(key):
                if self.spec(*self.current_name(section, base)).may_point:
                    return self.current_name(section, base)
        return self.current_name(section, key)

    def _is_in_option(self, section: str) -> bool:
        """Whether a typed file's table is the value of a declared option, or in it, and no section of its own."""
        if section in self.schema.sections:
            return False
        while "." in section:
            section, _, key = section.rpartition(".")
            if self.schema.option(section, key) is not None:
                return True
        return False

    def current_name(self, section: str, key: str) -> tuple[str, str]:
        """The current name of an option."""
        seen = {(section, key)}
        while (found := self.schema.redirect(section, key)) is not None and found[:2] not in seen:
            section, key = found[:2]
            seen.add((section, key))
        return section, key

    # What is held of their pointers

    def is_followed(self, mention: Mention) -> bool:
        """Whether it is known where a pointer leads, so that nothing is run or asked for it."""
        return self.followed(mention) is not None

    def followed(self, mention: Mention) -> Followed | None:
        """What a pointer gave, if it is kept."""
        try:
            layer, key = self._place(mention)
        except FrameworkError:  # it is raised when the pointer is followed
            return None
        return self.kept.of(layer).get(key)

    def holds_secrets(self) -> bool:
        """Whether the value of any `_secret` pointer is kept."""
        return any(form == "secret" for _, known in self.kept for form, _, _ in list(known))

    def under_way(self, mention: Mention) -> list[bool]:
        """See `Table.under_way`. Call this before `followed`."""
        try:
            return self.kept.under_way(*self._place(mention))
        except FrameworkError:  # it is raised where the pointer is followed
            return []

    def _place(self, mention: Mention) -> tuple[Layer, Key]:
        return place_of(mention, self.max_level(mention.section, mention.key))

    def begin(self, mentions: Iterable[Mention]) -> tuple[Preferred | None, Callable[[], None]]:
        """Note that these pointers are under way, see `Table`. Returns its `since`, and what ends this."""
        table, places = self.kept, []
        for mention in mentions:
            try:
                places.append(self._place(mention))
            except FrameworkError:  # it is raised where the pointer is followed
                pass
        return table.begin(places), lambda: table.end(places)

    def begin_refresh(self, since: Preferred) -> None:
        """From now on nothing that was asked for before this time is kept, if the store answers."""
        with self.kept.lock:
            self.kept.since = since

    def expiring(self) -> dict[tuple[str, str], float]:
        """The options whose values have a lifetime of their own, and in how many seconds to read each again."""
        if not self.kept.has_lifetimes:
            return {}
        found = {}
        for name in self.entries():
            mention = next(self.mentions(*name), None) if self.may_point(*name) else None
            kept = self.followed(mention) if mention is not None and mention.is_pointer else None
            if kept is not None and kept.lifetime is not None:
                found[name] = kept.due()
        return found

    def followed_files(self) -> dict[str, list[tuple[tuple[str, str], Stamp]]]:
        """The files behind the `_file` pointers that are held, each with its options, and what it was for each."""
        files: dict[str, list[tuple[tuple[str, str], Stamp]]] = {}
        if not any(form == "file" for _, known in self.kept for form, _, _ in list(known)):
            return files
        for name in self.entries():
            for mention in self.mentions(*name) if self.may_point(*name) else ():
                kept = self.followed(mention) if mention.form == "file" else None
                if kept is not None and kept.path is not None and kept.stamp is not None:
                    files.setdefault(kept.path, []).append((name, kept.stamp))
        return files


def _is_table(section: str, key: str, layers: Iterable[Layer]) -> bool:
    """Whether everything that is written there is a table of a typed file, and so a section of its own."""
    found = [layer.find(section, key) for layer in layers]
    return all(isinstance(written[0], dict) for written in found if written is not None)


def _without_form(key: str) -> Iterator[str]:
    for form in POINTER_FORMS:
        if key.endswith(f"_{form}"):
            yield key[: -len(form) - 1]

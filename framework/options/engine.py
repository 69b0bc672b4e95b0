"""The one precedence engine: where `[section] key` is written, and the value of the first mention.

Finding and following are two acts. `mentions` is pure: it lists, in order of precedence, and runs nothing. `resolve`
expands a plain text or follows a pointer. Everything else reads through these two.
"""

from __future__ import annotations

from framework import given
from framework.convert import to_text
from framework.errors import FrameworkWarning, warn
from framework.layers.base import EnvironmentLayer, Layer
from framework.locks import ProcessLock
from framework.masking import add_mask, should_hide_value_for_name
from framework.names import POINTER_FORMS
from framework.options.listing import Listing, Reading
from framework.options.spec import Spec
from framework.options.values import Answer, Mention, Table, overrides
from framework.options.values import text_of as text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
    from typing import Any, TypeVar

    from framework.layers.environment import Environment
    from framework.lifetime import Preferred
    from framework.names import Names
    from framework.options.followed import Followed
    from framework.options.pointers import Pointers
    from framework.options.references import Reference
    from framework.options.schema import Schema
    from framework.options.values import Compiled

    Getenv = Callable[[str], str | None]
    Place = TypeVar("Place", bound=Hashable)

#: How many names of options, and how many spellings of them, are kept; beyond that a table is emptied.
_MAX_KEPT = 20_000


class Engine(Listing):
    """Layers and a schema, read by one order: layer, then name, then form.

    Args:
        names: the spellings of the application.
        schema: its declared options.
        environment: the process environment and the `.env` files.
        layers: the file layers and the defaults, high to low.
        pointers: makes what follows pointers, once one is met; it is passed the table of what they give.
        patterns: fnmatch patterns on `section.key` that declare more options sensitive.
        max_level: which levels of the chain an option's pointer may ask; None: all of them.
    """

    def __init__(
        self,
        names: Names,
        schema: Schema,
        environment: Environment,
        layers: Iterable[Layer],
        pointers: Callable[[Table], Pointers],
        *,
        patterns: Iterable[str] = (),
        max_level: Callable[[str, str], int | None] = lambda section, key: None,
    ) -> None:
        self.names, self.schema, self.environment = names, schema, environment
        self._make_pointers, self.max_level = pointers, max_level
        self.kept = Table()  # what pointers gave
        self._all_pointers: list[Pointers] = []  # one, once it is needed
        self._patterns = [pattern.lower() for pattern in patterns]
        self._specs: dict[tuple[str, str], Spec] = {}
        self.compiled: dict[tuple[str, str], Compiled] = {}  # section, key -> the text
        self.typed: dict[tuple[str, str, Hashable], Compiled] = {}  # section, key, kind -> the value
        self._loading = ProcessLock()
        self._referred: tuple[tuple[Any, ...], tuple[str, ...]] | None = None  # what it depends on, the names
        self.note = ""  # what is added to an error where something is not found
        self.load(layers)

    def load(self, layers: Iterable[Layer]) -> None:
        """Take the environment's `.env` files and these file layers instead of those before, and forget what was
        found in those."""
        names, environment = self.names, self.environment
        find, every = environment.find_in_process, environment.process_names
        process = EnvironmentLayer("environment", names, environment, find, every)
        dotenv = [
            EnvironmentLayer(".env", names, environment, file.find, file.names, file.path)
            for file in environment.dotenv
        ]
        self._take(Reading([process, *dotenv, *layers]))

    def swap(self, changes: Iterable[tuple[Mention, Followed | None]], since: Preferred, began: float) -> list[Mention]:
        """Replace what pointers gave, all at once; see `Table.replace`. Returns those that had another value."""
        table, others, changed = self.kept, [], []
        with self._loading, table.lock:  # nothing is compiled or noted meanwhile
            for mention, new in changes:
                kept = self.followed(mention)
                if kept is not None and new is not None and kept.value == new.value:
                    kept.confirm(new.asked, new)
                    continue
                others.append((*self._place(mention), new))
                if kept is not None and new is not None:
                    changed.append(mention)
            if others:
                self._clear()
                table.replace(others, since, began)
                self.reading = self.reading.again()
        return changed

    def become(self, other: Engine) -> None:
        """Take over what another engine of the same application has read, and what its pointers gave."""
        self.kept.learn(other.kept)
        self._take(other.reading)

    def _take(self, reading: Reading) -> None:
        with self._loading:
            self._clear()  # first: else a reader could see a new value, and then an old one of another option
            self.reading = reading

    def _clear(self) -> None:
        self.compiled.clear()
        self.typed.clear()

    def keep(self, reading: Reading, table: dict[Place, Compiled], place: Place, compiled: Compiled) -> None:
        """Keep a compiled answer that was found in a reading, unless there is a newer reading by now."""
        with self._loading:
            if self.reading is reading:
                if len(table) >= _MAX_KEPT:
                    table.clear()
                table[place] = compiled

    @property
    def layers(self) -> list[Layer]:
        """All layers, high to low."""
        return self.reading.layers

    # Finding

    def mentions(self, section: str, key: str, *, old_names: bool = True) -> Iterator[Mention]:
        """Every mention of an option, in order of precedence. Nothing is expanded, run or fetched.

        Args:
            section, key: in lower case, by their current names.
            old_names: whether older names count.
        """
        writings = self.spec(section, key).writings
        for layer in self._all_layers():
            for writing in writings:
                found = layer.find(writing.name[0], writing.key)
                if found is not None and (old_names or writing.is_current):
                    yield Mention(layer.name, found[1], section, key, writing.name, writing.form, found[0], layer)

    def spec(self, section: str, key: str) -> Spec:
        """What is known of an option whatever is written, by its current name."""
        found = self._specs.get((section, key))
        if found is None:
            if len(self._specs) >= _MAX_KEPT:
                self._specs.clear()
            found = self._specs[section, key] = Spec(self.schema, self._patterns, section, key)
        return found

    def supplement(self, schema: Mapping[str, object], origin: str) -> None:
        """State more about the options than the schema does; see `Schema.supplement`."""
        self.schema.supplement(schema, origin)
        self._specs.clear()
        self._take(self.reading.again())

    def declare(self, schema: Mapping[str, object]) -> None:
        """Declare what a class declares that was bound; see `Schema.declare`."""
        if self.schema.declare(schema):
            self._specs.clear()
            self._take(self.reading.again())

    def may_point(self, section: str, key: str) -> bool:
        """Whether an option's value may be elsewhere, so that it may be written as a pointer."""
        return self.spec(section, key).may_point

    def is_sensitive(self, section: str, key: str) -> bool:
        """Whether an option is declared sensitive, by the schema or by a pattern of the project file."""
        return self.spec(section, key).sensitive

    def is_hidden(self, section: str, key: str) -> bool:
        """Whether a list must not show the value: sensitive, or undeclared and not known to be harmless."""
        spec = self.spec(section, key)
        if spec.sensitive or spec.option is not None:
            return spec.sensitive
        return self.schema.declared or should_hide_value_for_name(f"{section}.{key}")

    def referred_secrets(self) -> tuple[str, ...]:
        """The names of the config secrets that any mention refers to: the same object while nothing has changed."""
        overridden, data, known = overrides.get(), self.environment.data, self._referred
        mine = overridden.get(self) if overridden else None
        if known is None or known[0][0] is not self.reading or known[0][1:] != (data, mine):
            state = self.reading, dict(data), mine
            mentions = (mention for name in self.entries() for mention in self.mentions(*name))
            found = (self.reference_of(mention) for mention in mentions if mention.form == "secret")
            names = tuple(dict.fromkeys(reference.name for reference in found if reference is not None))
            self._referred = known = state, names
        return known[1]

    def _all_layers(self) -> list[Layer]:
        overridden = overrides.get()
        layers, mine = self.reading.layers, overridden.get(self) if overridden else None
        return layers if mine is None else [mine.layer(self.reading), *layers]

    def _live_layers(self) -> list[Layer]:
        """The layers that may change without a reload: what this context overrides, and the process environment."""
        layers = self._all_layers()
        return layers[: len(layers) - len(self.reading.layers) + 1]

    # Following

    @property
    def _pointers(self) -> Pointers:
        """What follows pointers."""
        if not self._all_pointers:
            self._all_pointers.append(self._make_pointers(self.kept))
        return self._all_pointers[0]  # threads share the first one

    def forget_leases(self) -> None:
        """Forget the values that were issued to another process, after a fork."""
        with self._loading:
            if self.kept.forget_leases():
                self._clear()
                self.reading = self.reading.again()

    def follow_anew(self, mention: Mention, since: float | None = None) -> Followed:
        """Follow a pointer whatever it gave before, and keep nothing.

        Args:
            since: see `Link.ask`.

        Raises:
            PointerError: it leads nowhere.
        """
        spec = self.spec(mention.section, mention.key)
        is_known = spec.option is not None or spec.sensitive
        max_level = self.max_level(mention.section, mention.key)
        return self._pointers.ask(mention, max_level, show_reference=is_known, since=since)

    def distrust(self, folder: str) -> None:
        """Run no command and read no file that a file in this folder names: they are another revision's."""
        self._pointers.distrusted = folder

    def reference_of(self, mention: Mention) -> Reference | None:
        """What a `_secret` mention refers to; None if it cannot be read: resolving it says why."""
        return self._pointers.reference_of(mention)

    def resolve(self, mention: Mention, getenv: Getenv | None = None) -> Answer:
        """What a mention means: its text expanded, or what its pointer leads to.

        Args:
            mention: which one.
            getenv: looks up the variables that are in its text; else the environment does.

        Raises:
            ConfigError: a bad `%`, or a pointer that leads nowhere.
        """
        spec = self.spec(mention.section, mention.key)
        link, sensitive = None, spec.sensitive or mention.is_pointer
        if mention.is_pointer:
            is_known = spec.option is not None or spec.sensitive
            max_level = self.max_level(spec.section, spec.key)
            value, link = self._pointers.follow(mention, max_level, show_reference=is_known)
        else:
            value = mention.source.read(mention.raw, *mention.name, mention.origin, getenv or self.environment.get)
        if sensitive:
            _hide(value)
        current = self.current_value(spec, mention, value)
        if sensitive and current is not value:
            _hide(current)
        return Answer(current, mention, link=link, sensitive=sensitive)

    def current_value(self, spec: Spec, mention: Mention, value: object) -> object:
        """The value, or the one that the schema has instead of an outdated one."""
        if spec.option is None or not spec.option.deprecated_values or not isinstance(value, str):
            return value
        for old, new, since in spec.option.deprecated_values:
            changed = old.sub(new, value)
            if changed != value:
                self._warn(
                    f"{mention.origin}: the value of [{mention.section}] {mention.key} is outdated since {since}; "
                    "the current one is used: update it",
                    FutureWarning,
                )
                return changed
        return value

    def answer(self, section: str, key: str, *, old_names: bool = True, getenv: Getenv | None = None) -> Answer | None:
        """The first mention, resolved; None if the option is not set. Old names and ignored pointers warn, once.

        Raises:
            ConfigError: see `resolve`.
        """
        section, key = given.option(section, key)
        if old_names:
            section, key = self._redirected(section, key)
        for mention in self.mentions(section, key, old_names=old_names):
            self._notice(mention)
            return self.resolve(mention, getenv)
        self._notice_deprecation(section, key)
        return None

    def required(self, section: str, key: str) -> Answer:
        """Like `answer`.

        Raises:
            OptionNotFound: the option is not set; names the nearest one that is declared or written.
        """
        answer = self.answer(section, key)
        if answer is None:
            from framework.options.notices import not_found

            raise not_found(self, section, key)
        return answer

    def refused(self, answer: Answer) -> None:
        """Called where a value does not convert."""

    def variables(self, section: str, key: str) -> list[str]:
        """The names of the variables that may write an option, in order of precedence."""
        return self.spec(*self.current_name(section, key)).variables(self.names)

    def is_process(self, layer: Layer) -> bool:
        """Whether a layer is the process environment, which changes without notice."""
        return layer is self.reading.layers[0]

    # Warnings

    def _redirected(self, section: str, key: str) -> tuple[str, str]:
        new = self.current_name(section, key)
        if new != (section, key):
            what = f"the option [{section}] {key} is now called [{new[0]}] {new[1]}: use that name"
            self._warn(what, FutureWarning)
        return new

    def _notice(self, mention: Mention) -> None:
        self._notice_deprecation(mention.section, mention.key)
        if mention.is_old_name:
            old, new = mention.name, (mention.section, mention.key)
            self._warn(
                f"{mention.origin} writes [{old[0]}] {old[1]}, which is now called [{new[0]}] {new[1]}: rename it",
                DeprecationWarning,
            )
        if not self.may_point(mention.section, mention.key):
            self._notice_ignored_pointers(mention.section, mention.key)

    def _notice_deprecation(self, section: str, key: str) -> None:
        option = self.spec(section, key).option
        if option is not None and option.deprecated:
            self._warn(f"the option [{section}] {key} is deprecated: {option.deprecation_reason}", DeprecationWarning)

    def _notice_ignored_pointers(self, section: str, key: str) -> None:
        """Look for them once in a reading: that takes longer than to find the option's value."""
        searched = self.reading.searched
        if (section, key) in searched and not overrides.get():
            return
        searched.add((section, key))
        for form, origin in self.ignored_pointers(section, key):
            self._warn(
                f"{origin}: the pointer [{section}] {key}_{form} is ignored, because [{section}] {key} is not declared "
                "sensitive"
            )

    def ignored_pointers(self, section: str, key: str) -> Iterator[tuple[str, str]]:
        """The pointers beside an option that may not be a pointer, as (form, origin)."""
        spec = self.spec(section, key)
        if spec.option is not None and not spec.may_point:
            yield from self.own_options(section, key)

    def own_options(self, section: str, key: str) -> Iterator[tuple[str, str]]:
        """Where options are written that are named like the pointers of this one, as (form, origin)."""
        for layer in self._all_layers():
            for form in POINTER_FORMS:
                if self.schema.option(section, f"{key}_{form}") is None:
                    found = layer.find(section, f"{key}_{form}")
                    if found is not None:
                        yield form, found[1]

    def _warn(self, message: str, category: type[Warning] = FrameworkWarning) -> None:
        warned = self.reading.warned
        if message not in warned:
            warned.add(message)
            warn(message, category)


def _hide(value: object) -> None:
    """Mask a sensitive value from now on: of a list or a table every text in it, under whatever name."""
    add_mask(value)
    if isinstance(value, (list, tuple, dict)):
        try:
            add_mask(to_text(value))
        except ValueError:  # its keys are not text; a read raises the error
            pass

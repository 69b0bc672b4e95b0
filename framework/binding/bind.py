"""Makes an object of a settings class from the options of an application, and collects all faults."""

from __future__ import annotations

from copy import deepcopy

from framework.binding.foreign import made
from framework.binding.kinds import NOTHING, get, kind_of
from framework.binding.scalars import faults_of, path_of
from framework.errors import FrameworkError, InvalidValue, SettingsError, clean
from framework.options.explanation import unconvertible
from framework.options.notices import not_found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from framework.binding.plan import Leaf, Node, Plan
    from framework.binding.scalars import Path
    from framework.options.engine import Engine
    from framework.options.values import Answer

    Name = tuple[str, str]


class Fault:
    """One fault.

    Attributes:
        name: the option, (section, key), or None if it concerns an object as a whole.
        error: the fault as an error.
    """

    __slots__ = ("name", "error")

    def __init__(self, name: Name | None, error: FrameworkError) -> None:
        self.name, self.error = name, clean(error).with_traceback(None)


class Binder:
    """Reads the options of one plan, once.

    Args:
        engine: finds and follows them.
        plan: the class.
        fetch: follows several pointers at once, and returns the errors of those that fail.
        skipped: options that are not read.
    """

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        fetch: Callable[[list[Name]], Mapping[Name, FrameworkError]],
        skipped: Iterable[Name] = (),
    ) -> None:
        self._engine, self._plan, self._skipped = engine, plan, frozenset(skipped)
        self._failures = dict(fetch(pointers)) if len(pointers := self._pointers()) > 1 else {}
        self.faults: list[Fault] = []

    def bound(self) -> object:
        """The object.

        Raises:
            SettingsError: there is any fault. Has all of them.
        """
        found = self.tried()
        if self.faults:
            raise SettingsError(self._plan.cls.__name__, [fault.error for fault in self.faults])
        return found

    def tried(self) -> object:
        """The object, or NOTHING. The faults are in `faults`."""
        return self._made(_Read(self, self._plan.root))

    def _pointers(self) -> list[Name]:
        """The options whose pointers must be followed."""
        engine, names = self._engine, []
        for leaf in self._plan.root.all_leaves():
            if leaf.reader.sensitive or engine.may_point(leaf.section, leaf.key):
                mention = next(engine.mentions(leaf.section, leaf.key), None)
                if mention is not None and mention.is_pointer and not engine.is_followed(mention):
                    names.append((leaf.section, leaf.key))
        return [name for name in names if name not in self._skipped]

    def answer(self, leaf: Leaf) -> Answer | FrameworkError | None:
        """The answer of an option, or its error, or None if it is not set."""
        name = leaf.section, leaf.key
        if name in self._skipped:
            return _SKIPPED
        if name in self._failures:
            return self._failures[name]
        try:
            return self._engine.answer(*name)
        except FrameworkError as error:
            return error

    def _made(self, read: _Read) -> object:
        """The object of a node, or NOTHING if anything in it is faulty or skipped."""
        node = read.node
        values: dict[str, object] = {}
        faulty: set[str] = set()
        kind = kind_of(node.cls)
        for leaf, answer in read.answers.items():
            value = self._value(node, kind, leaf, answer)
            if value is _FAULTY:
                faulty.add(leaf.field.name)
            elif value is not NOTHING:
                values[leaf.field.arg] = value
        for inner in read.nodes:
            field = inner.node.field
            assert field is not None
            if node.section and self._is_written_whole(node.section, field.key, inner.node):
                faulty.add(field.name)
                continue
            if not inner.is_written and (not field.needed or node.base is not NOTHING):
                if node.base is not NOTHING and (value := get(kind, node.base, field.name)) is not NOTHING:
                    values[field.arg] = deepcopy(value)
                continue
            value = self._made(inner)
            if value is NOTHING:
                faulty.add(field.name)
            else:
                values[field.arg] = value
        found, refusals = made(node.cls, values, faulty)
        by_name = {leaf.field.name: leaf for leaf in node.leaves}
        for name, path, what, hidden in refusals:
            refused = by_name.get(name)
            where = f"[{node.section}]" if node.section else node.cls.__name__
            if refused is None:
                inside = f"{name}{path_of(path, hidden=True)}".lstrip(".")
                self.faults.append(Fault(None, InvalidValue(f"{inside}: {what}" if inside else what, where=where)))
            else:
                self._refused(refused, read.answers[refused], path, what, hidden)
        return found

    def _is_written_whole(self, section: str, key: str, node: Node) -> bool:
        """Whether a section is written as one text, such as JSON in a variable; then that is a fault."""
        mention = next(self._engine.mentions(section, key), None)
        if mention is None or isinstance(mention.raw, dict):  # a table of a typed file is the section itself
            return False
        leaf = next(node.all_leaves(), None)
        variable = f": {self._engine.names.option(leaf.section, leaf.key)}" if leaf is not None else ""
        what = f"[{section}] {key}: [{node.section}] is a section, and each of its options is set by itself{variable}"
        self.faults.append(Fault((section, key), InvalidValue(what, where=mention.origin)))
        return True

    def _value(self, node: Node, kind: str, leaf: Leaf, answer: Answer | FrameworkError | None) -> object:
        """The value for the object; NOTHING if the class makes it itself, _FAULTY if it is faulty or skipped."""
        name = leaf.section, leaf.key
        if answer is _SKIPPED:
            return _FAULTY
        if isinstance(answer, FrameworkError):
            self.faults.append(Fault(name, answer))
            return _FAULTY
        if answer is None or (answer.mention.layer == "default" and self._is_own_default(leaf)):
            if node.base is not NOTHING and (value := get(kind, node.base, leaf.field.name)) is not NOTHING:
                return deepcopy(value)
            if not leaf.field.needed and not (answer is None and self._is_required(leaf)):
                return NOTHING
            if answer is None:
                self.faults.append(Fault(name, not_found(self._engine, *name)))
                return _FAULTY
        assert answer is not None
        try:
            value = leaf.reader.read(answer.value)
            self._hold_to_schema(leaf, answer)
        except ValueError as error:
            faults = faults_of(error, answer.value)
        else:
            return value
        hidden = leaf.reader.sensitive or answer.sensitive or self._engine.is_hidden(*name)
        for path, what, value in faults:
            shown = path_of(path, hidden=bool(hidden))
            misfit = unconvertible(self._engine, answer, what, path=shown, value=value, sensitive=hidden)
            self.faults.append(Fault(name, misfit))
        return _FAULTY

    def _hold_to_schema(self, leaf: Leaf, answer: Answer) -> None:
        """Apply the constraints and choices of a schema file that declares the option as well.

        Raises:
            ValueError: the value breaks one of them.
        """
        option = self._engine.schema.option(leaf.section, leaf.key)
        if option is not None and not option.plain and (option.constraints or option.choices):
            option.convert(answer.value)

    def _is_required(self, leaf: Leaf) -> bool:
        """Whether the schema requires the option in this environment: then no default answers."""
        option = self._engine.schema.option(leaf.section, leaf.key)
        return option is not None and option.is_required(self._engine.environment.env)

    def _is_own_default(self, leaf: Leaf) -> bool:
        """Whether the default of the schema is that of the class, which then makes it itself."""
        option = self._engine.schema.option(leaf.section, leaf.key)
        return option is not None and option.default == leaf.plain

    def _refused(self, leaf: Leaf, answer: Answer | FrameworkError | None, path: Path, what: str, less: str) -> None:
        """The class itself refuses a value. Its message is left out if the option is sensitive: it may hold it."""
        name, origin = (leaf.section, leaf.key), "default"
        hidden = leaf.reader.sensitive or self._engine.is_hidden(*name)
        if answer is not None and not isinstance(answer, FrameworkError):
            origin, hidden = answer.mention.origin, hidden or answer.sensitive
        if hidden:
            what = less
        label = f"[{name[0]}] {name[1]}{path_of(path, hidden=bool(hidden))}"
        self.faults.append(Fault(name, InvalidValue(f"{label}: {what}", where=origin)))


_FAULTY: Any = object()
#: Stands for the answer of an option that is not read.
_SKIPPED = FrameworkError("skipped")


class _Read:
    """The answers of a node's options.

    Attributes:
        answers: the options with their answers. `nodes`: the sections below.
        is_written: whether any of them is set in a layer above the defaults.
    """

    __slots__ = ("node", "answers", "nodes", "is_written")

    def __init__(self, binder: Binder, node: Node) -> None:
        self.node = node
        self.answers = {leaf: binder.answer(leaf) for leaf in node.leaves}
        self.nodes: list[_Read] = [_Read(binder, inner) for inner in node.nodes]
        written = [*map(_is_written, self.answers.values()), *(read.is_written for read in self.nodes)]
        self.is_written: bool = any(written)


def _is_written(answer: Answer | FrameworkError | None) -> bool:
    if answer is None:
        return False
    return isinstance(answer, FrameworkError) or answer.mention.layer != "default"

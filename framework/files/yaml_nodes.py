"""YAML texts read within bounds: as nodes, which know their lines, and as the values of nodes."""

from __future__ import annotations

from framework.limits import DEPTH, DIGITS, GROWTH
from framework.parsing import TOO_DEEP, TOO_LARGE, TOO_MANY_DIGITS, Malformed, without_values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType
    from typing import Any

    from yaml import Event, Node, SafeLoader, ScalarNode
    from yaml.constructor import SafeConstructor

    Kinds = tuple[type[SafeLoader], type[SafeConstructor], Callable[[Iterator[Event]], Any]]

GROWS = f"its aliases add more than {GROWTH:,} characters"
CIRCLE = "an alias is inside its own anchor"
MISFIT = "the value does not fit its YAML type"
CHARACTER = "a character that YAML does not allow"
OWN = (GROWS, CIRCLE, MISFIT, CHARACTER, TOO_DEEP, TOO_LARGE, TOO_MANY_DIGITS)

_made: list[Kinds] = []


def loader(text: str) -> SafeLoader:
    """PyYAML's loader of plain values for a text, in C where that is there; bounded.

    It counts levels while it composes, before the stack is full. Dispose of it after use.
    """
    return _kinds()[0](text)


def maker() -> SafeConstructor:
    """What makes values out of nodes."""
    return _kinds()[1]()


def composer(events: Iterator[Event]) -> Any:
    """Composes nodes out of given events, one value at a time."""
    return _kinds()[2](events)


def _kinds() -> Kinds:
    if not _made:
        _made.append(_make_kinds())
    return _made[0]


def _make_kinds() -> Kinds:
    import yaml

    class Bounded:
        """Both composers call these two methods around each node."""

        level = 0
        deepest: Any = None

        def descend_resolver(self, parent: Node, index: object) -> None:
            self.level += 1
            if self.level > DEPTH + 1:
                raise yaml.composer.ComposerError(None, None, TOO_DEEP, parent.start_mark)
            if self.level > DEPTH:
                self.deepest = parent  # only scalars may be in it

        def ascend_resolver(self) -> None:
            self.level -= 1
            if self.level < DEPTH and self.deepest is not None:
                items, self.deepest = self.deepest.value, None
                for node in (node for item in items for node in (item if isinstance(item, tuple) else (item,))):
                    if not isinstance(node, yaml.ScalarNode):
                        raise yaml.composer.ComposerError(None, None, TOO_DEEP, node.start_mark)

    class Loader(Bounded, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        pass

    class Maker(yaml.constructor.SafeConstructor):
        pass

    class Nodes(Bounded, yaml.composer.Composer, yaml.constructor.SafeConstructor, yaml.resolver.Resolver):
        """PyYAML's own composer over events that another parser gives."""

        def __init__(self, events: Iterator[Event]) -> None:
            yaml.composer.Composer.__init__(self)
            yaml.constructor.SafeConstructor.__init__(self)
            yaml.resolver.Resolver.__init__(self)
            self.events = events
            self.ahead: list[Event | None] = []
            self.level = 1  # the table whose entries are composed

        def peek_event(self) -> Event | None:
            if not self.ahead:
                self.ahead.append(next(self.events, None))
            return self.ahead[0]

        def get_event(self) -> Event | None:
            event = self.peek_event()
            self.ahead.clear()
            return event

        def check_event(self, *kinds: type) -> bool:
            return isinstance(self.peek_event(), kinds)

    for kind in ("bool", "int", "float", "binary", "timestamp"):
        make = _guarded(yaml, getattr(yaml.constructor.SafeConstructor, f"construct_yaml_{kind}"))
        for cls in (Loader, Maker):
            cls.add_constructor(f"tag:yaml.org,2002:{kind}", make)
    return Loader, Maker, Nodes


def _guarded(yaml: ModuleType, make: Callable[[object, ScalarNode], object]) -> Callable[[Any, ScalarNode], object]:
    """A constructor of scalars that fails with the line, and without the value."""

    def construct(self: object, node: ScalarNode) -> object:
        what = MISFIT
        if make.__name__ == "construct_yaml_int" and len(node.value) > DIGITS:
            what = TOO_MANY_DIGITS
        else:
            try:
                return make(self, node)
            except Exception:  # KeyError, IndexError, ValueError, AttributeError, OverflowError: by chance
                pass
        raise yaml.constructor.ConstructorError(None, None, what, node.start_mark)

    return construct


class Growth:
    """Bounds what aliases make of a text: a node that is used again counts again."""

    __slots__ = ("_measured", "_added")

    def __init__(self) -> None:
        self._measured: dict[int, tuple[int, int, Node]] = {}  # the node is kept: its id must stay its own
        self._added = 0

    def check(self, node: Node) -> None:
        """Measure a composed node.

        Raises:
            Malformed: too deep with its aliases, holding itself, or too large.
        """
        self._measure(node, 1, node.start_mark.line + 1)

    def _measure(self, node: Node, level: int, line: int) -> tuple[int, int]:
        """Characters and levels of a node that is written or used on a line, aliases written out."""
        known = self._measured.get(id(node))
        if known is not None:
            size, height, _ = known
            if not height:
                raise Malformed(line, CIRCLE)
            self._added += size
            if self._added > GROWTH:
                raise Malformed(line, GROWS)
        elif isinstance(node.value, str):
            size, height = len(node.value) + 1, 1
            self._measured[id(node)] = size, height, node
        else:
            self._measured[id(node)] = 0, 0, node
            size, height = 1, 0
            for item in node.value:
                pair = item if isinstance(item, tuple) else (item,)
                line = max(line, pair[0].start_mark.line + 1)  # an alias has the line of its anchor
                for inner in pair:
                    inner_size, inner_height = self._measure(inner, level + 1, line)
                    size, height = size + inner_size, max(height, inner_height)
            height += 1
            self._measured[id(node)] = size, height, node
        if level + height > DEPTH + 2:
            raise Malformed(line, TOO_DEEP)
        return size, height


def yaml_fault(error: Exception, text: str, line: int) -> tuple[int, str]:
    """The line, and what is wrong there: in PyYAML's words as far as they quote nothing of the file, else in `OWN`.

    Args:
        error: what was raised while the text was read.
        text: the text, or the part of it that is known.
        line: the line, if the error has none.
    """
    if isinstance(error, Malformed):
        return error.line or line, error.what
    if isinstance(error, RecursionError):
        return line, TOO_DEEP
    if isinstance(error, MemoryError):
        return line, TOO_LARGE
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        problem = without_values(getattr(error, "problem", None) or "it cannot be read")
        return mark.line + 1, TOO_DEEP if "nesting depth" in problem else problem  # PyYAML has a bound since 6.0.4
    if (character := getattr(error, "character", None)) is not None:
        at = text.find(character if isinstance(character, str) else chr(character))
        return text.count("\n", 0, max(at, 0)) + 1, CHARACTER
    return line, MISFIT


def plain_yaml_fault(error: Exception, text: str, line: int) -> tuple[int, str]:
    """As `yaml_fault`, for a message that does not name the format."""
    line, what = yaml_fault(error, text, line)
    return line, what if what in OWN else f"this is not plain YAML ({what})"

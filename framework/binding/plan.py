"""A settings class as sections and options: what it declares, and what is read to make an object of it."""

from __future__ import annotations

from framework.binding.kinds import NOTHING, Field, fields_of, get, kind_of, origin_of, place_of
from framework.binding.marks import description_of, marks_of
from framework.binding.readers import Readers, is_union, members
from framework.binding.scalars import Reader
from framework.binding.written import written
from framework.errors import SchemaError
from framework.options.types import TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Leaf:
    """A field that is an option.

    Attributes:
        field, reader: the field, and how its value is read.
        section, key: the option.
        plain: its default in the form of a file, or NOTHING.
        required: whether it must be set.
    """

    __slots__ = ("field", "reader", "section", "key", "plain", "required")

    def __init__(self, field: Field, reader: Reader, section: str, default: object, required: bool) -> None:
        self.field, self.reader, self.section, self.key = field, reader, section, field.key
        self.plain, self.required = _plain(reader, default), required

    def declaration(self) -> dict[str, object]:
        """The option in the shape of a schema."""
        declared: dict[str, object] = {"type": self.reader.type, **self.reader.rules.declared(self.reader.type)}
        if self.reader.items is not None:
            declared["items"] = self.reader.items
        if self.reader.choices:
            declared["choices"] = self.reader.choices
        if self.reader.sensitive is not None:
            declared["sensitive"] = self.reader.sensitive
        if self.plain is not NOTHING:
            declared["default"] = self.plain
        if self.required:
            declared["required"] = True
        if text := self.field.description or description_of(marks_of(self.field.annotation, self.field.metadata)[1]):
            declared["description"] = text
        return declared


def _plain(reader: Reader, default: object) -> object:
    """A default in the form of a file. Empty text stands for None, if it is read as None."""
    if default is None:
        return "" if reader.empty_is_none and reader.type != "string" else NOTHING
    if default is NOTHING:
        return NOTHING
    try:
        plain = written(default)
    except Exception:  # an object of the application
        return NOTHING
    if isinstance(plain, (list, dict)) and TYPES[reader.type].family == "text":  # a validator reads the text
        import json

        return json.dumps(plain)
    return plain


class Node:
    """A class whose fields are options and sections.

    Attributes:
        cls: the class.
        field: the field that holds its object; None at the top.
        section: the section of its options; empty where there are none.
        base: the default of the field, if that is an object of the class, or NOTHING.
        leaves, nodes: its options, and the sections below it.
    """

    __slots__ = ("cls", "field", "section", "base", "leaves", "nodes")

    def __init__(self, cls: type, section: str, field: Field | None, base: object) -> None:
        self.cls, self.section, self.field, self.base = cls, section, field, base
        self.leaves: list[Leaf] = []
        self.nodes: list[Node] = []

    def all_leaves(self) -> Iterator[Leaf]:
        """Its options and those below."""
        yield from self.leaves
        for node in self.nodes:
            yield from node.all_leaves()

    def all_nodes(self) -> Iterator[Node]:
        """Itself and all below."""
        yield self
        for node in self.nodes:
            yield from node.all_nodes()


class Declared(dict):  # type: ignore[type-arg]
    """What a class declares, in the shape of a schema.

    Attributes:
        origin: the class. `places`: where in it each option is.
        plain: its defaults are used as they are: nothing in them is expanded.
        describe: yields the descriptions in the source code, as (section, key, description).
    """

    origin, plain = "", True
    places: dict[tuple[str, ...], str]
    describe: Callable[[], Iterable[tuple[str, str, str]]]


class Plan:
    """What is read to make an object of a class.

    Args:
        cls: a class of one of the kinds that `kinds.SUPPORTED` names.
        section: the section of its own options. Without one, each field is a class, and a section.

    Raises:
        SchemaError: the class is not valid as a schema.
    """

    def __init__(self, cls: type, section: str = "") -> None:
        self.cls, self.section = origin_of(cls), section
        self._readers = Readers()
        self.root = self._node(cls, section, None, NOTHING, (), True)

    def _node(
        self,
        cls: type,
        section: str,
        field: Field | None,
        base: object,
        above: tuple[type, ...],
        is_required: bool,
    ) -> Node:
        if cls in above:
            raise SchemaError(
                "the class is a section inside itself",
                where=place_of(above[-1], field.name if field else ""),
                hint=f"Use a list: list[{cls.__name__}].",
            )
        node = Node(origin_of(cls), section, field, base)
        kind = kind_of(cls)
        for inner in fields_of(cls):
            default = inner.make_default() if base is NOTHING else get(kind, base, inner.name)
            is_optional = not inner.needed or base is not NOTHING
            nested = _nested(inner)
            if nested is not None:
                name = f"{section}.{inner.key}" if section else inner.key
                is_object = isinstance(default, dict if kind_of(nested) == "TypedDict" else origin_of(nested))
                below = is_required and not is_optional
                node.nodes.append(
                    self._node(nested, name, inner, default if is_object else NOTHING, (*above, cls), below)
                )
            elif not section:
                raise SchemaError(
                    f"the option {inner.key} has no section",
                    where=place_of(cls, inner.name),
                    hint=f"Put it into a class of its own that is a field of {cls.__name__}, or call "
                    f'app.bind({cls.__name__}, "section").',
                )
            else:
                reader = self._readers.of(
                    inner.annotation,
                    inner.metadata,
                    place=place_of(cls, inner.name),
                    by_pydantic=kind == "pydantic",
                    raw=inner.is_raw,
                )
                reader.none = reader.none or default is None
                if base is NOTHING and not _is_steady(inner, default):
                    default = NOTHING
                node.leaves.append(Leaf(inner, reader, section, default, is_required and not is_optional))
        return node

    def declared(self) -> Declared:
        """The class as a schema."""
        declared = Declared()
        places: dict[tuple[str, ...], str] = {}
        for node in self.root.all_nodes():
            if node.section:
                declared[node.section] = {"options": {leaf.key: leaf.declaration() for leaf in node.leaves}}
                places[node.section,] = place_of(node.cls)
            for leaf in node.leaves:
                places[leaf.section, "options", leaf.key] = place_of(node.cls, leaf.field.name)
        declared.origin, declared.places, declared.describe = place_of(self.cls), places, self._descriptions
        return declared

    def _descriptions(self) -> Iterable[tuple[str, str, str]]:
        from framework.binding.docs import descriptions

        for node in self.root.all_nodes():
            if node.section:
                yield from descriptions(node.section, node.cls, {leaf.field.name: leaf.key for leaf in node.leaves})


def _nested(field: Field) -> type | None:
    """The class of a field that is a section, also of one that may be None."""
    annotation, _ = marks_of(field.annotation)
    kinds = [annotation] if not is_union(annotation) else [marks_of(kind)[0] for kind in members(annotation)]
    return kinds[0] if len(kinds) == 1 and kind_of(kinds[0]) and not field.is_raw else None


def _is_steady(field: Field, default: object) -> bool:
    """Whether a default is the same each time. One that is not, as from `uuid4`, is not declared."""
    if field.factory is None or default is NOTHING:
        return True
    try:
        return bool(field.make_default() == default)
    except Exception:  # comparing objects of the application
        return False

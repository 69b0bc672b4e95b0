"""Readers of annotations: they convert a value of a layer to a type, with the functions of the getters.

    port: Annotated[int, Ge(1)] = 8000      # a whole number, as `conf.getint` takes it, of at least 1
    peers: list[Peer]                       # a list of tables, of a typed file or in JSON

Types that only pydantic knows are handed to pydantic.
"""

from __future__ import annotations

from framework.binding.foreign import is_pydantics, made, messages, raised
from framework.binding.kinds import fields_of, kind_of, place_of, refused
from framework.binding.limits import ReadAs
from framework.binding.marks import Rules, is_raw, is_validator, marks_of
from framework.binding.scalars import Key, Misfit, Reader, faults_of, hashable, is_sensitive, literal, scalar, then
from framework.binding.secret import Sensitive
from framework.binding.tagged import own_tag, tags_of
from framework.convert import to_import, to_json, to_list, to_text
from framework.errors import SchemaError
from framework.options.types import TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from pydantic import TypeAdapter

    from framework.binding.kinds import Field
    from framework.binding.scalars import Fault

_LISTS = {"list": list, "Sequence": list, "MutableSequence": list, "Collection": list, "Iterable": list}
_SETS = {"set": set, "Set": set, "MutableSet": set, "AbstractSet": set, "frozenset": frozenset, "tuple": tuple}
_TABLES = ("dict", "Mapping", "MutableMapping")
#: Where these are defined; a class of an application may have the same name.
_STANDARD = ("builtins", "typing", "collections", "collections.abc", "typing_extensions")


class Readers:
    """Makes readers. A class is read once, also one that refers to itself."""

    def __init__(self) -> None:
        self._tables: dict[type, Table] = {}

    def of(
        self, annotation: Any, metadata: Iterable[Any] = (), *, place: str, by_pydantic: bool = False, raw: bool = False
    ) -> Reader:
        """The reader of an annotation.

        Args:
            metadata: what else is declared about it, as in `Annotated`.
            place: the field, for messages.
            by_pydantic: whether the value goes into a pydantic model, which applies the marks that are not known here.
            raw: whether the model takes the value before it is converted.

        Raises:
            SchemaError: the type is not supported.
        """
        annotation, marks = marks_of(annotation, metadata)
        if raw or any(map(is_raw, marks)):
            made = self._raw(annotation, marks, place, by_pydantic)
            made.takes_empty = True
        else:
            read_as = next((mark for mark in marks if isinstance(mark, ReadAs)), None)
            if read_as is not None:
                made = Reader(read_as.type, TYPES[read_as.type].to)
            else:
                made = self._of_type(annotation, marks, place, by_pydantic)
            made.rules = Rules(marks, made.type, place, by_pydantic)
            if not by_pydantic and any(map(is_validator, marks)):
                made.to = then(made.to, _adapter(annotation, marks, place))
        for mark in marks:
            if mark is Sensitive:
                made.sensitive = True
            elif isinstance(mark, Sensitive):
                made.sensitive = mark.value
        return made

    def _of_type(self, annotation: Any, marks: list[object], place: str, by_pydantic: bool) -> Reader:
        from typing import get_args, get_origin

        origin, args = get_origin(annotation), get_args(annotation)
        if is_union(annotation):
            return self._union(annotation, marks, place, by_pydantic)
        bare = origin or annotation
        name = getattr(bare, "__name__", "") or getattr(bare, "_name", "") or ""
        if getattr(bare, "__module__", "") not in _STANDARD:
            name = ""
        if name == "Literal":
            return literal(args)
        if name in _LISTS or name in _SETS or name == "deque":
            return self._list(bare, name, args, place, by_pydantic)
        if name in _TABLES:
            return self._dict(args, place, by_pydantic)
        if name == "type":
            return Reader("import", then(to_import, _subclass(args[0] if args else object)))
        if name == "Callable":
            return Reader("import", then(to_import, _callable))
        if kind_of(annotation) or refused(annotation):
            table = self.table(annotation)
            return Reader("json", table.read, is_structure=True, sensitive=table.sensitive)
        made = scalar(annotation if origin is None else origin)
        if made is not None:
            return made
        if by_pydantic or hasattr(bare, "__get_pydantic_core_schema__"):
            return self._raw(annotation, marks, place, by_pydantic)
        shown = getattr(annotation, "__name__", None) or str(annotation)
        hint = "Say what is expected." if shown in ("Any", "object") else "Use str, and convert it in your code."
        raise SchemaError(f"an option cannot have the type {shown}", where=place, hint=hint)

    def table(self, cls: type) -> Table:
        """The reader of tables that become objects of a class."""
        if cls not in self._tables:
            self._tables[cls] = made = Table(cls)
            made.add(self)
        return self._tables[cls]

    def _raw(self, annotation: object, marks: Sequence[object], place: str, by_pydantic: bool) -> Reader:
        """The reader of a type that only pydantic knows. A structure of classes is a table, or JSON."""
        structure = _holds_classes(annotation)
        to: Callable[[object], object] = to_json if structure else _as_it_is
        if not by_pydantic:
            to = then(to, _adapter(annotation, marks, place))
        made = Reader("json" if structure else "string", to, is_structure=structure)
        made.sensitive = is_sensitive(annotation) or None
        made.none = type(None) in getattr(annotation, "__args__", ())
        return made

    def _union(self, annotation: Any, marks: Sequence[object], place: str, by_pydantic: bool) -> Reader:
        kinds = members(annotation)
        if sum(_holds_classes(kind) for kind in kinds) > 1:  # pydantic knows which of them to use
            if by_pydantic or all(kind_of(kind) == "pydantic" for kind in kinds):
                return self._raw(annotation, marks, place, by_pydantic)
            made = self._tagged(kinds, place)
            made.none = len(kinds) < len(annotation.__args__)
            return made
        readers = [self.of(kind, place=place, by_pydantic=by_pydantic) for kind in kinds]
        made = readers[0] if len(readers) == 1 else _one_of(readers, kinds)
        made.none = made.none or len(kinds) < len(annotation.__args__)
        return made

    def _tagged(self, kinds: list[type], place: str) -> Reader:
        """The reader of one of several classes: a key of the table says which."""
        tags = tags_of(kinds) if all(map(kind_of, kinds)) else None
        if tags is None:
            what = "the annotation allows several classes, and nothing distinguishes them"
            hint = 'Give each a field such as kind: Literal["a"], each with its own value, or use one class.'
            raise SchemaError(what, where=place, hint=hint)
        key, tables = tags[0], {tag: self.table(cls) for tag, cls in tags[1].items()}

        def to(value: object) -> object:
            table = to_table(value)
            tag = next((item for name, item in table.items() if str(name).lower() == key.lower()), None)
            if tag is not None and to_text(tag) in tables:
                return tables[to_text(tag)].read(table)
            raise Misfit([((key,), f"expected one of {', '.join(map(repr, tables))}", tag)])

        sensitive = any(table.sensitive for table in tables.values()) or None
        return Reader("json", to, is_structure=True, sensitive=sensitive)

    def _list(self, origin: Any, name: str, args: tuple[object, ...], place: str, by_pydantic: bool) -> Reader:
        kinds = [arg for arg in args if arg is not Ellipsis] or [object]
        inner = [self._inner(kind, place, by_pydantic) for kind in kinds]
        is_fixed = name == "tuple" and len(args) > 0 and Ellipsis not in args
        collect = _LISTS.get(name) or _SETS.get(name) or origin
        structure = any(reader.is_structure or reader.type == "list" for reader in inner)

        def to(value: object) -> object:
            items = to_json(value) if structure and isinstance(value, str) and value else to_list(value)
            if not isinstance(items, (list, tuple)):
                raise ValueError('expected a list, such as ["a", "b"]')
            if is_fixed and len(items) != len(inner):
                raise ValueError(f"expected a list of {len(inner)} items, not of {len(items)}")
            found, faults = [], []
            for number, item in enumerate(items):
                try:
                    found.append(inner[number if is_fixed else 0].read(item))
                except ValueError as error:
                    faults += faults_of(error, item, (number,))
            if faults:
                raise Misfit(faults)
            try:
                return collect(found)
            except TypeError:  # a list or a table in a set
                pass
            raise ValueError("expected a list of text or numbers")

        one = inner[0] if not is_fixed and not structure else None
        is_plain = one is not None and not one.none and TYPES[one.type].to is not to_json
        items = one.type if one is not None and is_plain else None
        sensitive = any(reader.sensitive for reader in inner) or None
        choices = one.choices if one is not None else None
        return Reader("list", to, items=items, choices=choices, is_structure=structure, sensitive=sensitive)

    def _dict(self, args: tuple[object, ...], place: str, by_pydantic: bool) -> Reader:
        key, value = [self._inner(kind, place, by_pydantic) for kind in args or (object, object)]

        def to(given: object) -> object:
            table = to_table(given)
            found, faults = {}, []
            for name, item in table.items():
                try:
                    found[hashable(key.read(name))] = value.read(item)
                except ValueError as error:
                    faults += faults_of(error, item, (Key(name),))
            if faults:
                raise Misfit(faults)
            return found

        return Reader("json", to, is_structure=True, sensitive=value.sensitive or None)

    def _inner(self, kind: object, place: str, by_pydantic: bool) -> Reader:
        """The reader of what is in a list or table; `Any` is read as it is."""
        from typing import Any as Anything

        if kind in (Anything, object):
            made = Reader("string", _as_it_is, takes_empty=True)
            made.none = True
            return made
        return self.of(kind, place=place, by_pydantic=by_pydantic)


class Table:
    """Reads tables of files and JSON that become objects of one class."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.sensitive: bool | None = None
        self._readers: dict[str, tuple[Field, Reader]] = {}
        #: Whether the class accepts keys that it does not declare.
        self._is_open = getattr(cls, "model_config", {}).get("extra") == "allow"

    def add(self, readers: Readers) -> None:
        """Add the fields. One of the type of the class itself is read by this table."""
        by_pydantic = kind_of(self.cls) == "pydantic"
        for field in fields_of(self.cls):
            reader = readers.of(
                field.annotation,
                field.metadata,
                place=place_of(self.cls, field.name),
                by_pydantic=by_pydantic,
                raw=field.is_raw,
            )
            reader.none = reader.none or field.default is None
            self._readers[field.key] = field, reader
        self.sensitive = any(reader.sensitive for _, reader in self._readers.values()) or None

    def read(self, given: object) -> object:
        """A table as an object.

        Raises:
            Misfit: it does not fit. Has every fault in it.
        """
        table = to_table(given)
        values: dict[str, object] = {}
        faults: list[Fault] = []
        faulty: set[str] = set()
        plain = {str(name).lower(): item for name, item in table.items()}
        for key, (field, reader) in self._readers.items():
            try:
                if key in plain:
                    values[field.arg] = reader.read(plain[key])
                    continue
            except ValueError as error:
                faults += faults_of(error, plain[key], (key,))
            else:
                if not field.needed:
                    continue
                faults.append(((key,), "a value is required", None))
            faulty.add(field.name)
        unknown = [str(name) for name in table if str(name).lower() not in self._readers]
        tag_field, tag = own_tag(self.cls)
        if tag_field in table:
            unknown.remove(tag_field)
            if to_text(table[tag_field]) != tag:
                faults.append(((tag_field,), f"expected {tag!r}", table[tag_field]))
        if self._is_open:
            values.update({name: table[name] for name in unknown})
        else:
            faults += [((Key(name),), self._unknown(name), None) for name in unknown]
        found, refusals = made(self.cls, values, faulty)
        by_name = {field.name: key for key, (field, _) in self._readers.items()}
        for name, path, what, hidden in refusals:
            shown = hidden if name and self._readers[by_name[name]][1].sensitive else what
            faults.append(((by_name[name], *path) if name else path, shown, None))
        if faults:
            raise Misfit(faults)
        return found

    def _unknown(self, name: str) -> str:
        from difflib import get_close_matches

        near = get_close_matches(name.lower(), self._readers, 1, 0.7)
        return f"there is no such key; did you mean {near[0]}?" if near else "there is no such key"


def to_table(given: object) -> dict[object, object]:
    """A table, also in JSON.

    Raises:
        ValueError: it is not a table.
    """
    table = to_json(given)
    if not isinstance(table, dict):
        raise ValueError('expected a table, such as {"key": "value"}')
    return table


def is_union(annotation: object) -> bool:
    """Whether an annotation is `A | B` or `Optional[A]`."""
    from typing import Union, get_origin

    origin = get_origin(annotation)
    return origin is Union or getattr(origin, "__name__", "") == "UnionType"


def members(annotation: Any) -> list[Any]:
    """The types in a union, without None and msgspec's UnsetType."""
    return [
        kind
        for kind in annotation.__args__
        if kind is not type(None)
        and kind.__class__.__name__ != "UnsetType"
        and getattr(kind, "__name__", "") != "UnsetType"
    ]


def _adapter(annotation: object, marks: Sequence[object], place: str) -> Callable[[object], object]:
    """Converts with pydantic.

    Raises:
        SchemaError: pydantic does not support the type.
    """
    from operator import getitem
    from typing import Annotated

    from pydantic import TypeAdapter

    whole: Any = getitem(Annotated, (annotation, *marks)) if marks else annotation
    try:
        adapter: TypeAdapter[object] = TypeAdapter(whole)
    except Exception as error:  # code of the application, or a missing package
        what = f"pydantic cannot read this type ({type(error).__name__})"
    else:
        return lambda value: _validated(adapter, value)
    raise SchemaError(what, where=place)


def _validated(adapter: TypeAdapter[object], value: object) -> object:
    try:
        return adapter.validate_python(value)
    except Exception as error:  # a validator of the application may raise anything
        if is_pydantics(error):
            faults: list[Fault] = [(path, what, None) for path, what, _ in messages(error)]
        else:
            faults = [((), f"a validator refuses it ({raised(error)})", None)]
    raise Misfit(faults)


def _holds_classes(annotation: object) -> bool:
    return bool(kind_of(annotation)) or any(map(_holds_classes, getattr(annotation, "__args__", ())))


def _as_it_is(value: object) -> object:
    return value


def _subclass(base: object) -> Callable[[object], object]:
    def check(found: object) -> object:
        if isinstance(found, type) and (not isinstance(base, type) or issubclass(found, base)):
            return found
        raise ValueError(f"expected the dotted path of a subclass of {getattr(base, '__name__', base)}")

    return check


def _callable(found: object) -> object:
    if callable(found):
        return found
    raise ValueError("expected the dotted path of a function or class")


def _one_of(readers: list[Reader], kinds: Sequence[object]) -> Reader:
    """The reader of a union. A typed value of a file is read as its type; else the types are tried in order."""
    structures = (list, tuple, dict)

    def to(value: object) -> object:
        exact = [reader for reader, kind in zip(readers, kinds, strict=True) if kind is type(value)]
        if isinstance(value, structures):
            exact = [reader for reader in readers if reader.is_structure or reader.type == "list"]
        expected = []
        for reader in [*exact[: not isinstance(value, str)], *readers]:
            try:
                return reader.read(value)
            except ValueError as error:
                expected.append(str(error))
        raise ValueError("; or ".join(dict.fromkeys(expected)))

    takes_empty = any(reader.takes_empty for reader in readers)
    return Reader("string", to, sensitive=any(reader.sensitive for reader in readers) or None, takes_empty=takes_empty)

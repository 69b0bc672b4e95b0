"""The reader of secrets files: JSON, YAML and `.env`, entry by entry, each name with its line.

Look-ups and imports read through it. It keeps one entry in memory at a time, so a pipe will do as well as a file. A
fault inside an entry is the fault of that entry alone; a syntax fault ends the reading.
"""

from __future__ import annotations

from framework.errors import FileParseError, FrameworkError, NotUnique
from framework.files.stream import JsonWindow, Text, not_utf8
from framework.limits import FAULTS
from framework.parsing import TOO_DEEP, TOO_LARGE, json_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator
    from typing import IO, Any

    from yaml import Node

    from framework.files.yaml_nodes import Growth

    Fault = tuple[int, str]

#: Extension -> format.
FORMATS = {"json": "json", "yaml": "yaml", "yml": "yaml", "env": "env"}
#: Names that are sorted together.
_RUN = 8192

#: The value of an empty list.
NOTHING = object()


class Entry:
    """One name of a file with its value.

    Attributes:
        path: the file.
        name: the name as text; None for a line that has no name.
        key: the name, or what YAML makes of an unquoted `5` or `yes`.
        value: the value; of a name that is written twice, the first one.
        lines: every line on which the name is written.
        faults: what else is wrong, each with its line.
    """

    __slots__ = ("path", "name", "key", "value", "lines", "faults")

    def __init__(self, path: str, line: int, name: str | None, value: object = None, *, fault: str = "") -> None:
        self.path, self.name, self.key, self.value, self.lines = path, name, name, value, [line]
        self.faults: list[Fault] = [(line, fault)] if fault else []

    @property
    def place(self) -> str:
        return f"{self.path}:{self.lines[0]}"

    @property
    def is_absent(self) -> bool:
        return self.value is None and not self.faults and len(self.lines) == 1

    @property
    def not_text(self) -> Fault | None:
        """The fault of a name that is not text."""
        if isinstance(self.key, str):
            return None
        return self.lines[0], f"the name {shown_name(self.name)} is not text in YAML; put it in quotes"

    def every_fault(self) -> list[Fault]:
        """Also that the name is written twice."""
        what = f"{shown_name(self.key)} appears twice, first on line {self.lines[0]}"
        return [*((line, what) for line in self.lines[1:]), *self.faults]

    def sound(self, not_unique: type[NotUnique]) -> object:
        """The value, unless something is wrong with the entry."""
        if len(self.lines) > 1:
            what = f"{shown_name(self.key)} appears {len(self.lines)} times, on {_listed(self.lines)}"
            raise not_unique(what, where=self.place, hint="Keep one of them.")
        if self.faults:
            raise FileParseError(self.path, self.faults)
        return self.value

    def one(self, not_unique: type[NotUnique]) -> Any:
        """The value, or the only element of a list; `NOTHING` for an empty one."""
        value = self.sound(not_unique)
        if not isinstance(value, list):
            return value
        if len(value) > 1:
            raise not_unique(
                f"{shown_name(self.key)} has {len(value)} values", where=self.place, hint="Keep one of them."
            )
        return value[0] if value else NOTHING

    def only(self, not_unique: type[NotUnique]) -> Any:
        """As `one`, and an empty list is an error."""
        value = self.one(not_unique)
        if value is NOTHING:
            raise not_unique(
                f"{shown_name(self.key)} has an empty list for a value", where=self.place, hint="Write one value."
            )
        return value


def shown_name(name: object) -> str:
    """A name that is spelt like one; anything else may be a misplaced secret.

    A name is made of words of at most twenty letters, which a few digits may follow: `warehouse_2`.
    """
    import re

    spelt = len(str(name)) <= 50 and re.fullmatch(
        r"(?:[^\W\d_]{0,20}\d{0,4}[-_./#!() ])*[^\W\d_]{0,20}\d{0,4}", str(name)
    )
    return repr(name) if name and spelt else "(a name not shown)"


def _listed(lines: list[int]) -> str:
    *firsts, last = map(str, dict.fromkeys(lines))
    if len(firsts) >= FAULTS:
        firsts, last = firsts[:FAULTS], f"{len(firsts) + 1 - FAULTS} more"
    return f"lines {', '.join(firsts)} and {last}" if firsts else f"line {last}"


def read_entries(file: IO[bytes], path: str, file_format: str) -> Iterator[Entry]:
    """Every name of a file with its value and its line, as it comes.

    An entry with faults has them in `faults`. A line without a name comes as an entry without one.

    Args:
        file: read from its current position to its end.
        path: the name of the file in messages.
        file_format: `json`, `yaml` or `env`.

    Raises:
        FileParseError: what follows cannot be read, with the line.
    """
    reader = {"json": _json_entries, "yaml": _yaml_entries, "env": _env_entries}[file_format]
    try:
        yield from reader(Text(file, path))
        return
    except RecursionError:
        what = TOO_DEEP
    except MemoryError:
        what = TOO_LARGE
    raise FileParseError(path, [(0, what)])


def _without_mark(start: str, path: str) -> None:
    if start == "\ufeff":
        raise FileParseError(path, [(1, "the file begins with a byte order mark (BOM); save it without")])


def _env_entries(text: Text) -> Iterator[Entry]:
    """`NAME=value` lines; nothing is unquoted or stripped, as in Airflow."""
    for number, line in text.lines():
        if number == 1:
            _without_mark(line[:1], text.path)
        if not line or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if fault := not_utf8(line):
            yield Entry(text.path, number, None, fault=fault)
        elif name and equals and value:
            yield Entry(text.path, number, name, value)
        else:
            missing = "no '='" if not equals else "no name before the '='" if not name else "no value after the '='"
            yield Entry(text.path, number, None, fault=f"there is {missing}")


def _json_entries(text: Text) -> Iterator[Entry]:
    window = JsonWindow(text)
    _without_mark(window.next(), text.path)
    if window.next() != "{":
        window.value()
        raise FileParseError(text.path, [(1, "the file holds no object of names and values")])
    window.at, window.level = window.at + 1, 1
    if window.next() != "}":
        yield _json_entry(text, window)
        while window.next() != "}":
            window.take(",")
            yield _json_entry(text, window)
    window.at += 1
    if window.next():
        raise window.fault(window.at, "Extra data")


def _json_entry(text: Text, window: JsonWindow) -> Entry:
    text.begin_entry()
    if window.next() != '"':
        raise window.fault(window.at, "Expecting property name enclosed in double quotes")
    line = window.line(window.at)
    name = window.value()
    window.take(":")
    entry = Entry(text.path, line, name, window.value())
    if window.has_twice:
        line = window.line(window.start) - 1
        for trail, number, first in json_names(window.text[window.start : window.at]):
            if first:
                what = f"{shown_name(trail[-1])} appears twice, first on line {line + first}"
                entry.faults.append((line + number, what))
    return entry


def _yaml_entries(text: Text) -> Iterator[Entry]:
    """The pairs of the top mapping, each composed by itself out of the parser's events."""
    import yaml

    from framework.files.yaml_nodes import CHARACTER, Growth, composer, plain_yaml_fault

    nodes = composer(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    growth, top = Growth(), _TopNames()
    line = 1
    try:
        nodes.get_event(), nodes.get_event()  # the stream and the document begin
        if not nodes.check_event(yaml.MappingStartEvent):
            raise FileParseError(text.path, [(1, "the file holds no table of names and values")])
        nodes.get_event()
        while not nodes.check_event(yaml.MappingEndEvent):
            text.begin_entry()
            line = nodes.peek_event().start_mark.line + 1
            name, value = nodes.compose_node(None, None), nodes.compose_node(None, None)
            grown = growth if nodes.anchors else None  # without anchors nothing can grow
            if name.tag == _MERGE:
                if fault := top.merge(value, grown):
                    yield Entry(text.path, line, None, fault=fault)
            else:
                top.add(name)
                yield _yaml_entry(text.path, line, name, value, grown)
        nodes.get_event(), nodes.get_event()
        if not nodes.check_event(yaml.StreamEndEvent):
            line = nodes.peek_event().start_mark.line + 1
            raise FileParseError(text.path, [(line, "a second document begins here")])
        for name, value in top.merged():
            yield _yaml_entry(text.path, name.start_mark.line + 1, name, value, growth)
        return
    except FrameworkError:
        raise
    except yaml.reader.ReaderError as error:
        character = error.character if isinstance(error.character, str) else chr(error.character)
        where = text.line_of(character), CHARACTER
    except Exception as error:  # PyYAML raises what Python happens to raise
        where = plain_yaml_fault(error, "", line)
    raise FileParseError(text.path, [where])


#: The tag of a `<<` without quotes.
_MERGE = "tag:yaml.org,2002:merge"


class _TopNames:
    """The names at the top of a YAML file, and those that a `<<` merges there. A name of the file itself wins."""

    __slots__ = ("_hashes", "_merged")

    def __init__(self) -> None:
        from array import array

        self._hashes: array[int] = array("q")
        self._merged: dict[tuple[str, str], tuple[Node, Node]] = {}

    def add(self, name: Node) -> None:
        self._hashes.append(hash((name.tag, str(name.value))))

    def merge(self, value: Node, growth: Growth | None) -> str:
        """Keep what a table, or each of a list of tables, has: of a name in several, the first. Returns a fault."""
        import yaml

        from framework.files.yaml_nodes import maker, plain_yaml_fault

        try:
            if growth:
                growth.check(value)
            for table in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(table, yaml.MappingNode):
                    return "what is merged (<<) is not a table"
                maker().flatten_mapping(table)  # of what a table merges itself
                for of_name, pair in {(pair[0].tag, str(pair[0].value)): pair for pair in table.value}.items():
                    self._merged.setdefault(of_name, pair)
        except Exception as error:  # PyYAML raises what Python happens to raise
            return plain_yaml_fault(error, "", 0)[1]
        return ""

    def merged(self) -> Iterator[tuple[Node, Node]]:
        found = {hash(name): pair for name, pair in self._merged.items()}
        for number in self._hashes if found else ():
            found.pop(number, None)
        yield from found.values()


def _yaml_entry(path: str, line: int, name: object, value: Node, growth: Growth | None) -> Entry:
    import yaml

    from framework.files.yaml_nodes import maker, plain_yaml_fault

    if not isinstance(name, yaml.ScalarNode):
        return Entry(path, line, None, fault="a name is not text")
    entry = Entry(path, line, str(name.value))
    entry.faults += yaml_names_written_twice(value)
    making = maker()
    try:
        entry.key = making.construct_object(name, deep=True)
        if growth:
            growth.check(value)
        entry.value = making.construct_object(value, deep=True)
    except Exception as error:  # PyYAML raises what Python happens to raise
        entry.faults.append(plain_yaml_fault(error, "", value.start_mark.line + 1))
    return entry


def yaml_names_written_twice(node: Node) -> Iterator[Fault]:
    import yaml

    pending, visited = [node], set()
    while pending:
        node = pending.pop()
        if isinstance(node, yaml.ScalarNode) or id(node) in visited:  # an alias may come again, without end
            continue
        visited.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending += node.value
            continue
        first: dict[tuple[str, str], int] = {}
        for name, value in node.value:
            pending.append(value)
            number, known = name.start_mark.line + 1, (name.tag, str(name.value))
            if known in first and not name.tag.endswith(":merge"):
                yield number, f"{shown_name(name.value)} appears twice, first on line {first[known]}"
            first.setdefault(known, number)


class DuplicateNames:
    """Finds names that are written twice, keeping twelve bytes of each name."""

    __slots__ = ("_last", "_runs")

    def __init__(self) -> None:
        self._last: list[tuple[int, int]] = []
        self._runs: list[tuple[array[int], array[int]]] = []  # hashes in their order, and their lines

    def add(self, name: str, line: int) -> None:
        self._last.append((hash(name), line))
        if len(self._last) == _RUN:
            self._pack()

    def _pack(self) -> None:
        from array import array

        self._last.sort()
        self._runs.append((array("q", [key for key, _ in self._last]), array("I", [line for _, line in self._last])))
        self._last.clear()

    def faults(self) -> list[tuple[int, str]]:
        """For each name that was written before: its line, and where it was written first."""
        from heapq import merge

        self._pack()
        found: list[tuple[int, str]] = []
        first = (-1, 0)  # no hash is -1
        for key, line in merge(*(zip(keys, lines, strict=True) for keys, lines in self._runs)):
            if key == first[0]:
                found.append((line, f"this name appears twice, first on line {first[1]}"))
            else:
                first = key, line
        return sorted(found)

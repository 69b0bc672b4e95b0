"""A file of names and values read entry by entry, in a memory that does not grow with it: JSON, YAML and `.env`.

It reads what `entries` reads, for an import instead of for look-ups: a fault inside an entry is that entry's
alone, a syntax fault ends the reading, and a pipe will do as well as a file.
"""

from __future__ import annotations

from framework.errors import FileParseError, FrameworkError
from framework.files.entries import Entry, shown_name, yaml_names_written_twice
from framework.files.yaml_nodes import Growth, composer, maker, plain_yaml_fault
from framework.limits import FILE_BYTES
from framework.parsing import TOO_DEEP, TOO_LARGE, TOO_MANY_DIGITS, deep_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterator
    from json import JSONDecodeError
    from typing import IO, Any

#: Bytes read at a time.
_CHUNK = 65536
_TOO_LARGE = f"one value is larger than {FILE_BYTES // 2**20} MiB"
#: Names that are sorted together.
_RUN = 8192
#: A JSON text that is cut fails at most so far before the cut, unless the cut is inside a string.
_CUT = 16

#: What YAML means by `name: value` lines is its own affair at the top as well, but for this one.
_MERGE = "tag:yaml.org,2002:merge"


def read_entries(file: IO[bytes], path: str, file_format: str) -> Iterator[Entry]:
    """Every name of a file with its value and its line, as it comes.

    An entry with faults has them in `faults`. A line of a `.env` file that is none comes as an entry without a key.

    Args:
        file: read from where it stands to its end.
        path: what messages call it.
        file_format: `json`, `yaml` or `env`.

    Raises:
        FileParseError: what follows cannot be read, with the line.
    """
    reader = {"json": _json_entries, "yaml": _yaml_entries, "env": _env_entries}[file_format]
    try:
        yield from reader(file, path)
        return
    except RecursionError:
        what = TOO_DEEP
    except MemoryError:
        what = TOO_LARGE
    raise FileParseError(path, [(0, what)])


class DuplicateNames:
    """Tells which names were written before, keeping twelve bytes of each name."""

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
                found.append((line, f"the same name as on line {first[1]}"))
            else:
                first = key, line
        return sorted(found)


def _env_entries(file: IO[bytes], path: str) -> Iterator[Entry]:
    """`NAME=value` lines, nothing quoted or stripped, as in Airflow. A line ends with a newline and nothing else."""
    for number, data in enumerate(iter(lambda: file.readline(FILE_BYTES + 1), b""), 1):
        if len(data) > FILE_BYTES:
            raise FileParseError(path, [(number, _TOO_LARGE)])
        if number == 1 and (fault := _not_utf8(data)):
            raise FileParseError(path, [(1, fault)])
        try:
            line = data.decode("utf-8")
        except UnicodeDecodeError as error:
            yield _faulty(path, number, f"byte {error.start + 1} is not UTF-8; save the file as UTF-8")
            continue
        line = line.removesuffix("\n").removesuffix("\r")
        key, equals, value = line.partition("=")
        if not line or line.lstrip().startswith("#"):
            continue
        if key and equals and value:
            yield Entry(path, key, value, [number])
        else:
            missing = "no '='" if not equals else "no name before the '='" if not key else "no value after the '='"
            yield _faulty(path, number, f"there is {missing}")


def _faulty(path: str, line: int, fault: str) -> Entry:
    entry = Entry(path, None, None, [line])
    entry.faults.append((line, fault))
    return entry


def _not_utf8(start: bytes) -> str:
    if start[:3] == b"\xef\xbb\xbf":
        return "the file begins with a byte order mark (BOM); save it without"
    return "the text is UTF-16; save the file as UTF-8" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else ""


class _Window:
    """The part of a text that is in memory.

    Attributes:
        text: that part.
        at: how far it is read.
        ended: whether there is nothing after it.
    """

    __slots__ = ("text", "at", "ended", "path", "_file", "_decoder", "_line", "_counted", "_deep")

    def __init__(self, file: IO[bytes], path: str) -> None:
        from codecs import getincrementaldecoder

        self.text, self.at, self.ended, self.path = "", 0, False, path
        self._file, self._decoder = file, getincrementaldecoder("utf-8")()
        self._line, self._counted, self._deep = 1, 0, -1

    def more(self) -> None:
        """Read on. What is read already is let go; what is not is doubled, so that a large value costs no more."""
        if len(self.text) - self.at > FILE_BYTES:
            raise FileParseError(self.path, [(self.line(self.at), _TOO_LARGE)])
        first = not self.text and not self._counted
        line = self.line(self.at)
        data = self._file.read(max(_CHUNK, len(self.text) - self.at))
        if first and (fault := _not_utf8(data)):
            raise FileParseError(self.path, [(1, fault)])
        try:
            more = self._decoder.decode(data, not data)
        except UnicodeDecodeError as error:
            place = line + self.text.count("\n", self.at) + bytes(error.object[: error.start]).count(b"\n")
            raise FileParseError(self.path, [(place, "a byte is not UTF-8; save the file as UTF-8")]) from None
        self.text, self.ended = self.text[self.at :] + more, not data
        self.at = self._counted = 0
        self._deep = deep_place(self.text)  # it begins between two values, so outside of a string

    def line(self, place: int) -> int:
        """The line of a place that is not before any other that was asked for."""
        self._line += self.text.count("\n", self._counted, place)
        self._counted = place
        return self._line

    def next(self) -> str:
        """The next character that is no white space, where reading goes on; empty at the end."""
        while True:
            text, at = self.text, self.at
            while text[at : at + 1] in (" ", "\n", "\t", "\r"):
                at += 1
            self.at = at
            if at < len(text) or self.ended:
                return text[at : at + 1]
            self.more()

    def take(self, character: str, instead: str) -> None:
        """Go past this one character.

        Raises:
            FileParseError: it is another.
        """
        if self.next() != character:
            raise self.fault(self.at, instead)
        self.at += 1

    def fault(self, place: int, what: str) -> FileParseError:
        return FileParseError(self.path, [(self.line(place), f"this is not valid JSON ({what})")])

    def value(self, decode: Callable[[str, int], tuple[Any, int]]) -> Any:
        """The JSON value that begins here.

        Raises:
            FileParseError: there is none.
        """
        from json import JSONDecodeError

        if self.next() == "" and self.ended:
            raise self.fault(self.at, "it ends too early")
        while True:
            if self._deep >= self.at:
                raise self.fault(self._deep, TOO_DEEP)
            fault: JSONDecodeError | None = None
            try:
                value, end = decode(self.text, self.at)
            except JSONDecodeError as error:
                fault = error
            except ValueError:
                raise self.fault(self.at, TOO_MANY_DIGITS) from None
            if fault is None and (end < len(self.text) or self.ended):  # else a number may go on
                self.at = end
                return value
            if fault is not None and (self.ended or not self._is_cut(fault)):
                raise self.fault(fault.pos, fault.msg) from None
            self.more()

    def _is_cut(self, fault: JSONDecodeError) -> bool:
        return fault.pos >= len(self.text) - _CUT or fault.msg.startswith("Unterminated string")


def _json_entries(file: IO[bytes], path: str) -> Iterator[Entry]:
    from json import JSONDecoder

    twice: list[str] = []

    def table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            seen: set[str] = set()
            twice.append(next(name for name, _ in pairs if name in seen or seen.add(name)))  # type: ignore[func-returns-value]
        return made

    window, decode = _Window(file, path), JSONDecoder(object_pairs_hook=table).raw_decode
    if window.next() != "{":
        raise FileParseError(path, [(window.line(window.at), "the file holds no object of names and values")])
    window.at += 1
    if window.next() == "}":
        window.at += 1
    else:
        while True:
            if window.next() != '"':
                raise window.fault(window.at, "Expecting property name enclosed in double quotes")
            line = window.line(window.at)
            name = window.value(decode)
            window.take(":", "Expecting ':' delimiter")
            twice.clear()
            entry = Entry(path, name, window.value(decode), [line])
            entry.faults += [(line, f"{shown_name(inner)} is written twice in it") for inner in twice[-1:]]
            yield entry
            if window.next() == "}":
                window.at += 1
                break
            window.take(",", "Expecting ',' delimiter")
    if window.next():
        raise window.fault(window.at, "Extra data")


def _yaml_entries(file: IO[bytes], path: str) -> Iterator[Entry]:
    """The top mapping's pairs, each composed by itself out of the parser's events."""
    import yaml

    nodes = composer(yaml.parse(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    growth = Growth()
    line = 1
    try:
        nodes.get_event(), nodes.get_event()  # the stream and the document begin
        if not nodes.check_event(yaml.MappingStartEvent):
            raise FileParseError(path, [(1, "the file holds no table of names and values")])
        nodes.get_event()
        while not nodes.check_event(yaml.MappingEndEvent):
            name, value = nodes.compose_node(None, None), nodes.compose_node(None, None)
            line = name.start_mark.line + 1
            yield _yaml_entry(growth, path, name, value)
        nodes.get_event(), nodes.get_event()
        if not nodes.check_event(yaml.StreamEndEvent):
            raise FileParseError(path, [(nodes.peek_event().start_mark.line + 1, "a second document begins here")])
        return
    except yaml.reader.ReaderError:
        fault = (0, "it holds a byte or a character that YAML does not allow")
    except FrameworkError:
        raise
    except Exception as error:  # PyYAML raises what Python happens to raise
        fault = plain_yaml_fault(error, "", line)
    raise FileParseError(path, [fault])


def _yaml_entry(growth: Growth, path: str, name: Any, value: Any) -> Entry:
    import yaml

    line = name.start_mark.line + 1
    entry = Entry(path, None, None, [line])
    if name.tag == _MERGE:
        entry.faults.append((line, "what is merged (<<) at the top cannot be imported; write it out"))
    elif not isinstance(name, yaml.ScalarNode):
        entry.faults.append((line, "a name is not text"))
    else:
        entry.faults += yaml_names_written_twice(value)
        making = maker()
        try:
            entry.key = making.construct_object(name, deep=True)
            growth.check(value)
            entry.value = making.construct_object(value, deep=True)
        except Exception as error:
            entry.faults.append(plain_yaml_fault(error, "", value.start_mark.line + 1))
    return entry

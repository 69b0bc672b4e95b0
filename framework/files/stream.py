"""A text read piece by piece, in a memory that does not grow with it, and the values of a JSON text."""

from __future__ import annotations

from framework.errors import FileParseError
from framework.limits import FILE_BYTES
from framework.parsing import TOO_DEEP, Malformed, deep_place, long_number_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO, Any

#: Bytes read at a time.
CHUNK = 65536
#: A JSON text that is cut fails at most so far before the cut, unless the cut is inside a string.
_CUT = 16


class Text:
    """The text of a file, decoded as UTF-8, in which every line end is a newline.

    Args:
        file: read from its current position to its end.
        path: the name of the file in messages.

    Raises:
        FileParseError: when it is read: every line that is not UTF-8, or one entry that is too large.
    """

    __slots__ = ("path", "_file", "_decoder", "_line", "_column", "_held", "_allowed", "_recent")

    def __init__(self, file: IO[bytes], path: str) -> None:
        from codecs import getincrementaldecoder

        self.path, self._file, self._decoder = path, file, getincrementaldecoder("utf-8")()
        self._line, self._column = 1, 0  # where reading goes on: the line, and how many bytes of it were read
        self._allowed, self._held, self._recent = FILE_BYTES, b"", ["", ""]

    def begin_entry(self) -> None:
        """Call this where an entry begins, for each of them may be as large as a file."""
        self._allowed = FILE_BYTES

    def read(self, size: int = CHUNK) -> str:
        """The next part of the text, about `size` bytes; empty at the end."""
        line, column = self._line, self._column
        part = self._read(size)
        if self._decoder.errors != "strict":
            raise FileParseError(self.path, list(self._not_utf8(line, column, part)))
        return part

    def lines(self) -> Iterator[tuple[int, str]]:
        """Every line with its number, without the newline. What is not UTF-8 in it is escaped, see `not_utf8`."""
        return self._lines(1, "")

    def _lines(self, number: int, rest: str) -> Iterator[tuple[int, str]]:
        while True:
            *lines, rest = rest.split("\n")
            yield from enumerate(lines, number)
            if lines:
                number += len(lines)
                self.begin_entry()
            part = self._read(max(CHUNK, len(rest)))
            if not part:
                break
            rest += part
        yield number, rest

    def _not_utf8(self, number: int, column: int, part: str) -> Iterator[tuple[int, str]]:
        """Each line that is not UTF-8, from this part of the text on."""
        for at, line in self._lines(number, part):
            if fault := not_utf8(line, column):
                yield at, fault
            column = 0

    def _read(self, size: int) -> str:
        while True:
            if self._allowed < 0:
                raise FileParseError(self.path, [(self._line, f"one value is larger than {FILE_BYTES // 2**20} MiB")])
            data = self._file.read(size)
            if self._line == 1 and not self._column and data[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise FileParseError(self.path, [(1, "the text is UTF-16; save the file as UTF-8")])
            self._allowed -= len(data)
            part, ended = self._decoded(data), not data
            if part or ended:
                return part

    def _decoded(self, data: bytes) -> str:
        ended, data = not data, self._held + data
        self._held = b"\r" if data[-1:] == b"\r" and not ended else b""  # a newline may follow
        data = data[: len(data) - len(self._held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        try:
            part = self._decoder.decode(data, ended)
        except UnicodeDecodeError:
            self._decoder.errors = "surrogateescape"
            part = self._decoder.decode(data, ended)
        self._line += data.count(b"\n")
        self._column = len(data) - data.rfind(b"\n") - 1 + (0 if b"\n" in data else self._column)
        self._recent = [self._recent[1], part]
        return part

    def line_of(self, character: str) -> int:
        """The line of a character in the last two parts that were read."""
        recent = "".join(self._recent)
        at = recent.find(character)
        return self._line - recent.count("\n", max(at, 0))


def not_utf8(line: str, before: int = 0) -> str:
    """What is wrong with a line that has bytes which are not UTF-8, else an empty text.

    Args:
        line: a line, or the end of one.
        before: how many bytes of the line come before it.
    """
    if line.isascii():
        return ""
    try:
        line.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeDecodeError as error:
        return f"byte {before + error.start + 1} is not UTF-8; save the file as UTF-8"
    return ""


class JsonWindow:
    """The part of a JSON text that is in memory.

    Args:
        text: the text.

    Attributes:
        text: the part in memory.
        at: how far it is read.
        start: where the last value began.
        has_twice: whether an object in that value has a name twice.
        level: how many objects are open where reading goes on.
    """

    __slots__ = (
        *("text", "at", "start", "has_twice", "level", "_source", "_ended", "_line", "_counted", "_deep"),
        *("_decode", "_find"),
    )

    def __init__(self, text: Text) -> None:
        import re
        from json import JSONDecoder

        self.text, self.at, self.start, self.level, self.has_twice = "", 0, 0, 0, False
        self._source, self._ended = text, False
        self._line, self._counted, self._deep = 1, 0, -1
        self._decode = JSONDecoder(object_pairs_hook=self._object, parse_int=_whole_number).raw_decode
        self._find = re.compile(r"[^ \t\n\r]").search

    def _more(self) -> None:
        """Read on. What was read is dropped; the rest is doubled, so that a large value costs no more."""
        self.line(self.at)
        more = self._source.read(max(CHUNK, len(self.text) - self.at))
        self.text, self._ended = self.text[self.at :] + more, not more
        self.at = self._counted = 0
        self._deep = deep_place(self.text, self.level)  # the text begins between two values, so outside a string

    def line(self, place: int) -> int:
        """The line of a place that is not before any place that was asked for earlier."""
        self._line += self.text.count("\n", self._counted, place)
        self._counted = place
        return self._line

    def next(self) -> str:
        """The next character that is not white space, where reading goes on; empty at the end."""
        first = self.text[self.at : self.at + 1]
        if first > " ":
            return first
        while True:
            found = self._find(self.text, self.at)
            if found or self._ended:
                self.at = found.start() if found else len(self.text)
                return found[0] if found else ""
            self.at = len(self.text)
            self._more()

    def take(self, character: str) -> None:
        """Read this one character.

        Raises:
            FileParseError: it is another.
        """
        if self.next() != character:
            raise self.fault(self.at, f"Expecting '{character}' delimiter")
        self.at += 1

    def fault(self, place: int, what: str) -> FileParseError:
        return FileParseError(self._source.path, [(self.line(place), f"this is not valid JSON ({what})")])

    def value(self) -> Any:
        """The JSON value that begins here.

        Raises:
            FileParseError: not a JSON value.
        """
        fault: Any  # a JSONDecodeError, or what a hook raises
        self.next()
        while True:
            self.has_twice = False
            if self._deep >= self.at:
                raise self.fault(self._deep, TOO_DEEP)
            try:
                value, end = self._decode(self.text, self.at)
            except ValueError as error:
                fault = error
            else:
                if end < len(self.text) or self._ended:  # else a number may go on
                    self.start, self.at = self.at, end
                    return value
                self._more()
                continue
            if not hasattr(fault, "pos"):
                what = fault.what if isinstance(fault, Malformed) else "a number cannot be read"
                raise self.fault(max(self.at, long_number_place(self.text, self.at)), what) from None
            if self._ended or not self._is_cut(fault):
                raise self.fault(fault.pos, fault.msg) from None
            self._more()

    def _object(self, pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
        made = dict(pairs)
        self.has_twice = self.has_twice or len(made) < len(pairs)
        return made

    def _is_cut(self, fault: Any) -> bool:
        return bool(fault.pos >= len(self.text) - _CUT or fault.msg.startswith("Unterminated string"))


def _whole_number(digits: str) -> int:
    from framework.limits import DIGITS
    from framework.parsing import TOO_MANY_DIGITS

    if len(digits) > DIGITS and len(digits.lstrip("-")) > DIGITS:
        raise Malformed(0, TOO_MANY_DIGITS)
    return int(digits)

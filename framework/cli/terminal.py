"""Messages at a terminal: wrapped between words, with the level in colour."""

from __future__ import annotations

import os
from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

_RED, _YELLOW, _BOLD, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[0m"
#: How a message begins, and in which colour that is shown.
_LEVELS = {"error:": _RED, "warning:": _YELLOW}
#: Lines are not made narrower than this, even in a narrower terminal.
_NARROWEST, _USUAL = 20, 80


def is_terminal(stream: Any) -> bool:
    return bool(stream.isatty())


def message(text: str, stream: object, *, bold: bool = False) -> str:
    """A message as a terminal shows it: wrapped, its level in colour.

    Args:
        text: one line or several, without anything that acts on a terminal.
        stream: the terminal.
        bold: whether it stands out as a whole.
    """
    width, colours = width_of(stream), _has_colours(stream)
    shown = "\n".join(wrapped(line, width) for line in text.split("\n"))
    if not colours:
        return shown
    if bold:
        return f"{_BOLD}{shown}{_PLAIN}"
    for level, colour in _LEVELS.items():
        if shown.startswith(f"{level} "):
            return f"{colour}{level}{_PLAIN}{shown[len(level) :]}"
    return shown


def wrapped(line: str, width: int, indent: int | None = None) -> str:
    """A line as several that end between words. A word that is wider, a path or a URL, stays whole and can be copied.

    Args:
        line: the line.
        width: how many characters fit.
        indent: of the lines that continue it; None: two more than its own.
    """
    if len(line) <= width:
        return line
    start = len(line) - len(line.lstrip(" "))
    after = " " * (start + 2 if indent is None else indent)
    words = line[start:].split(" ")
    lines = [line[:start] + words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        elif word:
            lines.append(after + word)
    return "\n".join(lines)


def width_of(stream: Any) -> int:
    """How many characters a line of the terminal holds."""
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isascii() and columns.isdigit() else 0
    if not width:
        try:
            width = os.get_terminal_size(stream.fileno()).columns
        except (OSError, ValueError, AttributeError):  # not a terminal
            width = 0
    return max(width or _USUAL, _NARROWEST)


def _has_colours(stream: object) -> bool:
    """Whether the terminal shows colours, and NO_COLOR is not set."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and is_terminal(stream)


class Status:
    """The last line of a terminal while a person waits: the next output replaces it."""

    __slots__ = ("_lock", "_shown", "_mid_line")

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._shown: IO[str] | None = None
        self._mid_line = False  # whether something else is on the line

    def show(self, text: str, stream: IO[str]) -> None:
        """Show a line, cut at the edge of the terminal."""
        with self._lock:
            if not self._mid_line and os.environ.get("TERM") != "dumb":
                stream.write(f"\r\x1b[K{text[: width_of(stream) - 1]}")
                stream.flush()
                self._shown = stream

    def clear(self) -> None:
        if self._shown is not None:
            with self._lock:
                self._remove()

    def write(self, text: str, stream: IO[str]) -> None:
        """Write other things to a terminal."""
        with self._lock:
            self._remove()
            stream.write(text)
            self._mid_line = not text.endswith("\n")

    def _remove(self) -> None:
        if self._shown is not None:
            self._shown.write("\r\x1b[K")
            self._shown.flush()
            self._shown = None


status = Status()

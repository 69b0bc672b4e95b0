"""Edits a cfg file as a user would: it changes the lines that must change, and leaves every other byte alone.

Comments, order, spelling, indentation and line ends stay. Every change is read back by the parser that the application
uses before it counts, and a file is replaced as a whole: a reader sees the old file or the new one.
Why no library does this: docs/decisions/0014-editing-cfg-files.md.
"""

from __future__ import annotations

import os

from framework.errors import ConfigError, ConfigFileError
from framework.files.atomic import replace_file
from framework.files.text import read_text
from framework.files.trust import Untrusted
from framework.layers.cfg import DEFAULT, interpolate, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    #: section -> key -> text
    Texts = dict[str, dict[str, str]]

_COMMENTS = ("#", ";")


class CfgText:
    """The text of a cfg file, and where its options are.

    Args:
        text: the file's text, with the line ends that it has.
        path: the name of the file in messages.

    Raises:
        ConfigFileError: malformed.
    """

    __slots__ = ("path", "lines", "texts", "_end", "_headers", "_spans")

    def __init__(self, text: str, path: str) -> None:
        self.path = path
        self._end = "\r\n" if "\r\n" in text else "\n"
        self._take(_split(text))

    def __str__(self) -> str:
        return "".join(self.lines)

    def _take(self, lines: list[str]) -> None:
        """Read the lines; nothing is changed if they cannot be read."""
        texts, places = parse("".join(line.rstrip("\r\n") + "\n" for line in lines), self.path)
        starts = {start: (section, key) for section, keys in places.items() for key, start in keys.items()}
        headers: dict[str, int] = {}
        spans: dict[tuple[str, str], tuple[int, int]] = {}
        option, depth = None, 0
        for number, line in enumerate(lines):
            if _is_idle(line):
                continue
            if number + 1 in starts:
                option, depth = starts[number + 1], _depth(line)
                spans[option] = (number, number + 1)
            elif option is not None and _depth(line) > depth:
                spans[option] = (spans[option][0], number + 1)
            else:
                body = line.strip()
                option, depth = None, _depth(line)
                headers[body[1 : body.rfind("]")]] = number
        self.lines, self._headers, self._spans = lines, headers, spans
        self.texts: Texts = texts

    def find(self, section: str, key: str) -> tuple[str, str] | None:
        """The option as it is spelled here, in any case of letters: of several, the one that the application reads."""
        found = None
        for spelled in sorted(self.texts, key=str.islower):  # as the layer does it
            if spelled.lower() == section and spelled != DEFAULT:
                for name in sorted(self.texts[spelled], key=str.islower):
                    found = (spelled, name) if name.lower() == key else found
        return found

    def line(self, name: tuple[str, str]) -> int:
        """The line, counted from 1, on which an option begins."""
        return self._spans[name][0] + 1

    def set(self, section: str, key: str, text: str) -> tuple[str, str]:
        """Write an option's text as a cfg file holds it: in its place, or a new option at the end of its section.

        Returns:
            The option as it is spelled here.

        Raises:
            ConfigFileError: a cfg file cannot hold the text.
        """
        name = self.find(section, key)
        lines = list(self.lines)
        if name is not None:
            start, end = self._spans[name]
            comments = [line for line in lines[start + 1 : end] if not line.isspace() and _is_idle(line)]
            lines[start:end] = [*self._option(_head(lines[start]), text, _depth(lines[start])), *comments]
        else:
            name = (self._spelled(section), key)
            at, indent = self._place(name)
            self._complete(lines)
            if name[0] not in self._headers:
                lines += [self._end] if lines and not lines[-1].isspace() else []
                lines.append(f"[{name[0]}]{self._end}")
                at = len(lines)
            lines[at:at] = self._option(f"{indent}{key} = ", text, len(indent))
        expected = {s: dict(keys) for s, keys in self.texts.items()}
        expected.setdefault(name[0], {})[name[1]] = text
        self._commit(lines, lambda: self.texts == expected)
        return name

    def remove(self, name: tuple[str, str]) -> None:
        """Take an option's lines out. Comments stay."""
        start, end = self._spans[name]
        kept = [line for line in self.lines[start + 1 : end] if not line.isspace() and _is_idle(line)]
        self._commit([*self.lines[:start], *kept, *self.lines[end:]], self._same_but(name))

    def comment_out(self, name: tuple[str, str]) -> None:
        """Make comments of an option's lines."""
        start, end = self._spans[name]
        dead = [line if _is_idle(line) else f"# {line}" for line in self.lines[start:end]]
        self._commit([*self.lines[:start], *dead, *self.lines[end:]], self._same_but(name))

    def rename(self, name: tuple[str, str], section: str, key: str) -> tuple[str, str]:
        """Give an option another key, or move it with the comments above it to another section.

        Raises:
            ConfigFileError: it, or another option, would change its meaning: a `%(name)s` refers to it.
        """
        new = (self._spelled(section), key)
        check = self._same_but(name, new)
        start, end = self._spans[name]
        first = self.lines[start]
        depth = _depth(first)
        renamed = [first[:depth] + key + first[depth + len(name[1]) :], *self.lines[start + 1 : end]]
        if new[0] == name[0]:
            self._commit([*self.lines[:start], *renamed, *self.lines[end:]], check)
            return new
        above = start
        while above and self.lines[above - 1].lstrip()[:1] in _COMMENTS:
            above -= 1
        moved = [*self.lines[above:start], *renamed]
        at, indent = self._place(new)
        lines = list(self.lines)
        self._complete(lines)
        self._complete(moved)
        shift = len(indent) - depth
        moved = [_shifted(line, shift, indent) for line in moved]
        if new[0] in self._headers:
            if above < start and at and not lines[at - 1].isspace():
                moved = [self._end, *moved]
            at -= (end - above) if at > start else 0
        del lines[above:end]
        if new[0] not in self._headers:
            lines += [self._end] if lines and not lines[-1].isspace() else []
            moved, at = [f"[{new[0]}]{self._end}", *moved], len(lines)
        lines[at:at] = moved
        self._commit(lines, check)
        return new

    def _spelled(self, section: str) -> str:
        found = [name for name in self._headers if name.lower() == section]
        return max(found, key=str.islower, default=section)

    def _place(self, name: tuple[str, str]) -> tuple[int, str]:
        """Where a new option goes, and how deep: below its own commented-out line, else at its section's end."""
        section, key = name
        if section not in self._headers:
            return len(self.lines), ""
        start = self._headers[section]
        end = min((line for line in self._headers.values() if line > start), default=len(self.lines))
        spans = sorted(span for (inner, _), span in self._spans.items() if inner == section and span[0] > start)
        last = spans[-1] if spans else None
        at = last[1] if last else start + 1
        inside = {line for first, after in spans for line in range(first, after)}
        for number in range(start + 1, end):
            if number not in inside and _commented_key(self.lines[number]) == key:
                at = number + 1
                last = max((span for span in spans if span[0] < number), default=None) or (spans[0] if spans else None)
        # As deep as the header that follows, where no option comes before: below a line with less it would be its text.
        first = self.lines[last[0]] if last else next(iter(self.lines[end:]), "")
        return at, first[: _depth(first)]

    def _option(self, head: str, text: str, depth: int) -> list[str]:
        first, *rest = text.split("\n")
        lines = [head.rstrip("\r\n") + first if first else head.rstrip()]
        lines += [" " * (depth + 4) + line if line else "" for line in rest]
        return [line + self._end for line in lines]

    def _complete(self, lines: list[str]) -> None:
        """End the last line, so that another can follow it."""
        if lines and not lines[-1].endswith(("\n", "\r")):
            lines[-1] += self._end

    def _same_but(self, name: tuple[str, str], new: tuple[str, str] | None = None) -> Callable[[], bool]:
        """A check that every option means what it means now, but for one that is gone or has another name."""
        before = dict(self._meanings())
        meaning = before.pop(name)
        if new is not None:
            before[new] = meaning
        return lambda: dict(self._meanings()) == before

    def _meanings(self) -> Iterator[tuple[tuple[str, str], str | None]]:
        default = self.texts.get(DEFAULT, {})
        for section, keys in self.texts.items():
            for key, text in keys.items():
                try:
                    yield (section, key), interpolate(text, {**default, **keys}.get, "") if "%" in text else text
                except ConfigError:
                    yield (section, key), None

    def _commit(self, lines: list[str], check: Callable[[], bool]) -> None:
        before = self.lines
        try:
            self._take(_split("".join(lines)))
            fine = check()
        except ConfigFileError:
            fine = False
        if not fine:
            self._take(before)
            raise ConfigFileError(
                "the change cannot be written, because the file would be read back differently: spaces or comment "
                "signs that a cfg file drops, an indented line that would continue a value, or a %(name)s that would "
                "refer to another option",
                where=self.path,
                hint="Write it by hand, or in another kind of file.",
            )


def edit(path: str, change: Callable[[CfgText], None]) -> None:
    """Change a cfg file under a lock, replacing it as a whole; a missing one is created, mode 0600.

    Raises:
        ConfigFileError: the file is malformed, cannot be written, or cannot hold the change.
    """
    real = os.path.realpath(path)  # what a symbolic link leads to is edited, and the link stays
    folder = os.path.dirname(real)
    if not os.path.isdir(folder):
        raise ConfigFileError("the folder does not exist", where=folder, hint=f"Create it: mkdir -p {folder}")
    if os.path.exists(real) and not os.path.isfile(real):
        raise ConfigFileError("this is not a file that can be edited", where=real, hint="Name another with --config.")
    with _Lock(folder):
        before = read_text(path, universal=False) if os.path.exists(real) else ""
        text = CfgText(before, real)
        change(text)
        if str(text) != before:
            replace(path, str(text))


def replace(path: str, text: str, *, mode: int = 0o600) -> None:
    """Write a new file, and put it in its place when it is whole and on the disk.

    Args:
        path: the file; mode and owner of one that is there are kept.
        text: all of it.
        mode: of a file that is new.

    Raises:
        ConfigFileError: the folder or the disk refuses.
    """
    try:
        replace_file(path, text.encode(), lambda status: mode if status is None else status.st_mode & 0o7777)
        return
    except Untrusted as refusal:
        raise ConfigFileError(refusal.what, where=path, hint=refusal.hint) from None
    except OSError as fault:
        reason = fault.strerror or type(fault).__name__
    except UnicodeEncodeError:
        reason = "a byte is not UTF-8"
    raise ConfigFileError(f"the file cannot be written ({reason})", where=path, hint="Nothing was changed.")


class _Lock:
    """One editor at a time, by a lock on the folder: it leaves no file behind, and ends with the process."""

    __slots__ = ("_number",)

    def __init__(self, folder: str) -> None:
        self._number = os.open(folder, os.O_RDONLY)

    def __enter__(self) -> None:
        import fcntl

        try:
            fcntl.flock(self._number, fcntl.LOCK_EX)
        except OSError:  # a file system without locks: the file is replaced as a whole all the same
            pass

    def __exit__(self, *_: object) -> None:
        os.close(self._number)


def _split(text: str) -> list[str]:
    """Lines with their ends, of every kind."""
    lines: list[str] = []
    for line in text.split("\n"):
        *old, last = line.split("\r")
        lines += [piece + "\r" for piece in old]
        lines.append(f"{last}\n")
    lines[-1] = lines[-1][:-1]
    whole: list[str] = []
    for line in lines:  # "\r" and "\n" of one line end belong together
        if line == "\n" and whole and whole[-1].endswith("\r"):
            whole[-1] += "\n"
        elif line:
            whole.append(line)
    return whole


def _is_idle(line: str) -> bool:
    body = line.strip()
    return not body or body[0] in _COMMENTS


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _head(line: str) -> str:
    """An option's line up to its value: key, delimiter and the spaces around it."""
    marks = [at for at in (line.find("="), line.find(":")) if at >= 0]
    end = min(marks) + 1
    value = line[end:].rstrip("\r\n")
    return line[:end] + (value[: _depth(value)] if value.strip() else " ")


def _commented_key(line: str) -> str | None:
    """The key of an option that is commented out, as in `# port = 8000`."""
    body = line.strip()
    if body[:1] not in _COMMENTS:
        return None
    key, mark, _ = body.lstrip("#; \t").replace(":", "=", 1).partition("=")
    return key.strip().lower() if mark else None


def _shifted(line: str, shift: int, indent: str) -> str:
    if not shift or line.isspace():
        return line
    return " " * shift + line if shift > 0 else line[min(-shift, _depth(line)) :]

"""Which files an entry of a list means: `{env}` is filled in, `*` is looked up, and a trailing `?` lets a file be
missing.

So `config_files`, `settings_files` and `dotenv` are read. Nothing else is a pattern.
"""

from __future__ import annotations

import os

from framework.errors import ConfigFileError
from framework.files.trust import Typed, Untrusted, names_in, with_trust_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PLACEHOLDER = "{env}"


class FilePattern(str):
    """An entry of a list in a project file. Its text is the absolute path.

    Attributes:
        folder: where it starts, trusted as that is. Pattern characters in it do not count.
        written: the text in the file.
    """

    folder: str
    written: str

    def __new__(cls, folder: str, written: str) -> FilePattern:
        made = super().__new__(cls, _at(folder, written))
        made.folder, made.written = folder, written
        return made


class Placed(list[str]):
    """A list of names, and where it is written."""

    place = ""


class Look:
    """A file that was looked for.

    Attributes:
        kind: the layer that it makes, such as `config file`.
        path: the file, or the pattern that matches no file.
        written: the entry that asks for it.
        found: whether it is there.
        wanted: whether it is read: it is there, or must be.
    """

    __slots__ = ("kind", "path", "written", "found", "wanted")

    def __init__(self, kind: str, path: str, written: str, *, found: bool, must_exist: bool) -> None:
        self.kind, self.path, self.written, self.found, self.wanted = kind, path, written, found, found or must_exist


def look_for(kind: str, entry: str, env: str) -> list[Look]:
    """The files that an entry means in the environment `env`, by name. None is opened.

    Raises:
        ConfigFileError: the entry makes no sense, or the folder of a pattern is missing, unreadable or not to be
            trusted.
    """
    folder, written = _parts(entry)
    text, optional = written.removesuffix("?"), written.endswith("?")
    _check(text, written)
    if PLACEHOLDER in text:
        text = text.replace(PLACEHOLDER, env)
    above, name = os.path.split(text)
    path = _path(entry, folder, text)
    if "*" not in name:
        return [Look(kind, path, written, found=not is_absent(path), must_exist=not optional)]
    within = _path(entry, folder, above or os.curdir)
    if optional and is_absent(within):
        return [Look(kind, path, written, found=False, must_exist=False)]
    names = [found for found in _names(within, written) if _fits(found, name)]
    if not names:
        return [Look(kind, path, written, found=False, must_exist=False)]
    names.sort(key=os.fsencode)
    above = "" if above in ("", os.curdir) else above
    files = (_path(entry, folder, os.path.join(above, name)) for name in names)
    return [Look(kind, file, written, found=True, must_exist=True) for file in files]


def environments_with_files(entry: str) -> Iterator[str]:
    """The words for which `{env}` in an entry leads to a file that is there."""
    folder, written = _parts(entry)
    text = written.removesuffix("?")
    before, _, after = text.partition(PLACEHOLDER)
    above, start = os.path.split(before)
    part = start + PLACEHOLDER + after.partition("/")[0]
    try:
        names = os.listdir(_path(entry, folder, above or os.curdir))
    except OSError:
        return
    for name in sorted(names):
        words = (name[len(start) : end] for end in range(len(name), len(start), -1))
        word = next((word for word in words if _fits(name, part.replace(PLACEHOLDER, word))), "")
        try:
            if word and any(look.found for look in look_for("", entry, word)):
                yield word
        except ConfigFileError:
            continue


def is_absent(path: str) -> bool:
    """Whether there is nothing under a path. What is there and cannot be read is not absent."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def _parts(entry: str) -> tuple[str, str]:
    return (entry.folder, entry.written) if isinstance(entry, FilePattern) else ("", entry)


def _at(folder: str, written: str) -> str:
    return with_trust_of(folder, os.path.normpath(os.path.join(folder, os.path.expanduser(written))))


def _path(entry: str, folder: str, text: str) -> str:
    if folder:
        return _at(folder, text)
    return Typed(text) if isinstance(entry, Typed) else with_trust_of(entry, text)


def _check(text: str, written: str) -> None:
    if not text:
        raise ConfigFileError("an entry names no file", where=repr(written), hint="Remove it, or write a path.")
    if "*" in os.path.dirname(text):
        what = "a * is allowed only in the last part of a path"
        raise ConfigFileError(what, where=written, hint="For example conf.d/*.toml.")
    for piece in text.split("{")[1:]:
        word, closed, _ = piece.partition("}")
        if closed and word != "env" and word.replace("_", "").isalpha():
            raise ConfigFileError(f"unknown placeholder {{{word}}}", where=written, hint=f"Write {PLACEHOLDER}.")


def _names(folder: str, written: str) -> list[str]:
    try:
        return names_in(folder)
    except Untrusted as error:
        refusal = ConfigFileError(error.what, where=error.where, hint=error.hint)
    except FileNotFoundError:
        what = f"the folder of {written} does not exist"
        refusal = ConfigFileError(what, where=folder, hint=f"Create it, or write {written}? if it may be missing.")
    except OSError as error:
        what = f"the folder of {written} cannot be listed ({error.strerror})"
        refusal = ConfigFileError(what, where=folder, hint="Correct the path, or its permissions.")
    raise refusal


def _fits(name: str, pattern: str) -> bool:
    """Whether a name fits a pattern, in which `*` matches any text. As in a shell, it does not match hidden files."""
    if "*" not in pattern:
        return name == pattern
    start, *middle, end = pattern.split("*")
    if name.startswith(".") and not start.startswith("."):
        return False
    if not (name.startswith(start) and name.endswith(end) and len(name) >= len(start) + len(end)):
        return False
    at, last = len(start), len(name) - len(end)
    for piece in middle:
        found = name.find(piece, at, last)
        if found < 0:
            return False
        at = found + len(piece)
    return True

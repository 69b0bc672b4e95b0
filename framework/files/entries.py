"""A file of names and values: JSON, YAML or `.env`, told by the ending, every name with its line.

It is parsed once for each of its versions. A syntax fault makes the whole file unreadable; what is wrong with one entry
(its name is written twice, its value does not fit its YAML tag) is that entry's alone.
"""

from __future__ import annotations

import os
from time import time_ns

from framework.errors import (
    AccessDenied,
    BackendUnavailable,
    FileParseError,
    NotUnique,
    SecretsError,
    UnsupportedFileType,
)
from framework.files.text import read_bytes
from framework.files.trust import Untrusted
from framework.files.yaml_nodes import Growth, loader, maker, plain_yaml_fault
from framework.limits import FAULTS
from framework.parsing import Malformed, json_names, read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Fault = tuple[int, str]
    #: By name; an unquoted `5` or `yes` of YAML, which is not text, as `(name,)`.
    Entries = dict[str | tuple[str], "Entry"]

#: What an empty list stands for.
NOTHING = object()

#: A file that changed so shortly before it was read may change again without its time telling (time stamps have steps).
_UNSETTLED_NS = 2_000_000_000


class Entry:
    """One name of a file with its value.

    Attributes:
        path: the file.
        key: the name: text, or what YAML makes of an unquoted `5` or `yes`.
        value: the value; of a name that is written twice, the last one.
        lines: every line on which the name is written.
        faults: what else is wrong, each with its line.
    """

    __slots__ = ("path", "key", "value", "lines", "faults")

    def __init__(self, path: str, key: Any, value: Any, lines: list[int]) -> None:
        self.path, self.key, self.value, self.lines = path, key, value, lines
        self.faults: list[Fault] = []

    @property
    def place(self) -> str:
        return f"{self.path}:{self.lines[0]}"

    @property
    def is_absent(self) -> bool:
        return self.value is None and not self.faults and len(self.lines) == 1

    def sound(self, not_unique: type[NotUnique]) -> Any:
        """The value, unless something is wrong with the entry."""
        if len(self.lines) > 1:
            what = f"{shown_name(self.key)} is written {len(self.lines)} times, on {_listed(self.lines)}"
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


class SecretsFile:
    """A file, parsed once for each of its versions, for any number of threads.

    Args:
        path: the file.
        setting: the kwarg that names it, for the message.

    Raises:
        UnsupportedFileType: no reader for the ending.
    """

    __slots__ = ("path", "_instead", "_parse", "_lock", "_read")

    def __init__(self, path: str, setting: str = "") -> None:
        from threading import Lock

        _, dot, ending = os.path.basename(path).rpartition(".")
        if not dot or ending.lower() not in _PARSERS:
            raise UnsupportedFileType(path, [(0, "the name must end in .json, .yaml, .yml or .env")])
        self.path, self._parse, self._lock = path, _PARSERS[ending.lower()], Lock()
        self._instead = f'set "{setting}" to null' if setting else "name another file"
        self._read: _Reading | None = None

    def entries(self) -> Entries:
        """What is in the file now.

        Raises:
            FileParseError: every syntax fault, each with its line.
            BackendUnavailable: the file is missing or cannot be read; AccessDenied if it may not be read.
        """
        if self._is_stale():
            with self._lock:
                if self._is_stale():  # no other thread was here first
                    self._read = self._read_again()
        assert self._read is not None
        if self._read.faults:
            raise FileParseError(self.path, self._read.faults)
        return self._read.entries

    def _is_stale(self) -> bool:
        stamp = _stamp(self._ask_system(os.stat))
        return self._read is None or not self._read.settled or self._read.stamp != stamp

    def _read_again(self) -> _Reading:
        now = time_ns()
        stat, data = self._ask_system(_stat_and_bytes)
        digest, before = hash(data), self._read
        if before is not None and before.digest == digest:
            entries, faults = before.entries, before.faults
        else:
            text, faults = _decode(data)
            entries, faults = ({}, faults) if faults else self._parse(text, self.path)
        return _Reading(_stamp(stat), digest, now - stat.st_mtime_ns > _UNSETTLED_NS, entries, faults)

    def _ask_system(self, what: Callable[[str], Any]) -> Any:
        try:
            return what(self.path)
        except Untrusted as doubt:
            fault: SecretsError = AccessDenied(doubt.what, where=doubt.where, hint=doubt.hint)
        except FileNotFoundError:
            hint = f"Create it, correct the path, or {self._instead}."
            fault = BackendUnavailable("the secrets file does not exist", where=self.path, hint=hint)
        except PermissionError:
            hint = f"Let its user read it, or {self._instead}."
            fault = AccessDenied("this process may not read the secrets file", where=self.path, hint=hint)
        except (OSError, ValueError) as error:  # ValueError: a path that holds a NUL
            reason = getattr(error, "strerror", None) or "invalid path"
            hint = f"Correct the path, or {self._instead}."
            fault = BackendUnavailable(f"the secrets file cannot be read ({reason})", where=self.path, hint=hint)
        raise fault


class _Reading:
    """What a file was when it was last read.

    Attributes:
        stamp: by which a change is seen.
        digest: of its bytes: the same bytes are not parsed again.
        settled: false if another change may have left the stamp as it is.
        entries, faults: what is in it.
    """

    __slots__ = ("stamp", "digest", "settled", "entries", "faults")

    def __init__(
        self, stamp: tuple[int, ...], digest: int, settled: bool, entries: Entries, faults: list[Fault]
    ) -> None:
        self.stamp, self.digest, self.settled = stamp, digest, settled
        self.entries, self.faults = entries, faults


def shown_name(name: Any) -> str:
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


def _stat_and_bytes(path: str) -> tuple[os.stat_result, bytes]:
    data, stat = read_bytes(path)  # its state is taken before it is read: a change in between is seen the next time
    return stat, data


def _stamp(stat: os.stat_result) -> tuple[int, ...]:
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino


def _decode(data: bytes) -> tuple[str, list[Fault]]:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "", [(1, "the text is UTF-16; save the file as UTF-8")]
    try:
        return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n"), []
    except UnicodeDecodeError:
        pass  # that error carries the whole file
    faults = []
    for number, line in enumerate(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"), 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            faults.append((number, f"byte {error.start + 1} is not UTF-8; save the file as UTF-8"))
    return "", faults


def _byte_order_mark(text: str) -> list[Fault]:
    return [(1, "the file begins with a byte order mark (BOM); save it without")] if text.startswith("\ufeff") else []


def _parse_env(text: str, path: str) -> tuple[Entries, list[Fault]]:
    """`NAME=value` lines, nothing quoted or stripped, as in Airflow. A line ends with a newline and nothing else."""
    entries: Entries = {}
    faults = _byte_order_mark(text)
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        key, equals, value = line.partition("=")
        if not line or line.lstrip().startswith("#"):
            continue
        if not (key and equals and value):
            missing = "no '='" if not equals else "no name before the '='" if not key else "no value after the '='"
            faults.append((number, f"there is {missing}"))
        elif key in entries:
            entries[key].lines.append(number)
        else:
            entries[key] = Entry(path, key, value, [number])
    return entries, faults


def _parse_json(text: str, path: str) -> tuple[Entries, list[Fault]]:
    if fault := _byte_order_mark(text):
        return {}, fault
    try:
        said = read_json(text)
    except Malformed as error:
        return {}, [(error.line or 1, f"this is not valid JSON ({error.what})")]
    if not isinstance(said, dict):
        return {}, [(1, "the file holds no object of names and values")]
    entries: Entries = {key: Entry(path, key, value, []) for key, value in said.items()}
    for trail, number, first in json_names(text):
        if len(trail) == 1:
            entries[trail[0]].lines.append(number)
        elif first:
            entries[trail[0]].faults.append(
                (number, f"{shown_name(trail[-1])} is written twice, first on line {first}")
            )
    return entries, []


def _parse_yaml(text: str, path: str) -> tuple[Entries, list[Fault]]:
    import yaml

    lines: dict[tuple[str, str], list[int]] = {}
    twice: dict[int, list[Fault]] = {}
    reader, making = loader(text), maker()
    growth = Growth() if "&" in text and "*" in text else None
    try:
        root = reader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            return {}, [(1, "the file holds no table of names and values")]
        for name, value in root.value:
            lines.setdefault((name.tag, str(name.value)), []).append(name.start_mark.line + 1)
            if growth and name.tag.endswith(":merge"):
                growth.check(value)
            twice[id(value)] = list(yaml_names_written_twice(value))
        making.flatten_mapping(root)  # what `<<` merges comes first, so that the file's own value wins
    except Exception as error:  # PyYAML raises what Python happens to raise
        return {}, [plain_yaml_fault(error, text, 1)]
    finally:
        reader.dispose()
    entries: Entries = {}
    faults: list[Fault] = []
    for name, value in root.value:
        at = lines.get((name.tag, str(name.value)), [name.start_mark.line + 1])
        if not isinstance(name, yaml.ScalarNode):
            faults.append((at[0], "a name is not text"))
            continue
        entry = Entry(path, None, None, at)
        entry.faults = list(twice.get(id(value), []))
        try:
            entry.key = making.construct_object(name, deep=True)
            if growth:
                growth.check(value)
            entry.value = making.construct_object(value, deep=True)
        except Exception as error:
            entry.faults.append(plain_yaml_fault(error, text, value.start_mark.line + 1))
            making = maker()  # the old one is amid its work
        entries[entry.key if isinstance(entry.key, str) else (name.value,)] = entry
    return entries, faults


def yaml_names_written_twice(node: Any) -> Iterator[Fault]:
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
                yield number, f"{shown_name(name.value)} is written twice, first on line {first[known]}"
            first.setdefault(known, number)


_PARSERS = {"json": _parse_json, "yaml": _parse_yaml, "yml": _parse_yaml, "env": _parse_env}

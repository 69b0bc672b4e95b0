"""A secrets file that is asked for one name after the other. It is parsed once for each of its versions.

A syntax fault makes the whole file unreadable; what is wrong with one entry (its name is written twice, its value does
not fit its YAML tag) is the fault of that entry alone.
"""

from __future__ import annotations

import os
from time import time_ns

from framework.errors import AccessDenied, BackendUnavailable, FileParseError, SecretsError, UnsupportedFileType
from framework.files.entries import FORMATS, read_entries
from framework.files.text import read_bytes
from framework.files.trust import Untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from framework.files.entries import Entry, Fault

    T = TypeVar("T")
    #: By name; an unquoted `5` or `yes` of YAML, which is not text, as `(name,)`.
    Entries = dict[str | tuple[str], Entry]

#: A file that changed so shortly before it was read may change again without its time telling (time stamps have steps).
_UNSETTLED_NS = 2_000_000_000


class SecretsFile:
    """A file, parsed once for each of its versions, for any number of threads.

    Args:
        path: the file.
        setting: the kwarg that names it, for the message.

    Raises:
        UnsupportedFileType: no reader for the ending.
    """

    __slots__ = ("path", "_instead", "_format", "_lock", "_read")

    def __init__(self, path: str, setting: str = "") -> None:
        from threading import Lock

        _, dot, ending = os.path.basename(path).rpartition(".")
        if not dot or ending.lower() not in FORMATS:
            raise UnsupportedFileType(path, [(0, "the name must end in .json, .yaml, .yml or .env")])
        self.path, self._format, self._lock = path, FORMATS[ending.lower()], Lock()
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
            entries, faults = collect(data, self.path, self._format)
        return _Reading(_stamp(stat), digest, now - stat.st_mtime_ns > _UNSETTLED_NS, entries, faults)

    def _ask_system(self, what: Callable[[str], T]) -> T:
        try:
            return what(self.path)
        except Untrusted as doubt:
            fault: SecretsError = AccessDenied(doubt.what, where=doubt.where, hint=doubt.hint)
        except FileNotFoundError:
            hint = f"Create it, correct the path, or {self._instead}."
            fault = BackendUnavailable("the secrets file does not exist", where=self.path, hint=hint)
        except PermissionError:
            hint = f"Give its user read permission, or {self._instead}."
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


def collect(data: bytes, path: str, file_format: str) -> tuple[Entries, list[Fault]]:
    """The entries of a file by their names, and the faults that make the whole file unreadable.

    Args:
        data: the content of the file.
        path: the name of the file in messages.
        file_format: `json`, `yaml` or `env`.
    """
    from io import BytesIO

    entries: Entries = {}
    faults: list[Fault] = []
    try:
        for entry in read_entries(BytesIO(data), path, file_format):
            if entry.name is None:
                faults += entry.faults
                continue
            name = entry.key if isinstance(entry.key, str) else (entry.name,)
            first = entries.setdefault(name, entry)
            if first is not entry:
                first.lines += entry.lines
    except FileParseError as error:
        faults += error.faults
    if faults:
        faults = sorted([fault for entry in entries.values() for fault in entry.every_fault()] + faults)
    return entries, faults


def _stat_and_bytes(path: str) -> tuple[os.stat_result, bytes]:
    data, stat = read_bytes(path)  # its state is taken before it is read: a change in between is seen the next time
    return stat, data


def _stamp(stat: os.stat_result) -> tuple[int, ...]:
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino

"""The access log: who read which option, connection, variable and secret, when, from where, and how that ended.

It is turned on for an application when it is made. Where it is off, nothing of it is loaded and no read is slower. An
entry never holds a value, its length or hash, or the text of an error.
"""

from __future__ import annotations

import os
import stat
import time

from framework.errors import (
    AccessDenied,
    BackendUnavailable,
    ConfigError,
    FrameworkError,
    MetastoreUnavailable,
    NotFound,
    PointerError,
    warn,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Entry = dict[str, Any]

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class AccessLog:
    """Writes entries to their destination.

    Args:
        app: the application's name.
        write: takes one entry.
        every_read: log each read of an option, not only the first one and those after a change.
        strict: a read whose entry cannot be written fails; else there is one warning.
    """

    def __init__(self, app: str, write: Callable[[Entry], object], *, every_read: bool, strict: bool) -> None:
        self.app, self.every_read = app, every_read
        self._write, self._strict, self._has_warned = write, strict, False

    def record(self, kind: str, name: str, outcome: str, began: float, **fields: object) -> None:
        """Write an entry.

        Args:
            kind: option, connection, variable or secret.
            name: what was read.
            outcome: found, default, absent, denied, unavailable or invalid.
            began: when, in seconds of `time.perf_counter`.
            fields: origin, form, link, cached, asked.

        Raises:
            ConfigError: it cannot be written, and the log is strict.
        """
        now = time.time()
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
        entry: Entry = {"time": moment, "pid": os.getpid(), "app": self.app, "kind": kind, "name": name}
        entry |= {"outcome": outcome, **fields, "ms": round((time.perf_counter() - began) * 1000, 3)}
        what = ""
        try:
            self._write(entry)
        except Exception as fault:
            what = getattr(fault, "strerror", None) or type(fault).__name__
        if what and self._strict:
            raise ConfigError(f"not read, because the access log cannot be written ({what})", where=f"{kind} {name}")
        if what and not self._has_warned:
            self._has_warned = True
            warn(f"the access log cannot be written ({what}); reads go on without it")


class File:
    """A file of JSON lines, for several processes at once.

    Each line is one `write`, so lines do not break. A rotated file is created again. A link is not followed.
    """

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)
        self._number, self._identity = -1, (0, 0)

    def __call__(self, entry: Entry) -> None:
        import json

        line = json.dumps(entry, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        number = self._opened()
        if os.write(number, line) != len(line):
            raise OSError(28, "no space left on the device")

    def _opened(self) -> int:
        try:
            status = os.lstat(self._path)
            if self._number >= 0 and (status.st_dev, status.st_ino) == self._identity:
                return self._number
        except FileNotFoundError:
            pass
        number = os.open(self._path, _FLAGS, 0o600)
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            os.close(number)
            raise OSError(22, "it is not a regular file")
        before, self._number = self._number, number
        self._identity = status.st_dev, status.st_ino
        if before >= 0:
            os.close(before)
        return number


def to_stderr(entry: Entry) -> None:
    """Write a line to the real stderr, whatever replaces `sys.stderr`."""
    import json

    os.write(2, json.dumps(entry, ensure_ascii=True, separators=(",", ":")).encode() + b"\n")


def of_application(
    name: str, prefix: str, environ: Mapping[str, str], write: Callable[[Entry], object] | None
) -> AccessLog | None:
    """The access log that an argument or the process environment asks for; None if neither does.

    Args:
        name: the application's.
        prefix: of its variables: `BILLING_ACCESS_LOG`. No file can turn it on: `.env` files are not asked.
        environ: the process environment.
        write: the argument `access_log` of the application, which wins.

    Raises:
        ConfigError: a variable holds another word.
    """
    path = environ.get(f"{prefix}_ACCESS_LOG") or ""
    if write is None and not path:
        return None
    reads, strict = environ.get(f"{prefix}_ACCESS_LOG_READS") or "", environ.get(f"{prefix}_ACCESS_LOG_STRICT") or ""
    for word, variable, words in ((reads, "READS", ("", "all", "first")), (strict, "STRICT", ("", "0", "1"))):
        if word not in words:
            where = f"{prefix}_ACCESS_LOG_{variable}"
            raise ConfigError("unknown value", where=where, hint=f"Set it to {' or '.join(words[1:])}.")
    if write is None:
        write = to_stderr if path == "stderr" else File(path)
    return AccessLog(name, write, every_read=reads == "all", strict=strict == "1")


def outcome_of(fault: FrameworkError) -> str:
    """The outcome of a failed read."""
    cause = fault.__cause__ if isinstance(fault.__cause__, FrameworkError) else fault
    if isinstance(cause, AccessDenied):
        return "denied"
    if isinstance(cause, NotFound) or (isinstance(fault, PointerError) and fault.is_absent):
        return "absent"
    return "unavailable" if isinstance(cause, (BackendUnavailable, MetastoreUnavailable)) else "invalid"

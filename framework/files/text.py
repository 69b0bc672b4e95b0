"""Opens a file, reads as much of it as is allowed, and decodes its text."""

from __future__ import annotations

import os
from io import RawIOBase

from framework.errors import ConfigFileError, public
from framework.files import trust
from framework.limits import FILE_BYTES, IMPORT_BYTES, PIPE_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    #: What distinguishes a file from another one: when it was changed, its size, its inode and device.
    Stamp = tuple[int, int, int, int]

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@public
def read_text(path: str, *, universal: bool = True, seconds: float | None = None) -> str:
    """The text of a file.

    Args:
        path: a regular file, or `/dev/null`. One that was only found is checked, see `trust`.
        universal: whether every kind of line end becomes a newline.
        seconds: given, the file may also be a pipe, which has so long to end.

    Returns:
        The text, decoded as UTF-8 in every locale.

    Raises:
        ConfigFileError: the file is missing, unreadable, not to be trusted, not a regular file, too large, or not UTF-8
            text without a byte order mark (which is refused as Airflow refuses it, but by its name).
    """
    return read_file(path, universal=universal, seconds=seconds)[0]


def read_file(path: str, *, universal: bool = True, seconds: float | None = None) -> tuple[str, os.stat_result]:
    """The text of a file, and what the file was when it was opened: whose, and who could write it.

    Args, Raises: as `read_text`.
    """
    if seconds is None and isinstance(path, trust.Typed):
        seconds = PIPE_SECONDS
    data, status = _read(path, seconds)
    return decoded(data, path, universal=universal), status


def stamp_of(path: str) -> Stamp | None:
    """What distinguishes a file from another one, or from its earlier state; None: it is not there.

    A link that leads elsewhere is another file.
    """
    try:
        return stamp(os.stat(path))
    except (OSError, ValueError):
        return None


def stamp(status: os.stat_result) -> Stamp:
    """The same for a file that was opened."""
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev


def read_doubtful(path: trust.Found) -> tuple[str, ConfigFileError | None]:
    """The text of a found file, and why it is not to be trusted if it is not: perhaps it is not for us.

    Raises: as `read_text`, but for that.
    """
    doubts: list[trust.Untrusted | None] = []

    def opener(path: str, flags: int) -> int:
        number, doubt = trust.look(path)
        doubts.append(doubt)
        return number

    data, _ = _read(path, None, opener)
    doubt = doubts[0]
    try:
        text = decoded(data, path)
    except ConfigFileError:
        if doubt is None:
            raise
        text = ""
    else:
        return text, None if doubt is None else _refusal(doubt)
    raise _refusal(doubt)


def _refusal(doubt: trust.Untrusted) -> ConfigFileError:
    return ConfigFileError(doubt.what, where=doubt.where, hint=doubt.hint)


def decoded(data: bytes, path: str, *, universal: bool = True) -> str:
    """The text of what was read. Raises: as `read_text`."""
    text = _decode(data, path)
    return text.replace("\r\n", "\n").replace("\r", "\n") if universal else text


def read_bytes(
    path: str, seconds: float | None = None, opener: Callable[[str, int], int] | None = None
) -> tuple[bytes, os.stat_result]:
    """The content of a file, and what it was when it was opened.

    Args:
        path, seconds: as in `read_text`.
        opener: gives the descriptor, instead of `trust.opened`.

    Raises:
        OSError: it cannot be read; Untrusted if it was only found and is not to be trusted.
        ValueError: the path holds a NUL.
    """

    def checked(path: str, flags: int) -> int:
        return trust.opened(path, pipes=seconds is not None)

    with open(path, "rb", buffering=0, opener=opener or checked) as file:
        return content(file, seconds)


def content(file: RawIOBase, seconds: float | None = None) -> tuple[bytes, os.stat_result]:
    """As `read_bytes`, for a file that is open.

    Raises:
        OSError: it cannot be read, is too large, or a pipe did not end in time.
    """
    status = os.fstat(file.fileno())
    parts: list[bytes] = []
    size = 0
    late = _deadline(seconds)
    while size <= FILE_BYTES:
        if seconds is not None:
            wait(file.fileno(), late)
        part = file.read(min(max(status.st_size - size, 0) + 65536, FILE_BYTES + 1 - size))
        if part is None:  # it has nothing to read at once, whatever kind of file it is
            if seconds is None:
                raise OSError(11, "no data arrived in time")
            continue
        if not part:
            return b"".join(parts), status
        parts.append(part)
        size += len(part)
    raise OSError(27, f"it is larger than {FILE_BYTES // 2**20} MiB")


def _deadline(seconds: float | None) -> float:
    import time

    return time.monotonic() + (seconds or 0.0)


def wait(number: int, late: float) -> None:
    """Wait until there is something to read, or the end.

    Args:
        number: the descriptor.
        late: when to give up, in seconds of `time.monotonic`.

    Raises:
        TimeoutError: nothing came.
    """
    import select
    import time

    poll = select.poll()
    poll.register(number, select.POLLIN)
    if not poll.poll(max(0.0, late - time.monotonic()) * 1000):
        raise TimeoutError(110, "no data arrived in time")


class Bounded(RawIOBase):
    """A file that is read once, piece by piece, and no further than is stated.

    Args:
        path: a regular file, or a pipe.
        seconds: how long a pipe may let us wait for each piece.

    Raises:
        OSError: it cannot be opened; when it is read, ConfigFileError.
    """

    def __init__(self, path: str, seconds: float) -> None:
        self._path, self._seconds, self._left = path, seconds, IMPORT_BYTES
        self._number = trust.opened(path, pipes=True)

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def readinto(self, buffer: Any) -> int | None:
        import time

        try:
            wait(self._number, time.monotonic() + self._seconds)
            size = os.readv(self._number, [buffer])
        except OSError as error:
            what = error.strerror or "no reason given"
        else:
            self._left -= size
            if self._left >= 0:
                return size
            what = f"it is larger than {IMPORT_BYTES // 2**30} GiB"
        raise ConfigFileError(f"the file cannot be read ({what})", where=self._path, hint="Nothing was changed.")

    def close(self) -> None:
        if not self.closed:
            os.close(self._number)
        super().close()


def _read(
    path: str, seconds: float | None, opener: Callable[[str, int], int] | None = None
) -> tuple[bytes, os.stat_result]:
    try:
        return read_bytes(path, seconds, opener)
    except trust.Untrusted as doubt:
        fault = _refusal(doubt)
    except FileNotFoundError:
        fault = ConfigFileError("the file does not exist", where=path, hint="Create it, or correct the path.")
    except IsADirectoryError:
        fault = ConfigFileError("this is a directory", where=path, hint="Name the file inside it.")
    except PermissionError:
        fault = ConfigFileError(
            "this process may not read the file", where=path, hint="Give its user the permission to read it."
        )
    except (OSError, ValueError) as error:  # ValueError: a path that holds a NUL
        reason = getattr(error, "strerror", None) or "the path holds a character that no path can hold"
        fault = ConfigFileError(f"the file cannot be read ({reason})", where=repr(path)[1:-1], hint="Correct the path.")
    raise fault from None


def _decode(data: bytes, path: str) -> str:
    if data.startswith(_UTF16) or b"\0" in data[:2]:
        raise ConfigFileError("the text is UTF-16 or binary", where=f"{path}:1", hint="Save the file as UTF-8.")
    if data.startswith(b"\xef\xbb\xbf"):
        raise ConfigFileError(
            "the file begins with a byte order mark",
            where=f"{path}:1",
            hint="Save it as UTF-8 without a byte order mark (BOM).",
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        at, head = error.start, data[: error.start]
        line = 1 + head.count(b"\n") + head.count(b"\r") - head.count(b"\r\n")
        what = f"the byte at offset {at} (0x{data[at]:02x}) is not UTF-8"
        raise ConfigFileError(what, where=f"{path}:{line}", hint="Save the file as UTF-8.") from None

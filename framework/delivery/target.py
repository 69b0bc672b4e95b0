"""The file that another program reads: written as a whole, and never readable by more users than before."""

from __future__ import annotations

import os

from framework.errors import ConfigError
from framework.files.atomic import replace_file
from framework.files.trust import Untrusted
from framework.limits import FILE_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def put(path: str, data: bytes, *, secret: bool, in_place: bool = False) -> bool:
    """Make a file hold these bytes. One that holds them already keeps its time of modification.

    Args:
        path: the file; a link is followed, and stays.
        secret: whether its owner alone may read it; an existing file is never made readable by more users.
        in_place: write into the file itself, as a bind mount needs it.

    Returns:
        Whether the file was written.

    Raises:
        ConfigError: the folder, the disk or what is there refuses.
    """
    hint = "Nothing was changed."
    try:
        if "\0" in path:
            raise OSError(22, "invalid path")
        if read(path) == data:
            _tighten(path, secret)
            return False
        if in_place:
            _write_into(path, data, secret)
        else:
            replace_file(path, data, _mode(secret))
        return True
    except Untrusted as refusal:
        reason, hint = refusal.what, refusal.hint
    except OSError as fault:
        reason = fault.strerror or type(fault).__name__
        if fault.errno == 16:  # EBUSY: another file system is mounted on it
            hint = "It is a mount point: write into it with --in-place."
    raise ConfigError(f"the file cannot be written ({reason})", where=path, hint=hint)


def read(path: str) -> bytes | None:
    """What a file holds; None if there is none.

    Raises:
        OSError: it cannot be read, is not a regular file, or is too large.
    """
    import stat

    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with open(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError(22, "it is not a regular file")
        data = file.read(FILE_BYTES + 1)
    if len(data) > FILE_BYTES:
        raise OSError(27, f"it is larger than {FILE_BYTES >> 20} MiB")
    return data


def _mode(secret: bool) -> Callable[[os.stat_result | None], int]:
    def mode(status: os.stat_result | None) -> int:
        if status is None:
            return 0o600 if secret else 0o666 & ~_umask()
        return status.st_mode & (0o600 if secret else 0o7777)

    return mode


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _tighten(path: str, secret: bool) -> None:
    mode = os.stat(path).st_mode & 0o7777
    if secret and mode & ~0o600:
        os.chmod(path, mode & 0o600)


def _write_into(path: str, data: bytes, secret: bool) -> None:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    with open(number, "wb") as file:
        status = os.fstat(number)
        if secret and status.st_mode & 0o077:
            os.fchmod(number, status.st_mode & 0o600)  # before the secret is in it
        file.write(data)
        file.truncate()
        file.flush()
        os.fsync(number)

"""Replaces a file in one step, and leaves nothing beside it."""

from __future__ import annotations

import os
import stat

from framework.files import trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


class AtomicReplace:
    """A new file beside another, to be put in its place: `with AtomicReplace(path) as number`, then `take_place()`.

    It is readable by its owner alone. What is left of it at the end is removed, also at SIGTERM. As long as its process
    lives it is locked: one that is not locked is what a killed process left, and is removed by the next.

    Args:
        path: the file to replace. Links of the caller and of root are followed and stay; others are refused.
        own: whether a file that is there must belong to the caller.

    Attributes:
        status: of the file that is there, or None.

    Raises:
        OSError: the path is not a regular file; the folder or the disk refuses. Untrusted for another user's link.
    """

    __slots__ = ("status", "_folder", "_place", "_name", "_path", "_number", "_before")

    def __init__(self, path: str, *, own: bool = False) -> None:
        self._folder, place, self._name = trust.way_to(path)
        self._place = os.path.join(place, self._name)
        self._before: Any = None
        try:
            self.status = self._look(own)
        except BaseException:
            os.close(self._folder)
            raise

    def _look(self, own: bool) -> os.stat_result | None:
        try:
            status = os.lstat(self._name, dir_fd=self._folder)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            raise OSError(22, f"{trust.kind(status)} has this name, and only a regular file is replaced")
        if own and status.st_uid != os.geteuid():
            raise OSError(1, f"the existing file belongs to another user, {trust.owner(status)}")
        return status

    def __enter__(self) -> int:
        import signal
        import threading

        try:
            self._remove_leftovers()
            self._number = self._make()
        except BaseException:
            os.close(self._folder)
            raise
        # A handler of the application's own stays: it ends the process by an exception, or not at all.
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            self._before = signal.signal(signal.SIGTERM, self._stop)
        return self._number

    def take_place(self) -> None:
        """Replace the other file with this one, which is complete and closed or synced by now."""
        os.replace(self._path, self._place)

    def __exit__(self, *failure: object) -> None:
        self._remove()
        os.close(self._number)
        os.close(self._folder)
        if self._before is not None:
            import signal

            signal.signal(signal.SIGTERM, self._before)

    def _stop(self, number: int, frame: object) -> None:
        import signal

        self._remove()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _make(self) -> int:
        while True:
            name = f".{self._name}.{os.urandom(8).hex()}.new"
            number = os.open(name, _NEW, 0o600, dir_fd=self._folder)
            _lock(number, wait=True)
            if os.fstat(number).st_nlink:  # else another process took it for a leftover before it was locked
                self._path = os.path.join(os.path.dirname(self._place), name)
                return number
            os.close(number)

    def _remove_leftovers(self) -> None:
        start = f".{self._name}."
        try:
            names = os.listdir(os.path.dirname(self._place))
        except OSError:  # writing will fail with the reason
            return
        for name in names:
            middle = name.removeprefix(start).removesuffix(".new")
            if name == f"{start}{middle}.new" and middle and not middle.strip("0123456789abcdef"):
                self._remove_leftover(name)

    def _remove_leftover(self, name: str) -> None:
        try:
            status = os.lstat(name, dir_fd=self._folder)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                return
            number = os.open(name, _OLD, dir_fd=self._folder)
        except OSError:  # it is gone
            return
        try:
            if _lock(number, wait=False):
                os.unlink(name, dir_fd=self._folder)
        except OSError:
            return
        finally:
            os.close(number)

    def _remove(self) -> None:
        try:
            os.unlink(os.path.basename(self._path), dir_fd=self._folder)
        except OSError:  # it took the place of the other
            return


def _lock(number: int, *, wait: bool) -> bool:
    """Lock a file for as long as it is open; false if another process has it, or the file system knows no locks."""
    import fcntl

    try:
        fcntl.flock(number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def replace_file(path: str, data: bytes, mode: Callable[[os.stat_result | None], int]) -> None:
    """Write a new file, and replace another one with it once it is complete and on the disk.

    Args:
        path: the file to replace; one that is there keeps its owner.
        data: all of it.
        mode: the new file's mode, from the status of the one that is there, or None.

    Raises:
        OSError, Untrusted: as `AtomicReplace`.
    """
    replacement = AtomicReplace(path)
    with replacement as number:
        status = replacement.status
        if status is not None:
            try:
                os.fchown(number, status.st_uid, status.st_gid)
            except OSError:  # only root may give files away
                pass
        os.fchmod(number, mode(status))
        with open(number, "wb", closefd=False) as stream:
            stream.write(data)
        os.fsync(number)
        replacement.take_place()
    _sync(os.path.dirname(os.path.realpath(path)))


def _sync(folder: str) -> None:
    """Write the file's new name to the disk, too."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError:  # some file systems do not sync folders
        pass
    finally:
        os.close(number)

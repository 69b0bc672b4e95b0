"""Replaces a file in one step, and leaves nothing beside it."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Beside:
    """The name of a file to write beside another and put in its place: `with Beside(path) as beside`.

    What is left of it at the end is removed, also at SIGTERM, and so is what a killed process left.
    """

    __slots__ = ("_folder", "_name", "_path", "_before")

    def __init__(self, path: str) -> None:
        self._folder, self._name = os.path.split(path)
        self._path = os.path.join(self._folder, f".{self._name}.{os.getpid()}.new")
        self._before: Any = None

    def __enter__(self) -> str:
        import signal
        import threading

        self._remove_leftovers()
        # A handler of the application's own stays: it ends the process by an exception, or not at all.
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            self._before = signal.signal(signal.SIGTERM, self._stop)
        return self._path

    def __exit__(self, *failure: object) -> None:
        self._remove(self._path)
        if self._before is not None:
            import signal

            signal.signal(signal.SIGTERM, self._before)

    def _stop(self, number: int, frame: object) -> None:
        import signal

        self._remove(self._path)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _remove_leftovers(self) -> None:
        start = f".{self._name}."
        try:
            names = os.listdir(self._folder or ".")
        except OSError:  # who writes will tell
            return
        for name in names:
            number = name.removeprefix(start).removesuffix(".new")
            if name == f"{start}{number}.new" and number.isdecimal() and not _runs(int(number)):
                self._remove(os.path.join(self._folder, name))

    def _remove(self, path: str) -> None:
        try:
            os.unlink(path)
        except OSError:
            return


def _runs(process: int) -> bool:
    """Whether another process has this number; what is left under our own is of a process before us."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return process != os.getpid()

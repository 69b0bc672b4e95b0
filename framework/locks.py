"""Locks that survive a fork: they are free in the child, even if they were held in the parent."""

from __future__ import annotations

from _thread import RLock, allocate_lock, get_ident
from os import getpid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from threading import Condition


class ProcessLock:
    """`with lock:` for the threads of one process; reentrant.

    If another thread holds a lock during a fork, that thread does not exist in the child, and could never release it.
    """

    __slots__ = ("_locks",)

    def __init__(self) -> None:
        self._locks = {getpid(): RLock()}

    def __enter__(self) -> None:
        pid = getpid()
        lock = self._locks.get(pid)
        (self._locks.setdefault(pid, RLock()) if lock is None else lock).acquire()

    def __exit__(self, *_: object) -> None:
        self._locks[getpid()].release()


class ForkGate:
    """`with gate:` around calls of a library that has locks of its own: no fork while a thread is inside.

    In the child such a lock would stay held for ever, by a thread that does not exist there. Several threads may be
    inside at once. A fork waits until all have left, but not for long: a thread may be waiting for another process.
    """

    __slots__ = ("_making", "_condition", "_inside", "_closed")

    #: How long a fork waits at most, in seconds.
    patience = 5.0

    def __init__(self) -> None:
        import os

        self.renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self.close, after_in_parent=self.open, after_in_child=self.renew)

    def renew(self) -> None:
        """Start again in the child of a fork, which has one thread."""
        self._making = allocate_lock()
        self._condition: Condition | None = None
        self._inside: dict[int, int] = {}
        self._closed = 0

    @property
    def _changed(self) -> Condition:
        """Made on first use, so that `threading` is loaded only by a process that calls such a library."""
        if self._condition is None:
            with self._making:
                if self._condition is None:
                    from threading import Condition

                    self._condition = Condition()
        return self._condition

    def __enter__(self) -> None:
        me = get_ident()
        with self._changed:
            while self._closed and me not in self._inside:
                self._changed.wait()
            self._inside[me] = self._inside.get(me, 0) + 1

    def __exit__(self, *_: object) -> None:
        me = get_ident()
        with self._changed:
            self._inside[me] -= 1
            if not self._inside[me]:
                del self._inside[me]
                self._changed.notify_all()

    def close(self) -> None:
        """Before a fork."""
        me = get_ident()
        self._changed.acquire()  # until `open`
        self._closed += 1
        self._changed.wait_for(lambda: all(thread == me for thread in self._inside), self.patience)

    def open(self) -> None:
        """After a fork, in the parent."""
        self._closed -= 1
        self._changed.notify_all()
        self._changed.release()

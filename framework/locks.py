"""Locks that survive a fork: they are free in the child, even if they were held in the parent."""

from __future__ import annotations

from _thread import RLock
from os import getpid


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

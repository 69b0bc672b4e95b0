"""A lock that survives a fork: the child finds it free, whoever held it in the parent."""

from __future__ import annotations

from _thread import RLock
from os import getpid


class ProcessLock:
    """`with lock:` for the threads of one process; who holds it may take it again.

    A thread that held a lock when another one forked does not exist in the child, and would hold it there for ever.
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

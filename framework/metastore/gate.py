"""Keeps a fork out of a library that has its own locks."""

from __future__ import annotations

import os
from _thread import allocate_lock, get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from threading import Condition


class ForkGate:
    """`with gate:` around calls of a library that has its own locks: no fork while a thread is inside.

    In the child such a lock would stay held for ever, by a thread that does not exist there. Several threads may be
    inside at once. A fork waits until all have left, but not for long: a thread may be waiting for another process.
    """

    __slots__ = ("_making", "_condition", "_inside", "_closed")

    #: How long a fork waits at most, in seconds.
    patience = 5.0

    def __init__(self) -> None:
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

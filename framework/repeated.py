"""Work that is repeated in the background, in a daemon thread, which starts again in the child of a fork."""

from __future__ import annotations

import os
from contextvars import Context
from threading import TIMEOUT_MAX, Event, Thread
from weakref import WeakSet, ref

from framework.jitter import about
from framework.locks import ProcessLock
from framework.logs import WARNING, log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Owner = TypeVar("Owner")


class Repeated:
    """Calls a function of an object again and again while the object lives.

    Args:
        owner: the object, which is not kept alive.
        seconds: how long to wait before each call, give or take a tenth, so that the processes of a fleet do not all
            ask at once. 0: no more.
        act: what is called, with the object.
        after_fork: what is called with the object first in the child of a fork.
    """

    thread_name = "framework-refresh"

    def __init__(
        self,
        owner: Owner,
        seconds: Callable[[Owner], float],
        act: Callable[[Owner], object],
        after_fork: Callable[[Owner], object] = lambda owner: None,
    ) -> None:
        self._seconds: Callable[[Any], float] = seconds
        self._act: Callable[[Any], object] = act
        self._after_fork: Callable[[Any], object] = after_fork
        self._changed, self._runs, self._lock = Event(), False, ProcessLock()
        self._owner = ref(owner, lambda gone: self.wake())
        _all.add(self)

    def start(self) -> None:
        """Begin, unless it runs or is not wanted."""
        with self._lock:
            owner = self._owner()
            if self._runs or owner is None or not self._seconds(owner):
                return
            self._runs = True
        # A separate context: what the caller overrides or waits for does not apply here.
        Thread(target=Context().run, args=(self._run,), name=self.thread_name, daemon=True).start()

    def wake(self) -> None:
        """Look again how long to wait."""
        self._changed.set()

    def _run(self) -> None:
        while True:
            with self._lock:  # `start` sees a thread that goes on, or none
                owner = self._owner()
                seconds = 0.0 if owner is None else self._seconds(owner)
                if not seconds:
                    self._runs = False
                    return
                del owner
            if self._pause(min(TIMEOUT_MAX, about(seconds))):
                self._changed.clear()
                continue
            owner = self._owner()
            if owner is not None:
                try:
                    self._act(owner)
                except BaseException as fault:  # also sys.exit() of what it calls; the next time may go well
                    log(WARNING, "work in the background failed: %s", str(fault) or type(fault).__name__)
            del owner

    def _pause(self, seconds: float) -> bool:
        """Wait; returns whether to look again."""
        return self._changed.wait(seconds)

    def begin_anew(self) -> None:
        """In the child of a fork, which has none of the threads."""
        if (owner := self._owner()) is not None:
            self._after_fork(owner)
        if self._runs:
            self._changed, self._runs = Event(), False
            self.start()


_all: WeakSet[Repeated] = WeakSet()


def wake_all() -> None:
    """Let all of them look again how long to wait: something may be due earlier than they know."""
    for one in list(_all):
        one.wake()


def _after_fork() -> None:
    for one in list(_all):
        one.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

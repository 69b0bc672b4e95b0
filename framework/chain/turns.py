"""Reads for event loops: at once if the answer is at hand, else in a bounded number of threads."""

from __future__ import annotations

import os
from collections import deque
from time import monotonic

from framework.chain.level import NotAtHand, only_at_hand
from framework.chain.runner import awaited, in_this_context, outcome_of, start_thread
from framework.errors import BackendUnavailable
from framework.lifetime import at_exit
from framework.locks import ProcessLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Result = TypeVar("Result")


class Turns:
    """Reads of one application for event loops. So many run at once; the others wait for their turn.

    Args:
        workers: how many reads run at once. Called in a thread, because it needs the chain.
        seconds: how long a read waits for its turn while no other read comes to an end.
    """

    def __init__(self, workers: Callable[[], int], seconds: Callable[[], float]) -> None:
        self._workers, self._seconds = workers, seconds
        self._lock = ProcessLock()
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._waiting: deque[Callable[[], None]] = deque()
        self._running, self._most = 0, 1
        self._progress = monotonic()  # when a read last came to an end

    async def read(self, kind: str, key: str, read: Callable[[], Result]) -> Result:
        """What a read of one name returns or raises, without blocking the event loop.

        Raises:
            BackendUnavailable: its turn did not come.
        """
        token = only_at_hand.set(True)
        try:
            return read()
        except NotAtHand:
            pass
        finally:
            only_at_hand.reset(token)
        begin = monotonic()

        def in_turn() -> Result:
            seconds = self._seconds()
            if monotonic() - max(begin, self._progress) >= seconds:
                what = f"it was not asked for, because no other question was answered within {seconds:g} s"
                hint = "See [secrets] resolve_timeout_seconds."
                raise BackendUnavailable(what, where=f"{kind} {key!r}", hint=hint)
            try:
                result = read()
            except BackendUnavailable:  # a store that hangs makes no progress
                raise
            except Exception:
                self._progress = monotonic()
                raise
            self._progress = monotonic()
            return result

        result = await awaited(in_turn, self._start)
        at_exit.handle_signal()  # here, because the thread that read cannot
        return result

    def _start(self, work: Callable[[], None]) -> None:
        with self._lock:
            if self._pid != os.getpid():  # the child of a fork has none of the threads
                self._begin()
            self._waiting.append(in_this_context(work))
            needs_thread = self._running < self._most
            self._running += needs_thread
        if needs_thread:
            self._add_thread()

    def _add_thread(self) -> None:
        try:
            start_thread(self._work)
        except RuntimeError:  # the system gives no more threads; those that there are go on
            with self._lock:
                self._running -= 1
                if not self._running:
                    self._waiting.clear()
                    raise

    def _work(self) -> None:
        most = outcome_of(self._workers)
        self._most = most if isinstance(most, int) else 1  # otherwise each read reports what is wrong
        while True:
            with self._lock:
                if not self._waiting:
                    self._running -= 1
                    return
                work = self._waiting.popleft()
                grows = bool(self._waiting) and self._running < self._most
                self._running += grows
            if grows:
                self._add_thread()
            work()
            del work  # it holds the answer, which may be a secret

"""Questions that may never be answered, each under a deadline.

A call that hangs in foreign code cannot be stopped. It is made in a daemon thread, and the caller waits no
longer than the time allowed. What runs inside the call (a link that is built with a secret of another link) shares its
deadline.
"""

from __future__ import annotations

import os
from _contextvars import copy_context  # its module loads more than we need
from _thread import TIMEOUT_MAX, allocate_lock
from _weakref import ref
from time import monotonic

from framework.deadlines import Deadline, Waiting, deadline, given_up
from framework.errors import BackendUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Result = TypeVar("Result")

#: How many calls of one link may be unanswered after their deadline. More are refused, so that threads do not pile up.
_MOST_LATE = 64
#: How many threads of one link wait for the next question.
_MOST_IDLE = 16
#: Added to the error of a link that missed a deadline before.
NOT_ASKED_AGAIN = " before, so it was not asked again"
_HINT = "See [secrets] resolve_timeout_seconds."


class Threads:
    """The threads in which one link is asked.

    An idle thread is used again. So a backend that belongs to the thread that made it (over `sqlite3`, say) works in a
    program that asks one question at a time.
    """

    __slots__ = ("_idle", "_late", "_pid", "__weakref__")

    def __init__(self) -> None:
        self._idle: list[_Worker] = []
        self._late: set[_Call] = set()
        self._pid = os.getpid()

    def ask(
        self, name: str, seconds: float, question: Callable[[], Result], late: Callable[[Result], None] | None = None
    ) -> Result:
        """What the question returns or raises.

        Args:
            name: the link that is asked.
            seconds: how long to wait, unless a deadline of this context comes first.
            late: called with an answer that comes after the deadline.

        Raises:
            BackendUnavailable: there was no answer in time; `where` names the link that did not answer.
        """
        if self._pid != os.getpid():  # a child of a fork has none of the threads
            self._idle, self._late, self._pid = [], set(), os.getpid()
        lost = given_up.get()
        if lost is not None and self in lost:
            what = f"there was no answer within {seconds:g} s{NOT_ASKED_AGAIN}"
            raise BackendUnavailable(what, where=name, hint=_HINT)
        if len(self._late) >= _MOST_LATE:
            what = f"it was not asked, because {len(self._late)} questions are still unanswered"
            raise BackendUnavailable(what, where=name, hint="Check that the store is healthy.")
        until, own = deadline.get(), None
        if until is None or until.is_settled:
            until = own = Deadline(monotonic() + seconds, seconds)
        elif until.ends <= monotonic():  # the answer would come too late
            raise BackendUnavailable(f"there was no answer within {until.seconds:g} s", where=name, hint=_HINT)
        token = deadline.set(until)
        until.asked.append(name)
        answers: list[Result] = []
        try:
            call = _Call(lambda: answers.append(question()), None if late is None else lambda: late(answers[0]), own)
            self._start(call)
            with Waiting(name):
                is_over = call.is_over(until.ends - monotonic())
            if not is_over:
                self._late.add(call)
                if call.is_over(0):  # it ended just now
                    self._late.discard(call)
                else:
                    if lost is not None:
                        lost.add(self)
                    raise until.named(BackendUnavailable(f"there was no answer within {until.seconds:g} s", hint=_HINT))
            until.asked.remove(name)  # but not if it is late: the name is needed where all of it is waited for
        finally:
            deadline.reset(token)
        call.check()
        return answers[0]

    def _start(self, call: _Call) -> None:
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = _Worker(self)
        worker.calls.put(call)

    def takes_back(self, worker: _Worker) -> bool:
        """Whether the worker shall wait for another question."""
        if len(self._idle) >= _MOST_IDLE:
            return False
        self._idle.append(worker)
        return True

    def forget(self, call: _Call) -> None:
        """A call has ended, late or not."""
        if call in self._late:
            self._late.discard(call)
            call.tell_late()

    def __del__(self) -> None:
        for worker in self._idle:
            worker.calls.put(None)


class _Worker:
    """A daemon thread that makes one call after the other, as long as its `Threads` exist."""

    __slots__ = ("calls", "_threads")

    def __init__(self, threads: Threads) -> None:
        from queue import SimpleQueue
        from threading import Thread

        self.calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._threads = ref(threads)
        Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while (call := self.calls.get()) is not None:
            call.run()
            threads = self._threads()
            goes_on = threads is not None and threads.takes_back(self)  # before the caller can ask again
            call.end()
            if threads is not None:
                threads.forget(call)
            del call, threads  # nothing is kept while it waits: an answer may be a secret
            if not goes_on:
                return


class _Call:
    """One question in a thread, in the context of the caller.

    Args:
        run: asks it, and keeps the answer where the caller finds it.
        late: called if the answer comes after the deadline.
        own: the deadline, if it was made for this question.
    """

    __slots__ = ("_run", "_late", "_own", "_context", "_fault", "_over")

    def __init__(self, run: Callable[[], None], late: Callable[[], None] | None, own: Deadline | None) -> None:
        self._run, self._late, self._own, self._context = run, late, own, copy_context()
        self._fault: BaseException | None = None
        self._over = allocate_lock()
        self._over.acquire()

    def run(self) -> None:
        try:
            self._context.run(self._run)
        except BaseException as fault:  # raised again in the caller's thread
            self._fault = fault
        if self._own is not None:
            self._own.is_settled = True

    def end(self) -> None:
        self._over.release()

    def is_over(self, seconds: float) -> bool:
        """Whether it ends within this many seconds."""
        return self._over.acquire(timeout=min(max(seconds, 0), TIMEOUT_MAX))

    def tell_late(self) -> None:
        """No caller waits for the answer any more, but it may be worth keeping."""
        if self._late is not None and self._fault is None:
            self._late()

    def check(self) -> None:
        """Raise what the question raised."""
        fault = self._fault
        try:
            if fault is not None:
                raise fault
        finally:
            del fault

"""Questions that may never be answered, each under a deadline.

Nothing can stop a call that hangs in somebody else's code. It is made in a daemon thread, and whoever asked waits no
longer than the time allowed. What runs inside the call (a link that is built with a secret of another link) shares its
deadline.
"""

from __future__ import annotations

import os
from _thread import TIMEOUT_MAX, allocate_lock
from _weakref import ref
from contextvars import ContextVar, copy_context
from time import monotonic

from framework.errors import BackendUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: So many calls of one link may be left without an answer. Then the next are refused, so that threads do not pile up.
_MOST_LATE = 64
#: So many threads of one link wait for the next question.
_MOST_IDLE = 16
#: What is added where a link had no answer in time before.
NOT_ASKED_AGAIN = " before, so it was not asked again"
_HINT = "See [secrets] resolve_timeout_seconds."


class Deadline:
    """When a question and all that is asked because of it must be over.

    Attributes:
        ends: on the clock of `time.monotonic`.
        seconds: how long that was from the start.
        asked: who is being asked right now, the innermost last.
        under: the deadlines of what is done side by side because of it.
        is_settled: whether the question has come to its end. A context that outlives it has no deadline any more.
    """

    __slots__ = ("ends", "seconds", "asked", "under", "is_settled")

    def __init__(self, ends: float, seconds: float) -> None:
        self.ends, self.seconds = ends, seconds
        self.asked: list[str] = []
        self.under: list[Deadline] = []
        self.is_settled = False

    @property
    def is_watched(self) -> bool:
        """Whether somebody inside waits for an answer, and reports when the time is over."""
        return bool(self.asked or self.under)

    def named(self, fault: BackendUnavailable) -> BackendUnavailable:
        """The error with the name of the link that did not answer, if there is one and it names none."""
        asked = self.asked or [name for inner in self.under for name in inner.asked]
        if asked and not fault.where:
            fault.where = asked[-1]
        return fault


#: The deadline of this context.
deadline: ContextVar[Deadline | None] = ContextVar("framework_deadline", default=None)

#: The links that had no answer in time. Within one command they are not asked again; None: that does not matter here.
given_up: ContextVar[set[object] | None] = ContextVar("framework_given_up", default=None)


#: Who is waited for right now, and since when on the clock of `time.monotonic`.
_waits: dict[object, tuple[str, float]] = {}


def waiting() -> dict[str, float]:
    """Who is waited for right now, and since when on the clock of `time.monotonic`."""
    found: dict[str, float] = {}
    for name, since in list(_waits.values()):
        found[name] = min(since, found.get(name, since))
    return found


class Waiting:
    """`with Waiting("the command pass"):` whoever looks at `waiting` finds it there meanwhile."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        _waits[self] = self._name, monotonic()

    def __exit__(self, *_: object) -> None:
        del _waits[self]


class Threads:
    """The threads in which one link is asked.

    A thread that has answered is used again, so that a backend which belongs to the thread that made it (one over
    `sqlite3`, say) serves a program that asks one question at a time.
    """

    __slots__ = ("_idle", "_late", "_pid", "__weakref__")

    def __init__(self) -> None:
        self._idle: list[_Worker] = []
        self._late: set[_Call] = set()
        self._pid = os.getpid()

    def ask(
        self, name: str, seconds: float, question: Callable[[], Any], late: Callable[[Any], None] | None = None
    ) -> Any:
        """What the question comes to: its answer, or the exception that it raises.

        Args:
            name: who is asked.
            seconds: how long to wait, unless a deadline of this context comes first.
            late: is given an answer that comes too late.

        Raises:
            BackendUnavailable: there was no answer in time; `where` names who did not answer.
        """
        if self._pid != os.getpid():  # a child of a fork has none of the threads
            self._idle, self._late, self._pid = [], set(), os.getpid()
        lost = given_up.get()
        if lost is not None and self in lost:
            what = f"there was no answer within {seconds:g} s{NOT_ASKED_AGAIN}"
            raise BackendUnavailable(what, where=name, hint=_HINT)
        if len(self._late) >= _MOST_LATE:
            what = f"it was not asked, because {len(self._late)} questions have had no answer yet"
            raise BackendUnavailable(what, where=name, hint="See whether the store is well.")
        until, own = deadline.get(), None
        if until is None or until.is_settled:
            until = own = Deadline(monotonic() + seconds, seconds)
        elif until.ends <= monotonic():  # nobody would wait for the answer
            raise BackendUnavailable(f"there was no answer within {until.seconds:g} s", where=name, hint=_HINT)
        token = deadline.set(until)
        until.asked.append(name)
        try:
            call = self._started(question, late, own)
            with Waiting(name):
                is_over = call.is_over(until.ends - monotonic())
            if not is_over:
                self._late.add(call)
                if call.is_over(0):  # it came to an end just now
                    self._late.discard(call)
                else:
                    if lost is not None:
                        lost.add(self)
                    raise until.named(BackendUnavailable(f"there was no answer within {until.seconds:g} s", hint=_HINT))
            until.asked.remove(name)  # but not if it is late: whoever waits for all of it then finds the name here
        finally:
            deadline.reset(token)
        return call.answer()

    def _started(self, question: Callable[[], Any], late: Callable[[Any], None] | None, own: Deadline | None) -> _Call:
        call = _Call(question, late, own)
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = _Worker(self)
        worker.calls.put(call)
        return call

    def takes_back(self, worker: _Worker) -> bool:
        """Whether the worker shall wait for another question."""
        if len(self._idle) >= _MOST_IDLE:
            return False
        self._idle.append(worker)
        return True

    def forget(self, call: _Call) -> None:
        """A call has come to its end, late or not."""
        if call in self._late:
            self._late.discard(call)
            call.tell_late()

    def __del__(self) -> None:
        for worker in self._idle:
            worker.calls.put(None)


class _Worker:
    """A daemon thread that takes one call after the other, for as long as somebody may have more."""

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
            goes_on = threads is not None and threads.takes_back(self)  # before whoever waits can ask again
            call.end()
            if threads is not None:
                threads.forget(call)
            del call, threads  # nothing is kept while it waits: an answer may be a secret
            if not goes_on:
                return


class _Call:
    """One question in a thread, in the context of whoever asks."""

    __slots__ = ("_question", "_late", "_own", "_context", "_answer", "_fault", "_over")

    def __init__(self, question: Callable[[], Any], late: Callable[[Any], None] | None, own: Deadline | None) -> None:
        self._question, self._late, self._own, self._context = question, late, own, copy_context()
        self._answer: Any = None
        self._fault: BaseException | None = None
        self._over = allocate_lock()
        self._over.acquire()

    def run(self) -> None:
        try:
            self._answer = self._context.run(self._question)
        except BaseException as fault:  # whoever asks is told, whatever it is
            self._fault = fault
        if self._own is not None:
            self._own.is_settled = True

    def end(self) -> None:
        self._over.release()

    def is_over(self, seconds: float) -> bool:
        """Whether it comes to an end within so many seconds."""
        return self._over.acquire(timeout=min(max(seconds, 0), TIMEOUT_MAX))

    def tell_late(self) -> None:
        """Nobody waits for the answer any more, but it may be worth keeping."""
        if self._late is not None and self._fault is None:
            self._late(self._answer)

    def answer(self) -> Any:
        """What it came to."""
        fault = self._fault
        try:
            if fault is not None:
                raise fault
            return self._answer
        finally:
            del fault

"""Runs tasks side by side: many under one deadline, or one beside an event loop.

Threads are daemons: a store that never answers does not delay the end of the process. Each task has the context of its
caller (overrides, links at work).
"""

from __future__ import annotations

from time import monotonic

from framework.deadlines import Deadline, deadline
from framework.errors import BackendUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable, Iterable, Sequence
    from queue import SimpleQueue
    from threading import Thread
    from typing import TypeVar

    Result = TypeVar("Result")


#: How many seconds of failures make an outage.
_A_WHILE = 1.0
#: For how many seconds after the deadline tasks may report their own timeout, which says more.
_GRACE = 10.0


class Runner:
    """Runs lists of tasks in threads until the deadline.

    Args:
        workers: how many at once.
        seconds: how long all the lists together may take.
        late: makes the error of a task that was not done in time.
        done: called with 1 for each task that is done.
    """

    def __init__(
        self,
        workers: int,
        seconds: float,
        late: Callable[[], Exception],
        done: Callable[[int], None] = lambda number: None,
    ) -> None:
        self.workers = max(1, workers)
        self._seconds, self._ends = seconds, monotonic() + seconds
        self._late, self._done = late, done

    def run(self, tasks: Sequence[Callable[[], Result]]) -> list[Result | Exception]:
        """What each task returned or raised, in order."""
        from queue import Empty, SimpleQueue

        each = [Deadline(self._ends, self._seconds) for _ in tasks]
        outer = deadline.get()
        if outer is not None:
            outer.under += each
        todo: SimpleQueue[int] = SimpleQueue()
        done: SimpleQueue[tuple[int, Result | Exception]] = SimpleQueue()
        for number in range(len(tasks)):
            todo.put(number)

        def work() -> None:
            while monotonic() < self._ends:
                try:
                    number = todo.get_nowait()
                except Empty:
                    return
                token = deadline.set(each[number])
                outcome = _outcome_in_a_thread(tasks[number])
                each[number].is_settled = True
                done.put((number, outcome))
                deadline.reset(token)

        for _ in range(min(self.workers, len(tasks))):
            start_thread(work)
        outcomes: dict[int, Result | Exception] = {}
        while len(outcomes) < len(tasks):
            report = self._report(done, lambda: (until for number, until in enumerate(each) if number not in outcomes))
            if report is None:
                break
            outcomes[report[0]] = report[1]
            self._done(1)
        return [outcomes[number] if number in outcomes else self._late_of(each[number]) for number in range(len(tasks))]

    def _report(
        self, done: SimpleQueue[tuple[int, Result | Exception]], left: Callable[[], Iterable[Deadline]]
    ) -> tuple[int, Result | Exception] | None:
        """The next task that is done and its outcome; None: the time is over. `left`: the deadlines of the others."""
        from queue import Empty

        for grace in (0.0, _GRACE):
            if grace and not any(until.is_watched for until in left()):
                return None
            try:
                return done.get(timeout=max(0.0, self._ends + grace - monotonic()))
            except Empty:
                pass
        return None

    def _late_of(self, until: Deadline) -> Exception:
        """The error of a task that was not done in time, with the name of the link that did not answer."""
        late = self._late()
        return until.named(late) if isinstance(late, BackendUnavailable) else late


def beside(tasks: Sequence[Callable[[], Result]], apart: Sequence[bool]) -> list[Result | Exception]:
    """What each task returned or raised, in order.

    Args:
        tasks: each ends by itself.
        apart: for each, whether it may take long. Then it gets its own thread, unless it is the only task.
    """
    outcomes: dict[int, Result | Exception] = {}
    threads = []
    for number, task in enumerate(tasks):
        if apart[number] and len(tasks) > 1:

            def work(number: int = number, task: Callable[[], Result] = task) -> None:
                outcomes[number] = _outcome_in_a_thread(task)

            threads.append(start_thread(work))
    for number, task in enumerate(tasks):
        if not apart[number] or len(tasks) == 1:
            outcomes[number] = outcome_of(task)
    for thread in threads:
        thread.join()
    return [outcomes[number] for number in range(len(tasks))]


class Outage:
    """Notices that a store answers no question, so that the rest are not asked and an outage costs one timeout.

    It is certain when as many questions as are asked at once have failed, none was answered, and that took a while:
    questions that fail at once may fail because of their names.

    Args:
        enough: after how many failed questions it is certain.
    """

    __slots__ = ("_enough", "_down", "_up", "_began")

    def __init__(self, enough: int) -> None:
        self._enough, self._down, self._up, self._began = enough, 0, 0, monotonic()

    def over(self) -> BackendUnavailable | None:
        """The error of a question that is not asked any more; None: ask it."""
        if self._down < self._enough or self._up or monotonic() - self._began < _A_WHILE:
            return None
        hint = "See the errors of other names."
        return BackendUnavailable("it was not asked for, because the store does not answer", hint=hint)

    def note(self, outcomes: Iterable[object]) -> None:
        """Take note of one call's outcomes, one for each of its names."""
        if all(isinstance(outcome, BackendUnavailable) for outcome in outcomes):
            self._down += 1
        else:
            self._up += 1


async def awaited(call: Callable[[], Result], start: Callable[[Callable[[], None]], object] | None = None) -> Result:
    """What a call returns or raises, made in a daemon thread beside the event loop.

    So a store that hangs delays neither other tasks of the loop nor its end.

    Args:
        start: runs the call in a thread; by default in a new one, at once.
    """
    from asyncio import get_running_loop

    loop = get_running_loop()
    answer: Future[Result] = loop.create_future()

    def settle(outcome: list[Result], fault: Exception | None) -> None:
        if answer.done():  # it was cancelled
            return
        if fault is None:
            answer.set_result(outcome[0])
        else:
            answer.set_exception(fault)

    def work() -> None:
        if answer.done() or loop.is_closed():
            return
        outcome: list[Result] = []
        fault: Exception | None = None
        try:
            outcome.append(call())
        except Exception as error:
            fault = error
        except BaseException as error:  # nothing else would end the waiting
            fault = _ended_by(error)
        try:
            loop.call_soon_threadsafe(settle, outcome, fault)
        except RuntimeError:
            pass  # the loop has ended

    (start or start_thread)(work)
    return await answer


def in_this_context(work: Callable[[], None]) -> Callable[[], None]:
    from contextvars import copy_context

    context = copy_context()
    return lambda: context.run(work)


def start_thread(work: Callable[[], None]) -> Thread:
    from threading import Thread

    thread = Thread(target=in_this_context(work), daemon=True)
    thread.start()
    return thread


def _outcome_in_a_thread(task: Callable[[], Result]) -> Result | Exception:
    """What a task returned or raised. It may raise anything: nothing else in the thread would report it."""
    try:
        return outcome_of(task)
    except BaseException as fault:
        return _ended_by(fault)


def _ended_by(fault: BaseException) -> BackendUnavailable:
    return BackendUnavailable(f"the call was ended by {type(fault).__name__}", hint="Check the code of the backend.")


def outcome_of(task: Callable[[], Result]) -> Result | Exception:
    """What a task returned, or the exception that it raised."""
    try:
        return task()
    except Exception as fault:
        return fault

"""Runs many small tasks at once, under one deadline."""

from __future__ import annotations

from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


class Runner:
    """Runs lists of tasks in threads until the deadline.

    Threads are daemons: a store that never answers does not hold up the end of the process. Each task sees the
    context of its caller (overrides, links at work).

    Args:
        workers: how many at once.
        seconds: how long all the lists together may take.
        late: makes the error of a task that was not done in time.
        done: told of each task that is done.
    """

    def __init__(
        self,
        workers: int,
        seconds: float,
        late: Callable[[], Exception],
        done: Callable[[int], None] = lambda number: None,
    ) -> None:
        self._workers, self._ends, self._late, self._done = max(1, workers), monotonic() + seconds, late, done

    def run(self, tasks: Sequence[Callable[[], Any]]) -> list[Any]:
        """What each task returned, or the exception that it raised, in order."""
        from contextvars import copy_context
        from queue import Empty, SimpleQueue
        from threading import Thread

        todo: SimpleQueue[int] = SimpleQueue()
        done: SimpleQueue[tuple[int, Any]] = SimpleQueue()
        for number in range(len(tasks)):
            todo.put(number)

        def work() -> None:
            while monotonic() < self._ends:
                try:
                    number = todo.get_nowait()
                except Empty:
                    return
                try:
                    outcome = tasks[number]()
                except Exception as fault:
                    outcome = fault
                done.put((number, outcome))

        for _ in range(min(self._workers, len(tasks))):
            Thread(target=copy_context().run, args=(work,), daemon=True).start()
        outcomes: dict[int, Any] = {}
        while len(outcomes) < len(tasks):
            try:
                number, outcome = done.get(timeout=max(0.0, self._ends - monotonic()))
            except Empty:
                break
            outcomes[number] = outcome
            self._done(1)
        return [outcomes[number] if number in outcomes else self._late() for number in range(len(tasks))]

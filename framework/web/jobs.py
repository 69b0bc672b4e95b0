"""Work that may take long: each piece runs in its own daemon thread, so that a store that hangs stops nothing."""

from __future__ import annotations

from secrets import token_urlsafe
from time import monotonic, time

from framework import errors
from framework.chain.runner import start_thread
from framework.errors import BackendUnavailable, FrameworkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from typing import Any

#: How many questions of users may wait for stores at once. In addition each link lists each kind once.
MOST = 64
#: For how many seconds the outcome of a requested job is kept.
KEPT = 30.0


class Job:
    """One piece of work.

    Attributes:
        id: by which a page asks for the outcome; it cannot be guessed.
        at: when it began, in seconds since 1970.
        done: whether it has ended.
        outcome: what it returned.
        failure: why it failed, or None.
        warnings: what was warned of meanwhile.
        steps: what it has done so far, for work that reports it.
        about: what it is for, if a page waits for it.
        keep: for how many seconds its outcome is kept; None: for good.
    """

    def __init__(self, keep: float | None) -> None:
        self.id, self.at, self._began = token_urlsafe(12), time(), monotonic()
        self.done, self._ended, self.keep = False, 0.0, keep
        self.failure: FrameworkError | None = None
        self.warnings: list[str] = []
        self.steps: list[dict[str, Any]] = []
        self.outcome: Any = None
        self.about: Any = None

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return (self._ended if self.done else monotonic()) - self._began

    @property
    def age(self) -> float:
        """How many seconds ago it ended."""
        return monotonic() - self._ended if self.done else 0.0

    @property
    def is_old(self) -> bool:
        """Whether the outcome, which may be a secret, will not be fetched any more."""
        return self.done and self.keep is not None and self.age > self.keep

    def run(self, work: Callable[[Job], object]) -> None:
        errors.listener.set(self.warnings.append)
        try:
            self.outcome = work(self)
        except FrameworkError as fault:
            self.failure = errors.clean(fault)
        except BaseException as fault:  # its text may hold a secret
            self.failure = BackendUnavailable(f"it was ended by {type(fault).__name__}", hint="Check the backend.")
        self._ended = monotonic()
        self.done = True


class Jobs:
    """The jobs of an explorer, one for each key."""

    def __init__(self) -> None:
        self._jobs: dict[Hashable, Job] = {}

    def start(
        self, key: Hashable, work: Callable[[Job], object], *, fresh: bool = False, keep: float | None = None
    ) -> Job:
        """The job of this key: the one that runs, or has run unless `fresh`, or else a new one.

        Args:
            keep: for how many seconds its outcome is kept; None: for good.

        Raises:
            BackendUnavailable: too many jobs wait for stores.
        """
        self.sweep()
        job = self._jobs.get(key)
        if job is not None and not (job.done and fresh):
            return job
        waiting = sum(not job.done and job.keep is not None for job in self._jobs.values())
        if keep is not None and waiting >= MOST:
            what = f"it is not asked, because {MOST} questions to stores are still unanswered"
            raise BackendUnavailable(what, hint="Wait, or check the stores.")
        job = self._jobs[key] = Job(keep)
        start_thread(lambda: job.run(work))
        return job

    def get(self, key: Hashable) -> Job | None:
        return self._jobs.get(key)

    def take(self, id: str) -> Job | None:
        """The job that a page asked for; if it has ended it is handed out once."""
        self.sweep()
        for key, job in self._jobs.items():
            if job.id == id and job.about is not None:
                if job.done:
                    del self._jobs[key]
                return job
        return None

    def sweep(self, *, wholly: bool = False) -> None:
        """Drop the outcomes that will not be fetched; or all of them."""
        for key, job in list(self._jobs.items()):
            if job.is_old or (wholly and job.done):
                del self._jobs[key]

    @staticmethod
    async def wait(jobs: Iterable[Job], until: float) -> None:
        """Wait for jobs, until a time of the monotonic clock at the latest."""
        from asyncio import sleep

        waiting = [job for job in jobs if not job.done]
        while waiting and monotonic() < until:
            await sleep(0.004)
            waiting = [job for job in waiting if not job.done]

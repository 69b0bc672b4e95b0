"""What a remote link said, kept for a while: one for each link, never for the chain."""

from __future__ import annotations

import os
from _thread import allocate_lock
from math import inf
from time import monotonic

from framework.chain.runner import outcome_of
from framework.errors import BackendUnavailable, FrameworkError, warn
from framework.locks import ProcessLock
from framework.logs import WARNING, log
from framework.masking.wording import safe_repr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Key = tuple[str, str, str | None]  # kind, name, version

#: For so many seconds a store that is down is not asked again for what an old answer can stand in for.
_DOWN_FOR = 5.0
#: More answers than this are not kept at once; the oldest goes first.
_MAX_KEPT = 10_000


class Cache:
    """Answers and absences of one link, with one question at a time for each name.

    Args:
        ttl_seconds: how long a value is good; 0 keeps nothing.
        negative_ttl_seconds: how long an absence is. A failure is never kept.
        stale_if_error_seconds: how much longer a value may stand in for a store that is down.

    Attributes:
        counts: `calls` to the store, `hits` here, `absent` answers, `failures`, `stale` answers.
        misses: name -> how often it was absent.
    """

    __slots__ = ("_ttl", "_negative", "_stale", "_kept", "_sweep", "_flights", "_lock", "_fault", "counts", "misses")

    def __init__(
        self, ttl_seconds: float = 0, negative_ttl_seconds: float = 0, stale_if_error_seconds: float = 0
    ) -> None:
        self._ttl, self._negative, self._stale = ttl_seconds, negative_ttl_seconds, stale_if_error_seconds
        self._kept: dict[Key, tuple[Any, float]] = {}  # value and when it was fetched, the oldest first
        self._sweep = inf  # when the oldest has to go
        self.counts = dict.fromkeys(("calls", "hits", "absent", "failures", "stale"), 0)
        self.misses: dict[str, int] = {}
        self._fault: tuple[float, BackendUnavailable] | None = None  # the last one, and when
        self._flights: dict[Key, _Flight] = {}
        self._lock = ProcessLock()

    def get(self, key: Key, fetch: Callable[[], Any]) -> Any:
        """The kept value, or what `fetch` says; of threads that ask together one fetches.

        Raises:
            SecretsError: what `fetch` raised, in every thread that waited for it.
        """
        said: dict[Key, Any] = {}
        while key not in said:  # another thread's question may come to nothing, then this one asks
            said = self.get_many([key], lambda keys: [outcome_of(fetch)])
        if isinstance(said[key], FrameworkError):
            raise said[key].again()
        if isinstance(said[key], Exception):
            raise said[key]
        return said[key]

    def kept(self, key: Key) -> tuple[Any, float] | None:
        """An answer that is still good, with the time when it was fetched; None: `get` has to be asked.

        No lock is taken, which would cost more than the look-up: threads may lose a count.
        """
        entry, now = self._kept.get(key), monotonic()
        if entry is None or now >= self._sweep or now - entry[1] >= (self._negative if entry[0] is None else self._ttl):
            return None
        self.counts["hits"] += 1
        return entry

    def count(self, key: Key, fetch: Callable[[], Any]) -> Any:
        """What `fetch` says, counted and not kept: for a store that is at hand.

        Counted without a lock, which would cost as much as the look-up: threads may lose a count.
        """
        self.counts["calls"] += 1
        try:
            value = fetch()
        except Exception:
            self.counts["failures"] += 1
            raise
        if value is None:
            self._miss(key)
        return value

    def get_many(self, keys: Sequence[Key], fetch: Callable[[list[Key]], list[Any] | None]) -> dict[Key, Any]:
        """What is kept, and what `fetch` says of the others in one call: values, None for absence, exceptions.

        Args:
            keys: each once.
            fetch: asks for those that are neither kept nor being asked for; None: it cannot say. Then they, and those
                of other threads' questions that came to nothing, are left out.
        """
        said: dict[Key, Any] = {}
        mine: dict[Key, _Flight] = {}
        others: dict[Key, _Flight] = {}
        told: list[str] = []
        with self._lock:
            self._drop_expired()
            for key in keys:
                is_kept, value = self.peek(key)
                if not is_kept and self._fault is not None and monotonic() - self._fault[0] < _DOWN_FOR:
                    value = self._stand_in(key, self._fault[1], told)
                    is_kept = value is not None
                if is_kept:
                    said[key] = value
                elif key in self._flights and self._flights[key].pid == os.getpid():
                    others[key] = self._flights[key]
                else:
                    mine[key] = self._flights[key] = _Flight()
            self.counts["hits"] += len(said)
        if mine:
            said.update(self._fetched(mine, fetch, told))
        for key, flight in others.items():
            said.update((key, outcome) for outcome in flight.outcome())
        for text in told:  # now that nobody waits for it: a warning may be an error, and run other people's code
            log(WARNING, "%s", text)
            warn(text)
        return said

    def _fetched(
        self, flights: dict[Key, _Flight], fetch: Callable[[list[Key]], list[Any] | None], told: list[str]
    ) -> dict[Key, Any]:
        """Ask, keep what is said, and let every waiting thread know, whatever happens."""
        said: dict[Key, Any] = {}
        try:
            outcomes = fetch(list(flights))
            with self._lock:
                self.counts["calls"] += 1
                for key, outcome in zip(flights, outcomes or (), strict=outcomes is not None):
                    said[key] = self._settled(key, outcome, told)
        finally:
            with self._lock:
                for key in flights:
                    self._flights.pop(key, None)
            for key, flight in flights.items():
                flight.land([said[key]] if key in said else [])
        return said

    def _settled(self, key: Key, outcome: Any, told: list[str]) -> Any:
        """What an outcome is for those who asked: an old answer may stand in for a store that is down."""
        if isinstance(outcome, BackendUnavailable):
            self.counts["failures"] += 1
            self._fault = (monotonic(), outcome.again())  # without the frames that it came through
            value = self._stand_in(key, outcome, told)
            return outcome if value is None else value
        self._fault = None
        self._kept.pop(key, None)
        if isinstance(outcome, Exception):  # the store answers, and what it said before counts no more
            self.counts["failures"] += 1
        else:
            self._keep(key, outcome)
        return outcome

    def _stand_in(self, key: Key, fault: BackendUnavailable, told: list[str]) -> Any:
        """The last answer, if it may be used while the store is down; with a warning."""
        value, fetched = self._kept.get(key, (None, 0.0))
        age = monotonic() - fetched
        if value is None or age >= self._ttl + self._stale:
            return None
        self.counts["stale"] += 1
        link = fault.where.partition(": ")[0]  # it may be the fault of another name
        told.append(f"{link}: {key[0]} {key[1]!r}: {fault.what}. Its answer of {age:.0f} s ago is used meanwhile.")
        return value

    def peek(self, key: Key) -> tuple[bool, Any]:
        """Whether there is an answer that is still good, and which."""
        value, fetched = self._kept.get(key, (None, None))
        if fetched is None or monotonic() - fetched >= (self._negative if value is None else self._ttl):
            return False, None
        return True, value

    def add(self, key: Key, value: Any) -> None:
        """Keep an answer for which nobody waited any more, unless there is a newer one."""
        with self._lock:
            if not self.peek(key)[0]:
                self._kept.pop(key, None)  # the oldest come first
                self._keep(key, value)

    def _keep(self, key: Key, value: Any) -> None:
        """Keep an answer, None for absence."""
        if value is None:
            self._miss(key)
        if self._ttl > 0:
            self._kept[key] = (value, monotonic())
            self._drop_expired()

    def _miss(self, key: Key) -> None:
        self.counts["absent"] += 1
        if key[1] in self.misses or len(self.misses) < _MAX_KEPT:
            self.misses[key[1]] = self.misses.get(key[1], 0) + 1

    def age(self, key: Key) -> float | None:
        """How many seconds ago the answer that is kept was fetched, or None."""
        fetched = self._kept.get(key, (None, None))[1]
        return None if fetched is None else monotonic() - fetched

    def _drop_expired(self) -> None:
        """Secrets leave the memory when they expire, at the latest when the link is next asked for anything."""
        lifetime, now = max(self._ttl + self._stale, self._negative), monotonic()
        self._sweep = inf
        while self._kept:
            oldest = next(iter(self._kept))
            sweep = self._kept[oldest][1] + lifetime
            if sweep > now and len(self._kept) <= _MAX_KEPT:
                self._sweep = sweep
                return
            del self._kept[oldest]

    def __len__(self) -> int:
        with self._lock:
            self._drop_expired()
            return len(self._kept)

    @safe_repr
    def __repr__(self) -> str:
        return f"<Cache of {len(self)} answers>"


class _Flight:
    """A question under way, and those who wait for its answer; after a fork nobody is there to land it."""

    __slots__ = ("pid", "_landed", "_outcome")

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._landed = allocate_lock()
        self._landed.acquire()
        self._outcome: list[Any] = []

    def land(self, outcome: list[Any]) -> None:
        """Say what came of it: a value or an exception, or nothing."""
        self._outcome = outcome
        self._landed.release()

    def outcome(self) -> list[Any]:
        """What came of it, once it is known."""
        with self._landed:  # released by whom it landed, passed on by each who waited
            return self._outcome

"""What a remote link said, kept for a while: one for each link, never for the chain."""

from __future__ import annotations

import os
from _thread import allocate_lock
from time import monotonic

from framework.errors import BackendUnavailable, warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Key = tuple[str, str, str | None]  # kind, name, version

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
        missed: name -> how often it was absent.
    """

    __slots__ = ("_ttl", "_negative", "_stale", "_kept", "_flights", "_lock", "_pid", "counts", "missed")

    def __init__(
        self, ttl_seconds: float = 0, negative_ttl_seconds: float = 0, stale_if_error_seconds: float = 0
    ) -> None:
        self._ttl, self._negative, self._stale = ttl_seconds, negative_ttl_seconds, stale_if_error_seconds
        self._kept: dict[Key, tuple[Any, float]] = {}  # value and when it was fetched, the oldest first
        self.counts = dict.fromkeys(("calls", "hits", "absent", "failures", "stale"), 0)
        self.missed: dict[str, int] = {}
        self._start()

    def _start(self) -> None:
        """Locks and questions under way belong to one process; after a fork the child begins anew."""
        self._flights: dict[Key, _Flight] = {}
        self._lock = allocate_lock()
        self._pid = os.getpid()

    def get(self, key: Key, fetch: Callable[[], Any]) -> Any:
        """The kept value, or what `fetch` says; of threads that ask together one fetches.

        Raises:
            SecretsError: what `fetch` raised, in every thread that waited for it.
        """
        if self._pid != os.getpid():
            self._start()
        found, value = self.peek(key)
        if found:
            self.counts["hits"] += 1
            return value
        with self._lock:
            flight = self._flights.get(key)
            mine = flight is None
            if flight is None:
                flight = self._flights[key] = _Flight()
        if not mine:
            return flight.result()
        try:
            flight.value = self._fetch(key, fetch)
        except BaseException as fault:
            flight.fault = fault
            raise
        finally:
            with self._lock:
                self._flights.pop(key, None)
            flight.landed.release()
        return flight.value

    def _fetch(self, key: Key, fetch: Callable[[], Any]) -> Any:
        self.counts["calls"] += 1
        try:
            value = fetch()
        except BackendUnavailable as fault:
            self.counts["failures"] += 1
            stale, age = self._stand_in(key)
            if stale is None:
                raise
            self.counts["stale"] += 1
            warn(f"{str(fault).rstrip('.')}. Its answer of {age:.0f} s ago is used meanwhile.")
            return stale
        except BaseException:
            self.counts["failures"] += 1
            raise
        self.put(key, value)
        return value

    def peek(self, key: Key) -> tuple[bool, Any]:
        """Whether there is an answer that is still good, and which."""
        value, fetched = self._kept.get(key, (None, None))
        if fetched is None or monotonic() - fetched >= (self._negative if value is None else self._ttl):
            return False, None
        return True, value

    def put(self, key: Key, value: Any) -> None:
        """Keep an answer, None for absence."""
        if value is None:
            self.counts["absent"] += 1
            self.missed[key[1]] = self.missed.get(key[1], 0) + 1
        if self._ttl <= 0:
            return
        if self._pid != os.getpid():
            self._start()
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (value, monotonic())
            self._drop_expired()

    def age(self, key: Key) -> float | None:
        """How many seconds ago the answer that is kept was fetched, or None."""
        fetched = self._kept.get(key, (None, None))[1]
        return None if fetched is None else monotonic() - fetched

    def _stand_in(self, key: Key) -> tuple[Any, float]:
        value, fetched = self._kept.get(key, (None, 0.0))
        age = monotonic() - fetched
        return (value, age) if age < self._ttl + self._stale else (None, age)

    def _drop_expired(self) -> None:
        """Secrets leave the memory when they expire, at the latest when the next one is kept."""
        last = monotonic() - self._ttl - self._stale
        while self._kept:
            oldest = next(iter(self._kept))
            if self._kept[oldest][1] > last and len(self._kept) <= _MAX_KEPT:
                return
            del self._kept[oldest]

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return f"<Cache of {len(self)} answers>"


class _Flight:
    """A question under way, and those who wait for its answer."""

    __slots__ = ("landed", "value", "fault")

    def __init__(self) -> None:
        self.landed = allocate_lock()
        self.landed.acquire()
        self.value: Any = None
        self.fault: BaseException | None = None

    def result(self) -> Any:
        with self.landed:  # released by whom it landed, passed on by each who waited
            pass
        if self.fault is not None:
            raise self.fault
        return self.value

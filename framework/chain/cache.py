"""Answers of a remote link, kept for a while. Each link has its own cache; the chain has none."""

from __future__ import annotations

import os
from _thread import allocate_lock
from math import inf
from time import monotonic

from framework.chain.level import refused, shared_age
from framework.chain.runner import outcome_of
from framework.errors import AccessDenied, BackendUnavailable, FrameworkError, IssuedOnUse
from framework.jitter import about
from framework.lifetime import Lifetime, Preferred, lifetime_of
from framework.locks import ProcessLock
from framework.masking import safe_repr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Key = tuple[str, str, str | None]  # kind, name, version
    Ask = Callable[[list[Key]], list[object] | None]  # see `Cache.get_many`

#: For how many seconds after an outage an old answer is used without asking the store.
_DOWN_FOR = 5.0
#: What is counted.
_COUNTS = ("calls", "hits", "absent", "failures", "stale", "refreshes", "refresh failures")
#: More answers than this are not kept at once; the oldest goes first.
_MAX_KEPT = 10_000


class Cache:
    """Answers and absences of one link, with one question at a time for each name.

    Args:
        ttl_seconds: how long a value is kept, give or take a tenth, so that a fleet does not ask all at once; 0:
            nothing is kept. An answer with a shorter lifetime of its own is kept for that.
        negative_ttl_seconds: the same for an absence. A failure is never kept.
        stale_if_error_seconds: how much longer a value may be used while the store is unavailable.

    Attributes:
        counts: `calls` to the store, `hits` here, `absent` answers, `failures`, `stale` answers; options that were
            read again (`refreshes`) or could not be (`refresh failures`).
        misses: name -> how often it was absent.
        state: how the last question went: `ok`, `unavailable`, `denied` or `not asked`.
        is_shared: whether `fetch` may give answers of a shared cache, as `Dated`.
        shared: the kept answers that came from there.
    """

    __slots__ = (
        "_ttl",
        "_negative",
        "_stale",
        "_kept",
        "_sweep",
        "_flights",
        "_lock",
        "_fault",
        "counts",
        "misses",
        "state",
        "is_shared",
        "shared",
    )

    def __init__(
        self, ttl_seconds: float = 0, negative_ttl_seconds: float = 0, stale_if_error_seconds: float = 0
    ) -> None:
        self._ttl, self._negative, self._stale = ttl_seconds, negative_ttl_seconds, stale_if_error_seconds
        # Value, when it was asked for, for how long it is kept, and its own lifetime if it has one; the oldest first.
        self._kept: dict[Key, tuple[object, float, float, Lifetime | None]] = {}
        self._sweep = inf  # when the oldest has to go
        self.counts = dict.fromkeys(_COUNTS, 0)
        self.misses: dict[str, int] = {}
        self.state = "not asked"
        self.is_shared = False
        self.shared: set[Key] = set()
        self._fault: tuple[float, BackendUnavailable] | None = None  # until when it counts, and the last one
        self._flights: dict[Key, _Flight] = {}
        self._lock = ProcessLock()

    def get(
        self,
        key: Key,
        fetch: Callable[[], object],
        since: float | None = None,
        through: Callable[[list[Key], Ask], list[object] | None] | None = None,
    ) -> object:
        """The kept value, or what `fetch` returns; if threads ask at once, one of them fetches for all.

        Args:
            through: a second cache, which is given the key and what asks the store.
            since: on the monotonic clock: an answer counts only if it was asked for after that. None: as long as it is
                kept.

        Raises:
            SecretsError: what `fetch` raised, in every thread that waited for it.
        """

        def ask(keys: list[Key]) -> list[object]:
            return [outcome_of(fetch)]

        outcomes: dict[Key, object] = {}
        while key not in outcomes:  # another thread's question may give no answer, then this one asks
            outcomes = self.get_many([key], ask if through is None else lambda keys: through(keys, ask), since)
        outcome = outcomes[key]
        if isinstance(outcome, FrameworkError):
            raise outcome.again()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def kept(self, key: Key, since: float | None = None) -> tuple[object, float, float, Lifetime | None] | None:
        """An answer that has not expired, with the time when it was asked for; None: call `get`.

        No lock is taken, because it would cost more than the look-up: threads may lose a count.
        """
        entry, now = self._kept.get(key), monotonic()
        if entry is None or now >= self._sweep or now - entry[1] >= entry[2]:
            return None
        if (since is not None and entry[1] <= since) or (entry[3] is not None and not entry[3].is_current):
            return None
        self.counts["hits"] += 1
        return entry

    def count(self, key: Key, fetch: Callable[[], object]) -> object:
        """What `fetch` returns, counted but not kept: for a store on this machine.

        No lock is taken here either.
        """
        self.counts["calls"] += 1
        try:
            value = fetch()
        except Exception as fault:
            self.counts["failures"] += 1
            self.state = _state_after(fault)
            raise
        self.state = "ok"
        if value is None:
            self._miss(key)
        return value

    def get_many(self, keys: Sequence[Key], fetch: Ask, since: float | None = None) -> dict[Key, object]:
        """What is kept, and what `fetch` finds for the others in one call: values, None for absence, exceptions.

        While the store is unavailable an old value may stand in, unless `since` is given and is not a `Preferred`.

        Args:
            keys: each once.
            fetch: asks for those that are neither kept nor being asked for. If it returns None they are left out, and
                so are those of other threads' questions that came to nothing.
            since: see `get`. An older question of another thread is not waited for: the store is asked again.
        """
        outcomes: dict[Key, object] = {}
        mine: dict[Key, _Flight] = {}
        others: dict[Key, _Flight] = {}
        warnings: list[str] = []
        may_be_old = since is None or isinstance(since, Preferred)
        is_strict = not self.is_shared or (not may_be_old and refused.get() is None and not shared_age.get())
        with self._lock:
            self._drop_expired()
            for key in keys:
                is_kept, value = self.peek(key, since)
                if not is_kept and may_be_old and self._is_down():
                    value = self._stale_value(key, self._fault[1], warnings, since)  # type: ignore[index]
                    is_kept = value is not None
                if is_kept:
                    outcomes[key] = value
                elif (flight := self._flights.get(key)) is not None and flight.serves(since):
                    others[key] = flight
                else:
                    mine[key] = self._flights[key] = _Flight(is_strict, since)
            self.counts["hits"] += len(outcomes)
        if mine:
            outcomes.update(self._fetched(mine, fetch))
        for key, flight in others.items():
            outcomes.update((key, outcome) for outcome in flight.outcome())
        if may_be_old:
            self._replace_unavailable(outcomes, warnings, since)
        for text in warnings:  # outside the lock: a warning may be an error, and run code of the application
            from framework.logs import log_and_warn

            log_and_warn(text)
        return outcomes

    def _is_down(self) -> bool:
        """Whether the store was unavailable a moment ago, so that it is not asked again if an old value will do."""
        return self._fault is not None and monotonic() < self._fault[0]

    def _fetched(self, flights: dict[Key, _Flight], fetch: Ask) -> dict[Key, object]:
        """Ask, keep the answers, and let the waiting threads go on, whatever happens."""
        found: dict[Key, object] = {}
        try:
            outcomes = fetch(list(flights))
            with self._lock:
                if outcomes is None or not all(type(outcome) is Dated for outcome in outcomes):
                    self.counts["calls"] += 1
                for key, outcome in zip(flights, outcomes or (), strict=outcomes is not None):
                    found[key] = self._settled(key, outcome, flights[key].asked)
        finally:
            with self._lock:
                for key, flight in flights.items():
                    if self._flights.get(key) is flight:  # else a newer question has taken its place
                        del self._flights[key]
            for key, flight in flights.items():
                flight.land([found[key]] if key in found else [])
        return found

    def _settled(self, key: Key, outcome: object, asked: float) -> object:
        """The outcome for the callers, once it is kept."""
        if type(outcome) is Dated:
            value, asked = self._kept.get(key, (None, outcome.asked))[:2]
            if asked > outcome.asked and not outcome.replaces:
                return value
            self._kept.pop(key, None)
            self._keep(key, outcome.value, outcome.asked)
            self.shared.add(key)
            return outcome.value
        self.shared.discard(key)
        self.state = _state_after(outcome)
        if isinstance(outcome, BackendUnavailable):
            self.counts["failures"] += 1
            self._fault = (monotonic() + about(_DOWN_FOR), outcome.again())  # without its frames
            return outcome
        self._fault = None
        is_newest = asked >= self._kept.get(key, (None, asked, 0.0, None))[1]
        if is_newest:
            self._kept.pop(key, None)
        if isinstance(outcome, Exception):  # the store answers, so its older answer does not count any more
            self.counts["failures"] += not isinstance(outcome, IssuedOnUse)
        elif is_newest:
            self._keep(key, outcome, asked)
        return outcome

    def _replace_unavailable(self, outcomes: dict[Key, object], warnings: list[str], since: float | None) -> None:
        """Let old values stand in for those of an unavailable store."""
        for key, outcome in outcomes.items():
            if isinstance(outcome, BackendUnavailable):
                with self._lock:
                    value = self._stale_value(key, outcome, warnings, since)
                if value is not None:
                    outcomes[key] = value

    def _stale_value(self, key: Key, fault: BackendUnavailable, warnings: list[str], since: float | None) -> object:
        """The last value, if it may be used while the store is unavailable; with a warning."""
        value, asked, seconds, lifetime = self._kept.get(key, (None, 0.0, 0.0, None))
        age, max_age = monotonic() - asked, getattr(since, "max_age", 0)
        if value is None or age >= seconds + self._stale or not (lifetime is None or lifetime.is_current):
            return None
        if max_age and age >= max_age:
            return None
        self.counts["stale"] += 1
        link = fault.where.partition(": ")[0]  # it may be the fault of another name
        warnings.append(
            f"{link}: {key[0]} {key[1]!r}: {fault.what}. Its answer from {age:.0f} s ago is used meanwhile."
        )
        return value

    def peek(self, key: Key, since: float | None = None) -> tuple[bool, object]:
        """Whether an answer is kept that has not expired and was asked for after `since`, and which."""
        value, asked, seconds, lifetime = self._kept.get(key, (None, None, 0.0, None))
        if lifetime is not None and not lifetime.is_current:
            return False, None
        if asked is None or monotonic() - asked >= seconds:
            return False, None
        return (True, value) if since is None or asked > since else (False, None)

    def add(self, key: Key, value: object, asked: float) -> None:
        """Keep an answer that came after its deadline, unless there is a newer one.

        Args:
            asked: when it was asked for, on the monotonic clock.
        """
        with self._lock:
            if asked >= self._kept.get(key, (None, asked, 0.0, None))[1]:
                self._kept.pop(key, None)  # the oldest come first
                self.shared.discard(key)
                self._keep(key, value, asked)

    def _keep(self, key: Key, value: object, asked: float) -> None:
        """Keep an answer, None for absence. It is as old as its question: the store may have changed since."""
        if value is None:
            self._miss(key)
        if self._ttl > 0:
            self._kept[key] = (value, asked, about(self._negative if value is None else self._ttl), lifetime_of(value))
            self._drop_expired()

    def _miss(self, key: Key) -> None:
        self.counts["absent"] += 1
        if key[1] in self.misses or len(self.misses) < _MAX_KEPT:
            self.misses[key[1]] = self.misses.get(key[1], 0) + 1

    def age(self, key: Key) -> float | None:
        """How many seconds ago the kept answer was asked for; None if none is kept."""
        asked = self._kept.get(key, (None, None, 0.0, None))[1]
        return None if asked is None else monotonic() - asked

    @property
    def oldest(self) -> float | None:
        """How many seconds ago the oldest kept answer was asked for; None if none is kept."""
        with self._lock:
            self._drop_expired()
            return monotonic() - next(iter(self._kept.values()))[1] if self._kept else None

    def _drop_expired(self) -> None:
        """Drop expired answers. It is called whenever the link is asked, so secrets do not stay in memory."""
        lifetime, now = max(1.1 * self._ttl + self._stale, 1.1 * self._negative), monotonic()
        self._sweep = inf
        while self._kept:
            oldest = next(iter(self._kept))
            sweep = self._kept[oldest][1] + lifetime
            if sweep > now and len(self._kept) <= _MAX_KEPT:
                self._sweep = sweep
                return
            del self._kept[oldest]
            self.shared.discard(oldest)

    def __len__(self) -> int:
        with self._lock:
            self._drop_expired()
            return len(self._kept)

    @safe_repr
    def __repr__(self) -> str:
        return f"<Cache of {len(self)} answers>"


class Dated:
    """An answer that the shared cache had.

    Attributes:
        value: None for absence.
        asked: when the store was asked, on the monotonic clock of this process.
        replaces: whether it takes the place of a kept value, because a server has refused that one.
    """

    __slots__ = ("value", "asked", "replaces")

    def __init__(self, value: object, asked: float, *, replaces: bool = False) -> None:
        self.value, self.asked, self.replaces = value, asked, replaces


class _Flight:
    """A question under way, and the threads that wait for its answer. After a fork it is never answered."""

    __slots__ = ("asked", "_since", "_pid", "_landed", "_outcome")

    def __init__(self, is_strict: bool, since: float | None) -> None:
        self.asked, self._pid = monotonic(), os.getpid()
        # Its answer was asked for after that: it is as old as its question, or else as the shared cache may answer it.
        self._since = self.asked if is_strict else since if isinstance(since, Preferred) else -inf
        self._landed = allocate_lock()
        self._landed.acquire()
        self._outcome: list[object] = []

    def serves(self, since: float | None) -> bool:
        """Whether its answer is of use to a thread of this process that wants one asked for after `since`: also to all
        that want it because of the same refresh."""
        return self._pid == os.getpid() and (since is None or self._since > since or self._since is since)

    def land(self, outcome: list[object]) -> None:
        """Set the outcome: a value or an exception, or nothing."""
        self._outcome = outcome
        self._landed.release()

    def outcome(self) -> list[object]:
        """Wait for the outcome."""
        with self._landed:  # released by `land`, then by each waiting thread
            return self._outcome


def _state_after(outcome: object) -> str:
    if isinstance(outcome, BackendUnavailable):
        return "unavailable"
    return "denied" if isinstance(outcome, AccessDenied) else "ok"

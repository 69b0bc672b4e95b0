"""A second cache, on a Valkey or Redis server, that the processes of a fleet share: so they do not all ask the store.

It stands between the cache of a link and its backend. Its entries are found by names that only the holders of the key
can compute, and are Fernet tokens. A failure is never in it. Whatever is wrong with it, the store is asked.
"""

from __future__ import annotations

from math import inf
from time import monotonic, sleep, time

from framework import jitter
from framework.chain.cache import Dated
from framework.chain.level import refused, shared_age
from framework.chain.server import LEASE, Renewing, Server, milliseconds
from framework.deadlines import seconds_left
from framework.lifetime import Preferred
from framework.locks import ProcessLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, TypeVar

    from redis import Redis

    from framework.chain.cache import Ask, Key
    from framework.chain.sealed import Sealed

    Answer = TypeVar("Answer")
    #: Its name, the entry or None, and its lifetime in seconds; what the lease says if the value is still the refused
    #: one, and for how many seconds; 0: it is another one.
    _Entry = tuple[str, bytes | None, float, bytes, float]

#: How many seconds in the future an entry may have been asked for: clocks differ.
_SKEW = 60.0
#: For how many seconds no process asks again for a value that a server refused and the store still has; and for how
#: many if it is of another version than the current one, which a rotation changes last.
_STILL_REFUSED, _OTHER_VERSION = 1.0, 10.0
#: What a lease says: a process asks; a process has asked, and the store still has the refused value.
_ASKING, _SAME = "asking", "same"
#: The first pause while another process asks, and the longest, in seconds.
_PAUSE, _MOST_PAUSE = 0.02, 0.25
#: How many times the duration of a read a lease lasts longer: a machine that is busy is slow to renew it, too.
_BUSY = 10
#: How many other processes are waited for, one after the other.
_TURNS = 3


class SharedCache:
    """The shared cache of one link. See the module.

    Args:
        server: where the entries are.
        sealed: makes and reads them.
        ttl, negative: for how many seconds a value counts, and an absence.
        wait: for how many seconds to wait for one process that asks. Only pauses count, so that a process that is
            short of CPU time does not mistake the others for slow ones.
        lease: for how many seconds a process that asks is waited for after its last sign of life.

    Attributes:
        counts: `hits` and `misses` of names, and `faults`: commands that failed and entries that cannot be used.
    """

    __slots__ = ("_server", "_sealed", "_ttl", "_negative", "_wait", "_lease", "_lock", "counts")

    def __init__(
        self, server: Server, sealed: Sealed, *, ttl: float, negative: float, wait: float, lease: float
    ) -> None:
        self._server, self._sealed = server, sealed
        self._ttl, self._negative, self._wait = ttl, negative, wait
        self._lease = min(lease, wait) if wait else lease
        self._lock = ProcessLock()
        self.counts = {"hits": 0, "misses": 0, "faults": 0}

    @property
    def state(self) -> str:
        """How the server answered last; see `Server`."""
        return self._server.state

    def get_many(self, keys: Sequence[Key], ask: Ask, since: float | None) -> list[object] | None:
        """For each key what is here, as a `Dated`, or else what the store answers: a value, None, an exception.

        Args:
            keys: each once.
            ask: asks the store for some of them; if it returns None, so does this.
            since: if it is given, the store is asked in any case, unless a server has refused a value: then any other
                value counts, and the same one for a second. See `refused`, and `shared_age` for the other exception.
                For a `Preferred` an entry counts that was asked for after it, as far as the clocks agree.
        """
        with self._server as server:
            after = -inf
            if isinstance(since, Preferred):
                after = since
            elif since is not None and refused.get() is None:
                if not (most := shared_age.get()):
                    return self._asked(list(keys), ask, has_lease=False)
                after = monotonic() - most
            found: dict[Key, object] = {}
            todo, must_write = list(keys), True
            waited, pause, ends = 0.0, _PAUSE, _half_of_the_time()
            while todo:
                began = monotonic()
                there = self._read(todo, with_leases=waited > 0)
                if there is not None:
                    todo = self._taken(found, todo, there, after)
                    if todo and not there.are_leased:
                        there = self._leased(todo, self._lease + min(_BUSY * (monotonic() - began), self._wait))
                if there is None:
                    must_write = False
                    break
                todo = self._taken(found, todo, there, after)
                server.release([self._sealed.name(key) for key in there.mine if key not in todo])
                if mine := [key for key in there.mine if key in todo]:
                    outcomes = self._asked(mine, ask, has_lease=True)
                    if outcomes is None:
                        return None
                    found.update(zip(mine, outcomes, strict=True))
                    todo = [key for key in todo if key not in found]
                    continue
                if refused.get():  # what the store had a moment ago
                    found.update((key, there.dated[key]) for key in there.same if key in there.dated)
                    todo = [key for key in todo if key not in found]
                if not todo or there.is_foreign or waited >= _TURNS * self._wait or monotonic() >= ends:
                    break
                nap = jitter.from_half(pause)
                sleep(nap)
                waited, pause = waited + nap, min(1.6 * pause, _MOST_PAUSE)
            if todo:
                outcomes = self._asked(todo, ask, has_lease=must_write, must_write=must_write)
                if outcomes is None:
                    return None
                found.update(zip(todo, outcomes, strict=True))
        self._count("hits", sum(type(found[key]) is Dated for key in keys))
        return [found[key] for key in keys]

    def _taken(self, found: dict[Key, object], todo: list[Key], there: _There, after: float) -> list[Key]:
        """What is still to be asked for, after the entries that count were put to what is found."""
        is_refused = refused.get()
        for key in todo:
            if key not in there.dated or there.dated[key].asked <= after:
                continue
            if is_refused is None or not is_refused(there.dated[key].value):
                there.dated[key].replaces = is_refused is not None
                found[key] = there.dated[key]
        return [key for key in todo if key not in found]

    def _read(self, keys: list[Key], *, with_leases: bool) -> _There | None:
        """What the server has, at the price of one command; None: it does not answer."""
        names = [self._sealed.name(key) for key in keys]
        wanted = [*names, *(name + LEASE for name in names)] if with_leases else names
        entries = self._run(lambda client: _entries(client.mget(wanted), len(wanted)), "read")
        return None if entries is None else self._there(keys, entries[: len(keys)], entries[len(keys) :], None)

    def _leased(self, keys: list[Key], seconds: float) -> _There | None:
        """What the server has, once this process has taken the leases that were free; None: it does not answer.

        All leases are taken in one transaction, so that one process gets a whole batch.
        """
        names = [self._sealed.name(key) for key in keys]
        leases = [self._sealed.lease(key, _ASKING) for key in keys]

        def commands(client: Redis) -> Any:
            with client.pipeline(transaction=True) as pipe:
                for name, lease in zip(names, leases, strict=True):
                    pipe.set(name + LEASE, lease, nx=True, px=milliseconds(seconds))
                pipe.mget(names)
                pipe.mget([name + LEASE for name in names])
                *won, entries, there = pipe.execute()
                return _entries(entries, len(names)), _entries(there, len(names)), won

        answers = self._run(commands)
        return None if answers is None else self._there(keys, *answers)

    def _there(
        self,
        keys: list[Key],
        entries: Iterable[Any],
        leases: Sequence[object],
        won: Sequence[object] | None,
    ) -> _There:
        """What the server's answers mean.

        Args:
            entries, leases: of each key; no leases: they were not asked for.
            won: whether this process has the lease of each key; None: it did not try.
        """
        there = _There(self._believed(keys, entries))
        for number, (key, lease) in enumerate(zip(keys, leases, strict=False)):
            if won is not None and won[number]:
                there.mine.append(key)
            elif lease == self._sealed.lease(key, _SAME):
                there.same.append(key)
            elif lease != self._sealed.lease(key, _ASKING) and (lease is not None or won is not None):
                there.is_foreign = True
        there.are_leased = bool(leases) and won is None and all(lease is not None for lease in leases)
        if there.is_foreign:
            self._distrust("has a lease that was written without the key")
        return there

    def _believed(self, keys: list[Key], entries: Iterable[Any]) -> dict[Key, Dated]:
        """The entries that were written for these keys, not too long ago."""
        found: dict[Key, Dated] = {}
        now, instant = time(), monotonic()
        for key, entry in zip(keys, entries, strict=True):
            opened = None if entry is None else self._sealed.open(key, entry)
            if opened is None:
                if entry is not None:
                    self._distrust("was written with another key, or was changed")
                continue
            value, asked = opened
            age = now - asked
            if age <= -_SKEW:
                self._distrust(f"is from the future, by {-age:.0f} s: check the clocks")
            elif age <= (self._negative if value is None else self._ttl) * (1 + jitter.A_TENTH):
                found[key] = Dated(value, instant - max(0.0, age))
        return found

    def _distrust(self, what: str) -> None:
        self._count("faults")
        self._server.doubt(f"an entry in the shared cache {what}. The store is asked instead.")

    def _asked(self, keys: list[Key], ask: Ask, *, has_lease: bool, must_write: bool = True) -> list[object] | None:
        """What the store answers, which other processes may use from now on."""
        names, asked, is_refused = [self._sealed.name(key) for key in keys], time(), refused.get()
        outcomes: list[object] | None = None
        try:
            if has_lease:
                leases = {name + LEASE: self._sealed.lease(key, _ASKING) for key, name in zip(keys, names, strict=True)}
                with Renewing(self._server, leases, self._lease, self._wait):
                    outcomes = ask(keys)
            else:
                outcomes = ask(keys)
        finally:
            if outcomes is None and has_lease:
                self._server.release(names)
        if outcomes is None:
            return None
        self._count("misses", len(keys))
        entries: list[_Entry] = []
        for key, name, value in zip(keys, names, outcomes, strict=True):
            is_answer = not isinstance(value, BaseException)
            entry = self._sealed.seal(key, value, asked) if is_answer else None
            is_same = is_answer and is_refused is not None and is_refused(value)
            lifetime = jitter.about(self._negative if value is None else self._ttl)
            pause = 0.0 if not is_same else _STILL_REFUSED if key[2] is None else _OTHER_VERSION
            entries.append((name, entry, lifetime, self._sealed.lease(key, _SAME), pause))
        if must_write and (has_lease or any(entry[1] for entry in entries)):
            self._run(lambda client: _written(client, entries, has_lease=has_lease))
        return outcomes

    def _count(self, what: str, number: int = 1) -> None:
        with self._lock:
            self.counts[what] += number

    def _run(self, commands: Callable[[Redis], Answer], sort: str = "write") -> Answer | None:
        answer = self._server.run(commands, sort)
        if answer is None:
            self._count("faults")
        return answer


def _entries(answer: object, number: int) -> list[Any]:
    """An answer of MGET. Raises InvalidResponse: it is none, but one of another program."""
    from redis.exceptions import InvalidResponse

    if not isinstance(answer, list) or len(answer) != number:
        raise InvalidResponse
    return answer


def _written(client: Redis, entries: list[_Entry], *, has_lease: bool) -> bool:
    """Write entries, and give back their leases, unless the store was asked in vain."""
    with client.pipeline(transaction=False) as pipe:
        for name, entry, lifetime, same, pause in entries:
            if entry is not None and lifetime > 0:
                pipe.set(name, entry, px=milliseconds(lifetime))
            if pause:
                pipe.set(name + LEASE, same, px=milliseconds(pause))
            elif has_lease:
                pipe.delete(name + LEASE)
        pipe.execute()
    return True


class _There:
    """What the server has for some questions.

    Attributes:
        dated: the entries that count.
        mine: the questions that this process shall ask the store.
        same: those of which the store has just been asked, by a process whose value was refused.
        are_leased: whether a process asks each of them, or has just asked, as far as it is known.
        is_foreign: whether a lease is not ours.
    """

    __slots__ = ("dated", "mine", "same", "are_leased", "is_foreign")

    def __init__(self, dated: dict[Key, Dated]) -> None:
        self.dated = dated
        self.mine: list[Key] = []
        self.same: list[Key] = []
        self.are_leased = self.is_foreign = False


def _half_of_the_time() -> float:
    """Until when to wait for other processes, on the monotonic clock: the store may need the other half."""
    return monotonic() + seconds_left(inf) / 2

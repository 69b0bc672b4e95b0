"""A second cache, on a Valkey or Redis server, that the processes of a fleet share: so they do not all ask the store.

It stands between the cache of a link and its backend. Its entries are found by names that only the holders of the key
can compute, and are Fernet tokens. A failure is never in it. Whatever is wrong with it, the store is asked.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import digest
from time import monotonic, sleep, time

from framework import jitter
from framework.chain.cache import Dated
from framework.chain.level import refused
from framework.chain.server import LEASE, Server
from framework.deadlines import deadline
from framework.errors import BackendError
from framework.lifetime import lifetime_of
from framework.locks import ProcessLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from cryptography.fernet import Fernet

    from framework.chain.cache import Ask, Key

#: How many seconds in the future an entry may have been asked for: clocks differ.
_SKEW = 60.0
#: For how many seconds a value that a server refused is not asked for again, if the store still has it.
_STILL_REFUSED = 1.0
#: What a lease holds: a process asks; a process has asked, and the store still has the refused value.
_ASKING, _SAME = b"asking", b"same"
#: The first pause while another process asks, and the longest, in seconds.
_PAUSE, _MOST_PAUSE = 0.02, 0.25


class Sealed:
    """Names and entries of one link, which only processes with the same key and the same identity can make and read.

    Args:
        key: a Fernet key.
        identity: of the link: the store, and who asks it.

    Raises:
        BackendError: the key is not one.
    """

    __slots__ = ("_fernet", "_names", "_identity")

    def __init__(self, key: str, identity: str) -> None:
        self._fernet = opened(key)
        self._names = digest(key.strip().encode(), b"framework: names in the shared cache", "sha256")
        self._identity = sha256(identity.encode()).hexdigest()

    def name(self, key: Key) -> str:
        """Under which an answer is stored; it does not show what it is about."""
        from base64 import urlsafe_b64encode

        named = digest(self._names, _json([self._identity, *key]).encode(), "sha256")
        return f"framework:{urlsafe_b64encode(named).decode().rstrip('=')}"

    def seal(self, key: Key, value: object, asked: float) -> bytes | None:
        """The entry for an answer; None if it cannot be one.

        Args:
            asked: when the store was asked, on the clock of `time.time`.
        """
        plain = _plain(value)
        if plain is None:
            return None
        return bytes(self._fernet.encrypt(_json({"w": [self._identity, *key], "t": asked, "x": plain}).encode()))

    def open(self, key: Key, entry: bytes) -> tuple[object, float] | None:
        """The answer and when it was asked for; None: the entry was not written for this question with this key."""
        import json

        from cryptography.fernet import InvalidToken

        try:
            found = json.loads(self._fernet.decrypt(entry))
            if found["w"] != [self._identity, *key]:
                return None
            return _value(key, found["x"]), float(found["t"])
        except (InvalidToken, ValueError, KeyError, TypeError):
            return None


class SharedCache:
    """The shared cache of one link. See the module.

    Args:
        server: where the entries are.
        sealed: makes and reads them.
        ttl, negative: for how many seconds a value counts, and an absence.
        wait: for how many seconds to wait for an answer that another process is asking for.
        lease: for how many seconds a process that asks is waited for.

    Attributes:
        counts: `hits` and `misses` of names, and `faults`: commands that failed and entries that cannot be used.
    """

    __slots__ = ("_server", "_sealed", "_ttl", "_negative", "_wait", "_lease", "_lock", "counts")

    def __init__(
        self, server: Server, sealed: Sealed, *, ttl: float, negative: float, wait: float, lease: float
    ) -> None:
        self._server, self._sealed = server, sealed
        self._ttl, self._negative, self._wait, self._lease = ttl, negative, wait, lease
        self._lock = ProcessLock()
        self.counts = {"hits": 0, "misses": 0, "faults": 0}

    def get_many(self, keys: Sequence[Key], ask: Ask, since: float | None) -> list[object] | None:
        """For each key what is here, as a `Dated`, or else what the store answers: a value, None, an exception.

        Args:
            keys: each once.
            ask: asks the store for some of them; if it returns None, so does this.
            since: if it is given, the store is asked in any case, unless a server has refused a value: then any other
                value counts, and the same one for a second. See `refused`.
        """
        is_refused = refused.get()
        with self._server as server:
            if since is not None and is_refused is None:
                return self._asked(list(keys), ask, has_lease=False)
            found: dict[Key, object] = {}
            todo, must_write = list(keys), True
            ends, pause = self._ends(), _PAUSE
            while todo:
                there = self._read(todo)
                if there is None:
                    must_write = False
                    break
                todo = self._taken(found, todo, there)
                if not todo:
                    break
                leased = self._leased(todo)
                if leased is None:
                    must_write = False
                    break
                mine, there, still = leased
                rest = self._taken(found, todo, there)
                server.release([self._sealed.name(key) for key in mine if key not in rest])
                mine = [key for key in mine if key in rest]
                if mine:
                    outcomes = self._asked(mine, ask, has_lease=True)
                    if outcomes is None:
                        return None
                    found.update(zip(mine, outcomes, strict=True))
                    rest = [key for key in rest if key not in found]
                else:  # what the store had a moment ago
                    found.update((key, there[key]) for key in still if key in there)
                    rest = [key for key in rest if key not in found]
                todo = rest
                if not todo or mine:
                    continue
                if monotonic() >= ends:
                    break
                sleep(jitter.from_half(pause))
                pause = min(1.6 * pause, _MOST_PAUSE)
            if todo:
                outcomes = self._asked(todo, ask, has_lease=must_write, must_write=must_write)
                if outcomes is None:
                    return None
                found.update(zip(todo, outcomes, strict=True))
        self._count("hits", sum(type(found[key]) is Dated for key in keys))
        return [found[key] for key in keys]

    def _ends(self) -> float:
        """Until when to wait for other processes."""
        until, ends = deadline.get(), monotonic() + self._wait
        return ends if until is None or until.is_settled else min(ends, until.ends)

    def _taken(self, found: dict[Key, object], todo: list[Key], there: dict[Key, Dated]) -> list[Key]:
        """What is still to be asked for, after the entries that count were put to what is found."""
        is_refused = refused.get()
        for key in todo:
            if key in there and (is_refused is None or not is_refused(there[key].value)):
                there[key].replaces = is_refused is not None
                found[key] = there[key]
        return [key for key in todo if key not in found]

    def _read(self, keys: list[Key]) -> dict[Key, Dated] | None:
        """The entries that can be used; None: the server does not answer."""
        names = [self._sealed.name(key) for key in keys]
        entries = self._run(lambda client: client.mget(names))
        return None if entries is None else self._believed(keys, entries)

    def _leased(self, keys: list[Key]) -> tuple[list[Key], dict[Key, Dated], list[Key]] | None:
        """The keys that this process shall ask for, the entries that have come meanwhile, and the keys whose value is
        refused and was asked for less than a second ago; None: no answer.

        All leases are taken in one transaction, so that one process gets a whole batch.
        """
        names = [self._sealed.name(key) for key in keys]

        def commands(client: Any) -> Any:
            with client.pipeline(transaction=True) as pipe:
                for name in names:
                    pipe.set(name + LEASE, _ASKING, nx=True, px=_milliseconds(self._lease))
                pipe.mget(names)
                pipe.mget([name + LEASE for name in names])
                return pipe.execute()

        answers = self._run(commands)
        if answers is None:
            return None
        *won, entries, leases = answers
        mine = [key for key, taken in zip(keys, won, strict=True) if taken]
        still = [key for key, lease in zip(keys, leases, strict=True) if lease == _SAME]
        return mine, self._believed(keys, entries), still if refused.get() else []

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
            outcomes = ask(keys)
        finally:
            if outcomes is None and has_lease:
                self._server.release(names)
        if outcomes is None:
            return None
        self._count("misses", len(keys))
        entries: list[tuple[str, bytes | None, float, float]] = []
        for key, name, value in zip(keys, names, outcomes, strict=True):
            is_answer = not isinstance(value, BaseException)
            entry = self._sealed.seal(key, value, asked) if is_answer else None
            still = _STILL_REFUSED if is_answer and is_refused is not None and is_refused(value) else 0.0
            lifetime = jitter.about(self._negative if value is None else self._ttl)
            entries.append((name, entry, lifetime, still))
        if must_write and (has_lease or any(entry for _, entry, _, _ in entries)):
            self._run(lambda client: _written(client, entries, has_lease=has_lease))
        return outcomes

    def _count(self, what: str, number: int = 1) -> None:
        with self._lock:
            self.counts[what] += number

    def _run(self, commands: Callable[[Any], Any]) -> Any:
        answer = self._server.run(commands)
        if answer is None:
            self._count("faults")
        return answer


def opened(key: str) -> Fernet:
    """The key. Raises BackendError: it is not one."""
    from cryptography.fernet import Fernet

    try:
        return Fernet(key.strip().encode())
    except ValueError:
        pass  # so that the error has no context
    raise BackendError("it is not 32 bytes as URL-safe base64", where=KEY_OPTION, hint=MAKE_ONE)


def _written(client: Any, entries: list[tuple[str, bytes | None, float, float]], *, has_lease: bool) -> bool:
    """Write entries, and give back or shorten their leases."""
    with client.pipeline(transaction=False) as pipe:
        for name, entry, lifetime, still in entries:
            if entry is not None and lifetime > 0:
                pipe.set(name, entry, px=_milliseconds(lifetime))
            if still:
                pipe.set(name + LEASE, _SAME, px=_milliseconds(still))
            elif has_lease:
                pipe.delete(name + LEASE)
        pipe.execute()
    return True


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))


def _plain(value: object) -> list[Any] | None:
    """An answer as JSON; None if it is not one that others may have: an object of another class, such as one that has
    a lifetime of its own."""
    from framework.connection import FIELDS, Connection

    if lifetime_of(value) is not None:
        return None
    if type(value) is Connection:
        return ["connection", {name: getattr(value, name) for name in ("conn_id", *FIELDS)}]
    return ["value", value] if _is_json(value) else None


def _is_json(value: object) -> bool:
    if type(value) is dict:
        return all(type(name) is str and _is_json(inner) for name, inner in value.items())
    if type(value) is list:
        return all(map(_is_json, value))
    return value is None or type(value) in (str, bool, int, float)


def _value(key: Key, plain: list[Any]) -> object:
    kind, value = plain
    if (kind == "connection") != (key[0] == "connection" and value is not None):
        raise ValueError("an entry of another kind")
    if kind != "connection":
        return value
    from framework.connection import Connection

    return Connection(**value)


def _json(value: object) -> str:
    import json

    return json.dumps(value, separators=(",", ":"))


KEY_OPTION = "[secrets] shared_cache_key"
MAKE_ONE = "Make one with: python -m framework fernet generate"

"""The rule by which every client of this folder logs in while a password is being rotated.

*Kept, last that worked, fresh, wait*: the connection that the application keeps; if the server refuses its login, the
one that worked last; if that is refused too, what the store has now, and other versions of it that the store may have
(a password that is set in the server before it is the current one); and then again, for a while. Of all the threads and
tasks of a process, one searches. The others wait for what it finds, and log in by themselves.

The rule is written once, as a generator of steps. `run` takes the steps in a thread, `arun` in a task.
"""

from __future__ import annotations

import os
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from framework import given, jitter
from framework.chain.level import refused
from framework.errors import BackendUnavailable, FrameworkError
from framework.integrations import application
from framework.locks import ProcessLock
from framework.logs import INFO, log
from framework.metastore.failures import explain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterator

    from framework.app import App
    from framework.connection import Connection

    #: What a step asks for, and what is sent back.
    Steps = Generator[tuple[str, Any], Any, Any]

Made = TypeVar("Made")

#: What a step asks for: a read (no older than this many seconds, None: as kept; of which other version, or None), an
#: attempt to log in, a pause.
READ, TRY, SLEEP = "read", "try", "sleep"

#: For how many seconds the searcher does not repeat a login that was refused.
_REFUSED = 1.0
#: The others leave it alone for twice as long each time, up to this.
_MOST_REFUSED = 30.0
#: How long the first pause of a search is, and the longest, in seconds.
_PAUSE, _MOST_PAUSE = 0.05, 0.5
#: How often a thread looks whether the searcher has found something, in seconds.
_LOOK = 0.02

#: What servers say of a login that they refuse: PostgreSQL's SQLSTATEs, the numbers of MySQL and MariaDB.
_SQLSTATES = frozenset(("28P01", "28000"))
_NUMBERS = frozenset((1045, 1698, 3118, 4151))


class Credentials:
    """A login and its password, as a `Connection` has them."""

    __slots__ = ("login", "password")

    def __init__(self, login: str | None, password: str | None) -> None:
        self.login, self.password = login, password


if TYPE_CHECKING:
    #: What may be tried: what a store has, or what an engine was made with.
    Candidate = Connection | Credentials


def is_refused(fault: BaseException) -> bool:
    """Whether a server refused the login; whatever else failed says nothing about the password."""
    number = fault.args[0] if fault.args else None
    if getattr(fault, "sqlstate", None) in _SQLSTATES or (isinstance(number, int) and number in _NUMBERS):
        return True
    cause: BaseException | None = fault
    while cause is not None:  # redis-py raises another error from it on a Unix socket
        if any(kind.__name__ == "AuthenticationError" for kind in type(cause).__mro__):  # of redis and valkey
            return True
        cause = cause.__cause__
    # psycopg has no SQLSTATE for it. The server closed the connection after it had asked for the password. It may have
    # had another reason, which only its text tells: no such database, too many connections.
    pgconn = getattr(fault, "pgconn", None)
    if pgconn is None or getattr(fault, "sqlstate", None) is not None or not pgconn.used_password:
        return False
    return explain(fault).kind in ("no login", "no answer")  # "no answer" if the text is in another language


class Login:
    """How one connection of an application logs in, in this process. See the module.

    Attributes:
        good: the connection with which the last login worked, or None.
        refused: how many logins were refused.
        searches: how often the store was searched for a login that works.
    """

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        self.good: Any = None
        self.refused = self.searches = 0
        self._good_at = 0.0
        self._bad: dict[tuple[str | None, str | None], tuple[float, int]] = {}  # when it was refused, and how often
        self._other: tuple[str | None, str | None] | None = None  # the login that another version had when it worked
        self._lock = ProcessLock()
        self._begin()

    def _begin(self) -> None:
        """In a new process, no search is under way."""
        self._pid, self._is_searched = os.getpid(), False
        self._tried: set[tuple[str | None, str | None]] = set()  # a login that is being tried for the first time

    def steps(self, timeout: float) -> Steps:
        """The steps of one login; returns what the attempt that worked gave.

        Args:
            timeout: seconds to search for a login that works.

        Raises:
            Exception: the server's last refusal, or any other error.
            SecretsError: the store failed, and no login is known that works.
        """
        began = monotonic()
        if self._pid != os.getpid():
            self._begin()
        while True:
            asked = monotonic()
            kept, _, fault = yield from self._read(None)
            self._forget_ended()
            for one in _unique(*self._in_order(kept)):
                if self._may_try(one):
                    try:
                        made, refusal = yield from self._try(one)
                    finally:
                        self._tried.discard((one.login, one.password))
                    if refusal is None:
                        return made
                    fault = refusal
            if kept is None and self.good is None:
                raise fault
            if self._begin_search():
                try:
                    if self._good_at <= asked:
                        return (yield from self._search(began, timeout))
                finally:
                    self._is_searched = False
            else:
                while self._is_searched and monotonic() - began < timeout:
                    yield SLEEP, _LOOK
            if monotonic() - began >= timeout:
                return (yield TRY, self.good or kept)  # so that the server itself says what is wrong

    def _search(self, began: float, timeout: float) -> Steps:
        self.searches += 1
        log(INFO, "connection %r: the server refuses the login, so the store is asked", self.conn_id)
        pause, last = _PAUSE, None
        while True:
            token = refused.set(self._is_bad)  # so that of a fleet with a shared cache one process asks the store
            try:
                fresh, others, fault = yield from self._read(0)
            finally:
                refused.reset(token)
            self._forget_ended()
            for one in _unique(fresh, self.good):
                last = one
                if self._may_try(one, searching=True):
                    made, refusal = yield from self._try(one)
                    if refusal is None:
                        return made
                    fault = refusal
            for other in others:
                one = yield from self._version(other)
                if one is not None and self._may_try(one, searching=True, is_other=True):
                    made, refusal = yield from self._try(one)
                    if refusal is None:
                        self._other = one.login, one.password
                        return made
                    fault = fault or refusal
            if monotonic() - began >= timeout:
                if fault is None:
                    return (yield TRY, last)
                raise fault
            yield SLEEP, jitter.from_half(pause)
            pause = min(2 * pause, _MOST_PAUSE)

    def _in_order(self, kept: Candidate | None) -> tuple[Candidate | None, Candidate | None]:
        """What is kept, then what worked last. The other way round if the kept one was refused and another version
        works, because the cache may have the refused one for long."""
        good = self.good
        is_ahead = good is not None and self._other == (good.login, good.password)
        return (good, kept) if is_ahead and self._is_bad(kept) else (kept, good)

    def _is_bad(self, one: Candidate | None) -> bool:
        """Whether the server has refused this login, or would: an absent connection is none."""
        return one is None or (one.login, one.password) in self._bad

    def last_good(self) -> Any:
        """The connection with which the last login worked; None if none did, or if its lease has ended."""
        self._forget_ended()
        return self.good

    def _forget_ended(self) -> None:
        """A login that was issued does not count after its lease, even if the server still accepts it."""
        lifetime = getattr(self.good, "lifetime", None)
        if lifetime is not None and lifetime.is_lease and not lifetime.is_current:
            self.good = None

    def _read(self, max_age: float | None) -> Steps:
        """The connection, its other versions and None; or None, no versions and the error of the store."""
        try:
            return *(yield READ, (max_age, None)), None
        except FrameworkError as fault:
            if self.good is None and not isinstance(fault, BackendUnavailable):
                raise
            return None, [], fault

    def _version(self, other: tuple[str, str]) -> Steps:
        """Another version of the connection; None if there is none, or if it cannot be read."""
        token = refused.set(self._is_bad)
        try:
            return (yield READ, (0, other))[0]
        except FrameworkError:  # a policy may allow the current version alone
            return None
        finally:
            refused.reset(token)

    def _try(self, one: Candidate) -> Steps:
        """What an attempt gave and None, or None and the refusal."""
        began = monotonic()
        try:
            made = yield TRY, one
        except Exception as fault:
            if not is_refused(fault):
                raise
            self.note_refusal(one)
            return None, fault
        self.note_success(one, began)
        return made, None

    def note_refusal(self, one: Candidate) -> None:
        """Note that the server refused this login."""
        now, pair = monotonic(), (one.login, one.password)
        with self._lock:
            self.refused += 1
            self._bad = {key: bad for key, bad in self._bad.items() if now - bad[0] < 2 * _MOST_REFUSED}
            self._bad[pair] = (now, self._bad.get(pair, (now, 0))[1] + 1)

    def note_success(self, one: Candidate, began: float) -> None:
        """Note that this login worked, with an attempt that began then."""
        with self._lock:
            self._bad.pop((one.login, one.password), None)
            if self.good is None or began >= self._good_at:
                self.good, self._good_at = one, monotonic()

    def _may_try(self, one: Candidate, *, searching: bool = False, is_other: bool = False) -> bool:
        """Whether to try a login: not if it was refused a moment ago, or if another thread tries it and one is known
        that works. Another version is left alone for longer and longer even by the searcher."""
        now, pair = monotonic(), (one.login, one.password)
        with self._lock:
            if pair not in self._bad:
                is_new = not searching and self.good is not None and pair != (self.good.login, self.good.password)
                if is_new and pair in self._tried:
                    return False
                if is_new:
                    self._tried.add(pair)
                return True
            when, times = self._bad[pair]
            wait = _REFUSED if searching and not is_other else min(_REFUSED * 2 ** (times - 1), _MOST_REFUSED)
            if now - when < wait:
                return False
            self._bad[pair] = now, times
            return True

    def _begin_search(self) -> bool:
        with self._lock:
            if self._is_searched:
                return False
            self._is_searched = True
            return True


def _unique(*candidates: Candidate | None) -> Iterator[Candidate]:
    """Those that are there, each pair of login and password once."""
    seen = set()
    for one in candidates:
        if one is not None and (pair := (one.login, one.password)) not in seen:
            seen.add(pair)
            yield one


_logins: WeakKeyDictionary[App, dict[str, Login]] = WeakKeyDictionary()


class Rotating:
    """A connection of an application for one client.

    Args:
        conn_id: its name.
        app: whose connection it is; None: the current application's.
        rotation_timeout: how many seconds to search for a login that works.

    Raises:
        InvalidArgument: one of them is of the wrong type.
    """

    def __init__(self, conn_id: str, app: App | None, rotation_timeout: float) -> None:
        self.conn_id = given.text(conn_id, "conn_id", 'For example "warehouse".')
        self.timeout = given.seconds(rotation_timeout, "rotation_timeout")
        self.app = application() if app is None else app
        self.login = _logins.setdefault(self.app, {}).setdefault(conn_id, Login(conn_id))

    def run(self, attempt: Callable[[Any], Made]) -> Made:
        """What the first attempt that works returns.

        Args:
            attempt: logs in with a connection; raises what the driver raises.
        """
        from time import sleep

        def step(what: str, of: Any) -> Any:
            if what == READ:
                return self.app.connection_and_others(self.conn_id, *of)
            return attempt(of) if what == TRY else sleep(of)

        made: Made = self._through(step)
        return made

    def run_in_greenlet(self, attempt: Callable[[Any], Made]) -> Made:
        """`run` inside one of SQLAlchemy's greenlets, without blocking the event loop."""
        import asyncio

        from sqlalchemy.util import await_only

        def step(what: str, of: Any) -> Any:
            if what == READ:
                return await_only(self.app.aconnection_and_others(self.conn_id, *of))
            return attempt(of) if what == TRY else await_only(asyncio.sleep(of))

        made: Made = self._through(step)
        return made

    def _through(self, step: Callable[[str, object], object]) -> Any:
        steps = self.login.steps(self.timeout)
        try:
            asked = next(steps)
            while True:
                try:
                    answer = step(*asked)
                except Exception as fault:
                    asked = steps.throw(fault)
                else:
                    asked = steps.send(answer)
        except StopIteration as end:
            return end.value
        finally:
            steps.close()

    async def arun(self, attempt: Callable[[Any], Awaitable[Made]]) -> Made:
        """`run` in a task."""
        import asyncio

        steps = self.login.steps(self.timeout)
        try:
            what, of = next(steps)
            while True:
                try:
                    if what == READ:
                        answer: Any = await self.app.aconnection_and_others(self.conn_id, *of)
                    else:
                        answer = await (attempt(of) if what == TRY else asyncio.sleep(of))
                except Exception as fault:
                    what, of = steps.throw(fault)
                else:
                    what, of = steps.send(answer)
        except StopIteration as end:
            made: Made = end.value
            return made
        finally:
            steps.close()


def driver_arguments(connection: Connection, driver: str) -> dict[str, Any]:
    """What a driver's own `connect` takes for a connection, by name."""
    from framework.dialects import url_and_arguments

    url, arguments = url_and_arguments(connection, driver)
    return {**url.get_dialect()().create_connect_args(url)[1], **arguments}

"""The Valkey or Redis server of the shared cache: one connection, no retries, and no question while it is down."""

from __future__ import annotations

import os
import re
from threading import Event
from time import monotonic

from framework import jitter
from framework.backends.remote import import_packages
from framework.chain.deadline import Threads
from framework.deadlines import Deadline, deadline
from framework.errors import BackendError, BackendUnavailable
from framework.locks import ProcessLock
from framework.logs import log_and_warn
from framework.masking import add_mask, safe_repr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar
    from urllib.parse import SplitResult

    from redis import Redis

    Answer = TypeVar("Answer")

#: What follows the name of an entry in the name of its lease.
LEASE = ":lease"
#: After how many failures in a row the server is left alone, and for about how many seconds.
_ENOUGH, _LEFT_ALONE = 2, 10.0
#: How many times the time-out all of it may take: to connect, to log in, and the commands.
_MOST_TIMES = 3
#: The longest lifetime of an entry, in seconds.
_LONGEST = 1e9
#: How often a lease is renewed in its time.
_RENEWALS = 3
#: What a URL may say after a question mark.
_PARAMETERS = ("db", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile")
_URL_OPTION = "[secrets] shared_cache_url"
#: What an answer of the server begins with that is an error.
_CODE = re.compile("[A-Z]{3,20}")


class Server:
    """A server, for all threads of a process. `with server:` keeps its connection until the last thread has left.

    Args:
        url: `redis://`, `rediss://` (TLS) or `unix://`, with user and password.
        seconds: how long to wait for an answer.

    Attributes:
        state: how the last commands went: `ok`, `unavailable` with the kind of the fault, or `not asked`.

    Raises:
        BackendError: the URL is not one, or the package `redis` is not installed.
    """

    __slots__ = (
        "state",
        *("_url", "_seconds", "_lock", "_pid", "_client", "_users"),
        *("_in_a_row", "_alone_until", "_warned", "_texts", "_threads"),
    )

    def __init__(self, url: str, seconds: float) -> None:
        check_url(url)
        import_packages({"redis": "redis"}, "shared-cache", _URL_OPTION)
        scheme, _, rest = url.partition("://")
        self._url, self._seconds = f"{scheme.lower()}://{rest}", seconds  # as redis reads it
        self._lock = ProcessLock()
        self._in_a_row, self._alone_until = 0, 0.0
        self._warned: set[str] = set()
        self._client: Redis | None = None
        self._texts: list[str] = []
        self._threads = Threads()
        self.state = "not asked"
        self._begin()

    def _begin(self) -> None:
        """A child of a fork has its own connection."""
        self._pid, self._client, self._users = os.getpid(), None, 0

    def __enter__(self) -> Server:
        with self._lock:
            if self._pid != os.getpid():
                self._begin()
            self._users += 1
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._client is not None:
                self._client.connection_pool.disconnect()  # ten thousand idle connections are too many
            texts, self._texts = self._texts, []
        for text in texts:
            log_and_warn(text)

    def run(self, commands: Callable[[Redis], Answer], sort: str = "write") -> Answer | None:
        """What commands return that are given the client; None: they failed, or the server is left alone.

        One thread at a time, so that a server that hangs costs a process two time-outs at most. There is no other
        warning until commands of the same sort have worked: a server that is full can be read.

        Args:
            sort: `read` or `write`.
        """
        with self._lock:
            if monotonic() < self._alone_until:
                return None
            try:
                answer = self._in_time(commands)
            except Exception as fault:  # redis, the network and foreign servers raise many kinds
                name = _kind_of(fault)
            else:
                self._in_a_row, self.state = 0, "ok"
                self._warned.discard(sort)
                return answer
            self._in_a_row, self.state = self._in_a_row + 1, f"unavailable ({name})"
            if self._in_a_row >= _ENOUGH:
                self._alone_until = monotonic() + _LEFT_ALONE / 2 + jitter.up_to(_LEFT_ALONE)
            if not self._warned & {"read", "write"}:
                text = f"the shared cache cannot be used ({name}). The stores are asked instead."
                self._texts.append(f"{_URL_OPTION}: {text}")
            self._warned.add(sort)
            return None

    def _in_time(self, commands: Callable[[Redis], Answer]) -> Answer:
        """What the commands return. Raises TimeoutError: they took too long in all.

        The time-out of a socket is for each piece of an answer, which a server may send byte by byte, and for each
        address of a host, but not for the look-up of these addresses.
        """
        client, most = self._opened(), _MOST_TIMES * self._seconds
        until = Deadline(monotonic() + most, most)
        token = deadline.set(until)
        try:
            return self._threads.ask("the shared cache", most, lambda: commands(client))
        except BackendUnavailable:
            self._client = None
            client.connection_pool.disconnect()  # so that the thread does not wait for ever
            raise TimeoutError from None
        finally:
            until.is_settled = True
            deadline.reset(token)

    def tried(self) -> str:
        """The state after a question that changes nothing."""
        with self:
            self.run(lambda client: client.mget(["framework:"]), "read")
        return self.state

    def release(self, names: list[str]) -> None:
        """Give back the leases of entries."""
        if names:
            self.run(lambda client: client.delete(*(name + LEASE for name in names)))

    def renew(self, leases: dict[str, bytes], seconds: float) -> None:
        """Let leases that have not expired last for so many seconds from now on."""

        def commands(client: Redis) -> bool:
            with client.pipeline(transaction=False) as pipe:
                for name, content in leases.items():
                    pipe.set(name, content, xx=True, px=milliseconds(seconds))
                pipe.execute()
            return True

        with self:
            self.run(commands)

    def doubt(self, text: str) -> None:
        """Warn of an entry, once in a process."""
        with self._lock:
            if "entry" not in self._warned:
                self._warned.add("entry")
                self._texts.append(f"{_URL_OPTION}: {text}")

    def _opened(self) -> Redis:
        if self._client is None:
            from redis import Redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry

            more: dict[str, Any] = {"socket_timeout": self._seconds, "socket_connect_timeout": self._seconds}
            more |= {"retry": Retry(NoBackoff(), 0), "retry_on_error": [], "health_check_interval": 0, "protocol": 2}
            self._client = Redis.from_url(self._url, **more)
        return self._client

    @safe_repr
    def __repr__(self) -> str:
        return "<Server of the shared cache>"


class Renewing:
    """`with` it, leases are renewed in a thread: their holder is alive, even if it is short of CPU time.

    Args:
        leases: name -> content.
        seconds: how long a lease lasts.
        most: after so many seconds they are left to expire, because the holder may never get an answer.
    """

    __slots__ = ("_server", "_leases", "_seconds", "_ends", "_lock", "_over")

    def __init__(self, server: Server, leases: dict[str, bytes], seconds: float, most: float) -> None:
        self._server, self._leases, self._seconds, self._ends = server, leases, seconds, monotonic() + most
        self._lock, self._over = ProcessLock(), Event()

    def __enter__(self) -> None:
        from framework.chain.runner import start_thread

        try:
            start_thread(self._work)
        except RuntimeError:  # there are too many threads, or the process ends: the lease is not renewed
            pass

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._over.set()

    def _work(self) -> None:
        while not self._over.wait(self._seconds / _RENEWALS):
            with self._lock:
                left = self._ends - monotonic()
                if self._over.is_set() or left <= 0:
                    return
                self._server.renew(self._leases, min(self._seconds, left))


def milliseconds(seconds: float) -> int:
    """For a lifetime on the server, which takes no more than a number of 64 bits."""
    return max(1, int(min(seconds, _LONGEST) * 1000))


def _kind_of(fault: BaseException) -> str:
    """The class of an exception, and the code of a server's answer that has no class of its own. It holds no secret.

    The exception that others were raised for says more than `ConnectionError`.
    """
    name = type(fault).__name__
    inner = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)
    if inner is not None and name in ("ConnectionError", "TimeoutError"):
        return _kind_of(inner)
    code = str(fault).rpartition("caused error: ")[2].partition(" ")[0]  # redis adds the command to it
    return f"{name}: {code}" if name == "ResponseError" and _CODE.fullmatch(code) else name


def check_url(url: str) -> None:
    """Check `[secrets] shared_cache_url`; its password is masked from now on.

    Raises:
        BackendError: it cannot be the URL of a server.
    """
    from urllib.parse import parse_qsl, unquote, urlsplit

    what, hint = "", "Write redis://USER:PASSWORD@HOST:6379/0, rediss://… for TLS, or unix:///PATH."
    try:
        parts = urlsplit(url)
        password, host, database = parts.password, parts.hostname or "", parts.path.strip("/")
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("redis", "rediss", "unix"):
        what = "it is not a URL of redis://, rediss:// or unix://"
    else:
        if password:
            add_mask(unquote(password))
        if parts.scheme == "unix" and not parts.path:
            what = "it has no socket path"
        elif parts.scheme != "unix" and (not host or any(map(str.isspace, host))):
            what = "its host is not a name or an address" if host else "it has no host"
        elif parts.scheme != "unix" and not _is_port(parts):
            what = "the port after the host is not a number up to 65535"
        elif parts.scheme != "unix" and database and not _is_number(database):
            what = "the database after the host is not a number"
        elif unknown := [name for name in given if name not in _PARAMETERS]:
            what, hint = f"it has the parameter {unknown[0]!r}", f"It may have {', '.join(_PARAMETERS)}."
        elif not _is_number(given.get("db", "0")):
            what = "its parameter db is not a number"
        elif parts.scheme != "rediss" and (of_tls := [name for name in given if name != "db"]):
            what = f"its parameter {of_tls[0]} is for rediss:// only"
        elif missing := [name for name, path in given.items() if name != "db" and not os.path.exists(path)]:
            what, hint = f"the file of its parameter {missing[0]} does not exist", "Correct the path."
    if what:
        raise BackendError(what, where=_URL_OPTION, hint=hint)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False

"""One client and one login in each process, and what else stores on other machines need for them."""

from __future__ import annotations

import os
from time import monotonic

from framework.errors import AccessDenied, BackendError, FrameworkError
from framework.files import trust
from framework.files.text import read_bytes
from framework.locks import ProcessLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

#: For so many seconds a login that was refused is not tried again.
REFUSED_FOR = 1.0


class OnePerProcess:
    """A client that is made once in each process, by whoever asks first; a forked child makes its own.

    Args:
        make: makes the client; what it raises goes to all who waited for it, and the next one tries again.
    """

    __slots__ = ("_make", "_clients", "_failure", "_failed_at", "_lock")

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._failure, self._failed_at = FrameworkError(""), 0.0
        self._clients: dict[int, Any] = {}  # that of the parent stays: gRPC may hang in a child that closes it
        self._lock = ProcessLock()

    def get(self) -> Any:
        """The client of this process."""
        pid, asked = os.getpid(), monotonic()
        client = self._clients.get(pid)
        if client is None:
            with self._lock:
                client = self._clients.get(pid)
                if client is None and self._failed_at >= asked:  # while this thread waited for its turn
                    raise self._failure.again()
                if client is None:
                    try:
                        client = self._clients[pid] = self._make()
                    except FrameworkError as failure:
                        self._failure, self._failed_at = failure.again(), monotonic()
                        raise
        return client

    def is_inherited(self) -> bool:
        """Whether a client was at work before this process was forked."""
        return any(pid != os.getpid() for pid in self._clients)

    def ask(
        self, question: Callable[[Any], Any], is_outdated: Callable[[Exception], bool]
    ) -> tuple[Any, Exception | None]:
        """What the client answers, or what it raises; asked once more of a new client if this one is outdated.

        Raises:
            FrameworkError: what is one of ours already.
        """
        for first in (True, False):
            client = self.get()
            try:
                return question(client), None
            except FrameworkError:
                raise
            except Exception as error:
                fault = error
            if not (first and is_outdated(fault)):
                break
            self.drop(client)
        return None, fault

    def drop(self, client: Any) -> None:
        """Have the next one ask for a new client, unless somebody already did."""
        with self._lock:
            if self._clients.get(os.getpid()) is client:
                del self._clients[os.getpid()]


class Login:
    """One login for all threads of a process: one of them fetches the token, and again before it ends.

    Args:
        fetch: logs in; the token, and for how many seconds it is good.
        early: so many seconds before its end it is fetched again.
    """

    __slots__ = ("_fetch", "_early", "_token", "_until", "_failure", "_failed_at", "_lock")

    def __init__(self, fetch: Callable[[], tuple[Any, float]], early: float = 0.0) -> None:
        self._fetch, self._early = fetch, early
        self._token: Any = None
        self._until = self._failed_at = 0.0
        self._failure = FrameworkError("")
        self._lock = ProcessLock()

    def token(self, refused: Any = None) -> Any:
        """A token that is good, and is not the one that the store has just refused.

        Raises:
            AccessDenied: the login is refused. It is not tried again within a second: stores lock out who fails again
                and again, and each of many threads would.
            BackendUnavailable: who gives the token does not answer; all threads that waited for it are told.
        """
        asked = monotonic()
        with self._lock:
            if self._token is not None and self._token != refused and monotonic() < self._until:
                return self._token
            is_refused = isinstance(self._failure, AccessDenied) and monotonic() - self._failed_at < REFUSED_FOR
            if is_refused or self._failed_at >= asked:
                raise self._failure.again()
            self._token = None
            try:
                self._token, lasts = self._fetch()
            except FrameworkError as failure:
                self._failure, self._failed_at = failure.again(), monotonic()
                raise
            self._until = monotonic() + max(lasts - self._early, 1.0)
            return self._token

    def __repr__(self) -> str:
        return "<Login>"


def shown_path(path: str, kwarg: str) -> str:
    """A path as messages may name it; what is not spelt like one may be the secret itself, and goes by its kwarg."""
    is_path = "/" in path or path.lower().endswith((".json", ".txt", ".pem", ".key", ".token", ".jwt"))
    return path if is_path and len(path) < 300 and path.isprintable() and "{" not in path else f"the kwarg {kwarg}"


def read_secret_text(path: str, directory: str, kwarg: str) -> str:
    """The text of a file that a kwarg names: a key, a token.

    Args:
        path, kwarg: the path, and the kwarg that names it.
        directory: where a relative path starts; the file is trusted as that is.

    Raises:
        BackendError: others may have made the file.
        OSError: it cannot be read, is no regular file or too large.
        UnicodeDecodeError: it is not text.
    """
    try:
        return read_bytes(trust.inside(directory, os.path.expanduser(path)))[0].decode()
    except trust.Untrusted as doubt:
        refusal = _refusal(doubt, path, kwarg)
    raise refusal


def file_for_the_client(path: str, directory: str, kwarg: str) -> str:
    """The path of a file that the client opens itself, such as a certificate. If it is missing, the client says so.

    Args, Raises: as `read_secret_text`.
    """
    path = trust.inside(directory, os.path.expanduser(path))
    try:
        return trust.check(path)
    except trust.Untrusted as doubt:
        refusal = _refusal(doubt, path, kwarg)
    except OSError:
        return path
    raise refusal


def _refusal(doubt: trust.Untrusted, path: str, kwarg: str) -> BackendError:
    return BackendError(doubt.what, where=f"{kwarg} ({shown_path(path, kwarg)})", hint=doubt.hint)


def retrying(**limits: Any) -> Any:
    """urllib3's `Retry` with these limits, which does not ask a server again that took all of its time: nobody waits
    twice."""
    from urllib3 import Retry
    from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ReadTimeoutError

    class Once(Retry):
        def increment(self, method: Any = None, url: Any = None, *args: Any, **said: Any) -> Any:
            error = said.get("error")
            is_late = isinstance(error, (ConnectTimeoutError, ReadTimeoutError))
            if is_late and not isinstance(error, NewConnectionError):  # which is no time-out, but a refusal
                raise MaxRetryError(said["_pool"], url, error)
            return super().increment(method, url, *args, **said)

    return Once(**limits)


def patiently(call: Callable[[], Any], wait: Callable[[Exception], float | None], pauses: Iterable[float]) -> Any:
    """What a call returns, made again after each of the pauses while it fails by something that passes.

    Args:
        wait: how many seconds the store asks to wait, at least; None: it is no use to call again.
        pauses: seconds.
    """
    from time import sleep

    for pause in pauses:
        try:
            return call()
        except Exception as fault:
            longer = wait(fault)
            if longer is None:
                raise
        sleep(max(pause, longer))
    return call()

"""One client and one login in each process."""

from __future__ import annotations

import os
from time import monotonic

from framework.errors import AccessDenied, FrameworkError
from framework.locks import ProcessLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeVar

    Result = TypeVar("Result")

#: Seconds before a refused login is tried again.
REFUSED_FOR = 1.0


class OnePerProcess:
    """A client that is made once in each process, by the thread that asks first; a forked child makes its own.

    Args:
        make: makes the client. An error goes to all threads that waited for it; the next call tries again.
    """

    __slots__ = ("_make", "_clients", "_failure", "_failed_at", "_lock")

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._failure, self._failed_at = FrameworkError(""), 0.0
        self._clients: dict[int, Any] = {}  # the parent's is kept: gRPC may hang in a child that closes it
        self._lock = ProcessLock()

    def get(self) -> Any:
        """The client of this process."""
        pid, asked = os.getpid(), monotonic()
        client = self._clients.get(pid)
        if client is None:
            with self._lock:
                client = self._clients.get(pid)
                if client is None and self._failed_at >= asked:  # while this thread waited
                    raise self._failure.again()
                if client is None:
                    try:
                        client = self._clients[pid] = self._make()
                    except FrameworkError as failure:
                        self._failure, self._failed_at = failure.again(), monotonic()
                        raise
        return client

    def is_inherited(self) -> bool:
        """Whether a client was in use before this process was forked."""
        return any(pid != os.getpid() for pid in self._clients)

    def ask(
        self, question: Callable[[Any], Result], is_outdated: Callable[[Exception], bool]
    ) -> tuple[Result | None, Exception | None]:
        """The answer and None, or None and the exception. An outdated client is replaced once, and asked again.

        Raises:
            FrameworkError: the question raised one of our own errors.
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

    def drop(self, client: object) -> None:
        """Forget a client, unless another thread has replaced it."""
        with self._lock:
            if self._clients.get(os.getpid()) is client:
                del self._clients[os.getpid()]


class Login:
    """One login for all threads of a process: one thread fetches the token, and again before it expires.

    Args:
        fetch: logs in; returns the token and its lifetime in seconds.
        early: how many seconds before its end a token is replaced.
        least: for how many seconds it is used in any case.
    """

    __slots__ = ("_fetch", "_early", "_least", "_token", "_until", "_failure", "_failed_at", "_lock")

    def __init__(self, fetch: Callable[[], tuple[Any, float]], early: float = 0.0, least: float = 1.0) -> None:
        self._fetch, self._early, self._least = fetch, early, least
        self._token: Any = None
        self._until = self._failed_at = 0.0
        self._failure = FrameworkError("")
        self._lock = ProcessLock()

    def token(self, refused: Any = None) -> Any:
        """A valid token.

        Args:
            refused: a token that the store has just refused, which is not returned again.

        Raises:
            AccessDenied: the login is refused. It is not repeated within a second, because stores lock out clients that
                fail again and again.
            BackendUnavailable: the login service does not answer. All threads that waited get this error.
        """
        asked, token = monotonic(), self._token
        if token is not None and token != refused and asked < self._until:
            return token
        with self._lock:
            if self._token is not None and self._token != refused and monotonic() < self._until:
                return self._token
            is_refused = isinstance(self._failure, AccessDenied) and monotonic() - self._failed_at < REFUSED_FOR
            if is_refused or self._failed_at >= asked:
                raise self._failure.again()
            self._token = None
            try:
                token, lifetime = self._fetch()
            except FrameworkError as failure:
                self._failure, self._failed_at = failure.again(), monotonic()
                raise
            self._until = monotonic() + max(lifetime - self._early, self._least)
            self._token = token
            return token

    def __repr__(self) -> str:
        return "<Login>"


def read_claims(token: str) -> dict[str, object]:
    """What a JWT says of its holder, unchecked: the store checks it. Empty if it is not one."""
    import json
    from base64 import urlsafe_b64decode

    try:
        payload = token.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def causes(fault: BaseException | None) -> Iterator[BaseException]:
    """An exception and those that led to it: libraries hide what happened several layers down."""
    while fault is not None:
        yield fault
        inner = (part for part in fault.args if isinstance(part, BaseException))
        fault = fault.__cause__ or next(inner, None) or fault.__context__

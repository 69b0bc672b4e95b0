"""The leases of a process: one for each role, renewed in the background, issued again when that does not help.

A lease belongs to the token that it was issued to, and to the process that logged in. A forked child has leases of its
own. At the end of the process the tokens of its logins are revoked, and their leases with them.
"""

from __future__ import annotations

import os
from time import monotonic

from framework.errors import AccessDenied, FrameworkError
from framework.lifetime import Lifetime, at_exit
from framework.locks import ProcessLock
from framework.logs import INFO, WARNING, log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from framework.repeated import Repeated

    class Server(Protocol):
        """Who issues and renews: a backend."""

        def issue(self, path: str) -> Lease | None: ...
        def renew(self, lease: Lease) -> float: ...
        def revoke(self, tokens: Iterable[str]) -> None: ...


#: A lease that was issued or renewed within this many seconds needs no other proof that it exists.
_PROVEN_FOR = 1.0
#: How long to wait before a renewal is tried again that failed, at least and at most, in seconds.
_PAUSES = (0.5, 30.0)


class Lease:
    """Credentials, and how long they are good.

    Attributes:
        fields: what was issued: `username`, `password`.
        id: the server's name of it.
        token: what it was issued to.
        seconds: how long it was good when it was issued.
        lifetime: how long it is good, as the caches know it.
        proven: when the server last said that it is there, on the monotonic clock.
    """

    __slots__ = ("fields", "id", "token", "seconds", "lifetime", "proven")

    def __init__(
        self, fields: dict[str, object], lease_id: str, token: str, seconds: float, left: float, asked: float
    ) -> None:
        self.fields, self.id, self.token, self.seconds, self.proven = fields, lease_id, token, seconds, asked
        self.lifetime = Lifetime(min(seconds, left), asked, is_lease=True)

    def __repr__(self) -> str:
        return "<Lease>"


class Leases:
    """The leases of one login to one server.

    Attributes:
        server: who is asked. After a reload it is the backend of the new chain; the leases go on.
        issued: how many were issued in this process.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self._lock, self._locks = ProcessLock(), dict[str, ProcessLock]()
        self._background: Repeated | None = None
        self._begin()

    def _begin(self) -> None:
        self._pid, self.issued = os.getpid(), 0
        self._held: dict[str, Lease] = {}
        self._tokens: set[str] = set()

    def _mine(self) -> dict[str, Lease]:
        """The leases of this process."""
        if self._pid != os.getpid():
            with self._lock:
                if self._pid != os.getpid():
                    self._begin()
        return self._held

    def current(self, path: str) -> Lease | None:
        """The lease of a role, issued if there is none; None: there is no such role.

        Raises:
            SecretsError: it cannot be issued.
            IssuedOnUse: it is read only to be shown.
        """
        held = self._mine().get(path)
        if held is not None and held.lifetime.is_current:
            return held
        with self._lock_of(path):
            held = self._mine().get(path)
            if held is not None and held.lifetime.is_current:
                return held
            return self._issue(path)

    def prove(self, path: str) -> None:
        """Renew the lease of a role, or issue a new one: the server may have revoked it. While the server cannot be
        asked, it stays as it is."""
        with self._lock_of(path):
            held = self._mine().get(path)
            if held is None or not held.lifetime.is_current or monotonic() - held.proven < _PROVEN_FOR:
                return
            asked = monotonic()
            try:
                granted = self.server.renew(held)
            except AccessDenied:  # the policy does not allow it
                granted = 0.0
            except FrameworkError as fault:
                self._wait(held, fault)
                return
            if not granted:
                self._replace(path, held)
            elif granted < held.seconds / 2:  # its maximum is near: it ends soon
                held.lifetime.extend(min(granted, held.lifetime.ends - asked), asked)
                self._replace(path, held)
            else:
                held.proven = asked
                log(INFO, "vault: the lease of %s was renewed", path)

    def _replace(self, path: str, held: Lease) -> None:
        try:
            self._issue(path)
        except FrameworkError as fault:
            self._wait(held, fault)

    def _wait(self, held: Lease, fault: FrameworkError) -> None:
        """Use a lease for as long as it lasts, and try again before."""
        now = monotonic()
        least, most = _PAUSES
        held.lifetime.due = now + max(least, min((held.lifetime.ends - now) / 4, most))
        log(WARNING, "vault: a lease cannot be renewed, and is used while it lasts: %s", fault)

    def _issue(self, path: str) -> Lease | None:
        lease, held = self.server.issue(path), self._mine()
        if lease is None:
            return None
        with self._lock:
            before = held.get(path)
            held[path] = lease
            self.issued += 1
            self._tokens.add(lease.token)
        if before is not None:
            from framework.repeated import wake_all

            before.lifetime.end()
            wake_all()  # options that hold it are due now
        log(INFO, "vault: credentials of %s were issued", path)
        at_exit.add(revoke_all)
        self._follow()
        return lease

    def _lock_of(self, path: str) -> ProcessLock:
        return self._locks.setdefault(path, ProcessLock())

    # In the background

    def _follow(self) -> None:
        """Renew in the background from now on."""
        if self._background is None:
            from framework.repeated import Repeated

            self._background = Repeated(self, Leases._pause, Leases._renew)
        self._background.start()
        self._background.wake()  # this one may be due before the others

    def _pause(self) -> float:
        """Seconds to the next renewal; 0: there is nothing to renew."""
        due = [lease.lifetime.due for lease in list(self._mine().values())]
        return max(0.1, min(due) - monotonic()) if due else 0.0

    def _renew(self) -> None:
        for path, lease in list(self._mine().items()):
            if not lease.lifetime.is_current:
                with self._lock:
                    if self._held.get(path) is lease:
                        del self._held[path]  # the next reader gets another one
            elif lease.lifetime.due - monotonic() <= 0.2 * lease.seconds:
                self.prove(path)

    def revoke(self) -> None:
        """End everything that was issued to this process."""
        if self._pid == os.getpid() and self._tokens:
            tokens, held = self._tokens, self._held
            self._begin()
            self.server.revoke(tokens)
            for lease in held.values():
                lease.lifetime.end()
            if self._background is not None:
                self._background.wake()  # there is nothing to renew


def leases_of(server: Server, identity: object) -> Leases:
    """The leases of a server, shared by all backends of this process that are configured alike."""
    with _lock:
        known = _all.setdefault(identity, Leases(server))
        known.server = server
        return known


def revoke_all() -> None:
    """End everything that was issued to this process by any server."""
    for leases in list(_all.values()):
        leases.revoke()


_all: dict[object, Leases] = {}
_lock = ProcessLock()

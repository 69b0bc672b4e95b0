"""Connections whose password is a token that a cloud's identity service vouches for, and that is good for minutes."""

from __future__ import annotations

from time import monotonic

from framework.backends.issued import connection_of, issued, table_of
from framework.backends.remote import RemoteBackend
from framework.errors import BackendError
from framework.lifetime import Lifetime, refuse_if_looking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from framework.connection import Connection

#: How many seconds before its end a token is no longer used, because clocks differ and a login takes time.
_EARLY = 60.0


#: Option of a driver -> what it must not be, because a token could then be sent without TLS.
_PLAIN = {
    "sslmode": ("disable", "allow", "prefer"),
    "ssl_mode": ("disabled", "preferred"),
    "ssl_disabled": ("true", "1", "yes"),
    "ssl": ("false", "0", "no", "disable", "allow", "prefer"),
}


class TokensBackend(RemoteBackend):
    """Connections whose password is a token. A database checks it at the login: a connection that is open
    stays open when the token ends.

    A subclass writes `token`.

    Args:
        connections: name of a connection -> the connection without its password: a URI or fields.
        **names: the kwargs of the cloud's backends.

    Raises:
        BackendError: a connection has no login or no host, or has a password.
    """

    shares = False
    batch_size = 1
    switches = {"connection": "connections"}

    def __init__(self, connections: dict[str, Any] | None = None, **names: Any) -> None:
        super().__init__(**names)
        self._connections = {
            name: self._connection(conn, f"connections: {name!r}")
            for name, conn in table_of(connections or {}, "connections").items()
        }

    def token(self, client: Any, connection: Connection) -> tuple[str, float]:
        """The password, and for how many seconds the database accepts it.

        It may raise what the library raises; see `faults`.
        """
        raise NotImplementedError

    def _connection(self, conn: object, kwarg: str) -> Connection:
        made = connection_of(conn, kwarg, needs_login=True)
        if not made.host or "," in made.host:
            what = f"{kwarg}: it has {'several hosts' if made.host else 'no host'}"
            raise self.misconfigured(what, "Write the address of one database.")
        _demand_tls(made, kwarg)
        return made

    def asks_for(self, kind: str, name: str) -> bool:
        return kind == "connection" and name in self._connections

    def list_names(self, kind: str) -> list[str]:
        """The names in `connections`. No store is asked."""
        return list(self._connections) if kind == "connection" else []

    def _get(self, kind: str, secret_id: str, version: str | None = None, team: str | None = None) -> str | None:
        """A connection as JSON.

        Raises:
            AccessDenied: there are no credentials, or they are not accepted.
            BackendUnavailable: their issuer does not answer.
            IssuedOnUse: it is read only to be shown.
        """
        if not self.asks_for(kind, secret_id):
            return None
        refuse_if_looking("its password", self.where(secret_id))
        connection, asked = self._connections[secret_id], monotonic()
        found = self.ask(lambda client: self.token(client, connection), secret_id)
        return None if found is None else issued(connection, None, found[0], Lifetime(found[1] - _EARLY, asked))


def _demand_tls(made: Connection, kwarg: str) -> None:
    """Refuse a connection that may go without TLS. PostgreSQL's drivers would fall back, so they get `sslmode`."""
    options = made.extra_dejson
    for name, value in options.items():
        if str(value).lower() in _PLAIN.get(name.lower(), ()):
            what = f"{kwarg}: {name} allows a connection without TLS, and the token would be readable"
            raise BackendError(what, hint="Require TLS, for example with sslmode=verify-full.")
    if made.conn_type in ("postgres", "postgresql") and not {"sslmode", "ssl"} & set(options):
        import json

        made.extra = json.dumps({**options, "sslmode": "require"})

"""Connects for real, and reports what happened: by the service's own protocol where it is known, else by TCP and TLS.

No message of a server or driver is shown, for it may repeat the password: faults are described in our own words.
"""

from __future__ import annotations

from time import perf_counter

from framework.connection import shown_host
from framework.masking.wording import redact_message
from framework.probing import protocols
from framework.probing.tcp import Failed, connect, reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from framework.connection import Connection

#: conn_type -> the port, where the connection names none. What `protocols` does not speak is knocked at.
# fmt: off
_PORTS = {
    "postgres": 5432, "redshift": 5439, "mysql": 3306, "mariadb": 3306, "redis": 6379, "valkey": 6379, "http": 80,
    "https": 443, "smtp": 25, "ssh": 22, "sftp": 22, "ftp": 21, "imap": 143, "ldap": 389, "ldaps": 636, "mongo": 27017,
    "cassandra": 9042, "elasticsearch": 9200, "kafka": 9092, "amqp": 5672, "rabbitmq": 5672, "mssql": 1433,
    "oracle": 1521, "trino": 8080, "presto": 8080, "hiveserver2": 10000, "hive_cli": 10000, "clickhouse": 9000,
    "vertica": 5433, "neo4j": 7687, "etcd": 2379, "vault": 8200, "samba": 445,
}
# fmt: on
#: Ports that expect TLS from the first byte.
_TLS_PORTS = {443, 465, 636, 853, 989, 990, 993, 995, 5671, 6380, 6443, 8443, 8883, 9243}


class Step:
    """One thing that was tried.

    Attributes:
        name: what it is called: `tcp`, `tls`, `postgres`.
        ok: whether it worked.
        result: what happened.
        ms: how long it took.
    """

    __slots__ = ("name", "ok", "result", "ms")

    def __init__(self, name: str, ok: bool, result: str, ms: float) -> None:
        self.name, self.ok, self.result, self.ms = name, ok, redact_message(result), round(ms, 1)

    def row(self) -> dict[str, object]:
        return {"step": self.name, "ok": self.ok, "result": self.result, "ms": self.ms}


def probe(connection: Connection, timeout: float) -> list[Step]:
    """Try the connection, step by step up to the first that fails.

    Args:
        connection: which one.
        timeout: seconds for each step.
    """
    return list(steps(connection, timeout))


def steps(connection: Connection, timeout: float) -> Iterator[Step]:
    """The same, each step as soon as it is done."""
    for name, act in _steps(connection, timeout):
        start, failure = perf_counter(), ""
        try:
            result = act()
        except Failed as fault:
            failure = str(fault)
        except Exception as fault:  # a driver's: its text may hold a secret
            failure = reason(fault, timeout)
        yield Step(name, not failure, failure or result, (perf_counter() - start) * 1000)
        if failure:
            return


def _steps(connection: Connection, timeout: float) -> Iterator[tuple[str, Callable[[], str]]]:
    kind = connection.conn_type or ""
    kind = {"valkey": "redis", "mariadb": "mysql", "https": "http"}.get(kind, kind)
    if kind == "sqlite":
        yield "sqlite", lambda: protocols.sqlite(connection, timeout)
        return
    host, port, tls = _place(connection)
    if not host or not port:
        missing = "no host" if not host else "no port is given, and its type has no default port"
        raise_it = f"it has {missing}: there is nothing to try"
        yield "tcp", lambda: _raise(raise_it)
        return
    if kind in ("postgres", "mysql") and host.startswith("/"):
        yield kind, lambda: getattr(protocols, kind)(connection, host, port, timeout)
        return
    yield "tcp", lambda: _knock(host, port, timeout)
    if kind in ("postgres", "mysql"):
        yield kind, lambda: getattr(protocols, kind)(connection, host, port, timeout)
    elif kind in ("redis", "http", "smtp"):
        yield kind, lambda: getattr(protocols, kind)(connection, host, port, tls, timeout)
    elif kind in ("ssh", "sftp"):
        yield "ssh", lambda: protocols.ssh(host, port, timeout)
    elif tls:
        yield "tls", lambda: protocols.tls(host, port, timeout)


def _place(connection: Connection) -> tuple[str, int, bool]:
    """Host and port, and whether TLS is spoken there from the first byte."""
    from urllib.parse import urlsplit

    host, kind = connection.host or "", connection.conn_type or ""
    extra = connection.extra_dejson
    scheme, port = "", connection.port
    if "://" in host:
        try:
            url = urlsplit(host)
            scheme, host, port = url.scheme, url.hostname or "", port or url.port
        except ValueError:
            host = ""
    else:
        host = shown_host(host)  # a name with a password in it is not shown
    scheme = scheme or (connection.schema or "" if kind == "http" else "") or kind
    port = port or _PORTS.get(scheme) or _PORTS.get(kind) or 0
    secure = scheme in ("https", "ldaps", "rediss") or port in _TLS_PORTS
    if kind in ("redis", "valkey"):
        secure = secure or bool(extra.get("ssl"))
    if kind == "smtp":  # Airflow's smtp connections use TLS unless it is switched off
        secure = port == 465 or extra.get("disable_ssl") is False
    return host, port, secure


def _raise(what: str) -> str:
    raise Failed(what)


def _knock(host: str, port: int, timeout: float) -> str:
    with connect(host, port, timeout) as opened:
        address = opened.getpeername()[0]
    return f"connected to {host}:{port}" + (f" ({address})" if address != host else "")

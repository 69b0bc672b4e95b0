"""Opens databases: SQLite through Python's own driver, all others through SQLAlchemy."""

from __future__ import annotations

import os

from framework import errors
from framework.files import trust
from framework.metastore.base import OPTION, Database, Transaction, quoted
from framework.metastore.sqlite import SQLite

__all__ = ["OPTION", "Database", "SQLite", "Transaction", "open", "quoted"]

#: The schemes of the servers in a URL. Many providers write `postgres`.
SERVERS = ("postgresql", "postgres", "cockroachdb", "mysql", "mariadb")
_WRITE = "Write sqlite:////absolute/path.db: three slashes, then the path."


def open(
    url: str,
    timeout: float = 30.0,
    *,
    create: bool = True,
    like: str = "",
    failover: float = 0.0,
    wants: str = "read-write",
    option: str = OPTION,
) -> Database:
    """The database that a URL names. Opening it touches nothing.

    Args:
        url: `sqlite:///relative`, `sqlite:////absolute`, or SQLAlchemy's URL of a PostgreSQL, MySQL or MariaDB.
        timeout: seconds to wait for a lock or a server.
        create: our tables may be created in an empty database (not with Airflow's schema).
        like: the home; a SQLite file inside it is trusted as it is.
        failover: seconds for which an outage of a server is waited for.
        wants: which of several hosts to use, in the words of libpq's `target_session_attrs`.
        option: the option that the URL is from, for messages.

    Raises:
        BackendError: the URL names no file, or a database that is not supported.
    """
    scheme, _, rest = url.partition("://")
    if scheme.partition("+")[0] in SERVERS:
        _refuse_unencoded(rest, option)
        from framework.metastore.servers import Server

        return Server(url, timeout, create=create, failover=failover, wants=wants, option=option)
    if scheme not in ("sqlite", "sqlite+pysqlite"):
        raise errors.BackendError(
            "the URL is not for SQLite, PostgreSQL, MySQL or MariaDB",
            where=option,
            hint="Write sqlite:////absolute/path.db, postgresql://user@host/name or mysql://user@host/name.",
        )
    # The options after "?" are for SQLAlchemy's driver, which is not used here.
    path = rest.partition("?")[0][1:] if rest.startswith("/") else ""
    if not path or "\0" in path or path.startswith((":memory:", "file:")):
        raise errors.BackendError("the URL names no file", where=option, hint=_WRITE)
    if like and path.startswith(f"{like}/"):
        path = trust.with_trust_of(like, path)
    elif like and not os.path.isabs(path):  # it starts at the working directory
        path = trust.found(path)
    return SQLite(path, timeout, create=create)


def _refuse_unencoded(rest: str, option: str) -> None:
    """Refuse a login or password with a character that ends it in a URL: the rest would become the host."""
    place, _, after = rest.partition("/")
    mark, code = "", ""
    if place.count("@") > 1:
        mark, code = "@", "%40"
    elif "@" not in place and "@" in after.partition("?")[0] and not place.rpartition(":")[2].isdecimal():
        mark, code = "/", "%2F"
    if mark:
        what = f"the login or the password in the URL holds a {mark!r} that is not encoded"
        once = " Write login and password once, before the first host." if mark == "@" and "," in place else ""
        raise errors.BackendError(what, where=option, hint=f"Write {code} for it.{once}")

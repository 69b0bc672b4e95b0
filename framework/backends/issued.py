"""Connections whose login or password is issued by a store: the rest of each is in the kwargs."""

from __future__ import annotations

from framework import given
from framework.connection import Connection
from framework.errors import BackendError, InvalidConnection
from framework.lifetime import Expiring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from framework.lifetime import Lifetime


#: Options of a connection that a driver would take for its login or password.
_CREDENTIALS = {"user": "login", "username": "login", "password": "password", "passwd": "password", "pwd": "password"}


def connection_of(conn: object, kwarg: str, *, needs_login: bool = False) -> Connection:
    """What a kwarg says of a connection: everything but what is issued.

    Args:
        conn: a URI, JSON, or a dictionary of fields.
        kwarg: its place, for messages.
        needs_login: whether the kwarg has the login, and only the password is issued.

    Raises:
        BackendError: it is not a connection, or has what is issued.
    """
    import json

    if isinstance(conn, dict):
        conn = json.dumps(conn)
    what, hint = "it is neither a URI nor fields of a connection", 'For example "postgres://db:5432/books".'
    if isinstance(conn, str) and conn:
        try:
            made = Connection.from_text(conn)
        except InvalidConnection as fault:
            what = fault.what
        else:
            if not made.conn_type:
                what = "it has no type"
            elif found := _issued_in(made, needs_login):
                what, hint = f"it has a {found}, but the store issues that", "Remove it."
            elif needs_login and not made.login:
                what, hint = "it has no login", "Add the name of the database's user."
            else:
                return made
    raise BackendError(f"{kwarg}: {what}", hint=hint)


def _issued_in(made: Connection, needs_login: bool) -> str:
    """What a connection has although it is issued: a login or a password, in a field or in an option; else empty."""
    if made.password:
        return "password"
    if made.login and not needs_login:
        return "login"
    return next(
        (
            f"{_CREDENTIALS[name.lower()]} among its options"
            for name in made.extra_dejson
            if name.lower() in _CREDENTIALS
        ),
        "",
    )


def table_of(table: object, kwarg: str) -> dict[str, object]:
    """A kwarg that is an object, keyed by the names of connections. Raises BackendError: it is not one."""
    if isinstance(table, dict) and all(isinstance(name, str) and name for name in table):
        return table
    raise BackendError(f"{kwarg} is not an object of named connections", hint=f'Write "{kwarg}": {{"warehouse": …}}.')


def issued(connection: Connection, login: str | None, password: str, lifetime: Lifetime | float) -> Expiring:
    """The text of a connection with what was issued for it."""
    from copy import copy

    made = copy(connection)
    made.login, made.password = given.text(login or made.login or "", "login"), password
    return Expiring(made.as_json(), lifetime)

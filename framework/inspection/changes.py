"""Tests and changes of connections and variables: one way for commands and pages, with the same checks and words.

Warnings, such as that an earlier link shadows what is written, go where all warnings go: see `errors.listener`.
"""

from __future__ import annotations

from framework.connection import Connection
from framework.errors import ConfigError, ConnectionNotFound, InvalidConnection
from framework.metastore.limits import checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from framework.app import App
    from framework.probing.probe import Step


def tested(app: App, conn_id: str, timeout: float) -> Iterator[Step]:
    """Connect for real: each step as it is done, up to the first that fails.

    Args:
        conn_id: the connection, from the link that answers.
        timeout: seconds for each step.

    Raises:
        ConfigError: tests are not allowed, as Airflow's `[core] test_connection` says.
        ConnectionNotFound, SecretsError: see `App.get_connection`.
    """
    from framework.probing.probe import steps

    if app.schema.option("core", "test_connection") is not None:  # Airflow's, which allows nothing but this one word
        allowed = app.conf.get("core", "test_connection", fallback="Disabled")
        if allowed.strip().lower() != "enabled":
            what = "testing connections is disabled by [core] test_connection"
            hint = f"To allow it, set {app.names.option('core', 'test_connection')}=Enabled."
            raise ConfigError(what, hint=hint)
    yield from steps(app.get_connection(conn_id), timeout)


def verdict(conn_id: str, done: list[Step]) -> tuple[bool, str]:
    """Whether a connection works, after all steps of its test, and the sentence that says so."""
    works = bool(done) and all(step.ok for step in done)
    return works, f"the connection {conn_id!r} {'works' if works else 'does not work'}"


def made(conn_id: str, *, uri: str | None = None, json: str | None = None, **fields: Any) -> Connection:
    """A connection from what a person gives: a URI, a JSON object, or the fields.

    Args:
        uri: the whole connection; `extra` and `description` may be given with it, as in Airflow.
        json: the whole connection, with nothing beside it.
        fields: of `Connection`.

    Raises:
        InvalidConnection: it is malformed, or has no type.
    """
    extra, description = fields.get("extra"), fields.get("description")
    if json is not None:
        connection = Connection.from_json(json, conn_id)
        if not connection.conn_type:
            raise InvalidConnection("the JSON has no conn_type", hint="Add it.")
        return connection
    if uri is not None:
        connection = Connection.from_uri(uri, conn_id)
        if not connection.conn_type:
            raise InvalidConnection("the URI has no scheme", hint="Write TYPE://HOST.")
        if extra is None:
            connection.description = description
            return connection
        return Connection(**{**connection.to_dict(), "extra": extra, "description": description})
    return Connection(conn_id, **{**fields, "extra": extra or None})


def write_connection(app: App, connection: Connection, *, overwrite: bool) -> str:
    """Write a connection to the metastore, and return the message; warns if an earlier link shadows it.

    Raises:
        MetastoreError, SecretsError: it exists and must not be replaced, or the database refuses.
    """
    app.warn_if_shadowed("connection", connection.conn_id or "")
    app.store.set_connection(connection, overwrite=overwrite)
    return f"the connection {connection.conn_id!r} was written to the metastore"


def delete_connection(app: App, conn_id: str) -> str:
    """Delete a connection from the metastore, and return the message.

    Raises:
        ConnectionNotFound: the metastore has none of this name.
    """
    if not app.store.delete_connection(conn_id):
        raise ConnectionNotFound(f"the metastore has no connection {conn_id!r}")
    return f"the connection {conn_id!r} was deleted from the metastore"


def write_variable(app: App, key: str, value: str, description: str | None) -> str:
    """Write a variable to the metastore, and return the message; warns if an earlier link shadows it.

    Args:
        description: None: the old one stays.
    """
    # The store would take an empty name, as Airflow's does.
    checked("variable", key, value, description, bounded=app.store.database.bounded)
    app.warn_if_shadowed("variable", key)
    app.store.set_variable(key, value, description)
    return f"the variable {key!r} was written to the metastore"


def delete_variable(app: App, key: str) -> str | None:
    """Delete a variable from the metastore, and return the message; None if the metastore has none of this name."""
    return f"the variable {key!r} was deleted from the metastore" if app.store.delete_variable(key) else None

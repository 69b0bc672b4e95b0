"""A connection: fields, URI and JSON, each made from the others.

A URI and a JSON text mean the same as in Airflow. What Airflow misreads silently is refused here: text that is not a
URI, fields of a wrong type, a raw line break. No message repeats the URI, the JSON or a field, because they are secret.
"""

from __future__ import annotations

from framework.errors import InvalidConnection, public, without
from framework.masking import add_mask, generation, redact_text, safe_repr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from sqlalchemy import URL

    from framework.lifetime import Lifetime

#: The fields, in the order in which JSON lists them; `conn_id` is the name, not a field of JSON.
FIELDS = ("conn_type", "description", "host", "login", "password", "schema", "port", "extra")

#: Attributes of Airflow's connections that ours do not have -> what to use instead.
_INSTEAD = {
    "get_hook": "give get_uri() or the fields to the client's library; test_connection() tells whether it works",
    "async_get": "use await app.aget_connection(conn_id)",
    "rotate_fernet_key": "run: python -m framework fernet rotate",
    "parse_from_uri": "use Connection.from_uri(uri)",
    "set_password": "set the attribute password",
    "set_extra": "set the attribute extra",
}


@public
@without("a Connection", _INSTEAD)
class Connection:
    """How to reach one outside system.

    Args:
        conn_id: its name: letters, digits and `_ # ! ( ) - . : / \\`, at most 250.
        conn_type: what kind of system: `postgres`, `http`.
        description: free text.
        host, login, password, schema: texts.
        port: a number.
        extra: whatever else, as a dictionary or as the text of a JSON object.
        uri: all of it as a URI, instead of the fields above.

    Attributes:
        lifetime: how long login and password are good, if the store has issued them; else None.

    Raises:
        InvalidConnection: a field of a wrong type, an `extra` that is not a JSON object, a bad `uri`, a bad `conn_id`.
    """

    __slots__ = ("conn_id", *FIELDS, "lifetime", "_masked")

    _masked: tuple[object, str | None, object]  # the generation of the masker, and the fields that were masked

    def __init__(
        self,
        conn_id: str | None = None,
        conn_type: str | None = None,
        description: str | None = None,
        host: str | None = None,
        login: str | None = None,
        password: str | None = None,
        schema: str | None = None,
        port: int | None = None,
        extra: str | Mapping[str, object] | None = None,
        uri: str | None = None,
    ) -> None:
        if uri:
            if (conn_type, host, login, password, schema, port, extra) != (None,) * 7:
                raise InvalidConnection("both a uri and fields are given", hint="Give one or the other.")
            from framework.uri import read_uri

            conn_type, host, login, password, schema, port, extra = read_uri(_checked_text("uri", uri) or "")
        self.lifetime: Lifetime | None = None
        self.conn_id = _checked_id(conn_id)
        self.conn_type = _checked_text("conn_type", conn_type)
        self.description = _checked_text("description", description)
        self.host = _checked_text("host", host)
        self.login = _checked_text("login", login)
        self.password = _checked_text("password", password) or None
        self.schema = _checked_text("schema", schema)
        if port is not None and type(port) is not int:
            raise InvalidConnection(f"port is of type {type(port).__name__}", hint="It must be a whole number.")
        self.port = port
        if extra is None or extra == "" or extra == {}:  # as in Airflow, an empty dictionary stays one
            self.extra: str | None = extra  # type: ignore[assignment] # it counts as empty text everywhere
        else:
            from framework.extra import checked_extra

            self.extra = checked_extra(extra)

    @classmethod
    def from_uri(cls, uri: str, conn_id: str | None = None) -> Connection:
        """Read a URI.

        A value of a parameter that is JSON becomes what it says (`?retries=5` is the number), as in
        Airflow; a parameter written twice becomes a list.

        Raises:
            InvalidConnection: the text is not a URI of a connection.
        """
        if not uri:
            raise InvalidConnection("the connection is an empty text", hint="Write a URI or JSON.")
        return cls(conn_id=conn_id, uri=uri)

    @classmethod
    def from_json(cls, value: str, conn_id: str | None = None) -> Connection:
        """Read the text of a JSON object whose keys are the names of the fields.

        As in Airflow, an empty `conn_type`, `port` or `extra` counts as none, a `port` may be a text,
        and `uri` may replace the fields.

        Raises:
            InvalidConnection: the text is not such an object.
        """
        fields = _read_json_object(value)
        fields.pop("team_name", None)  # Airflow's, which has no meaning here
        for key in fields:
            if key != "uri" and key not in FIELDS:
                hint = f"The fields are {', '.join(FIELDS)} or uri."
                if not any(field in FIELDS or field == "uri" for field in fields):
                    hint += " A store's JSON of another shape is read by [secrets] connection_map."
                raise InvalidConnection(f"the JSON of a connection has {_shown_key(key)}", hint=hint)
        for key in ("conn_type", "port", "extra"):
            fields[key] = fields.get(key) or None
        if isinstance(fields["conn_type"], str):
            from framework.uri import type_of_scheme

            fields["conn_type"] = type_of_scheme(fields["conn_type"])
        fields["port"] = read_port(fields["port"])
        if fields.get("uri"):  # an empty field beside it says nothing
            fields = {key: field for key, field in fields.items() if field or key == "description"}
        return cls(conn_id=conn_id, **fields)

    @classmethod
    def from_text(cls, value: str, conn_id: str | None = None) -> Connection:
        """Read what a store or a variable holds: JSON if it starts with `{`, a URI otherwise.

        Raises:
            InvalidConnection: it is neither.
        """
        text = (_checked_text("connection", value) or "").strip()
        return cls.from_json(text, conn_id) if text.startswith("{") else cls.from_uri(text, conn_id)

    @classmethod
    def get(cls, conn_id: str) -> Connection:
        """The connection called `conn_id`, from the chain of the current application.

        Raises:
            ConnectionNotFound: no link has it.
            SecretsError: a link failed.
        """
        from framework import current

        found: Connection = current.app().get_connection(conn_id)
        return found

    @classmethod
    def get_connection_from_secrets(cls, conn_id: str, team_name: None = None) -> Connection:
        """Airflow's name for `Connection.get`."""
        if team_name is not None:
            raise InvalidConnection("teams are not supported", where="team_name", hint="Leave it out.")
        return cls.get(conn_id)

    def test_connection(self, timeout: float = 10.0) -> tuple[bool, str]:
        """Connect, as `connections test` does, and say whether that worked and what happened.

        Args:
            timeout: seconds for each step.
        """
        from framework import current

        return current.app().test_connection(self, timeout)

    def get_uri(self) -> str:
        """The connection as a URI that `from_uri` reads as the same connection.

        A host is read in lower case, and none and empty are one; everything else comes back as it was.

        Raises:
            InvalidConnection: a URI cannot hold this port, or this `conn_type` beside credentials.
        """
        from framework.uri import write_uri

        return write_uri(
            self.conn_type, self.host, self.login, self.password, self.schema, self.port, self.extra, self.extra_dejson
        )

    def sqlalchemy_url(self, driver: str | None = None) -> URL:
        """The connection as the URL that `sqlalchemy.create_engine` takes; shown, it hides the password.

        Args:
            driver: such as `asyncpg`, instead of psycopg for PostgreSQL and PyMySQL for MySQL and MariaDB.

        Raises:
            InvalidConnection: it has no type, or `extra` holds a secret or a table, which such a URL cannot hold.
        """
        from framework.dialects import url_alone

        return url_alone(self, driver)

    def as_json(self) -> str:
        """The fields that are set as a JSON object, without the name; `from_json` reads it."""
        import json

        fields = self.to_dict(prune_empty=True)
        fields.pop("conn_id", None)
        return json.dumps(fields)

    def to_dict(self, *, prune_empty: bool = False, validate: bool = True) -> dict[str, Any]:
        """Every field by name, `conn_id` first and `extra` as a dictionary.

        Args:
            prune_empty: leave out what is None, and an empty `extra`.
            validate: accepted, as in Airflow; an `extra` is valid from the start.
        """
        fields: dict[str, Any] = {name: getattr(self, name) for name in ("conn_id", *FIELDS)}
        fields["extra"] = self.extra_dejson
        return {name: field for name, field in fields.items() if not prune_empty or field not in (None, {})}

    @property
    def extra_dejson(self) -> dict[str, Any]:
        """`extra` as a dictionary."""
        return self.get_extra_dejson()

    def get_extra_dejson(self, nested: bool = False) -> dict[str, Any]:
        """`extra` as a dictionary.

        Args:
            nested: read texts inside it that are JSON as well.
        """
        if not self.extra:  # most have none, and are asked often
            return {}
        from framework.extra import read_extra, read_nested

        extra = read_extra(self.extra)
        return {key: read_nested(value) for key, value in extra.items()} if nested else extra

    def get_password(self) -> str | None:
        """The password."""
        return self.password

    def get_extra(self) -> str | None:
        """`extra` as the text of a JSON object."""
        return self.extra or None

    def secrets(self) -> Iterator[str]:
        """What must not be shown: the password, and every text under a sensitive name in `extra`."""
        if self.password:
            yield self.password
        if self.extra:
            from framework.extra import read_extra, secrets_in

            yield from secrets_in(read_extra(self.extra), sensitive=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Connection):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # the fields may be set

    @safe_repr
    def __repr__(self) -> str:
        host = None if self.host is None else redact_text(shown_host(self.host))  # it may be a URL with a password
        return f"<Connection {self.conn_id!r}: type={self.conn_type!r} host={host!r}>"


def handed_out(connection: Connection) -> Connection:
    """A copy for one caller. Secrets are masked once: again only if they, or the sensitive names, have changed."""
    if type(connection) is not Connection:  # a subclass may hold more secrets
        from copy import copy

        _mask(connection)
        return copy(connection)
    masked = connection._masked if hasattr(connection, "_masked") else (None, None, None)
    extra, now = connection.extra, generation()
    if masked[0] is not now or masked[1] is not connection.password or masked[2] is not extra:
        _mask(connection)
        connection._masked = now, connection.password, extra
    made = object.__new__(Connection)
    made.conn_id, made.conn_type, made.description = connection.conn_id, connection.conn_type, connection.description
    made.host, made.login, made.password = connection.host, connection.login, connection.password
    made.schema, made.port, made.lifetime = connection.schema, connection.port, connection.lifetime
    made.extra = dict(extra) if isinstance(extra, dict) else extra
    return made


def _mask(connection: Connection) -> None:
    for secret in connection.secrets():
        add_mask(secret)


def shown_host(host: str) -> str:
    """A host without a login and password that were pasted before it."""
    import re

    return re.sub(r"^[^/:]*:(?!//).*@", "***@", host)


def _checked_id(conn_id: object) -> str | None:
    """The name, which must be valid; Airflow drops an invalid one silently."""
    if conn_id is None or (isinstance(conn_id, str) and 0 < len(conn_id) <= 250 and _is_name(conn_id)):
        return conn_id
    raise InvalidConnection(
        "the conn_id is not valid",
        hint="It takes letters, digits and the characters _ # ! ( ) - . : / \\, at most 250.",
    )


def _is_name(text: str) -> bool:
    return text.replace("_", "").isalnum() or all(c.isalnum() or c in "_#!()-.:/\\" for c in text)


def _checked_text(name: str, value: object) -> str | None:
    if value is None or (isinstance(value, str) and value.isascii()):
        return value
    if not isinstance(value, str):
        raise InvalidConnection(f"{name} is of type {type(value).__name__}", hint="It must be text.")
    from framework.extra import is_unicode

    if not is_unicode(value):
        raise InvalidConnection(f"{name} is not valid Unicode", hint="Store it as UTF-8.")
    return value


def _read_json_object(text: str) -> dict[str, Any]:
    """A JSON object in which no key is written twice."""
    from framework.parsing import Malformed, read_json

    if _checked_text("the JSON of a connection", text) is None:
        raise InvalidConnection("there is no JSON text", hint="Pass text, or use Connection().")
    keys: list[str] = []

    def fields_of(pairs: Sequence[tuple[str, object]]) -> dict[str, Any]:
        keys[:] = [key for key, _ in pairs]  # the outermost object comes last
        return dict(pairs)

    hint = f"Write an object with the fields {', '.join(FIELDS)}."
    try:
        read = read_json(text, object_pairs_hook=fields_of)
    except Malformed as error:
        place = f" (line {error.line} column {error.column})" if error.line else ""
        raise InvalidConnection(f"the JSON of a connection is malformed: {error.what}{place}", hint=hint) from None
    if not isinstance(read, dict):
        raise InvalidConnection("the JSON of a connection is not an object", hint=hint)
    if len(set(keys)) < len(keys):
        raise InvalidConnection("the JSON of a connection has a field twice", hint="Write each field once.")
    return read


def _shown_key(key: str) -> str:
    """The key, if it is spelled like a field's name; anything else may be a misplaced secret."""
    if len(key) <= 20 and key.isascii() and key.replace("_", "").replace("-", "").isalpha():
        return f"the unknown field {key!r}"
    return "an unknown field"


def read_port(port: object) -> int | None:
    """A port from JSON or a table of fields, where it may be text or a whole float; empty text means None."""
    if port is None or port == "":
        return None
    if isinstance(port, str) or type(port) is int or (isinstance(port, float) and port.is_integer()):
        try:
            number = int(port)
        except ValueError:
            number = -1
        if 0 <= number <= 65535:
            return number
    raise InvalidConnection("the port is not valid", hint="It must be a whole number between 0 and 65535.")

"""A connection's URI, read and written.

It means the same as in Airflow. What Airflow loses silently (text after a `#`, a line break, a host without a scheme)
is refused. No message repeats any of the text.
"""

from __future__ import annotations

from framework.errors import InvalidConnection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: The parameter with the whole `extra`, for one that single parameters would change.
EXTRA_PARAMETER = "__extra__"

#: Ignored at the beginning of a URI, as in Airflow: control characters and the space.
_IGNORED = "".join(map(chr, range(33)))

_SHAPE = "Write TYPE://LOGIN:PASSWORD@HOST:PORT/SCHEMA?NAME=VALUE, with other characters percent-encoded."
_CUT = "In a login or password, write %2F for / and %3F for ?."
_SEVERAL = (
    'Write JSON, with all of them as the host: {"conn_type": "TYPE", "host": "HOST1:PORT1,HOST2:PORT2", "login": "…", '
    '"password": "…", "schema": "…", "extra": {}}; or write HOST1%3APORT1%2CHOST2%3APORT2 in the URI.'
)
#: The first characters of JSON values.
_BEGINS_JSON = frozenset(("", *'{["-0123456789tfn'))


def type_of_scheme(scheme: str) -> str:
    """`google-cloud-platform` is the type `google_cloud_platform`, `postgresql` the type `postgres`."""
    return "postgres" if scheme == "postgresql" else scheme.replace("-", "_")


def read_uri(uri: str) -> tuple[str, str, str | None, str | None, str, int | None, str | None]:
    """conn_type, host, login, password, schema, port and extra (the text of a JSON object).

    Raises:
        InvalidConnection: the text is not the URI of a connection.
    """
    scheme, protocol, place, rest = _split(uri)
    path, _, query = rest.partition("?")
    try:
        login, password, host, port = _read_place(place)
        schema, parameters = _unquote(path[1:]), _parameters(query)
    except ValueError as error:
        fault = (
            "percent-encoded byte that is not UTF-8" if isinstance(error, UnicodeError) else "malformed host or port"
        )
        if "," in place.rpartition("@")[2]:
            kind = "mongo" if scheme.lower().startswith("mongo") else type_of_scheme(scheme.lower())
            hint = _SEVERAL.replace("TYPE", kind)
            raise InvalidConnection("the connection's URI has several hosts with ports", hint=hint) from None
        cut = "@" in rest and "@" not in place  # the login or the password has a / or ?, which ends it
        raise InvalidConnection(f"the connection's URI has a {fault}", hint=_CUT if cut else _SHAPE) from None
    if protocol and not host:
        raise InvalidConnection("the connection's URI has a protocol without a host", hint=_SHAPE)
    return type_of_scheme(scheme.lower()), protocol + host, login, password, schema, port, _extra_of(parameters)


def _split(uri: str) -> tuple[str, str, str, str]:
    """The scheme, the protocol before the host (`https://` or nothing), `login:password@host:port`, and the rest."""
    if "\t" in uri or "\r" in uri or "\n" in uri:
        _refuse_known_mistakes(uri)
        raise InvalidConnection("the connection's URI holds a tab or a line break", hint="Write %09, %0D or %0A.")
    scheme, separator, rest = uri.lstrip(_IGNORED).partition("//")
    # A URI without a scheme is a connection without a type.
    if not separator or (scheme and not (scheme[-1] == ":" and _is_scheme(scheme[:-1]))):
        _refuse_known_mistakes(uri)
        raise InvalidConnection("the connection is neither a URI nor JSON", hint=_SHAPE)
    rest, hash_sign, _ = rest.partition("#")
    if hash_sign:
        if not rest[-1:].isspace():
            raise InvalidConnection("the connection's URI holds a #", hint="Write %23.")
        rest = rest.rstrip()  # a # after a space begins a comment
    protocol, separator, after = rest.partition("://")
    if separator and _is_scheme(protocol):
        protocol, rest = f"{protocol.lower()}://", after
    else:
        protocol = ""
    end = min((rest.find(c) for c in "/?" if c in rest), default=len(rest))
    place, rest = rest[:end], rest[end:]
    if place.endswith(":") and rest.startswith("//"):
        raise InvalidConnection("the connection's URI holds :// after the host", hint="Write %3A%2F%2F.")
    return scheme[:-1], protocol, place, rest


def _refuse_known_mistakes(text: str) -> None:
    """Raise InvalidConnection for a common mistake; the text is not in the message."""
    from framework.mistakes import mistake_in

    if found := mistake_in(text):
        raise InvalidConnection(f"the connection is neither a URI nor JSON: {found[0]}", hint=found[1])


def _is_scheme(text: str) -> bool:
    return text.isascii() and text[:1].isalpha() and (text.isalnum() or all(c.isalnum() or c in "+-." for c in text))


def _read_place(place: str) -> tuple[str | None, str | None, str, int | None]:
    """login, password, host and port; raises ValueError if they are not valid.

    `urlsplit` is not used, because it treats brackets differently in each version of Python.
    """
    _check_brackets(place)
    _check_look_alikes(place)
    user, at, rest = place.rpartition("@")
    login, colon, password = user.partition(":")
    if "[" in rest:
        host, _, port = rest.partition("[")[2].partition("]")
        port = port.partition(":")[2]
    else:
        host, _, port = rest.partition(":")
    name, percent, zone = host.partition("%")
    if "[" in rest or "/" not in _unquote(host):  # a path keeps its letters
        name = name.lower()
    host = _unquote(name + percent + zone)
    return _unquote(login) if at else None, _unquote(password) if colon else None, host, _port(port)


def _check_brackets(place: str) -> None:
    """Check that brackets hold an IPv6 address, or one of a future version: `[v7.x]`. Raises: as `_read_place`."""
    if ("[" in place) != ("]" in place):
        raise ValueError
    if "[" not in place:
        return
    from ipaddress import IPv6Address

    address = place.partition("[")[2].partition("]")[0]
    if address.startswith("v"):
        version, _, rest = address[1:].partition(".")
        int(version, 16)
        if not rest:
            raise ValueError
    else:
        IPv6Address(address)


def _check_look_alikes(place: str) -> None:
    """Refuse characters that some reader takes for one of `/ ? # @ :`, such as full-width ones."""
    if place.isascii():
        return
    from unicodedata import normalize

    if any(c in "/?#@:" for c in normalize("NFKC", place.replace("@", "").replace(":", ""))):
        raise ValueError


def _port(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or int(text) > 65535:
        raise ValueError
    return int(text)


def _unquote(text: str) -> str:
    if "%" not in text:
        return text
    from urllib.parse import unquote

    return unquote(text, errors="strict")


def _parameters(query: str) -> dict[str, list[str]] | None:
    """Every parameter with its values; None if there is no `?`."""
    if not query:
        return None
    from urllib.parse import parse_qsl

    written: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="strict"):
        written.setdefault(name, []).append(value)
    return written


def _extra_of(parameters: dict[str, list[str]] | None) -> str | None:
    """The parameters as the text of a JSON object; a repeated one becomes a list."""
    if parameters is None:
        return None
    import json

    from framework.parsing import read_json

    whole = parameters.pop(EXTRA_PARAMETER, [])
    if len(whole) > 1:
        raise InvalidConnection(f"the connection's URI has {EXTRA_PARAMETER} twice", hint="Write it once.")
    values = {name: [_read_parameter(text) for text in texts] for name, texts in parameters.items()}
    if whole:
        try:
            inside = read_json(whole[0] or "{}") if values else None
        except ValueError:
            inside = None
        if not isinstance(inside, dict):
            return whole[0]  # as it is: `Connection` refuses it if it is not an object
        for name, value in inside.items():
            values.setdefault(name, []).append(value)
    return json.dumps({name: value if len(value) > 1 else value[0] for name, value in values.items()})


def _read_parameter(text: str) -> Any:
    """The text parsed as JSON; if it is not JSON, or a number that JSON does not have, the text."""
    if text.lstrip()[:1] not in _BEGINS_JSON:  # parsing would take ten times as long
        return text
    from math import isfinite

    from framework.parsing import read_json

    def number(digits: str) -> float:
        if not isfinite(read := float(digits)):
            raise ValueError
        return read

    try:
        return read_json(text, parse_float=number, parse_constant=number)
    except ValueError:
        return text


def write_uri(
    conn_type: str | None,
    host: str | None,
    login: str | None,
    password: str | None,
    schema: str | None,
    port: int | None,
    extra: str | None,
    parameters: Mapping[str, object],
) -> str:
    """The opposite of `read_uri`.

    Args:
        conn_type, host, login, password, schema, port, extra: as `read_uri` gives them.
        parameters: `extra` as a dictionary.

    Raises:
        InvalidConnection: a URI cannot hold this port, or this type beside credentials.
    """
    from urllib.parse import quote

    scheme = (conn_type or "").lower().replace("_", "-")
    if scheme and not _is_scheme(scheme) and (login or password):
        raise InvalidConnection("the conn_type cannot be written in a URI", hint="Use as_json() for this connection.")
    if port is not None and not 0 <= port <= 65535:
        raise InvalidConnection("the port cannot be written in a URI", hint="A port is between 0 and 65535.")
    protocol, name = _protocol_and_name(host or "", scheme, conn_type)
    path = f"/{quote(schema, safe='')}" if schema else ""
    query = f"?{_write_query(extra, parameters)}" if extra else ""

    # A connection read from a URI has empty texts instead of None; there an empty login was an `@`.
    from_uri = host is not None and schema is not None
    place = quote(login or "", safe="") + (f":{quote(password, safe='')}" if password else "")
    if place or (login == "" and from_uri and (name or path or query or port is not None)):
        place += "@"
    place += quote(name, safe="")
    something = any(field is not None for field in (host, login, password, schema, extra))
    if port or (port == 0 and something):  # Airflow loses port 0
        place += f":{port}" if place or from_uri else f"@:{port}"  # the `@` is Airflow's
    return f"{scheme}{scheme and ':'}//{protocol}{place}{path or (query and '/')}{query}"


def _protocol_and_name(host: str, scheme: str, conn_type: str | None) -> tuple[str, str]:
    """`https://` and `api.example.org`, if the URI may have the protocol unquoted: `http://https://api…`.

    Airflow removes the connection's own scheme wherever it is, so such a host is quoted whole.
    """
    protocol, separator, name = host.partition("://")
    if not (separator and name and scheme and _is_scheme(protocol)):
        return "", host
    if protocol == conn_type or protocol.endswith(scheme):
        return "", host
    return f"{protocol}://", name


def _write_query(extra: str, parameters: Mapping[str, object]) -> str:
    """The parameters one by one if they can be read back unchanged, else `extra` as one."""
    from urllib.parse import urlencode

    from framework.parsing import read_json

    def is_plain(value: object) -> bool:
        if not isinstance(value, str):
            return False
        try:
            read_json(value)
        except ValueError:
            return True
        return False

    if parameters and EXTRA_PARAMETER not in parameters and all(map(is_plain, parameters.values())):
        return urlencode(parameters)
    return urlencode({EXTRA_PARAMETER: extra})

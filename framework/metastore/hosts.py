"""Several hosts in one URL: which they are, what is asked of them, and which one is tried next."""

from __future__ import annotations

import re
from time import monotonic

from framework import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

#: Seconds for which a host that failed is tried only after all others.
REST = 10.0

#: What a URL may ask of a session, in libpq's words.
WANTS = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")
ORDERS = ("disable", "random")
_OWN = ("target_session_attrs", "load_balance_hosts")
#: A part of an option's name -> the option that it stands for in other drivers.
_MEANT = {"target": _OWN[0], "session": _OWN[0], "balance": _OWN[1]}

#: Login and password, hosts, and the rest of a URL after its scheme, as SQLAlchemy divides it.
_PARTS = re.compile(r"((?:[^:/]*(?::[^@]*)?@)?)([^/?]*)(.*)", re.DOTALL)
_HOST = re.compile(r"(\[[\w.:%-]+\]|[\w.-]+|/[^:,@#;&=]*)(?::([0-9]{1,5}))?")
_WRITE = "Write host:port,host:port after the @, or ?host=host:port&host=host:port."


class Host:
    """One of the hosts.

    Attributes:
        name: a name, an address without brackets, or a socket: its folder, or on MySQL and MariaDB its path.
        port: None for the usual one.
        resting_until: on the monotonic clock; the other hosts are tried first until then.
        left_at: on the same clock; connections to it that are older are not used any more.
    """

    __slots__ = ("name", "port", "resting_until", "left_at")

    def __init__(self, name: str, port: int | None) -> None:
        self.name, self.port, self.resting_until, self.left_at = name, port, 0.0, 0.0

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port is None else f"{name}:{self.port}"

    def rest(self) -> None:
        """Try the other hosts first for a while."""
        self.resting_until = monotonic() + REST

    def leave(self) -> None:
        """Give up all connections to it: it turned read-only, or left its cluster."""
        self.left_at = monotonic()
        self.rest()


class Hosts:
    """The hosts of a URL, and the options of the URL that concern all of them.

    Attributes:
        url: the URL with the first host alone.
        each: the hosts, in the order of the URL; empty if it names one or none, which the driver reads by itself.
        driven: stands for the host that the driver reads by itself.
        wants: what `target_session_attrs` says, or the default.
    """

    __slots__ = ("url", "each", "driven", "wants", "_options", "_only")

    def __init__(self, url: str, wants: str, option: str) -> None:
        """Read a URL.

        Args:
            url: SQLAlchemy's URL, also with `host:port,host:port`, or with `host=` several times.
            wants: what is asked of a session if there are several hosts, and the URL does not say.
            option: the option that the URL is from, for messages.

        Raises:
            BackendError: a host, or an option about hosts, is not valid.
        """
        self.url, self.each, self.driven, self.wants = url, list[Host](), Host("", None), "any"
        scheme, _, rest = url.partition("://")
        parts = _PARTS.fullmatch(rest)
        login, place, after = parts.groups() if parts else ("", "", "")
        path, mark, query = after.partition("?")
        from urllib.parse import parse_qsl, urlencode

        options = parse_qsl(query, keep_blank_values=True)
        named = [host for key, value in options if key == "host" for host in value.split(",")]
        texts = named or place.split(",")
        ports = [port for key, value in options if key == "port" for port in value.split(",")]
        self._options = {key: value for key, value in options if key in _OWN}
        self._check(texts, options, option)
        self.wants = self._options.get("target_session_attrs", "any")
        self._only = _only(texts, ports, options)
        # PostgreSQL's driver knows these options itself.
        asks = scheme.startswith(("mysql", "mariadb")) and self._options
        # Neither SQLAlchemy nor a driver decodes a socket that stands where a host does, as libpq would.
        is_socket = not named and texts[0].lower().startswith("%2f")
        if len(texts) < 2 and not (asks and texts[0]) and not is_socket:
            return
        if len(ports) > 1 and len(ports) != len(texts):
            raise _wrong("the URL has different numbers of hosts and ports", option)
        for number, text in enumerate(texts):
            self.each.append(_host(text, ports[number % len(ports)] if ports else "", option))
        own = {"host": "", "port": "", "target_session_attrs": wants, "load_balance_hosts": "disable"}
        if len(self.each) == 1:
            own["target_session_attrs"] = "any"
        own.update(self._options)
        self.wants = own["target_session_attrs"]
        query = urlencode([(key, value) for key, value in options if key not in own])
        first = self.each[0]
        shown = "" if first.name.startswith("/") else str(first)
        self.url = f"{scheme}://{login}{shown}{path}{mark if query else ''}{query}"

    def _check(self, texts: list[str], options: list[tuple[str, str]], option: str) -> None:
        """Refuse what a driver would report as a server that does not answer."""
        for key, known in (("target_session_attrs", WANTS), ("load_balance_hosts", ORDERS)):
            if self._options.get(key, known[0]) not in known:
                raise _wrong(f"the URL's {key} is not known", option, f"Write one of: {', '.join(known)}.")
        for key, value in options:
            if meant := [_MEANT[part] for part in _MEANT if part in key.lower() and key not in _OWN]:
                raise _wrong("the URL has an option that is not known", option, f"Did you mean {meant[0]}?")
            if key == "hostaddr" and ("," in value or len(texts) > 1):
                raise _wrong("the URL has several hosts, and hostaddr", option, "Write the addresses as the hosts.")
        if any(mark in text.strip() for text in texts if not text.startswith("/") for mark in ";| "):
            raise _wrong("the URL's hosts are not separated by commas", option)

    def __str__(self) -> str:
        return ",".join(map(str, self.each))

    def whole(self, url: str) -> str:
        """A form of `url` with all hosts and options again."""
        scheme, _, rest = url.partition("://")
        parts = _PARTS.fullmatch(rest)
        if not self.each or parts is None:
            return url
        options = [f"{name}={value}" for name, value in self._options.items()]
        mark = "" if not options else "&" if "?" in parts[3] else "?"
        return f"{scheme}://{parts[1]}{self}{parts[3]}{mark}{'&'.join(options)}"

    def where(self) -> str:
        """Scheme, hosts and name of the database; only the scheme if a password could be among them."""
        scheme, _, rest = self.url.partition("://")
        scheme = scheme.partition("+")[0]
        place, _, query = rest.partition("?")
        place = place.rpartition("@")[2]
        if self._only is not None and not self._only.name.startswith("/"):  # it may be among the options
            place = f"{self._only}{''.join(place.partition('/')[1:])}"
        is_place = re.fullmatch(r"([\w.-]*|\[[\w.:%-]*\])(:[0-9]{0,5})?(/[^#;&=@:]*)?", place)
        if not is_place or "@" in query:
            return f"{scheme}://…"
        return self.whole(f"{scheme}://{place}").partition("?")[0]

    def is_nobody_here(self) -> bool:
        """Whether the URL names one host, which is this machine, and nothing listens there."""
        is_mysql = self.url.startswith(("mysql", "mariadb"))
        return self._only is not None and len(self.each) < 2 and _is_refused(self._only, is_mysql)

    def attempts(self) -> Iterator[tuple[Host, str]]:
        """Each host that is to be tried now, and what is asked of its session.

        The hosts that rest come last. One whose rest has just ended is tried by this caller alone: the others let it
        rest on until it has answered.
        """
        for wants in ("standby", "any") if self.wants == "prefer-standby" else (self.wants,):
            for host in self._in_order():
                yield host, wants

    def _in_order(self) -> list[Host]:
        now, hosts = monotonic(), list(self.each)
        if self._options.get("load_balance_hosts") == "random":
            from random import Random

            Random().shuffle(hosts)  # from the system's entropy, so that it is another order in each process
        resting = {host: host.resting_until for host in hosts}
        for host, until in resting.items():
            if 0 < until <= now:
                host.rest()
        return sorted(hosts, key=lambda host: resting[host] if resting[host] > now else 0.0)


def _only(texts: list[str], ports: list[str], options: list[tuple[str, str]]) -> Host | None:
    """The one host that a URL names; None: it names several, or none that can be read."""
    from urllib.parse import unquote

    text = next((value for key, value in options if key == "unix_socket"), unquote(texts[0]))
    found = _HOST.fullmatch(text)
    port = (found[2] if found else None) or "".join(ports)
    is_elsewhere = any(key == "hostaddr" for key, _ in options)
    if not found or is_elsewhere or len(texts) > 1 or len(ports) > 1 or (port and not port.isdecimal()):
        return None
    return Host(found[1].strip("[]"), int(port) if port else None)


def _is_refused(host: Host, is_mysql: bool) -> bool:
    """Whether this machine itself refuses a connection: on its loopback addresses, or on a socket."""
    import socket

    port = host.port or (3306 if is_mysql else 5432)
    try:
        if host.name.startswith("/"):
            path = host.name if is_mysql else f"{host.name}/.s.PGSQL.{port}"
            places: list[tuple[int, Any]] = [(socket.AF_UNIX, path)]
        else:
            found = socket.getaddrinfo(host.name, port, type=socket.SOCK_STREAM)
            places = [(family, address) for family, _, _, _, address in found]
            if not all(address[0].startswith("127.") or address[0] == "::1" for _, address in places):
                return False
        return all(_refuses(family, address) for family, address in places)
    except (OSError, ValueError, AttributeError):  # the name is unknown, say, or there are no such sockets
        return False


def _refuses(family: int, address: Any) -> bool:
    import socket

    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return True
    return False


def _host(text: str, port: str, option: str) -> Host:
    from urllib.parse import unquote

    text = unquote(text.strip())
    found = _HOST.fullmatch(text)
    number = (found[2] if found else None) or port
    if not found and text.count(":") > 1:
        raise _wrong("the URL has an IPv6 address without brackets", option, "Write [ADDRESS]:PORT.")
    if not found or (number and not (number.isdecimal() and 0 < int(number) < 65536)):
        raise _wrong("the URL has a host or port that is not valid, or is empty", option)
    return Host(found[1].strip("[]"), int(number) if number else None)


def _wrong(what: str, option: str, hint: str = _WRITE) -> errors.BackendError:
    return errors.BackendError(what, where=option, hint=hint)

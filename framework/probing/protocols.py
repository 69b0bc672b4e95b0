"""The requests of `connections test` to each kind of service, and how the answers are read."""

from __future__ import annotations

import os

from framework.metastore.failures import explain
from framework.probing.tcp import Failed, connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    import ssl
    from io import BufferedRWPair
    from typing import Any

    from framework.connection import Connection

_REFUSED = "login and password are refused"
#: What a database server's refusal means.
_SAID = {
    "no login": _REFUSED,
    "no right": "the login may not use this database",
    "no database": "the database does not exist",
    "no room": "the server accepts no more connections",
    "no answer": "the server does not speak the expected protocol",
}


def sqlite(connection: Connection, timeout: float) -> str:
    """Open the file for reading, and read its schema."""
    import sqlite3

    path = connection.host or ""
    if not path:
        raise Failed("it has no host, which is the path of the file")
    if not os.path.isfile(path):
        raise Failed(f"{path}: the file does not exist")
    quoted = os.path.abspath(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    fault = ""
    try:
        opened = sqlite3.connect(f"file:{quoted}?mode=ro", uri=True, timeout=timeout)
        try:
            (tables,) = opened.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()
        finally:
            opened.close()
    except sqlite3.Error as error:
        fault = "it is not a SQLite database" if "not a database" in str(error) else "SQLite cannot read it"
    if fault:
        raise Failed(f"{path}: {fault}")
    return f"opened {path} for reading; it has {tables} tables"


def postgres(connection: Connection, host: str, port: int, timeout: float) -> str:
    """Log in and run SELECT 1."""
    try:
        import psycopg
    except ImportError:
        psycopg = None  # type: ignore[assignment]
    if psycopg is None:
        raise Failed("not tried: psycopg is not installed; pip install 'framework[postgres]'")
    options = {name: value for name, value in connection.extra_dejson.items() if name.startswith("ssl")}
    try:
        with psycopg.connect(
            host=host,
            port=port,
            user=connection.login or None,
            password=connection.password,
            dbname=connection.schema or None,
            connect_timeout=max(2, int(timeout)),
            **options,
        ) as opened:
            opened.execute("SELECT 1")
            info = opened.info
            secured = "with" if opened.pgconn.ssl_in_use else "without"
            version = f"{info.server_version // 10000}.{info.server_version % 10000}"
            who = f"logged in to {info.dbname!r} as {info.user!r}"
            return f"{who}, PostgreSQL {version}, {secured} TLS; SELECT 1 answered"
    except psycopg.Error as error:
        kind = explain(error).kind
    raise Failed(_SAID.get(kind, "the server refused"))


def mysql(connection: Connection, host: str, port: int, timeout: float) -> str:
    """Log in and run SELECT 1."""
    try:
        import pymysql  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        pymysql = None
    if pymysql is None:
        raise Failed("not tried: PyMySQL is not installed; pip install 'framework[mysql]'")
    place: dict[str, Any] = {"unix_socket": host} if host.startswith("/") else {"host": host, "port": port}
    try:
        opened = pymysql.connect(
            user=connection.login or "",
            password=connection.password or "",
            database=connection.schema or None,
            connect_timeout=timeout,
            read_timeout=timeout,
            **place,
        )
        with opened, opened.cursor() as cursor:
            cursor.execute("SELECT 1")
            product = "MariaDB" if "mariadb" in opened.server_version.lower() else "MySQL"
            version = opened.server_version.removeprefix("5.5.5-").partition("-")[0]
            database = f" to {connection.schema!r}" if connection.schema else ""
            return f"logged in{database} as {connection.login!r}, {product} {version}; SELECT 1 answered"
    except pymysql.MySQLError as error:
        kind = explain(error).kind
    raise Failed(_SAID.get(kind, "the server refused"))


def redis(connection: Connection, host: str, port: int, secure: bool, timeout: float) -> str:
    """AUTH, SELECT and PING."""
    done = []
    with _stream(host, port, secure, timeout) as stream:
        if connection.password:
            words = [connection.login, connection.password] if connection.login else [connection.password]
            if not _redis(stream, "AUTH", *words).startswith(b"+"):
                raise Failed(_REFUSED)
            done.append("AUTH")
        database = str(connection.extra_dejson.get("db") or connection.schema or "")
        if database:
            if not _redis(stream, "SELECT", database).startswith(b"+"):
                raise Failed(f"database {database!r} does not exist, or a password is required")
            done.append(f"SELECT {database}")
        answer = _redis(stream, "PING")
    if answer.startswith(b"-NOAUTH"):
        raise Failed("a password is required, and the connection has none")
    if not answer.startswith(b"+PONG"):
        raise Failed("the server does not speak the Redis protocol")
    return f"{', '.join([*done, 'PING'])} answered{', with TLS' if secure else ''}"


def _redis(stream: BufferedRWPair, *words: str) -> bytes:
    data = [word.encode() for word in words]
    stream.write(b"*%d\r\n" % len(data) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in data))
    stream.flush()
    return stream.readline(1000)


def http(connection: Connection, host: str, port: int, secure: bool, timeout: float) -> str:
    """GET the address; any answer but a refusal of the login or a fault of the server will do."""
    from base64 import b64encode
    from http.client import HTTPConnection, HTTPException, HTTPSConnection
    from urllib.parse import urlsplit

    path = (urlsplit(connection.host or "").path if "://" in (connection.host or "") else "") or "/"
    headers = {"User-Agent": "framework connections test"}
    if connection.login or connection.password:
        pair = f"{connection.login or ''}:{connection.password or ''}"
        headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode()
    opened = (HTTPSConnection if secure else HTTPConnection)(host, port, timeout=timeout)
    status = 0
    try:
        opened.request("GET", path, headers=headers)
        status = opened.getresponse().status
    except HTTPException:
        pass
    finally:
        opened.close()
    scheme = "https" if secure else "http"
    result = f"GET {scheme}://{host}:{port}{path} answered {status}"
    if not status:
        raise Failed("the server does not speak HTTP")
    if status in (401, 403, 407) or status >= 500:
        raise Failed(f"{result}: {'the login is refused' if status < 500 else 'the server reports an error'}")
    return result


def smtp(connection: Connection, host: str, port: int, secure: bool, timeout: float) -> str:
    """EHLO, STARTTLS where it is offered, and the login."""
    import smtplib
    import ssl

    context = ssl.create_default_context()
    done = []
    failure = ""
    try:
        opened: smtplib.SMTP
        if secure:
            opened = smtplib.SMTP_SSL(host, port, timeout=timeout, context=context)
        else:
            opened = smtplib.SMTP(host, port, timeout=timeout)
        with opened:
            opened.ehlo()
            done.append("EHLO")
            if not secure and opened.has_extn("starttls") and not connection.extra_dejson.get("disable_tls"):
                opened.starttls(context=context)
                opened.ehlo()
                done.append("STARTTLS")
            if connection.login:
                opened.login(connection.login, connection.password or "")
                done.append("login")
    except smtplib.SMTPAuthenticationError:
        failure = _REFUSED
    except smtplib.SMTPNotSupportedError:
        failure = "the server does not support login"
    except smtplib.SMTPException:
        failure = "the server does not speak SMTP correctly"
    if failure:
        raise Failed(failure)
    return f"{', '.join(done)} answered{', with TLS' if secure else ''}"


def ssh(host: str, port: int, timeout: float) -> str:
    """Read the greeting, without a login."""
    with connect(host, port, timeout) as opened, opened.makefile("rb") as stream:
        greeting = stream.readline(256)
    if not greeting.startswith(b"SSH-"):
        raise Failed("the server does not speak SSH")
    return "an SSH server greets; no login was tried"


def tls(host: str, port: int, timeout: float) -> str:
    """Agree on TLS and check the certificate."""
    with _secured(connect(host, port, timeout), host) as opened:
        return f"{opened.version()}, the certificate is trusted; no login was tried"


def _stream(host: str, port: int, secure: bool, timeout: float) -> BufferedRWPair:
    opened: socket.socket = connect(host, port, timeout)
    if secure:
        opened = _secured(opened, host)
    with opened:
        return opened.makefile("rwb")  # which keeps it open


def _secured(opened: socket.socket, host: str) -> ssl.SSLSocket:
    import ssl

    return ssl.create_default_context().wrap_socket(opened, server_hostname=host)

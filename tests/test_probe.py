"""`connections test` against real servers where they are installed, and small local ones elsewhere."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import servers
from patience import GUARD
from servers import ADMIN, PASSWORD, free_port, valkey

from framework import Connection
from framework.metastore.crypto import generate


@pytest.fixture
def stocked(world: Any) -> Any:
    world.set(BILLING__CORE__FERNET_KEY=generate())
    return world


class Tried:
    """The outcome of `connections test`."""

    def __init__(self, world: Any, *words: str, **fields: Any) -> None:
        world.app().store.set_connection(Connection("c", **fields))
        self.status, out, self.err = world.run("connections", "test", "c", "-o", "json", *words)
        self.steps = {step["step"]: step for step in json.loads(out)}
        self.text = out + self.err
        for secret in filter(None, (fields.get("password"), "canary")):
            assert secret not in self.text
        assert "Traceback" not in self.text
        assert ("works" in self.err) == (self.status == 0) or "does not work" in self.err

    def result(self, step: str) -> str:
        return str(self.steps[step]["result"])


def serving(talk: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Any:
    """A port at which `talk` answers every client."""

    @contextlib.contextmanager
    def server() -> Iterator[int]:
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def answer() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        caller, _ = listening.accept()
                        with contextlib.suppress(OSError), caller:
                            talk(context.wrap_socket(caller, server_side=True) if context else caller)

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            yield listening.getsockname()[1]
            listening.shutdown(socket.SHUT_RDWR)

    return server()


# --- databases


def test_sqlite(stocked: Any) -> None:
    tried = Tried(stocked, conn_type="sqlite", host=str(stocked.home / "billing.db"))
    assert (tried.status, "it has" in tried.result("sqlite")) == (0, True)
    stocked.write("text.db", "no database at all, but long enough to be looked at " * 30)
    for path, expected in {"text.db": "not a SQLite database", "no.db": "does not exist", "": "no host"}.items():
        tried = Tried(stocked, conn_type="sqlite", host=path)
        assert (tried.status, expected in tried.result("sqlite")) == (1, True)
    assert not (stocked.home / "no.db").exists()


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_database_server(stocked: Any, kind: str) -> None:
    server = servers.server(kind)
    step = {"postgresql": "postgres", "mysql": "mysql"}[kind]
    schema = {"postgresql": "postgres", "mysql": "mysql"}[kind]
    place = {"conn_type": step, "host": "127.0.0.1", "port": server.port, "login": ADMIN}
    tried = Tried(stocked, **place, password=PASSWORD, schema=schema)
    assert (tried.status, "SELECT 1 answered" in tried.result(step)) == (0, True), tried.text
    tried = Tried(stocked, **place, password="canary-wrong", schema=schema)
    assert (tried.status, tried.result(step)) == (1, "login and password are refused")
    tried = Tried(stocked, **place, password=PASSWORD, schema="no_such_database")
    assert (tried.status, tried.result(step)) == (1, "the database does not exist")
    tried = Tried(stocked, **{**place, "port": free_port()}, password=PASSWORD)
    assert (tried.status, "Connection refused" in tried.result("tcp")) == (1, True)


def test_what_is_not_a_database_server(stocked: Any) -> None:
    with serving(lambda caller: caller.sendall(b"HTTP/1.1 400 canary\r\n\r\n")) as port:
        for kind in ("postgres", "mysql"):
            tried = Tried(stocked, "--timeout", "2", conn_type=kind, host="127.0.0.1", port=port, password="canary-2")
            assert tried.status == 1


@pytest.mark.parametrize(
    ("kind", "module", "extra"), [("postgres", "psycopg", "postgres"), ("mysql", "pymysql", "mysql")]
)
def test_a_missing_driver_is_named(
    stocked: Any, kind: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, module, None)
    with serving(lambda caller: None) as port:
        tried = Tried(stocked, conn_type=kind, host="127.0.0.1", port=port)
    assert tried.status == 1
    assert f"pip install 'framework[{extra}]'" in tried.result(kind)


def test_redis(stocked: Any) -> None:
    with valkey(stocked.home) as port:
        place = {"conn_type": "redis", "host": "127.0.0.1", "port": port}
        assert Tried(stocked, **place).result("redis") == "PING answered"
        assert Tried(stocked, **place, extra='{"db": 3}').result("redis") == "SELECT 3, PING answered"
        tried = Tried(stocked, **place, extra='{"db": 300}')
        assert (tried.status, "database '300' does not exist" in tried.result("redis")) == (1, True)
    with valkey(stocked.home, "--requirepass", "canary-right") as port:
        place["port"] = port
        tried = Tried(stocked, **place, password="canary-right", login="default")
        assert (tried.status, tried.result("redis")) == (0, "AUTH, PING answered")
        assert Tried(stocked, **place, password="canary-wrong").result("redis") == "login and password are refused"
        assert "a password is required" in Tried(stocked, **place).result("redis")
    with serving(lambda caller: caller.sendall(b"canary\r\n")) as port:
        assert "does not speak the Redis protocol" in Tried(
            stocked, conn_type="redis", host="127.0.0.1", port=port
        ).result("redis")


# --- the web


def answering(response: str, asked: list[str] | None = None) -> Callable[[socket.socket], None]:
    def talk(caller: socket.socket) -> None:
        request = caller.recv(65536).decode(errors="replace")
        if asked is not None and request:
            asked.append(request)
        caller.sendall(response.encode())

    return talk


@pytest.mark.parametrize(
    ("response", "status", "expected"),
    [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0, "answered 200"),
        ("HTTP/1.1 404 canary\r\nContent-Length: 0\r\n\r\n", 0, "answered 404"),
        ("HTTP/1.1 302 Found\r\nLocation: http://canary/\r\nContent-Length: 0\r\n\r\n", 0, "answered 302"),
        ("HTTP/1.1 401 canary\r\nContent-Length: 0\r\n\r\n", 1, "answered 401: the login is refused"),
        ("HTTP/1.1 503 canary\r\nContent-Length: 0\r\n\r\n", 1, "answered 503: the server reports an error"),
        ("canary\r\n\r\n", 1, "does not speak HTTP"),
        ("", 1, ""),
    ],
)
def test_http(stocked: Any, response: str, status: int, expected: str) -> None:
    asked: list[str] = []
    with serving(answering(response, asked)) as port:
        tried = Tried(stocked, conn_type="http", host="127.0.0.1", port=port, login="ada", password="canary-pass")
        assert (tried.status, expected in tried.result("http")) == (status, True), tried.text
        assert "Authorization: Basic YWRhOmNhbmFyeS1wYXNz" in asked[0]
        Tried(stocked, conn_type="http", host=f"http://127.0.0.1:{port}/api/v1", login="ada", password="canary-pass")
        assert asked[-1].startswith("GET /api/v1 HTTP/1.1\r\n")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    form = serialization.Encoding.PEM
    private = key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(form) + private)
    return path


def test_tls(stocked: Any, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), context) as port:
        tried = Tried(stocked, conn_type="http", schema="https", host="127.0.0.1", port=port, password="canary")
        assert (tried.status, "certificate is not trusted" in tried.result("http")) == (1, True)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        tried = Tried(stocked, conn_type="http", host="https://127.0.0.1", port=port)
        assert (tried.status, f"https://127.0.0.1:{port}/ answered 200" in tried.result("http")) == (0, True)
        monkeypatch.setattr("framework.probing.probe._TLS_PORTS", {port})
        tried = Tried(stocked, conn_type="kafka", host="127.0.0.1", port=port)
        assert (tried.status, "the certificate is trusted" in tried.result("tls")) == (0, True)
    with serving(answering("plain")) as port:
        tried = Tried(stocked, conn_type="http", host="https://127.0.0.1", port=port)
        assert (tried.status, "the TLS handshake failed" in tried.result("http")) == (1, True)


# --- the others


def mail(login_answer: bytes) -> Callable[[socket.socket], None]:
    def talk(caller: socket.socket) -> None:
        caller.sendall(b"220 canary\r\n")
        with caller.makefile("rb") as lines:
            for line in lines:
                verb = line[:4].upper()
                greeting = b"250-canary\r\n250 AUTH PLAIN\r\n" if login_answer else b"250 canary\r\n"
                caller.sendall(
                    {b"EHLO": greeting, b"AUTH": login_answer, b"QUIT": b"221 bye\r\n"}.get(verb, b"250 ok\r\n")
                )

    return talk


def test_smtp(stocked: Any) -> None:
    for answer, login, status, expected in (
        (b"", None, 0, "EHLO answered"),
        (b"235 canary\r\n", "ada", 0, "EHLO, login answered"),
        (b"535 canary\r\n", "ada", 1, "login and password are refused"),
        (b"", "ada", 1, "the server does not support login"),
    ):
        with serving(mail(answer)) as port:
            tried = Tried(stocked, conn_type="smtp", host="127.0.0.1", port=port, login=login, password="canary-pass")
            assert (tried.status, tried.result("smtp")) == (status, expected)


def test_ssh(stocked: Any) -> None:
    for greeting, status in ((b"SSH-2.0-canary\r\n", 0), (b"canary\r\n", 1)):
        with serving(lambda caller, greeting=greeting: caller.sendall(greeting)) as port:  # type: ignore[misc]
            assert Tried(stocked, conn_type="ssh", host="127.0.0.1", port=port).status == status


def test_anything_else_is_knocked_at(stocked: Any) -> None:
    with serving(lambda caller: None) as port:
        tried = Tried(stocked, conn_type="anything", host="localhost", port=port, password="canary-1")
        assert (tried.status, list(tried.steps)) == (0, ["tcp"])
        assert tried.result("tcp").startswith(f"connected to localhost:{port}")
    for fields, expected in (
        ({"conn_type": "anything", "host": "h"}, "no port"),
        ({"conn_type": "anything"}, "no host"),
        ({"conn_type": "kafka", "host": "no-such-host.invalid"}, "cannot be resolved"),
        ({"conn_type": "kafka", "host": "x" * 70}, ""),
        ({"conn_type": "kafka", "host": "h", "port": 99999}, ""),
        ({"conn_type": "http", "host": "http://[bad"}, "no host"),
        ({"conn_type": "", "host": "ž 🐎", "port": 5}, ""),
    ):
        tried = Tried(stocked, "--timeout", str(GUARD), **fields)  # type: ignore[arg-type]
        assert (tried.status, expected in tried.result("tcp")) == (1, True), tried.text


@pytest.mark.parametrize("kind", ["redis", "http", "smtp", "ssh", "postgres", "mysql"])
def test_a_server_that_falls_silent(stocked: Any, kind: str) -> None:
    silent = threading.Event()
    with serving(lambda caller: silent.wait(GUARD)) as port:
        tried = Tried(stocked, "--timeout", "0.3", conn_type=kind, host="127.0.0.1", port=port, password="canary-1")
        assert tried.status == 1
        assert not silent.is_set()
        silent.set()


def test_connections_that_cannot_be_read(stocked: Any) -> None:
    assert stocked.run("connections", "test", "nobody")[0] == 1
    stocked.set(BILLING_CONN_BAD="canary no uri")
    status, out, err = stocked.run("connections", "test", "bad")
    assert (status, "canary" in out + err) == (3, False)
    for timeout in ("soon", "0", "-1", "nan", "inf"):
        assert stocked.run("connections", "test", "bad", "--timeout", timeout)[0] == 2

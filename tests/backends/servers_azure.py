"""An Azure Key Vault on this machine, with Entra ID's sign-in beside it: HTTPS, challenges, versions, pages."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from servers_tls import Authority, Handler, Server

TENANT = "11111111-1111-1111-1111-111111111111"
CANARY = "sdk-text-canary"


class Refused(Exception):
    """An error answer of the vault."""

    def __init__(self, status: int, code: str, inner: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.status, self.headers = status, headers or {}
        self.body: Any = {"error": {"code": code, "message": CANARY}}
        if inner:
            self.body["error"]["innererror"] = {"code": inner}


class Vault:
    """The service: secrets with versions, and failures where a test wants them.

    Attributes:
        secrets: name in small letters -> its versions as (id, value, attributes).
        fail: called with the handler and each name before it is answered; it raises `Refused`, waits, or answers
            itself and returns True.
        tokens: the bearer tokens that are accepted; None: all that were given.
        calls, lists, challenges, logins: requests so far.
        sign_in: called before a token is given; it may answer itself and return True.
    """

    def __init__(self, authority: Authority) -> None:
        self.secrets: dict[str, list[tuple[str, Any, dict[str, Any]]]] = {}
        self.fail: Any = lambda handler, name: False
        self.sign_in: Any = lambda handler: False
        self.tokens: set[str] | None = None
        self.calls: list[str] = []
        self.given: list[str] = []
        self.lists = self.challenges = self.logins = 0
        self.seconds, self.page, self.client_secret = 3600, 2, "client-secret-canary"
        self._lock = threading.Lock()
        self.server = Server(self._answer, authority.context())
        self.url = f"https://localhost:{self.server.port}"
        self.kwargs: dict[str, Any] = {
            "vault_url": self.url,
            "tenant_id": TENANT,
            "client_id": "reader",
            "client_secret": self.client_secret,
            "authority": self.url,
            "verify_challenge_resource": False,
            "connection_verify": str(authority.pem),
        }

    def put(self, name: str, value: Any, **attributes: Any) -> str:
        versions = self.secrets.setdefault(name.lower(), [])
        versions.append((f"{len(versions) + 1:032x}", value, {"enabled": True, **attributes}))
        return versions[-1][0]

    def _answer(self, handler: Handler, method: str) -> None:
        split = urlsplit(handler.path)
        try:
            if split.path.startswith("/secrets"):
                self._vault(handler, split.path.strip("/").split("/")[1:], parse_qs(split.query))
            else:
                self._entra(handler, split.path)
        except Refused as refused:
            handler.reply(refused.status, refused.body, refused.headers)

    def _entra(self, handler: Handler, path: str) -> None:
        asked = parse_qs(handler.body().decode())
        if path.endswith("openid-configuration"):
            base = f"{self.url}/{TENANT}"
            handler.reply(
                200,
                {
                    "issuer": f"{base}/v2.0",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                },
            )
            return
        with self._lock:
            self.logins += 1
        if self.sign_in(handler):
            return
        if asked.get("client_secret") != [self.client_secret]:
            text = f"AADSTS7000215: Invalid client secret provided. {CANARY}"
            handler.reply(401, {"error": "invalid_client", "error_description": text, "error_codes": [7000215]})
            return
        token = f"token-canary-{len(self.given)}"
        self.given.append(token)
        handler.reply(200, {"token_type": "Bearer", "expires_in": self.seconds, "access_token": token})

    def _vault(self, handler: Handler, parts: list[str], query: dict[str, list[str]]) -> None:
        bearer = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        if bearer not in (self.given if self.tokens is None else self.tokens):
            with self._lock:
                self.challenges += 1
            challenge = f'Bearer authorization="{self.url}/{TENANT}", resource="https://vault.azure.net"'
            raise Refused(401, "Unauthorized", headers={"WWW-Authenticate": challenge})
        with self._lock:
            if parts:
                self.calls.append(parts[0])
            else:
                self.lists += 1
        if self.fail(handler, parts[0] if parts else "list"):
            return
        if not parts:
            self._page(handler, int(query.get("$skiptoken", ["0"])[0]))
            return
        versions = self.secrets.get(parts[0].lower(), [])
        wanted = [found for found in versions if len(parts) < 2 or found[0] == parts[1]]
        if not wanted:
            raise Refused(404, "SecretNotFound")
        version, value, attributes = wanted[-1]
        if not attributes["enabled"]:
            raise Refused(403, "Forbidden", "SecretDisabled")
        answer = {"id": f"{self.url}/secrets/{parts[0]}/{version}", "attributes": attributes}
        handler.reply(200, answer if value is None else {"value": value, **answer})

    def _page(self, handler: Handler, start: int) -> None:
        names = sorted(self.secrets)
        page = [
            {"id": f"{self.url}/secrets/{name}", "attributes": self.secrets[name][-1][2]}
            for name in names[start : start + self.page]
        ]
        more = f"{self.url}/secrets?api-version=7.6&$skiptoken={start + self.page}"
        handler.reply(200, {"value": page, "nextLink": more if start + self.page < len(names) else None})


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("azure"))


@pytest.fixture
def vault(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    for name in list(os.environ):
        if name.startswith(("AZURE_", "MSI_", "IDENTITY_")) or name.lower() == "https_proxy":
            monkeypatch.delenv(name)
    made = Vault(authority)
    yield made
    made.server.stop()


def wait(seconds: float) -> Any:
    """A `fail` that answers late."""

    def fail(handler: Handler, name: str) -> bool:
        time.sleep(seconds)
        return False

    return fail

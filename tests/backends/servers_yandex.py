"""Yandex Cloud for the tests: endpoints, tokens and Lockbox, by the SDK's own servicers, over TLS on 127.0.0.1."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from patience import GUARD

pytest.importorskip("yandexcloud", reason="yandexcloud is not installed")

import grpc  # noqa: E402
import jwt  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: E402
from servers_tls import Authority  # noqa: E402
from yandex.cloud.endpoint import api_endpoint_pb2, api_endpoint_service_pb2, api_endpoint_service_pb2_grpc  # noqa: E402
from yandex.cloud.iam.v1 import iam_token_service_pb2, iam_token_service_pb2_grpc  # noqa: E402
from yandex.cloud.lockbox.v1 import (  # noqa: E402
    payload_pb2,
    payload_service_pb2_grpc,
    secret_pb2,
    secret_service_pb2,
    secret_service_pb2_grpc,
)

OAUTH, FOLDER = "canary-oauth-token", "folder-1"
Code = grpc.StatusCode
Entry: TypeAlias = payload_pb2.Payload.Entry


class Lockbox:
    """The services in one server.

    Attributes:
        calls: the name of every call so far.
        failures: the codes of the next calls of a name, one each; a number is seconds to wait.
        always: the same for every call of a name.
        lasts: for how many seconds a token lasts.
        page: how many secrets one answer lists.
    """

    def __init__(self, authority: Authority) -> None:
        self.calls: list[str] = []
        self.failures: dict[str, list[Any]] = {}
        self.always: dict[str, Any] = {}
        self.tokens, self.lasts, self.page = set[str](), 43200, 2
        self.secrets: dict[str, tuple[str, str, dict[str, list[Entry]]]] = {}  # id -> folder, name, versions
        self.claims: dict[str, Any] = {}
        self._number, self._lock = 0, threading.Lock()
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.server = grpc.server(futures.ThreadPoolExecutor(40))
        api_endpoint_service_pb2_grpc.add_ApiEndpointServiceServicer_to_server(Endpoints(self), self.server)
        iam_token_service_pb2_grpc.add_IamTokenServiceServicer_to_server(Tokens(self), self.server)
        secret_service_pb2_grpc.add_SecretServiceServicer_to_server(Secrets(self), self.server)
        payload_service_pb2_grpc.add_PayloadServiceServicer_to_server(Payloads(self), self.server)
        creds = grpc.ssl_server_credentials([(authority.key, authority.certificate)])
        self.address = f"127.0.0.1:{self.server.add_secure_port('127.0.0.1:0', creds)}"
        self.server.start()

    def stop(self) -> None:
        self.server.stop(None).wait(GUARD)

    def put(self, name: str, *entries: Entry | str | bytes, folder: str = FOLDER, version: str = "") -> str:
        """A secret, or one more version of it; returns its id."""
        made = []
        for entry in entries:
            if isinstance(entry, str):
                entry = Entry(key="value", text_value=entry)
            made.append(Entry(key="value", binary_value=entry) if isinstance(entry, bytes) else entry)
        with self._lock:
            self._number += 1
            found = [secret_id for secret_id, secret in self.secrets.items() if secret[:2] == (folder, name)]
            secret_id = found[0] if found and version else f"id-{self._number}"
            versions = self.secrets.get(secret_id, (folder, name, {}))[2]
            self.secrets[secret_id] = (folder, name, {**versions, version or f"v{self._number}": made})
        return secret_id

    def check(self, name: str, context: Any, *, signed: bool = True) -> None:
        with self._lock:
            self.calls.append(name)
            planned = self.failures.get(name) or ([self.always[name]] if name in self.always else [])
            failure = planned.pop(0) if planned else None
        if isinstance(failure, float):
            time.sleep(failure)
        elif failure is not None:
            context.abort(failure, "canary-details-of-the-server")
        if signed:
            token = dict(context.invocation_metadata()).get("authorization", "").removeprefix("Bearer ")
            if token not in self.tokens:
                context.abort(Code.UNAUTHENTICATED, "canary-details-of-the-server")

    def token(self) -> str:
        with self._lock:
            self._number += 1
            token = f"canary-iam-token-{self._number}"
            self.tokens.add(token)
        return token

    def key(self) -> dict[str, str]:
        """A service account's key, with the line that Yandex writes before it."""
        private = self.rsa.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        warning = "PLEASE DO NOT REMOVE THIS LINE! Yandex.Cloud SA Key ID <key-1>\n"
        return {"id": "key-1", "service_account_id": "account-1", "private_key": warning + private.decode()}


class Endpoints(api_endpoint_service_pb2_grpc.ApiEndpointServiceServicer):  # type: ignore[misc]
    def __init__(self, cloud: Lockbox) -> None:
        self.cloud = cloud

    def List(self, request: Any, context: Any) -> Any:
        self.cloud.check("endpoints", context, signed=False)
        return api_endpoint_service_pb2.ListApiEndpointsResponse(
            endpoints=[
                api_endpoint_pb2.ApiEndpoint(id=name, address=self.cloud.address)
                for name in ("iam", "lockbox", "lockbox-payload")
            ]
        )


class Tokens(iam_token_service_pb2_grpc.IamTokenServiceServicer):  # type: ignore[misc]
    def __init__(self, cloud: Lockbox) -> None:
        self.cloud = cloud

    def Create(self, request: Any, context: Any) -> Any:
        self.cloud.check("login", context, signed=False)
        if request.jwt:
            try:
                public = self.cloud.rsa.public_key()
                self.cloud.claims = jwt.decode(
                    request.jwt, public, algorithms=["PS256"], options={"verify_aud": False, "require": ["exp", "iat"]}
                )
                assert jwt.get_unverified_header(request.jwt)["kid"] == "key-1"
            except (jwt.PyJWTError, AssertionError):
                context.abort(Code.UNAUTHENTICATED, "canary-details-of-the-server")
        elif request.yandex_passport_oauth_token != OAUTH:
            context.abort(Code.UNAUTHENTICATED, "canary-details-of-the-server")
        made = iam_token_service_pb2.CreateIamTokenResponse(iam_token=self.cloud.token())
        made.expires_at.FromSeconds(int(time.time()) + self.cloud.lasts)
        return made


class Secrets(secret_service_pb2_grpc.SecretServiceServicer):  # type: ignore[misc]
    def __init__(self, cloud: Lockbox) -> None:
        self.cloud = cloud

    def List(self, request: Any, context: Any) -> Any:
        self.cloud.check("list", context)
        if request.folder_id == "nowhere":
            context.abort(Code.NOT_FOUND, "canary-details-of-the-server")
        found = [
            secret_pb2.Secret(id=secret_id, folder_id=folder, name=name)
            for secret_id, (folder, name, _) in self.cloud.secrets.items()
            if folder == request.folder_id
        ]
        start = int(request.page_token or 0)
        end = start + min(self.cloud.page, request.page_size)
        return secret_service_pb2.ListSecretsResponse(
            secrets=found[start:end], next_page_token=str(end) if end < len(found) else ""
        )


class Payloads(payload_service_pb2_grpc.PayloadServiceServicer):  # type: ignore[misc]
    def __init__(self, cloud: Lockbox) -> None:
        self.cloud = cloud

    def Get(self, request: Any, context: Any) -> Any:
        self.cloud.check("payload", context)
        if request.secret_id not in self.cloud.secrets:
            context.abort(Code.NOT_FOUND, "canary-details-of-the-server")
        _, name, versions = self.cloud.secrets[request.secret_id]
        if "denied" in name:
            context.abort(Code.PERMISSION_DENIED, "canary-details-of-the-server")
        if "inactive" in name:
            context.abort(Code.FAILED_PRECONDITION, "canary-details-of-the-server")
        version = request.version_id or list(versions)[-1]
        if version not in versions:
            context.abort(Code.NOT_FOUND, "canary-details-of-the-server")
        return payload_pb2.Payload(version_id=version, entries=versions[version])


class Machine:
    """A metadata service, as a virtual machine has it."""

    def __init__(self, cloud: Lockbox, status: int = 200) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                good = self.headers["Metadata-Flavor"] == "Google" and "service-accounts/default/token" in self.path
                self.send_response(status if good else 404)
                self.end_headers()
                self.wfile.write(b'{"access_token": "%s", "expires_in": 3600}' % cloud.token().encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(Path(tmp_path_factory.mktemp("yandex")))


@pytest.fixture
def cloud(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lockbox]:
    from framework.backends import yandex

    made = Lockbox(authority)
    monkeypatch.setattr(yandex, "_ROOTS", authority.certificate)
    yield made
    made.stop()

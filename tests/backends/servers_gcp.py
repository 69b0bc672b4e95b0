"""A Google Cloud Secret Manager on this machine: gRPC over TLS, and REST, in the library's own message types."""

from __future__ import annotations

import json
import threading
import time
from concurrent import futures
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import grpc
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.cloud.secretmanager_v1.types import resources, service
from servers_tls import Authority, Handler, Server

SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"
HTTP = {"NOT_FOUND": 404, "PERMISSION_DENIED": 403, "UNAUTHENTICATED": 401, "FAILED_PRECONDITION": 400}


class Refused(Exception):
    """An error status with a text that must never be shown."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code, self.text = code, f"sdk-text-canary {code}"


class SecretManager:
    """The service: secrets with versions, and failures where a test wants them.

    Attributes:
        secrets: (project, name) -> the data of its versions, from 1.
        disabled: (name, version) that are disabled.
        fail: called with each name before it is answered; it raises `Refused` or waits.
        tokens: the bearer tokens that are accepted; None: all that are well-formed.
        calls, lists, seen: accesses, pages listed, and the bearer tokens so far.
    """

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.secrets: dict[tuple[str, str], list[bytes]] = {}
        self.disabled: set[tuple[str, int]] = set()
        self.fail: Any = lambda name: None
        self.tokens: set[str] | None = None
        self.calls: list[str] = []
        self.lists = 0
        self.seen: list[str] = []
        self.page = 2
        self._lock = threading.Lock()
        self._server: Any = None
        self.port = 0
        self.start()
        self.rest = Server(self._rest, authority.context())

    def start(self) -> None:
        methods = {
            "AccessSecretVersion": grpc.unary_unary_rpc_method_handler(
                self._grpc(self.access),
                service.AccessSecretVersionRequest.deserialize,
                service.AccessSecretVersionResponse.serialize,
            ),
            "ListSecrets": grpc.unary_unary_rpc_method_handler(
                self._grpc(self.list), service.ListSecretsRequest.deserialize, service.ListSecretsResponse.serialize
            ),
        }
        self._server = grpc.server(futures.ThreadPoolExecutor(40), options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
        tls = grpc.ssl_server_credentials([(self.authority.key, self.authority.certificate)])
        self.port = self._server.add_secure_port(f"127.0.0.1:{self.port}", tls)
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait()

    def close(self) -> None:
        self.stop()
        self.rest.stop()

    def put(self, name: str, data: bytes, project: str = "acme") -> None:
        self.secrets.setdefault((project, name), []).append(data)

    def access(self, request: Any) -> Any:
        _, project, _, name, _, version = request.name.split("/")
        with self._lock:
            self.calls.append(name)
        self.fail(name)
        data = self.secrets.get((project, name), [])
        number = len(data) if version == "latest" else int(version) if version.isdecimal() else 0
        if not 0 < number <= len(data):
            raise Refused("NOT_FOUND")
        if (name, number) in self.disabled:
            raise Refused("FAILED_PRECONDITION")
        return service.AccessSecretVersionResponse(
            name=f"projects/1/secrets/{name}/versions/{number}",
            payload=resources.SecretPayload(data=data[number - 1]),
        )

    def list(self, request: Any) -> Any:
        self.lists += 1
        self.fail("list")
        project = request.parent.partition("/")[2]
        wanted = request.filter.removeprefix("name:")
        names = sorted(name for place, name in self.secrets if place == project and wanted in name)
        start = int(request.page_token or 0)
        more = str(start + self.page) if start + self.page < len(names) else ""
        page = [resources.Secret(name=f"projects/1/secrets/{name}") for name in names[start : start + self.page]]
        return service.ListSecretsResponse(secrets=page, next_page_token=more)

    def _check(self, bearer: str) -> None:
        with self._lock:
            self.seen.append(bearer)
        if not bearer.startswith("Bearer ") or (self.tokens is not None and bearer[7:] not in self.tokens):
            raise Refused("UNAUTHENTICATED")

    def _grpc(self, method: Any) -> Any:
        def call(request: Any, context: Any) -> Any:
            try:
                self._check(dict(context.invocation_metadata()).get("authorization", ""))
                return method(request)
            except Refused as refused:
                context.abort(getattr(grpc.StatusCode, refused.code), refused.text)

        return call

    def _rest(self, handler: Handler, method: str) -> None:
        split = urlsplit(handler.path)
        try:
            self._check(handler.headers.get("Authorization", ""))
            if split.path.endswith(":access"):
                answer = self.access(service.AccessSecretVersionRequest(name=split.path[4:].removesuffix(":access")))
                handler.reply(200, service.AccessSecretVersionResponse.to_json(answer).encode())
            else:
                query = {name: values[0] for name, values in parse_qs(split.query).items()}
                asked = service.ListSecretsRequest(
                    parent=split.path[4:].removesuffix("/secrets"),
                    filter=query.get("filter", ""),
                    page_token=query.get("pageToken", ""),
                )
                handler.reply(200, service.ListSecretsResponse.to_json(self.list(asked)).encode())
        except Refused as refused:
            status = HTTP.get(refused.code, 503)
            handler.reply(status, {"error": {"code": status, "status": refused.code, "message": refused.text}})


class SignIn:
    """Google's token endpoint: gives tokens one after the other, or refuses."""

    def __init__(self) -> None:
        self.given: list[str] = []
        self.status, self.seconds, self.wait = 200, 3600, 0.0
        self.server = Server(self._answer)
        self.url = f"http://127.0.0.1:{self.server.port}/token"

    def _answer(self, handler: Handler, method: str) -> None:
        handler.body()
        time.sleep(self.wait)
        if self.status != 200:
            word = "invalid_grant" if self.status == 400 else "internal_failure"
            handler.reply(self.status, {"error": word, "error_description": "sdk-text-canary"})
            return
        token = f"token-canary-{len(self.given)}"
        self.given.append(token)
        handler.reply(
            200,
            {
                "access_token": token,
                "expires_in": self.seconds,
                "token_type": "Bearer",
                "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            },
        )


def service_account(project: str = "acme") -> dict[str, str]:
    """A service account's key as Google writes it: the client signs its own tokens with it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": project,
        "private_key_id": "1",
        "private_key": text.decode(),
        "client_email": f"reader@{project}.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": "http://127.0.0.1:1/token",
    }


def workload(url: str, folder: Path) -> dict[str, Any]:
    """Workload identity federation: the client changes a token of its platform for one of Google's."""
    (folder / "platform-token").write_text("platform-token-canary")
    return {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/own",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": url,
        "credential_source": {"file": str(folder / "platform-token")},
    }


def write(folder: Path, name: str, content: dict[str, Any]) -> str:
    path = folder / name
    path.write_text(json.dumps(content))
    return str(path)

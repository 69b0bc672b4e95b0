"""Yandex Lockbox: the secrets of one folder, found by their names.

Only the messages and stubs of the SDK are used. Its class `SDK` fetches a token for each channel every 20 seconds, and
its calls for endpoints and tokens have no deadline.
"""

from __future__ import annotations

import json
import os
import time
from math import inf

from framework.backends.faults import denied, invalid, refused, throttled, unavailable
from framework.backends.key_files import read_key, shown_path
from framework.backends.remote import RemoteStore
from framework.backends.retries import patiently
from framework.backends.session import Login
from framework.errors import AccessDenied, BackendError, BackendUnavailable, InvalidSecret
from framework.jitter import about
from framework.locks import ProcessLock
from framework.parsing import read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from framework.errors import SecretsError

ENDPOINT = "api.cloud.yandex.net"
METADATA = "169.254.169.254"
#: The connection that Airflow logs in with by default.
DEFAULT_CONNECTION = "yandexcloud_default"

#: The deadline of one call, in seconds.
_TIMEOUT = 10.0
#: How many seconds the list of the folder is used: for a name that is in it, and for one that is not.
_KNOWN_FOR, _MISSING_FOR = 900.0, 60.0
#: How many seconds before its end a token is replaced.
_EARLY = 300.0
_PAGE = 1000
#: Large answers; and a connection that was cut is soon made again.
_CHANNEL = {
    "grpc.max_receive_message_length": 32 << 20,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 5000,  # the time for one attempt
    "grpc.max_reconnect_backoff_ms": 4000,
}
#: The trusted authorities, as PEM; None: gRPC's own.
_ROOTS: bytes | None = None


class LockboxSecretBackend(RemoteStore):
    """Secrets of Yandex Lockbox. The folder is listed once for the ids, then payloads are read by id.

    The value is the only entry of a payload; several entries become a JSON object.

    Args:
        yc_oauth_token, yc_sa_key_json_path, yc_sa_key_json, yc_connection_id: how to log in; the first one given
            counts: an OAuth token, a service account's key as a file or as JSON, a connection of type `yandexcloud`.
            Without any: the connection `yandexcloud_default` if it exists, else the service account of the machine.
        folder_id: the folder of the secrets; by default the connection's.
        endpoint: of the API; by default the connection's, else that of Yandex Cloud.
        **names: the kwargs of `StoreBackend`.
    """

    store = "Lockbox"
    packages = {"grpc": "grpcio", "yandex.cloud.lockbox.v1.secret_service_pb2": "yandexcloud"}
    extra = "yandex"
    guards = ("connection", "variable")
    expired = ("UNAUTHENTICATED",)
    acts = {"read": ("reading it", "lockbox.payloadViewer"), "list": ("listing its secrets", "lockbox.viewer")}
    faults = {
        "NOT_FOUND": None,
        "PERMISSION_DENIED": denied("Give the service account the role {right}."),
        "UNAUTHENTICATED": refused("Check the login in backend_kwargs."),
        "FAILED_PRECONDITION": invalid("Activate the secret.", "it cannot be read in its state ({code})"),
        **dict.fromkeys(("INVALID_ARGUMENT", "OUT_OF_RANGE"), invalid("Correct the version.")),
        "RESOURCE_EXHAUSTED": throttled(),
        "": unavailable("Check the network.", "the API does not answer ({code})"),
    }

    def __init__(
        self,
        yc_oauth_token: str | None = None,
        yc_sa_key_json: dict[str, Any] | str | None = None,
        yc_sa_key_json_path: str | None = None,
        yc_connection_id: str | None = None,
        folder_id: str | None = "",
        endpoint: str | None = None,
        **names: Any,
    ) -> None:
        super().__init__(**names)
        self.team_sep = self.sep * 2
        self._credentials: dict[str, Any] = {
            "oauth": yc_oauth_token,
            "service_account_json_path": yc_sa_key_json_path,
            "service_account_json": yc_sa_key_json,
        }
        is_given = any(self._credentials.values())
        if is_given and yc_connection_id is not None:
            raise self.misconfigured("yc_connection_id and other credentials are both given", "Keep one of them.")
        self._connection_id = None if is_given else yc_connection_id or DEFAULT_CONNECTION
        self._is_default = yc_connection_id is None
        self._folder_id, self._endpoint = folder_id, endpoint
        self._account: str | None = None  # who logs in; None: the machine's service account, whose name is not known
        self._ids: dict[str, list[str]] = {}
        self._listed_at, self._lock = -inf, ProcessLock()

    def name_of(self, kind: str, secret_id: str, team: str | None = None) -> str | None:
        if kind == "connection" and secret_id == self._connection_id:
            return None  # the login cannot be among what it opens
        return super().name_of(kind, secret_id, team)

    def where(self, name: str = "", version: str | None = None) -> str:
        return f"Lockbox folder {self._folder_id}" + (f", secret {name}" if name else "")

    def open(self) -> _Folder:
        how = self._credentials if self._connection_id is None else self._of_the_connection()
        self._folder_id = self._folder_id or how.get("folder_id")
        if not self._folder_id:
            raise self.misconfigured("the folder is not known", "Set folder_id in backend_kwargs.")
        self._endpoint = self._endpoint or how.get("endpoint") or ENDPOINT
        return _Folder(self, self._folder_id, self._endpoint, self._proof(how))

    def not_opened(self, fault: Exception) -> SecretsError:
        where = f"Yandex Cloud at {str(self._endpoint).rpartition('@')[2]}"  # a URL may hold a password
        return self.out_of_reach(self.code_of(fault), where)

    def who(self, client: _Folder) -> str | None:
        return self._account and f"{self._endpoint} {self._folder_id} {self._account}"

    def fetch(self, client: _Folder, name: str, version: str | None) -> str | bytes | None:
        where, gone = self.where(name), ""
        while secret_id := self._id_of(name, where, gone):
            try:
                return _value(client.entries(secret_id, version or ""), where)
            except Exception as fault:
                if self.code_of(fault) != "NOT_FOUND" or version is not None or gone:
                    raise
            gone = secret_id  # the list is old: the secret may have been replaced
        return None

    def names(self, client: _Folder, start: str) -> list[str]:
        return sorted(client.ids())

    def code_of(self, fault: Exception) -> str:
        return str(fault.code().name) if hasattr(fault, "code") else type(fault).__name__

    def failure(self, fault: Exception, where: str, act: str = "read") -> SecretsError | None:
        code = self.code_of(fault)
        if act == "list" and code in ("NOT_FOUND", "INVALID_ARGUMENT"):
            raise BackendError(f"there is no such folder ({code})", where=where, hint="Correct folder_id.")
        return super().failure(fault, where, act)

    def out_of_reach(self, code: str, where: str) -> SecretsError:
        """The error of another service than Lockbox."""
        return self.failed(code if code == "RESOURCE_EXHAUSTED" else "", code, where)

    def _id_of(self, name: str, where: str, gone: str) -> str | None:
        """The id of a name, by a list that is recent, and does not have the id that is gone."""
        with self._lock:  # many threads make one list
            ids, age = self._ids.get(name, []), time.monotonic() - self._listed_at
            if age > about(_KNOWN_FOR if ids else _MISSING_FOR) or (gone and gone in ids):
                self._ids = self.ask(lambda folder: folder.ids(), act="list") or {}
                self._listed_at, ids = time.monotonic(), self._ids.get(name, [])
        if len(ids) > 1:
            raise InvalidSecret(f"{len(ids)} secrets have this name", where=where, hint="Rename all but one.")
        if ids and ids[0] == gone:
            what = "it is in the list of the folder, but does not exist"
            raise BackendUnavailable(what, where=where, hint="Try again later.")
        return ids[0] if ids else None

    def _of_the_connection(self) -> dict[str, Any]:
        """The login in the extra of the connection; empty if it is the default one and does not exist."""
        found = self.connection(self._connection_id or "")
        if found is None:
            if self._is_default:
                return {}
            hint = "Set it in the environment, or give other credentials in backend_kwargs."
            raise self.misconfigured(f"the connection {self._connection_id!r} is not found", hint)
        extra, fields = found.extra_dejson, (*self._credentials, "folder_id", "endpoint")
        return {field: extra.get(field, extra.get(f"extra__yandexcloud__{field}")) for field in fields}

    def _proof(self, how: Mapping[str, Any]) -> Callable[[str], dict[str, str]] | None:
        """Makes a request for a token, for an endpoint; None: the machine has a service account."""
        oauth, path, key = (how.get(name) for name in self._credentials)
        if oauth:
            self._account = f"oauth {oauth}"
            return lambda endpoint: {"yandex_passport_oauth_token": oauth}
        if not (path or key):
            return None
        where = shown_path(path, "yc_sa_key_json_path") if path else "yc_sa_key_json"
        try:
            found: Any = read_key(path, self.directory, "yc_sa_key_json_path") if path else key
            found = read_json(found) if isinstance(found, str) else found
            if all(isinstance(found[field], str) for field in ("id", "service_account_id", "private_key")):
                self._account = f"{found['service_account_id']} {found['id']}"
                return lambda endpoint: {"jwt": _signed(found, endpoint)}
        except (ValueError, TypeError, KeyError):
            pass  # the same error as for a field of another type
        hint = "It must be a JSON object with id, service_account_id and private_key."
        raise BackendError("this is not the key of a service account", where=where, hint=hint)


class _Folder:
    """One folder: its stubs and its login."""

    def __init__(
        self,
        backend: LockboxSecretBackend,
        folder_id: str,
        endpoint: str,
        proof: Callable[[str], dict[str, str]] | None,
    ) -> None:
        import grpc
        from yandex.cloud.endpoint.api_endpoint_service_pb2 import ListApiEndpointsRequest
        from yandex.cloud.endpoint.api_endpoint_service_pb2_grpc import ApiEndpointServiceStub
        from yandex.cloud.iam.v1.iam_token_service_pb2_grpc import IamTokenServiceStub
        from yandex.cloud.lockbox.v1.payload_service_pb2_grpc import PayloadServiceStub
        from yandex.cloud.lockbox.v1.secret_service_pb2_grpc import SecretServiceStub

        trusted, options = grpc.ssl_channel_credentials(_ROOTS), tuple(_CHANNEL.items())
        directory = ApiEndpointServiceStub(grpc.secure_channel(endpoint, trusted, options))
        addresses = {each.id: each.address for each in _call(directory.List, ListApiEndpointsRequest()).endpoints}
        stubs = {"iam": IamTokenServiceStub, "lockbox": SecretServiceStub, "lockbox-payload": PayloadServiceStub}
        if not set(stubs) <= set(addresses):
            raise backend.misconfigured("the endpoint has no Lockbox", "Correct the endpoint.")
        made = [stub(grpc.secure_channel(addresses[name], trusted, options)) for name, stub in stubs.items()]
        self._iam, self._secrets, self._payloads = made
        self._backend, self._id, self._endpoint, self._proof = backend, folder_id, endpoint, proof
        self.login = Login(self._token, _EARLY)

    def entries(self, secret_id: str, version: str) -> Any:
        """The entries of a secret's payload."""
        from yandex.cloud.lockbox.v1.payload_service_pb2 import GetPayloadRequest

        request = GetPayloadRequest(secret_id=secret_id, version_id=version)
        return _call(self._payloads.Get, request, self.login.token()).entries

    def ids(self) -> dict[str, list[str]]:
        """The ids of all secrets by name."""
        from yandex.cloud.lockbox.v1.secret_service_pb2 import ListSecretsRequest

        found: dict[str, list[str]] = {}
        page, is_last = "", False
        while not is_last:
            request = ListSecretsRequest(folder_id=self._id, page_size=_PAGE, page_token=page)
            answer = _call(self._secrets.List, request, self.login.token())
            for secret in answer.secrets:
                found.setdefault(secret.name, []).append(secret.id)
            page, is_last = answer.next_page_token, not answer.next_page_token
        return found

    def _token(self) -> tuple[str, float]:
        """A token, and its lifetime in seconds."""
        import grpc
        from yandex.cloud.iam.v1.iam_token_service_pb2 import CreateIamTokenRequest

        self._backend.logins += 1
        if self._proof is None:
            return _token_of_this_machine()
        proof = self._proof(self._endpoint)
        try:
            made = _call(self._iam.Create, CreateIamTokenRequest(**proof))
            return made.iam_token, made.expires_at.seconds - time.time() if made.HasField("expires_at") else 3600.0
        except grpc.RpcError as fault:
            code = self._backend.code_of(fault)
        if code in ("UNAUTHENTICATED", "PERMISSION_DENIED", "INVALID_ARGUMENT", "NOT_FOUND"):
            what = "the key of the service account" if "jwt" in proof else "the OAuth token"
            raise AccessDenied(f"{what} was refused ({code})", where="Yandex IAM", hint="Replace it with a new one.")
        raise self._backend.out_of_reach(code, "Yandex IAM")


def _call(method: Any, request: Any, token: str = "") -> Any:
    """The answer of a stub. Raises grpc.RpcError."""
    metadata = (("authorization", f"Bearer {token}"),) if token else None
    return patiently(lambda: method(request, timeout=_TIMEOUT, metadata=metadata), _temporary)


def _temporary(fault: Exception) -> tuple[bool, None] | None:
    code = fault.code().name if hasattr(fault, "code") else ""
    return (code == "RESOURCE_EXHAUSTED", None) if code in ("UNAVAILABLE", "RESOURCE_EXHAUSTED") else None


def _signed(key: Mapping[str, str], endpoint: str) -> str:
    """A JWT for one hour, which proves that we have the key."""
    import jwt

    now = int(time.time())
    audience = f"https://iam.{endpoint.removesuffix(':443')}/iam/v1/tokens"
    claims = {"iss": key["service_account_id"], "aud": audience, "iat": now, "exp": now + 3600}
    private = key["private_key"]
    private = private[max(private.find("-----BEGIN"), 0) :]  # Yandex puts a line with a warning before it
    try:
        return str(jwt.encode(claims, private, algorithm="PS256", headers={"kid": key["id"]}))
    except Exception:
        what = "the service account's private key cannot be read"
        raise BackendError(what, where="Lockbox", hint="Make a new key.") from None


def _token_of_this_machine() -> tuple[str, float]:
    """The token of the virtual machine's service account, and its lifetime in seconds."""
    from http.client import HTTPException
    from urllib.request import ProxyHandler, Request, build_opener

    url = f"http://{os.environ.get('YC_METADATA_ADDR', METADATA)}"
    request = Request(f"{url}/computeMetadata/v1/instance/service-accounts/default/token")
    request.add_header("Metadata-Flavor", "Google")
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=2) as answer:
            token = read_json(answer.read())
        return str(token["access_token"]), float(token.get("expires_in", 3600))
    except (OSError, HTTPException, ValueError, TypeError, KeyError) as fault:
        reason = getattr(fault, "code", None) or type(fault).__name__
    what = f"no login is given, and the metadata service of this machine provides none ({reason})"
    hint = "Set yc_sa_key_json_path or another login in backend_kwargs."
    raise BackendUnavailable(what, where="Lockbox", hint=hint)


def _value(entries: Any, where: str) -> str | bytes:
    """The value of a payload: its only text, a JSON object of several texts, or its only binary entry.

    Of several texts, Airflow takes the one whose key sorts first.
    """
    texts = {entry.key: entry.text_value for entry in entries if entry.WhichOneof("value") == "text_value"}
    if texts:
        return json.dumps(texts) if len(texts) > 1 else str(next(iter(texts.values())))
    if len(entries) == 1:
        return bytes(entries[0].binary_value)
    what = "it has no entry" if not entries else "it has several binary entries and no text"
    raise InvalidSecret(what, where=where, hint="Store one entry of UTF-8 text.")

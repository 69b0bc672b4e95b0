"""Yandex Lockbox: the secrets of one folder, found by their names.

Of the SDK the messages and stubs are used, not its class `SDK`: that one fetches a token for each channel every 20
seconds, and its calls for endpoints and tokens have no deadline.
"""

from __future__ import annotations

import os

from framework.backends.remote import RemoteStore
from framework.backends.session import Login, patiently, read_secret_text, shown_path
from framework.errors import AccessDenied, BackendError, BackendUnavailable, InvalidSecret
from framework.locks import ProcessLock
from framework.parsing import read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from framework.errors import SecretsError

ENDPOINT = "api.cloud.yandex.net"
METADATA = "169.254.169.254"
#: The connection that Airflow logs in with when nothing else is said.
DEFAULT_CONNECTION = "yandexcloud_default"

#: The deadline of one call, and the waits before it is tried again, in seconds.
_TIMEOUT = 10.0
_WAITS = (0.1, 0.4)
#: How long the list of the folder serves: for a name that is in it, and for one that is not. In seconds.
_KNOWN_FOR, _MISSING_FOR = 900.0, 60.0
#: A token is fetched again so long before it ends.
_EARLY = 300.0
_PAGE = 1000
#: Large answers; and a connection that was cut is made again soon.
_CHANNEL = {
    "grpc.max_receive_message_length": 32 << 20,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 5000,  # so long it tries to connect
    "grpc.max_reconnect_backoff_ms": 4000,
}
#: The authorities that are trusted, as PEM; None: gRPC's own.
_ROOTS: bytes | None = None


class LockboxSecretBackend(RemoteStore):
    """Secrets of Yandex Lockbox. The folder is listed once for the ids, then payloads are read by id.

    One entry in a payload is the value; of several, the value is a JSON object with their keys.

    Args:
        yc_oauth_token, yc_sa_key_json_path, yc_sa_key_json, yc_connection_id: how to log in; the first one that is
            given counts: an OAuth token, a service account's key as a file or as JSON, a connection of type
            `yandexcloud`. Without any, the connection `yandexcloud_default` if there is one, else the service account
            of the machine.
        folder_id: the folder with the secrets; by default the connection's.
        endpoint: of the API; by default the connection's, else that of Yandex Cloud.
        connections_prefix, variables_prefix, config_prefix, sep, *_lookup_pattern: see `StoreBackend`.
    """

    store = "Lockbox"
    packages = {"grpc": "grpcio", "yandex.cloud.lockbox.v1.secret_service_pb2": "yandexcloud"}
    extra = "yandex"
    guards = ("connection", "variable")
    acts = {"read": ("reading it", "lockbox.payloadViewer"), "list": ("listing its secrets", "lockbox.viewer")}
    faults = {
        "PERMISSION_DENIED": (AccessDenied, "{doing} is denied ({code})", "Give the service account the role {right}."),
        "UNAUTHENTICATED": (AccessDenied, "the login was refused ({code})", "Check the credentials."),
        "FAILED_PRECONDITION": (InvalidSecret, "it cannot be read as it is ({code})", "Activate the secret."),
        "INVALID_ARGUMENT": (InvalidSecret, "the request is invalid ({code})", "Correct the version."),
        "OUT_OF_RANGE": (InvalidSecret, "the request is invalid ({code})", "Correct the version."),
        "RESOURCE_EXHAUSTED": (BackendUnavailable, "too many requests ({code})", "Ask for less, or later."),
        "": (BackendUnavailable, "the API does not answer ({code})", "Check the network."),
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
        given = any(self._credentials.values())
        if given and yc_connection_id is not None:
            raise BackendError(
                "yc_connection_id and other credentials are both given", where="Lockbox", hint="Keep one of them."
            )
        self._connection_id = None if given else yc_connection_id or DEFAULT_CONNECTION
        self._is_default = yc_connection_id is None
        self._folder_id, self._endpoint = folder_id, endpoint

    def name_of(self, kind: str, secret_id: str, team: str | None = None) -> str | None:
        if kind == "connection" and secret_id == self._connection_id:
            return None  # it is what opens the folder, so it cannot be inside
        return super().name_of(kind, secret_id, team)

    def where(self, name: str = "", version: str | None = None) -> str:
        return f"Lockbox folder {self._folder_id}" + (f", secret {name}" if name else "")

    def open(self) -> _Folder:
        said = self._of_the_connection() if self._connection_id is not None else self._credentials
        self._folder_id = self._folder_id or said.get("folder_id")
        if not self._folder_id:
            raise BackendError("the folder is not known", where=self.store, hint="Set folder_id in backend_kwargs.")
        endpoint = self._endpoint or said.get("endpoint") or ENDPOINT
        oauth, key = said.get("oauth"), self._key(said)
        folder = _Folder(self, self._folder_id, endpoint)
        folder.login = Login(lambda: self._token(folder.iam, endpoint, oauth, key), _EARLY)
        return folder

    def fetch(self, client: _Folder, name: str, version: str | None) -> str | bytes | None:
        return client.read(name, version)

    def names(self, client: _Folder, start: str) -> list[str]:
        return sorted(client.list_all())

    def code_of(self, fault: Any) -> str:
        return type(fault).__name__  # those of the API are told by `_Folder`

    def out_of_reach(self, code: str, where: str) -> SecretsError:
        """The error of another service than Lockbox."""
        return self.failed(code if code == "RESOURCE_EXHAUSTED" else "", code, where)

    def _of_the_connection(self) -> dict[str, Any]:
        """The credentials in the extra of the connection; nothing if it is the default one and is not there."""
        found: Any = None
        find: Any = self.find_connection
        if find is None:  # inside Airflow, whose class finds connections itself
            connection_class: Any = self._get_connection_class()
            find = getattr(connection_class, "get_connection_from_secrets", None) or connection_class.get
        try:
            found = find(self._connection_id)
        except Exception as fault:
            if type(fault).__name__ not in ("ConnectionNotFound", "AirflowNotFoundException"):
                raise
        if found is None:
            if self._is_default:
                return {}
            hint = "Set it in the environment, or give other credentials in backend_kwargs."
            raise BackendError(f"the connection {self._connection_id!r} is not found", where=self.store, hint=hint)
        extra = found.extra_dejson
        fields = (*self._credentials, "folder_id", "endpoint")
        return {field: extra.get(field, extra.get(f"extra__yandexcloud__{field}")) for field in fields}

    def _key(self, said: Mapping[str, Any]) -> dict[str, Any] | None:
        """The service account's key: from the file before the JSON text, as in Airflow."""
        path: Any = said.get("service_account_json_path")
        key: Any = said.get("service_account_json")
        if said.get("oauth") or not (path or key):
            return None
        where = "yc_sa_key_json"
        try:
            if path:
                where = shown_path(path, "yc_sa_key_json_path")
                key = read_secret_text(path, self.directory, "yc_sa_key_json_path")
            if isinstance(key, str):
                key = read_json(key)
            if all(isinstance(key[field], str) for field in ("id", "service_account_id", "private_key")):
                return dict(key)
        except (OSError, ValueError, TypeError, KeyError):
            pass  # the same error as for a key without its fields
        hint = "It must be a JSON object with id, service_account_id and private_key."
        raise BackendError("this is not the key of a service account", where=where, hint=hint)

    def _token(self, iam: Any, endpoint: str, oauth: str | None, key: dict[str, Any] | None) -> tuple[str, float]:
        """A token, and for how many seconds it lasts."""
        self.logins += 1
        if not (oauth or key):
            return _of_this_machine()
        import time

        from yandex.cloud.iam.v1.iam_token_service_pb2 import CreateIamTokenRequest

        proof = {"yandex_passport_oauth_token": oauth} if oauth else {"jwt": _signed(key or {}, endpoint)}
        made, code = _call(iam.Create, CreateIamTokenRequest(**proof))
        if not code:
            lasts = made.expires_at.seconds - time.time() if made.HasField("expires_at") else 3600.0
            return made.iam_token, lasts
        what = "the OAuth token" if oauth else "the key of the service account"
        if code in ("UNAUTHENTICATED", "PERMISSION_DENIED", "INVALID_ARGUMENT", "NOT_FOUND"):
            raise AccessDenied(f"{what} was refused ({code})", where="Yandex IAM", hint="Make a new one, and write it.")
        raise self.out_of_reach(code, "Yandex IAM")


def _signed(key: Mapping[str, Any], endpoint: str) -> str:
    """What proves that we have the key: a JWT for one hour."""
    import time

    import jwt

    now = int(time.time())
    audience = f"https://iam.{endpoint.removesuffix(':443')}/iam/v1/tokens"
    said = {"iss": key["service_account_id"], "aud": audience, "iat": now, "exp": now + 3600}
    private = key["private_key"]
    private = private[max(private.find("-----BEGIN"), 0) :]  # a line of warning to people stands before it
    try:
        return str(jwt.encode(said, private, algorithm="PS256", headers={"kid": key["id"]}))
    except Exception:
        what = "the service account's private key cannot be read"
        raise BackendError(what, where="Lockbox", hint="Make a new key.") from None


class _Folder:
    """One folder: its stubs, its login, and the ids of its secrets by name."""

    login: Login

    def __init__(self, backend: LockboxSecretBackend, folder_id: str, endpoint: str) -> None:
        import grpc
        from yandex.cloud.endpoint.api_endpoint_service_pb2 import ListApiEndpointsRequest
        from yandex.cloud.endpoint.api_endpoint_service_pb2_grpc import ApiEndpointServiceStub
        from yandex.cloud.iam.v1.iam_token_service_pb2_grpc import IamTokenServiceStub
        from yandex.cloud.lockbox.v1.payload_service_pb2_grpc import PayloadServiceStub
        from yandex.cloud.lockbox.v1.secret_service_pb2_grpc import SecretServiceStub

        self._backend, self._id = backend, folder_id
        self._ids: dict[str, list[str]] = {}
        self._listed: float | None = None
        self._lock = ProcessLock()
        trusted, options = grpc.ssl_channel_credentials(_ROOTS), tuple(_CHANNEL.items())
        open_to_all = ApiEndpointServiceStub(grpc.secure_channel(endpoint, trusted, options))
        where = f"Yandex Cloud at {endpoint.rpartition('@')[2]}"  # people write URLs with a password
        answer, code = _call(open_to_all.List, ListApiEndpointsRequest())
        if code:
            raise backend.out_of_reach(code, where)
        addresses = {each.id: each.address for each in answer.endpoints}
        stubs = {"iam": IamTokenServiceStub, "lockbox": SecretServiceStub, "lockbox-payload": PayloadServiceStub}
        if not set(stubs) <= set(addresses):
            raise BackendError("it has no Lockbox", where=where, hint="Correct the endpoint.")
        made: list[Any] = [stub(grpc.secure_channel(addresses[name], trusted, options)) for name, stub in stubs.items()]
        self.iam, self._secrets, self._payloads = made

    def read(self, name: str, version: str | None) -> str | bytes | None:
        from yandex.cloud.lockbox.v1.payload_service_pb2 import GetPayloadRequest

        where = self._backend.where(name)
        gone = ""
        while secret_id := self._id_of(name, where, gone):
            request = GetPayloadRequest(secret_id=secret_id, version_id=version or "")
            payload, code = _call(self._payloads.Get, request, self.login)
            if not code:
                return _value(payload.entries, where)
            if code != "NOT_FOUND":
                raise self._backend.failed(code, code, where)
            if version is not None or gone:
                return None
            gone = secret_id  # the list is old: the secret may have been made anew
        return None

    def list_all(self) -> dict[str, list[str]]:
        """The ids by name, asked for now."""
        import time

        from yandex.cloud.lockbox.v1.secret_service_pb2 import ListSecretsRequest

        ids: dict[str, list[str]] = {}
        token, where = "", self._backend.where()
        while True:
            request = ListSecretsRequest(folder_id=self._id, page_size=_PAGE, page_token=token)
            answer, code = _call(self._secrets.List, request, self.login)
            if code in ("NOT_FOUND", "INVALID_ARGUMENT"):
                raise BackendError(f"there is no such folder ({code})", where=where, hint="Correct folder_id.")
            if code:
                raise self._backend.failed(code, code, where, "list")
            for secret in answer.secrets:
                ids.setdefault(secret.name, []).append(secret.id)
            token = answer.next_page_token
            if not token:
                break
        with self._lock:
            self._ids, self._listed = ids, time.monotonic()
        return ids

    def _id_of(self, name: str, where: str, gone: str = "") -> str | None:
        """The id for a name, from a list that is not too old and does not give the id that is gone."""
        import time

        with self._lock:  # so that as many threads as ask make one list
            ids = self._ids.get(name, [])
            serves_for = _KNOWN_FOR if ids else _MISSING_FOR
            if self._listed is None or time.monotonic() - self._listed > serves_for or (gone and gone in ids):
                ids = self.list_all().get(name, [])
        if len(ids) > 1:
            raise InvalidSecret(f"{len(ids)} secrets have this name", where=where, hint="Rename all but one.")
        if ids and ids[0] == gone:
            what = "it is in the list of the folder, but cannot be found"
            raise BackendUnavailable(what, where=where, hint="Try again later.")
        return ids[0] if ids else None


def _call(method: Any, request: Any, login: Login | None = None, refused: Any = None) -> tuple[Any, str]:
    """The answer and no code, or None and the code of the failure. A login that is refused is renewed once."""
    import grpc

    token = login.token(refused) if login is not None else ""
    metadata = (("authorization", f"Bearer {token}"),) if token else None
    try:
        return patiently(lambda: method(request, timeout=_TIMEOUT, metadata=metadata), _wait, _WAITS), ""
    except grpc.RpcError as fault:
        code = str(fault.code().name)
    if code == "UNAUTHENTICATED" and token and refused is None:
        return _call(method, request, login, token)
    return None, code


def _wait(fault: Any) -> float | None:
    is_passing = hasattr(fault, "code") and fault.code().name in ("UNAVAILABLE", "RESOURCE_EXHAUSTED")
    return 0.0 if is_passing else None


def _of_this_machine() -> tuple[str, float]:
    """The token of the service account that the virtual machine has, and for how many seconds it lasts."""
    from http.client import HTTPConnection, HTTPException

    place, path = (
        os.environ.get("YC_METADATA_ADDR", METADATA),
        "/computeMetadata/v1/instance/service-accounts/default/token",
    )
    what = ""
    try:
        connection = HTTPConnection(place, timeout=2)
        connection.request("GET", path, headers={"Metadata-Flavor": "Google"})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status == 200:
            token = read_json(said)
            return str(token["access_token"]), float(token.get("expires_in", 3600))
        what = f"the metadata service answered {answer.status}"
    except (OSError, HTTPException, ValueError, TypeError, KeyError) as fault:
        what = f"the metadata service cannot be read: {type(fault).__name__}"
    finally:
        connection.close()
    hint = "Set yc_sa_key_json_path or another login in backend_kwargs."
    raise BackendUnavailable(
        f"no credentials are given, and this machine has none ({what})", where="Lockbox", hint=hint
    )


def _value(entries: Any, where: str) -> str | bytes:
    """What a payload says: its one text, a JSON object of several, or else its one binary.

    Airflow takes of several texts the one that sorts first, which depends on the secret itself.
    """
    import json

    texts = {entry.key: entry.text_value for entry in entries if entry.WhichOneof("value") == "text_value"}
    if texts:
        return json.dumps(texts) if len(texts) > 1 else str(next(iter(texts.values())))
    if len(entries) == 1:
        return bytes(entries[0].binary_value)
    what = "it has no entry" if not entries else "it has several binary entries and no text"
    raise InvalidSecret(what, where=where, hint="Store one entry of UTF-8 text.")

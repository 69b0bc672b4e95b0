"""Google Cloud Secret Manager, over its own client library.

A secret's name is prefix, separator and id; a name that Secret Manager cannot hold (other characters than letters,
digits, `-` and `_`, or more than 255 of them) is nobody's and never asked for, as in Airflow. Versions are Secret
Manager's own: a number, an alias, or `latest`.
"""

from __future__ import annotations

from framework import given
from framework.backends.remote import RemoteStore
from framework.backends.session import Login, read_secret_text, shown_path
from framework.errors import AccessDenied, BackendError, BackendUnavailable, FrameworkError, InvalidSecret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"

#: How long one request for a token may take, and one read together with all its retries.
_LOGIN_SECONDS, _CALL_SECONDS = 10.0, 20.0


class GcpSecretManagerBackend(RemoteStore):
    """Connections, variables and config secrets of Google Cloud Secret Manager; Airflow's `CloudSecretManagerBackend`.

    Args:
        connections_prefix, variables_prefix, config_prefix, sep, *_lookup_pattern: see `StoreBackend`; a separator at
            the end of a prefix stays, as in Airflow.
        gcp_keyfile_dict: a service account's key, as an object.
        gcp_key_path: a file with such a key.
        gcp_credential_config_file: credentials of any type, workload identity federation for example: an object, a
            JSON text or a path. Without one of the three the Application Default Credentials are used.
        gcp_scopes: OAuth scopes, with commas between them.
        project_id: where the secrets are; by default the credentials' project.
        impersonation_chain: a service account to act as, or a list that leads to it.
        api_endpoint: another host for the API, Private Service Connect for example (not in Airflow).

    Raises:
        BackendError: two kinds of credentials are given, or a prefix that no name can begin with.
    """

    store = "GCP Secret Manager"
    packages = {"google.cloud.secretmanager_v1": "google-cloud-secret-manager", "requests": "requests"}
    extra = "gcp"
    quiet = ("google", "grpc")
    folders = {"connection": "-connections", "variable": "-variables", "config": "-config"}
    guards = ("connection", "variable")
    name_rule = ("[a-zA-Z0-9_-]{1,255}", "letters, digits, - and _")
    version_rule = name_rule[0]
    expired = ("UNAUTHENTICATED",)
    acts = {
        "read": ("reading it", "secretmanager.versions.access (the role Secret Manager Secret Accessor)"),
        "list": ("listing the secrets", "secretmanager.secrets.list (the role Secret Manager Viewer)"),
    }
    faults = {
        "NOT_FOUND": None,
        "PERMISSION_DENIED": (AccessDenied, "access is denied ({code})", "Grant {right}."),
        "UNAUTHENTICATED": (
            AccessDenied,
            "the credentials are not accepted ({code})",
            "Renew the key, or sign in again.",
        ),
        "FAILED_PRECONDITION": (
            InvalidSecret,
            "this version is disabled or destroyed ({code})",
            "Enable it, or add a version.",
        ),
        "INVALID_ARGUMENT": (InvalidSecret, "the request is invalid ({code})", "Check project_id."),
        "OUT_OF_RANGE": (InvalidSecret, "the request is invalid ({code})", "Check project_id."),
        "RESOURCE_EXHAUSTED": (BackendUnavailable, "too many requests ({code})", "Raise the quota, or ask later."),
        "ABORTED": (BackendUnavailable, "too many requests ({code})", "Raise the quota, or ask later."),
        "sign-in refused": (
            AccessDenied,
            "Google's sign-in refuses the credentials",
            "Renew the key, sign in again, or correct impersonation_chain.",
        ),
        "no sign-in": (
            BackendUnavailable,
            "Google's sign-in does not answer",
            "Check the network of this process.",
        ),
        "": (BackendUnavailable, "the store does not answer ({code})", "Try again when it is well."),
    }

    def __init__(
        self,
        gcp_keyfile_dict: dict[str, Any] | None = None,
        gcp_key_path: str | None = None,
        gcp_credential_config_file: dict[str, Any] | str | None = None,
        gcp_scopes: str | None = None,
        project_id: str | None = None,
        sep: str = "-",
        impersonation_chain: str | list[str] | None = None,
        api_endpoint: str | None = None,
        **names: Any,
    ) -> None:
        super().__init__(sep=sep, **names)
        self._keys: dict[str, Any] = {
            "gcp_keyfile_dict": gcp_keyfile_dict,
            "gcp_key_path": gcp_key_path,
            "gcp_credential_config_file": gcp_credential_config_file,
        }
        self._given = " and ".join(name for name, key in self._keys.items() if key)
        if " and " in self._given:
            raise BackendError(f"{self._given} cannot be given together", where=self.store, hint="Keep one of them.")
        scopes = ",".join(given.texts(gcp_scopes or _SCOPE, "gcp_scopes"))
        self._scopes = [scope.strip() for scope in scopes.split(",")]
        self._project, self._endpoint = project_id, api_endpoint
        self._chain = given.texts(impersonation_chain or None, "impersonation_chain")

    def joined(self, prefix: str, secret_id: str) -> str:
        return self.build_path(prefix, secret_id, self.sep) if prefix else secret_id

    def open(self) -> _Session:
        """The client with its credentials. Where our own gRPC was at work before a fork, the child speaks REST: gRPC
        does not outlive a fork."""
        return _Session(self, "rest" if self._clients.is_inherited() else "grpc")

    def not_opened(self, fault: Exception) -> FrameworkError:
        if _is_out_of_reach(fault):
            return self.failed("no sign-in", "", self.store)
        if self._given:
            what = f"{self._given} does not hold Google Cloud credentials"
            return BackendError(what, where=self.store, hint="Give a key file as Google made it.")
        return AccessDenied(
            "there are no credentials of Google Cloud",
            where=self.store,
            hint="Give gcp_key_path, or run where Application Default Credentials are.",
        )

    def fetch(self, client: _Session, name: str, version: str | None) -> bytes:
        client.log_in()
        path = f"projects/{client.project}/secrets/{name}/versions/{version or 'latest'}"
        answer = client.client.access_secret_version(name=path, **client.limits)
        if f"/secrets/{name}/versions/" not in answer.name:
            what = "the answer is for another name, or none"
            raise BackendUnavailable(what, where=self.where(name), hint="Check api_endpoint and proxies.")
        value: bytes = answer.payload.data
        return value

    def names(self, client: _Session, start: str) -> list[str]:
        """Page by page. Needs the permission to list the project's secrets."""
        client.log_in()
        asked = {"parent": f"projects/{client.project}", "page_size": 1000}
        if start:
            asked["filter"] = f"name:{start}"
        return [secret.name.rpartition("/")[2] for secret in client.client.list_secrets(asked, **client.limits)]

    def code_of(self, fault: Any) -> str | tuple[str, str]:
        from google.api_core.exceptions import RetryError
        from google.auth.exceptions import GoogleAuthError

        if isinstance(fault, RetryError):
            fault = fault.cause
        if isinstance(fault, GoogleAuthError):
            return "no sign-in" if _is_out_of_reach(fault) else "sign-in refused"
        status = _status(fault)
        return status, status or type(fault).__name__

    def _credentials(self, request: Any) -> tuple[Any, str | None]:
        """The credentials and their project. What the libraries raise goes to `_open`."""
        import google.auth
        from google.oauth2.service_account import Credentials

        self.logins += 1
        scopes, key = self._scopes, self._key()
        if key is None:
            credentials, project = google.auth.default(scopes=scopes, request=request)
        elif not self._keys["gcp_credential_config_file"]:
            key["private_key"] = key["private_key"].replace("\\n", "\n")  # as JSON inside JSON writes them
            credentials, project = Credentials.from_service_account_info(key, scopes=scopes), key["project_id"]
        elif key.get("type") == "external_account" and self._project:
            credentials, project = _federated(key, scopes), None
        else:
            credentials, project = google.auth.load_credentials_from_dict(key, scopes=scopes, request=request)
        if self._chain:
            from google.auth import impersonated_credentials

            *delegates, target = self._chain
            credentials = impersonated_credentials.Credentials(credentials, target, scopes, delegates)
            project = target.partition("@")[2].partition(".")[0]  # NAME@PROJECT.iam.gserviceaccount.com
        return credentials, self._project or project

    def _key(self) -> dict[str, Any] | None:
        """The credentials that the kwargs give or name, or None."""
        from framework.parsing import read_json

        key = self._keys["gcp_keyfile_dict"] or self._keys["gcp_credential_config_file"] or self._keys["gcp_key_path"]
        if isinstance(key, str) and key.lstrip().startswith("{"):
            key = read_json(key)
        elif isinstance(key, str):
            key = read_json(self._read(key))
        return dict(key) if key else None

    def _read(self, path: str) -> str:
        try:
            return read_secret_text(path, self.directory, self._given)
        except OSError as fault:
            reason = fault.strerror or type(fault).__name__
        what, where = f"the key file cannot be read ({reason})", shown_path(path, self._given)
        raise BackendError(what, where=where, hint="Correct the path, or write it.")


class _Session:
    """One client with its credentials.

    Attributes:
        client: of the library.
        project: where the secrets are.
        limits: how long a call may take, and what of it is tried again.
    """

    __slots__ = ("client", "project", "limits", "_backend", "_credentials", "_request", "_login")

    def __init__(self, backend: GcpSecretManagerBackend, transport: str) -> None:
        from functools import partial

        from google.api_core import exceptions
        from google.api_core.retry import Retry, if_exception_type
        from google.auth.transport.requests import Request
        from google.cloud.secretmanager_v1 import SecretManagerServiceClient
        from requests.exceptions import ConnectionError as Cut

        _keep_values_out_of_logs()
        self._backend, self._login = backend, Login(self._refreshed)
        self._request = partial(Request(), timeout=_LOGIN_SECONDS)
        self._credentials, project = backend._credentials(self._request)
        if not project:
            raise BackendError("the project is not known", where=backend.store, hint='Give {"project_id": "…"}.')
        self.project = project
        options = {"api_endpoint": backend._endpoint} if backend._endpoint else None
        made: Any = "rest" if transport == "rest" else partial(_grpc_transport(), channel=_channel)
        self.client = SecretManagerServiceClient(credentials=self._credentials, transport=made, client_options=options)
        if transport == "rest":
            from requests.adapters import HTTPAdapter

            self.client.transport._session.mount("https://", HTTPAdapter(pool_maxsize=2 * backend.max_workers))
        again = if_exception_type(exceptions.TooManyRequests, exceptions.ServiceUnavailable, Cut)
        retry = Retry(predicate=again, initial=0.25, maximum=4.0, multiplier=2.0, timeout=_CALL_SECONDS)
        self.limits = {"retry": retry, "timeout": _CALL_SECONDS}

    def log_in(self) -> None:
        """Fetch a token if there is none, or it ends soon; one thread does. It is not left to gRPC, which calls a
        refused login an outage. A service account signs its tokens itself."""
        from google.oauth2 import service_account

        if not (isinstance(self._credentials, service_account.Credentials) or self._credentials.valid):
            self._login.token()

    def _refreshed(self) -> tuple[bool, float]:
        """Whether there is a token now, which the credentials keep."""
        try:
            self._credentials.refresh(self._request)
            return True, 0.0
        except Exception as fault:
            failure = self._backend.failure(fault, self._backend.where("sign-in"))
        assert failure is not None, "a sign-in holds no secrets"
        raise failure


def _federated(key: dict[str, Any], scopes: list[str]) -> Any:
    """Credentials of another platform, without the calls by which the library would find out their project."""
    from google.auth import aws, identity_pool, pluggable

    made: Any = pluggable if "executable" in key.get("credential_source", {}) else identity_pool
    if key.get("subject_token_type") == "urn:ietf:params:aws:token-type:aws4_request":
        made = aws
    return made.Credentials.from_info(key, scopes=scopes)


def _grpc_transport() -> Any:
    from google.cloud.secretmanager_v1.services.secret_manager_service import transports

    return transports.SecretManagerServiceGrpcTransport


def _channel(host: str, **more: Any) -> Any:
    """A channel that looks for a store that was away every few seconds, instead of every two minutes."""
    more["options"] = [
        *more["options"],
        ("grpc.max_reconnect_backoff_ms", 4000),
        ("grpc.initial_reconnect_backoff_ms", 250),
        ("grpc.min_reconnect_backoff_ms", 5000),  # so long it tries to connect
    ]
    return _grpc_transport().create_channel(host, **more)


def _status(fault: Any) -> str:
    """Google's word for what happened, such as NOT_FOUND; empty if the fault is none of the API's answers."""
    response = getattr(fault, "response", None)
    code = getattr(fault, "grpc_status_code", None)
    if not hasattr(response, "json"):  # gRPC; of REST only what the body says counts, a gateway has its own pages
        return "" if code is None else str(code.name)
    try:
        said = response.json()["error"]["status"]  # type: ignore[union-attr]
    except Exception:
        return ""
    return said if isinstance(said, str) and said.isascii() and said.replace("_", "").isalpha() else ""


def _is_out_of_reach(fault: Any) -> bool:
    """Whether a login failed for want of an answer, and not by one."""
    from google.auth import exceptions as auth

    if isinstance(fault, auth.GoogleAuthError) and fault.retryable:
        return True
    while fault is not None:
        if isinstance(fault, auth.TransportError):
            return True
        fault = fault.__cause__ or next((part for part in fault.args if isinstance(part, auth.TransportError)), None)
    return False


def _keep_values_out_of_logs() -> None:
    """At the level DEBUG the library logs whole answers, secrets and tokens included. Its errors are told by ours."""
    import logging

    base = "google.cloud.secretmanager_v1.services.secret_manager_service.transports"
    for name in (f"{base}.grpc", f"{base}.rest", "google.auth.transport.requests"):
        logging.getLogger(name).addFilter(_is_no_answer)
    for name in ("google", "grpc"):
        if not logging.getLogger(name).handlers:
            logging.getLogger(name).addHandler(logging.NullHandler())


def _is_no_answer(record: Any) -> bool:
    return bool(record.levelno > 10)  # DEBUG

"""Google Cloud Secret Manager, over its own client library.

A secret's name is prefix, separator and id. As in Airflow, a name that Secret Manager does not allow (other characters
than letters, digits, `-` and `_`, or more than 255 of them) is absent, and never asked for. Versions are Secret
Manager's own: a number, an alias, or `latest`.
"""

from __future__ import annotations

from framework import given
from framework.backends.faults import denied, invalid, refused, throttled, unavailable
from framework.backends.key_files import read_key
from framework.backends.remote import RemoteStore
from framework.backends.retries import patiently, wanted_by
from framework.backends.session import Login, causes
from framework.errors import AccessDenied, BackendUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from framework.errors import FrameworkError

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"

#: Seconds for one request for a token, and for one read with all its retries.
_LOGIN_SECONDS, _CALL_SECONDS = 10.0, 20.0
#: By default gRPC looks for a lost server only every two minutes. In milliseconds.
_CHANNEL = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5000),  # the time for one attempt
    ("grpc.max_reconnect_backoff_ms", 4000),
)


class GcpSecretManagerBackend(RemoteStore):
    """Connections, variables and config secrets of Google Cloud Secret Manager; Airflow's `CloudSecretManagerBackend`.

    Args:
        gcp_keyfile_dict: a service account's key, as an object.
        gcp_key_path: a file with such a key.
        gcp_credential_config_file: credentials of any type, workload identity federation for example: an object, a
            JSON text or a path. Without one of the three, the Application Default Credentials are used.
        gcp_scopes: OAuth scopes, with commas between them.
        project_id: where the secrets are; by default the credentials' project.
        impersonation_chain: a service account to act as, or a list that leads to it.
        api_endpoint: another host for the API, Private Service Connect for example (not in Airflow).
        **names: the kwargs of `StoreBackend`, with `-` as the default `sep`. As in Airflow, a separator at the end of a
            prefix stays.

    Raises:
        BackendError: two kinds of credentials are given, or a prefix is not allowed in a name.
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
        "PERMISSION_DENIED": denied(),
        "UNAUTHENTICATED": refused("Renew the key, or sign in again."),
        "sign-in": refused("Renew the key, sign in again, or correct impersonation_chain."),
        "FAILED_PRECONDITION": invalid("Enable it, or add a version.", "the version is disabled or destroyed ({code})"),
        **dict.fromkeys(("INVALID_ARGUMENT", "OUT_OF_RANGE"), invalid("Check project_id.")),
        **dict.fromkeys(("RESOURCE_EXHAUSTED", "ABORTED"), throttled("Raise the quota, or try again later.")),
        "no sign-in": unavailable("Check the network of this process.", "Google's sign-in does not answer"),
        "another name": unavailable("Check api_endpoint and proxies.", "the answer is for another name, or none"),
        "": unavailable("Try again later."),
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
        keys = {
            "gcp_keyfile_dict": gcp_keyfile_dict,
            "gcp_key_path": gcp_key_path,
            "gcp_credential_config_file": gcp_credential_config_file,
        }
        self._keys = {name: key for name, key in keys.items() if key}
        if len(self._keys) > 1:
            raise self.misconfigured(f"{' and '.join(self._keys)} cannot be given together", "Keep one of them.")
        scopes = ",".join(given.texts(gcp_scopes or _SCOPE, "gcp_scopes"))
        self._scopes = [scope.strip() for scope in scopes.split(",")]
        self._project, self._endpoint = project_id, api_endpoint
        self._chain = given.texts(impersonation_chain or None, "impersonation_chain")

    def joined(self, prefix: str, secret_id: str) -> str:
        return self.build_path(prefix, secret_id, self.sep) if prefix else secret_id

    def open(self) -> _Client:
        """The client with its credentials. gRPC does not survive a fork: if it was in use before, REST is used."""
        return _Client(self, "rest" if self._clients.is_inherited() else "grpc")

    def not_opened(self, fault: Exception) -> FrameworkError:
        if _is_out_of_reach(fault):
            return self.failed("no sign-in", "", self.store)
        if self._keys:
            what = f"{', '.join(self._keys)} does not hold Google Cloud credentials"
            return self.misconfigured(what, "Give a key file as Google issued it.")
        hint = "Give gcp_key_path, or run where Application Default Credentials are."
        return AccessDenied("there are no Google Cloud credentials", where=self.store, hint=hint)

    def who(self, client: _Client) -> str | None:
        client.logged_in()  # which finds out the name of a machine's account, and proves an impersonation
        account = client.account()
        return None if account is None else f"{client.project} {account}"

    def fetch(self, client: _Client, name: str, version: str | None) -> bytes:
        path = f"projects/{client.project}/secrets/{name}/versions/{version or 'latest'}"
        answer = client.logged_in().access_secret_version(name=path, **client.limits)
        if f"/secrets/{name}/versions/" not in answer.name:
            raise self.failed("another name", "", self.where(name))
        return bytes(answer.payload.data)

    def names(self, client: _Client, start: str) -> list[str]:
        asked = {"parent": f"projects/{client.project}", "page_size": 1000, "filter": f"name:{start}" if start else ""}
        return [secret.name.rpartition("/")[2] for secret in client.logged_in().list_secrets(asked, **client.limits)]

    def code_of(self, fault: Exception) -> str | tuple[str, str]:
        from google.api_core.exceptions import RetryError
        from google.auth.exceptions import GoogleAuthError

        if isinstance(fault, RetryError):
            fault = fault.cause
        if isinstance(fault, GoogleAuthError):
            return "no sign-in" if _is_out_of_reach(fault) else ("sign-in", type(fault).__name__)
        status = _status(fault)
        return status, status or type(fault).__name__

    def credentials(self, request: object) -> tuple[Any, str | None]:
        """The credentials and their project. See `not_opened` for what the libraries raise."""
        import google.auth
        from google.oauth2.service_account import Credentials

        self.logins += 1
        scopes, project = self._scopes, None
        kwarg, given_key = next(iter(self._keys.items()), ("", None))
        key = read_key(given_key, self.directory, kwarg) if given_key else {}
        if not key:
            credentials, project = google.auth.default(scopes=scopes, request=request)
        elif kwarg != "gcp_credential_config_file":
            key["private_key"] = key["private_key"].replace("\\n", "\n")  # escaped twice: JSON inside JSON
            credentials, project = Credentials.from_service_account_info(key, scopes=scopes), key["project_id"]
        elif key.get("type") == "external_account" and self._project:
            credentials = _federated(key, scopes)
        else:
            credentials, project = google.auth.load_credentials_from_dict(key, scopes=scopes, request=request)
        if self._chain:
            from google.auth import impersonated_credentials

            *delegates, target = self._chain
            credentials = impersonated_credentials.Credentials(credentials, target, scopes, delegates)
            project = target.partition("@")[2].partition(".")[0]  # NAME@PROJECT.iam.gserviceaccount.com
        return credentials, self._project or project


class _Client:
    """Google's client and its credentials.

    Attributes:
        project: where the secrets are.
        limits: how long a call may take, and what is retried.
    """

    def __init__(self, backend: GcpSecretManagerBackend, transport: str) -> None:
        from functools import partial

        from google.api_core import exceptions
        from google.auth.transport.requests import Request
        from google.cloud.secretmanager_v1 import SecretManagerServiceClient
        from requests.exceptions import ConnectionError as Cut

        self._backend, self._login = backend, Login(self._refreshed)
        self._request = partial(Request(), timeout=_LOGIN_SECONDS)
        self._credentials, project = backend.credentials(self._request)
        if not project:
            raise backend.misconfigured("the project is not known", 'Give {"project_id": "…"}.')
        self.project = project
        options = {"api_endpoint": backend._endpoint} if backend._endpoint else None
        made: Any = "rest" if transport == "rest" else partial(_grpc_transport(), channel=_channel)
        self._client = SecretManagerServiceClient(credentials=self._credentials, transport=made, client_options=options)
        if transport == "rest":
            from requests.adapters import HTTPAdapter

            pool = self._client.transport._session
            pool.mount("https://", HTTPAdapter(pool_maxsize=2 * backend.max_workers))

        def temporary(fault: Exception) -> tuple[bool, float | None] | None:
            # As often after an outage as if throttled: the channel has its own pauses before it connects again.
            is_temporary = isinstance(fault, (exceptions.TooManyRequests, exceptions.ServiceUnavailable, Cut))
            return (True, _wanted(fault)) if is_temporary else None

        def retry(call: Any) -> Any:  # in place of Google's own policy, also for each page of a list
            return lambda *words, **more: patiently(lambda: call(*words, **more), temporary)

        self.limits = {"retry": retry, "timeout": _CALL_SECONDS}

    def account(self) -> str | None:
        """The service account or the user; None: it is not known."""
        for name in ("service_account_email", "account", "refresh_token"):
            found = getattr(self._credentials, name, None)
            if found and found != "default":
                return f"{name} {found}"
        return None

    def logged_in(self) -> Any:
        """Google's client, with a token that is not about to expire. One thread fetches it: gRPC itself would report a
        refused login as an outage. A service account signs its tokens itself."""
        from google.oauth2 import service_account

        if not (isinstance(self._credentials, service_account.Credentials) or self._credentials.valid):
            self._login.token()
        return self._client

    def _refreshed(self) -> tuple[bool, float]:
        """True: there is a token, and the credentials keep it."""
        try:
            self._credentials.refresh(self._request)
            return True, 0.0
        except Exception as fault:
            failure = self._backend.failure(fault, self._backend.where("sign-in"))
        raise failure or BackendUnavailable("the sign-in failed", where=self._backend.store)


def _federated(key: dict[str, Any], scopes: list[str]) -> object:
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
    return _grpc_transport().create_channel(host, **{**more, "options": [*more["options"], *_CHANNEL]})


def _status(fault: object) -> str:
    """Google's code for a failure, such as NOT_FOUND; empty if the API did not answer."""
    response = getattr(fault, "response", None)
    code = getattr(fault, "grpc_status_code", None)
    if not hasattr(response, "json"):  # gRPC; over REST only the body counts, because gateways have their own pages
        return "" if code is None else str(code.name)
    try:
        status = response.json()["error"]["status"]  # type: ignore[union-attr]
    except Exception:
        return ""
    return status if isinstance(status, str) and status.isascii() and status.replace("_", "").isalpha() else ""


def _wanted(fault: object) -> float | None:
    """The seconds that the API asks to wait: over gRPC in a RetryInfo among the details, over REST in a header."""
    for detail in getattr(fault, "details", None) or ():
        if hasattr(detail, "retry_delay"):
            return float(detail.retry_delay.ToTimedelta().total_seconds())
    return wanted_by(getattr(getattr(fault, "response", None), "headers", {}).get("Retry-After"))


def _is_out_of_reach(fault: Exception) -> bool:
    """Whether a login was not answered, which is not a refusal."""
    from google.auth.exceptions import GoogleAuthError, TransportError

    is_temporary = isinstance(fault, GoogleAuthError) and fault.retryable
    return is_temporary or any(isinstance(cause, TransportError) for cause in causes(fault))

"""Google Cloud Secret Manager, over its own client library.

A secret's name is prefix, separator and id; a name that Secret Manager cannot hold (other characters than letters,
digits, `-` and `_`, or more than 255 of them) is nobody's and never asked for, as in Airflow. Versions are Secret
Manager's own: a number, an alias, or `latest`.
"""

from __future__ import annotations

import os

from framework import given
from framework.backends.named import DEFAULT, StoreBackend
from framework.backends.quiet import Quietly
from framework.backends.remote import Login, OnePerProcess, shown_path
from framework.errors import AccessDenied, BackendError, BackendUnavailable, FrameworkError, InvalidSecret, SecretsError
from framework.files.trust import inside, opener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_STORE = "GCP Secret Manager"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_READ = "secretmanager.versions.access (the role Secret Manager Secret Accessor)"
_LIST = "secretmanager.secrets.list (the role Secret Manager Viewer)"

#: How long one request for a token may take, and one read together with all its retries.
_LOGIN_SECONDS, _CALL_SECONDS = 10.0, 20.0
#: The packages that log what they were answered, and with what they signed in.
QUIET = ("google", "grpc")


class GcpSecretManagerBackend(StoreBackend):
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

    folders = {"connection": "-connections", "variable": "-variables", "config": "-config"}
    guards = ("connection", "variable")

    def __init__(
        self,
        connections_prefix: str | None = DEFAULT,
        variables_prefix: str | None = DEFAULT,
        config_prefix: str | None = DEFAULT,
        gcp_keyfile_dict: dict[str, Any] | None = None,
        gcp_key_path: str | None = None,
        gcp_credential_config_file: dict[str, Any] | str | None = None,
        gcp_scopes: str | None = None,
        project_id: str | None = None,
        sep: str = "-",
        impersonation_chain: str | list[str] | None = None,
        api_endpoint: str | None = None,
        connections_lookup_pattern: str | None = None,
        variables_lookup_pattern: str | None = None,
        config_lookup_pattern: str | None = None,
    ) -> None:
        prefixes = (connections_prefix, variables_prefix, config_prefix)
        super().__init__(*prefixes, sep, connections_lookup_pattern, variables_lookup_pattern, config_lookup_pattern)
        self._keys: dict[str, Any] = {
            "gcp_keyfile_dict": gcp_keyfile_dict,
            "gcp_key_path": gcp_key_path,
            "gcp_credential_config_file": gcp_credential_config_file,
        }
        self._given = " and ".join(name for name, key in self._keys.items() if key)
        if " and " in self._given:
            raise BackendError(f"{self._given} exclude each other", where=_STORE, hint="Keep one of them.")
        self._check_prefixes(_STORE, _is_name, "letters, digits, - and _")
        scopes = ",".join(given.texts(gcp_scopes or _SCOPE, "gcp_scopes"))
        self._scopes = [scope.strip() for scope in scopes.split(",")]
        self._project, self._endpoint = project_id, api_endpoint
        self._chain = given.texts(impersonation_chain or None, "impersonation_chain")
        self._sessions = OnePerProcess(self._open)
        self.logins = 0

    def name_of(self, kind: str, secret_id: str, team: str | None = None) -> str | None:
        name = super().name_of(kind, secret_id, team)
        return name if name and _is_name(name) else None

    def joined(self, prefix: str, secret_id: str) -> str:
        return self.build_path(prefix, secret_id, self.sep) if prefix else secret_id

    def read(self, name: str, version: str | None = None) -> str | None:
        version = version or "latest"
        if not _is_name(name) or not _is_name(version):
            return None

        def access(session: _Session) -> Any:
            path = f"projects/{session.project}/secrets/{name}/versions/{version}"
            answer = session.client.access_secret_version(name=path, **session.limits)
            return answer.payload if f"/secrets/{name}/versions/" in answer.name else False

        payload = self._call(access, name if version == "latest" else f"{name}, version {version}", _READ)
        if payload is None:
            return None
        if payload is False:
            what = "the answer is for another name, or none"
            raise BackendUnavailable(what, where=f"{_STORE}: {name}", hint="Check api_endpoint and proxies.")
        try:
            text: str | None = payload.data.decode("utf-8")
            return text
        except UnicodeDecodeError:
            where, hint = f"{_STORE}: {name}", "Store text; bytes need an encoding."
            raise InvalidSecret("the value is no UTF-8 text", where=where, hint=hint) from None

    def names_below(self, start: str) -> list[str]:
        """Page by page. Needs the permission to list the project's secrets."""

        def pages(session: _Session) -> list[str]:
            asked = {"parent": f"projects/{session.project}", "page_size": 1000}
            if start:
                asked["filter"] = f"name:{start}"
            return [secret.name.rpartition("/")[2] for secret in session.client.list_secrets(asked, **session.limits)]

        names: list[str] = self._call(pages, "the list of secrets", _LIST) or []
        return names

    def _call(self, question: Callable[[_Session], Any], what: str, permission: str) -> Any:
        """What Secret Manager answers, None if it has no such thing; one login more if it does not know our token."""

        def ask(session: _Session) -> Any:
            session.log_in()
            return question(session)

        with Quietly(*QUIET):
            answer, fault = self._sessions.ask(ask, lambda fault: _status(fault) == "UNAUTHENTICATED")
        failure = None if fault is None else _failure(fault, f"{_STORE}: {what}", permission)
        del fault  # its text and its frames stay here
        if failure is not None:
            raise failure
        return answer

    def _open(self) -> _Session:
        """The client with its credentials. Where our own gRPC was at work before a fork, the child speaks REST: gRPC
        does not outlive a fork."""
        fault: Any = None
        try:
            return _Session(self, "rest" if self._sessions.is_inherited() else "grpc")
        except FrameworkError:
            raise
        except Exception as error:
            fault = error
        missing = isinstance(fault, ImportError)
        unavailable = not missing and _is_out_of_reach(fault)
        del fault
        if missing:
            raise BackendError("its client library is missing", where=_STORE, hint="Run pip install 'framework[gcp]'.")
        if unavailable:
            raise _no_sign_in(_STORE)
        if self._given:
            what = f"{self._given} holds no credentials of Google Cloud"
            raise BackendError(what, where=_STORE, hint="Give a key file as Google made it.")
        raise AccessDenied(
            "there are no credentials of Google Cloud",
            where=_STORE,
            hint="Give gcp_key_path, or run where Application Default Credentials are.",
        )

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
        from framework.files.formats import read_json

        key = self._keys["gcp_keyfile_dict"] or self._keys["gcp_credential_config_file"] or self._keys["gcp_key_path"]
        if isinstance(key, str) and key.lstrip().startswith("{"):
            key = read_json(key)
        elif isinstance(key, str):
            key = read_json(self._text_of(key))
        return dict(key) if key else None

    def _text_of(self, path: str) -> str:
        reason = ""
        try:
            with open(inside(self.directory, os.path.expanduser(path)), encoding="utf-8", opener=opener) as file:
                return file.read()
        except OSError as fault:
            reason = fault.strerror or type(fault).__name__
        where = shown_path(path, self._given)
        raise BackendError(
            f"the key file cannot be read ({reason})", where=where, hint="Correct the path, or write it."
        )


class _Session:
    """One client with its credentials.

    Attributes:
        client: of the library.
        project: where the secrets are.
        limits: how long a call may take, and what of it is tried again.
    """

    __slots__ = ("client", "project", "limits", "_credentials", "_request", "_login")

    def __init__(self, backend: GcpSecretManagerBackend, transport: str) -> None:
        from functools import partial

        from google.api_core import exceptions
        from google.api_core.retry import Retry, if_exception_type
        from google.auth.transport.requests import Request
        from google.cloud.secretmanager_v1 import SecretManagerServiceClient
        from requests.exceptions import ConnectionError as Cut

        _keep_values_out_of_logs()
        self._login = Login(self._refreshed)
        self._request = partial(Request(), timeout=_LOGIN_SECONDS)
        with Quietly(*QUIET):
            self._credentials, project = backend._credentials(self._request)
        if not project:
            raise BackendError("nobody says which project", where=_STORE, hint='Give {"project_id": "…"}.')
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
        failure: SecretsError | None = None
        try:
            self._credentials.refresh(self._request)
        except Exception as fault:
            failure = _failure(fault, f"{_STORE}: sign-in", "")
        if failure is not None:
            raise failure
        return True, 0.0


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


def _is_name(name: str) -> bool:
    import re

    return re.fullmatch(r"[a-zA-Z0-9_-]{1,255}", name) is not None


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


def _failure(fault: Any, where: str, permission: str) -> SecretsError | None:
    """What an exception of the libraries means; None: absent."""
    from google.api_core import exceptions
    from google.auth import exceptions as auth

    if isinstance(fault, exceptions.RetryError):
        fault = fault.cause
    status = _status(fault)
    if status == "NOT_FOUND":
        return None
    if status == "PERMISSION_DENIED":
        return AccessDenied(
            f"access is denied ({status})",
            where=where,
            hint=f"Grant {permission}.",
        )
    if status == "UNAUTHENTICATED":
        return AccessDenied(
            f"the credentials are not accepted ({status})", where=where, hint="Renew the key, or sign in again."
        )
    if status == "FAILED_PRECONDITION":
        return InvalidSecret(
            f"this version is disabled or destroyed ({status})", where=where, hint="Enable it, or add a version."
        )
    if status in ("INVALID_ARGUMENT", "OUT_OF_RANGE"):
        return InvalidSecret(f"the request makes no sense to it ({status})", where=where, hint="Check project_id.")
    if isinstance(fault, auth.GoogleAuthError) and not _is_out_of_reach(fault):
        return AccessDenied(
            "Google's sign-in refuses the credentials",
            where=where,
            hint="Renew the key, sign in again, or correct impersonation_chain.",
        )
    if status in ("RESOURCE_EXHAUSTED", "ABORTED"):
        return BackendUnavailable(f"too many requests ({status})", where=where, hint="Raise the quota, or ask later.")
    if isinstance(fault, auth.GoogleAuthError):
        return _no_sign_in(where)
    what = status or type(fault).__name__
    return BackendUnavailable(f"the store does not answer ({what})", where=where, hint="Try again when it is well.")


def _no_sign_in(where: str) -> SecretsError:
    return BackendUnavailable(
        "Google's sign-in does not answer", where=where, hint="Check the network of this process."
    )


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

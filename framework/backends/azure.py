"""Azure Key Vault, over Azure's own client library.

A secret's name is prefix, separator and id, and every `_` of it becomes the separator. A name that Key Vault cannot
hold (other characters than letters, digits and `-`, or more than 127 of them) is nobody's and never asked for, as in
Airflow.
Key Vault gives secrets that have expired, for their dates are information only; a disabled one is an error.
"""

from __future__ import annotations

from framework import given
from framework.backends.named import names_among
from framework.backends.remote import RemoteStore
from framework.backends.session import Login, file_for_the_client
from framework.errors import AccessDenied, BackendError, BackendUnavailable, InvalidSecret
from framework.locks import ProcessLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

#: How the library tries again, unless the kwargs say otherwise; and how long a server may have it wait before that.
_LIMITS = {
    "connection_timeout": 5,
    "read_timeout": 10,
    "retry_total": 3,
    "retry_backoff_factor": 0.25,
    "retry_backoff_max": 4,
    "timeout": 20,
}
_LONGEST_WAIT = 4.0


class AzureKeyVaultBackend(RemoteStore):
    """Connections, variables and config secrets of Azure Key Vault; Airflow's class of this name.

    Args:
        connections_prefix, variables_prefix, config_prefix, sep, *_lookup_pattern: see `StoreBackend`.
        vault_url: such as `https://NAME.vault.azure.net`.
        tenant_id, client_id, client_secret: a service principal; unless all three are given,
            Azure's `DefaultAzureCredential` looks for credentials.
        managed_identity_client_id, workload_identity_tenant_id: told to `DefaultAzureCredential`, if both are given.
        authority: where to sign in for a private cloud; it is not looked up anywhere (not in Airflow).
        **client: goes to Azure's `SecretClient`: `connection_verify`, `connection_timeout`, `retry_total`, …

    Raises:
        BackendError: there is no `vault_url`, or a prefix that no name can begin with.
    """

    store = "Azure Key Vault"
    packages = {"azure.identity": "azure-identity", "azure.keyvault.secrets": "azure-keyvault-secrets"}
    extra = "azure"
    quiet = ("azure", "msal")
    folders = {"connection": "-connections", "variable": "-variables", "config": "-config"}
    name_rule = ("[0-9a-zA-Z-]{1,127}", "letters, digits and -")
    version_rule = "[0-9a-fA-F]{32}"
    acts = {"read": ("reading it", "get"), "list": ("listing the secrets", "list")}
    faults = {
        "SecretNotFound": None,
        "SecretDisabled": (InvalidSecret, "the secret is disabled ({code})", "Enable it, or add a version."),
        "sign-in": (
            AccessDenied,
            "the credentials are not accepted ({code})",
            "Give tenant_id, client_id and client_secret as they are now, or run where Azure finds an identity.",
        ),
        "403": (
            AccessDenied,
            "access is denied ({code})",
            "Grant the permission {right} on secrets (the role Key Vault Secrets User).",
        ),
        "400": (InvalidSecret, "the request is invalid ({code})", "Check vault_url."),
        "429": (BackendUnavailable, "too many requests ({code})", "Ask for less, or later."),
        "another's": (InvalidSecret, "the answer is not a secret of a vault", "Check vault_url."),
        "": (BackendUnavailable, "the store does not answer ({code})", "Check vault_url and the network."),
    }

    def __init__(
        self,
        vault_url: str = "",
        sep: str = "-",
        *,
        tenant_id: str = "",
        client_id: str = "",
        client_secret: str = "",
        managed_identity_client_id: str = "",
        workload_identity_tenant_id: str = "",
        authority: str = "",
        **client: Any,
    ) -> None:
        super().__init__(sep=sep, **names_among(client))
        if not given.text(vault_url, "vault_url").startswith("https://"):
            raise BackendError(
                "vault_url is not an https address",
                where=self.store,
                hint='Give {"vault_url": "https://NAME.vault.azure.net"}.',
            )
        self._url, self._options = vault_url, {**_LIMITS, **client}
        self._principal = (tenant_id, client_id, client_secret)
        self._identity = (managed_identity_client_id, workload_identity_tenant_id)
        self._authority = authority

    @staticmethod
    def build_path(path_prefix: str, secret_id: str, sep: str = "-") -> str:
        """A secret's name: prefix, separator, id, without a single `_`; the id alone if the prefix is empty."""
        path = f"{path_prefix}{sep}{secret_id}" if path_prefix else secret_id
        return path.replace("_", sep)

    def refusal(self, kind: str, secret_id: str, team: str | None) -> str:
        return super().refusal(kind, secret_id.replace("_", self.sep), team)

    def wrong_team(self, team: str) -> str:
        if "-" in team:
            return "in Key Vault the team could be another one, with '_' for '-' in its name"
        return super().wrong_team(team)

    def joined(self, prefix: str, secret_id: str) -> str:
        return self.build_path(prefix.rstrip(self.sep), secret_id, self.sep)

    def open(self) -> _Session:
        if isinstance(verify := self._options.get("connection_verify"), str):
            verify = file_for_the_client(verify, self.directory, "connection_verify")
            self._options["connection_verify"] = verify
        return _Session(self._url, _OneLogin(self._credential(), self), self._options, 2 * self.max_workers)

    def fetch(self, client: _Session, name: str, version: str | None) -> str:
        secret = client.call(lambda vault: vault.get_secret(name, version))
        where = self.where(name, version)
        if str(secret.name).lower() != name.lower():
            raise BackendUnavailable("the answer is for another name", where=where, hint="Check vault_url.")
        if not isinstance(secret.value, str):
            raise InvalidSecret("the answer holds no value", where=where, hint="Look at the secret in the portal.")
        return secret.value

    def names(self, client: _Session, start: str) -> list[str]:
        """Those that are enabled, as the vault spells them: with the separator for `_`."""

        def pages(vault: Any) -> list[str]:
            return [secret.name for secret in vault.list_properties_of_secrets() if secret.enabled is not False]

        found: list[str] = client.call(pages)
        return found

    def code_of(self, fault: Any) -> str | tuple[str, str]:
        from azure.core import exceptions

        status, code = getattr(fault, "status_code", None), _code(fault)
        shown = code or str(status or type(fault).__name__)
        if (status, code) in ((404, "SecretNotFound"), (403, "SecretDisabled")):
            return code
        if isinstance(fault, exceptions.ClientAuthenticationError) and not _is_out_of_reach(fault):
            return "sign-in", shown
        is_whole = (status or 200) < 300 and not isinstance(fault, exceptions.IncompleteReadError)
        if isinstance(fault, AttributeError) or (isinstance(fault, exceptions.DecodeError) and is_whole):
            return "another's", shown
        return str(status), shown

    def is_expired(self, fault: Any) -> bool:
        """Whether the vault did not know the token; or the library lost it, which one of its threads can do to
        another."""
        from azure.core.exceptions import ClientAuthenticationError

        if isinstance(fault, ClientAuthenticationError):
            request = getattr(fault.response, "request", None)
            return request is not None and "/secrets" in request.url  # and not where it signs in
        return isinstance(fault, AttributeError)

    def id_in(self, name: str, start: str) -> str:
        return name[len(start) :] if name.lower().startswith(start.lower()) else ""  # names have no case in a vault

    def _credential(self) -> Any:
        from azure import identity

        options = {name: self._options[name] for name in (*_LIMITS, "connection_verify") if name in self._options}
        if self._authority:
            options |= {"authority": self._authority, "disable_instance_discovery": True}
        self.logins += 1
        if all(self._principal):
            return identity.ClientSecretCredential(*self._principal, retry_policy_class=_retry_policy(), **options)
        options = {name: said for name, said in options.items() if name not in _LIMITS}  # each of them has its own
        if all(self._identity):
            client_id, tenant_id = self._identity
            return identity.DefaultAzureCredential(
                managed_identity_client_id=client_id,
                workload_identity_tenant_id=tenant_id,
                additionally_allowed_tenants=[tenant_id],
                **options,
            )
        return identity.DefaultAzureCredential(**options)


class _Session:
    """One client with its credentials and its connections."""

    __slots__ = ("_client", "_lock", "_is_known")

    def __init__(self, url: str, credential: Any, options: Mapping[str, Any], pool: int) -> None:
        import requests
        from azure.core.pipeline.transport import RequestsTransport
        from azure.keyvault.secrets import SecretClient
        from requests.adapters import HTTPAdapter

        connections = requests.Session()
        connections.mount("https://", HTTPAdapter(pool_maxsize=pool, max_retries=0))
        transport = RequestsTransport(session=connections, session_owner=False, **options)
        retry = _retry_policy()(**options)
        self._client = SecretClient(url, credential, transport=transport, retry_policy=retry, **options)
        self._lock, self._is_known = ProcessLock(), False

    def call(self, ask: Callable[[Any], Any]) -> Any:
        """Ask. The very first call is alone: it learns from the vault where to sign in, and signs in."""
        if not self._is_known:
            with self._lock:
                if not self._is_known:
                    try:
                        return ask(self._client)
                    finally:
                        self._is_known = True
        return ask(self._client)


class _OneLogin:
    """A credential that one thread at a time asks for a token; the others find what it got, or that it was refused."""

    __slots__ = ("_credential", "_backend", "_logins")

    def __init__(self, credential: Any, backend: AzureKeyVaultBackend) -> None:
        self._credential, self._backend = credential, backend
        self._logins: dict[Any, Login] = {}

    def get_token_info(self, *scopes: str, options: Any = None) -> Any:
        """Azure's method. It keeps the token itself, and asks again shortly before its end."""
        key = (scopes, tuple(sorted((options or {}).items())))
        login = self._logins.setdefault(key, Login(lambda: self._fetch(*scopes, options=options)))
        return login.token()

    def _fetch(self, *scopes: str, options: Any) -> tuple[Any, float]:
        from time import time

        from azure.core.exceptions import ClientAuthenticationError

        try:
            token, now = self._credential.get_token_info(*scopes, options=options), time()
            return token, min(token.expires_on - 300, token.refresh_on or token.expires_on) - now
        except ClientAuthenticationError as fault:
            failure = self._backend.failure(fault, self._backend.where("sign-in"))
        raise failure or BackendUnavailable("the sign-in failed", where=self._backend.where("sign-in"))

    def get_token(self, *scopes: str, **options: Any) -> Any:
        """The method that older versions of the library call."""
        return self._credential.get_token(*scopes, **options)


def _retry_policy() -> Any:
    from azure.core.pipeline.policies import RetryPolicy

    class Retry(RetryPolicy):  # type: ignore[misc]
        """Waits as long as the server says, but not for ever."""

        def get_retry_after(self, response: Any) -> float | None:
            wanted = super().get_retry_after(response)
            return None if wanted is None else min(wanted, _LONGEST_WAIT)

    return Retry


def _code(fault: Any) -> str:
    """Azure's own word for what happened: the innermost code of its answer, or the number of a refused sign-in."""
    import json
    import re

    try:
        error = json.loads(fault.response.text())["error"]
        inner = error.get("innererror") or error.get("innerError") or {}
        code = str(inner.get("code") or error["code"])
    except Exception:
        code = ""
    if not code:
        numbers = re.search(r"\bAADSTS\d{1,10}\b", str(getattr(fault, "message", "")))
        return numbers[0] if numbers else ""
    return code if re.fullmatch("[A-Za-z]{1,40}", code) else ""


def _is_out_of_reach(fault: Any) -> bool:
    """Whether a login failed for want of an answer, and not by one. Some layers of the library keep only its text."""
    import re

    from azure.core import exceptions

    words = (
        r"HTTP Error: (429|5\d\d)|temporarily_unavailable|server_error|Failed to (resolve|establish a new connection)"
    )
    while fault is not None:
        status = getattr(fault, "status_code", None) or 0
        if isinstance(fault, (exceptions.ServiceRequestError, exceptions.ServiceResponseError)):
            return True
        if status == 429 or status >= 500 or re.search(words, str(fault)):
            return True
        fault = fault.__cause__ or fault.__context__
    return False

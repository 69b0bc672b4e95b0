"""Azure Key Vault, over Azure's own client library.

A secret's name is prefix, separator and id, with the separator for every `_`. As in Airflow, a name that Key Vault does
not allow (other characters than letters, digits and `-`, or more than 127 of them) is absent, and never asked for. Key
Vault returns expired secrets, because their dates are only information; a disabled one is an error.
"""

from __future__ import annotations

from framework import given
from framework.backends import retries
from framework.backends.faults import denied, invalid, refused, throttled, unavailable
from framework.backends.key_files import verification
from framework.backends.named import names_among
from framework.backends.remote import RemoteStore
from framework.backends.session import Login, causes, read_claims
from framework.locks import ProcessLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    Answer = TypeVar("Answer")

#: How the library retries, unless the kwargs change it, and the longest pause that a server may ask for. In seconds.
_LIMITS = {
    "connection_timeout": 5,
    "read_timeout": 10,
    "timeout": 20,
    "retry_total": retries.TRIES - 1,
    "retry_status": retries.TRIES - 1,
    "retry_backoff_factor": retries.FIRST,
    "retry_backoff_max": retries.LONGEST,
}

#: The text of a sign-in that was not answered: some layers of the library keep nothing else.
_NO_ANSWER = (
    r"HTTP Error: (429|5\d\d)|temporarily_unavailable|server_error|Failed to (resolve|establish a new connection)"
)


class AzureKeyVaultBackend(RemoteStore):
    """Connections, variables and config secrets of Azure Key Vault; Airflow's class of this name.

    Args:
        vault_url: such as `https://NAME.vault.azure.net`.
        tenant_id, client_id, client_secret: a service principal. Unless all three are given, Azure's
            `DefaultAzureCredential` looks for credentials.
        managed_identity_client_id, workload_identity_tenant_id: passed to `DefaultAzureCredential` if both are given.
        authority: where to sign in, for a private cloud (not in Airflow).
        **client: the kwargs of `StoreBackend`, with `-` as the default `sep`. All others go to Azure's `SecretClient`:
            `connection_verify`, `connection_timeout`, `retry_total`, …

    Raises:
        BackendError: `vault_url` is missing, or a prefix is not allowed in a name.
    """

    store = "Azure Key Vault"
    packages = {"azure.identity": "azure-identity", "azure.keyvault.secrets": "azure-keyvault-secrets"}
    extra = "azure"
    quiet = ("azure", "msal")
    folders = {"connection": "-connections", "variable": "-variables", "config": "-config"}
    name_rule = ("[0-9a-zA-Z-]{1,127}", "letters, digits and -")
    version_rule = "[0-9a-fA-F]{32}"
    expired = ("sign-in", "AttributeError")  # a thread of the library can lose the token of another one
    acts = {"read": ("reading it", "get"), "list": ("listing the secrets", "list")}
    faults = {
        "SecretNotFound": None,
        "SecretDisabled": invalid("Enable it, or add a version.", "the secret is disabled ({code})"),
        "sign-in": refused("Correct tenant_id, client_id and client_secret, or run where Azure finds an identity."),
        "403": denied("Grant the permission {right} on secrets (the role Key Vault Secrets User)."),
        "400": invalid("Check vault_url."),
        "429": throttled(),
        "another name": unavailable("Check vault_url.", "the answer is for another name"),
        "no value": invalid("Look at the secret in the portal.", "the answer has no value"),
        "DecodeError": invalid("Check vault_url.", "the answer is not a secret of a vault"),
        "AttributeError": invalid("Check vault_url.", "the answer is not a secret of a vault"),
        "": unavailable("Check vault_url and the network."),
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
            hint = 'Give {"vault_url": "https://NAME.vault.azure.net"}.'
            raise self.misconfigured("vault_url is not an https address", hint)
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

    def id_in(self, name: str, start: str) -> str:
        return name[len(start) :] if name.lower().startswith(start.lower()) else ""  # a vault ignores case

    def open(self) -> _Client:
        if (verify := self._options.get("connection_verify")) is not None:
            self._options["connection_verify"] = verification(verify, self.directory, "connection_verify")
        return _Client(self._url, _OneLogin(self._credential(), self), self._options, 2 * self.max_workers)

    def who(self, client: _Client) -> str | None:
        if all(self._principal):
            return ""  # the kwargs say it
        domain = self._url.split("/")[2].partition(":")[0].partition(".")[2]
        token = client.credential.get_token_info(f"https://{domain}/.default").token
        claims = read_claims(token)
        return f"{claims['tid']} {claims['oid']}" if {"tid", "oid"} <= set(claims) else None

    def fetch(self, client: _Client, name: str, version: str | None) -> str:
        secret = client.call(lambda vault: vault.get_secret(name, version))
        if str(secret.name).lower() != name.lower():
            raise self.failed("another name", "", self.where(name, version))
        if not isinstance(secret.value, str):
            raise self.failed("no value", "", self.where(name, version))
        return secret.value

    def names(self, client: _Client, start: str) -> list[str]:
        """The enabled ones, as the vault spells them: with the separator for `_`."""
        secrets = client.call(lambda vault: list(vault.list_properties_of_secrets()))
        return [secret.name for secret in secrets if secret.enabled is not False]

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
            return type(fault).__name__
        return str(status), shown

    def _credential(self) -> Any:
        from azure import identity

        options = {name: self._options[name] for name in (*_LIMITS, "connection_verify") if name in self._options}
        if self._authority:
            options |= {"authority": self._authority, "disable_instance_discovery": True}
        self.logins += 1
        if all(self._principal):
            return identity.ClientSecretCredential(*self._principal, retry_policy_class=_retry_policy(), **options)
        options = {name: value for name, value in options.items() if name not in _LIMITS}  # each has its own
        if all(self._identity):
            client_id, tenant_id = self._identity
            options |= {"managed_identity_client_id": client_id, "workload_identity_tenant_id": tenant_id}
            options["additionally_allowed_tenants"] = [tenant_id]
        return identity.DefaultAzureCredential(**options)


class _Client:
    """Azure's client and its connections."""

    def __init__(self, url: str, credential: _OneLogin, options: Mapping[str, Any], connections: int) -> None:
        import requests
        from azure.core.pipeline.transport import RequestsTransport
        from azure.keyvault.secrets import SecretClient
        from requests.adapters import HTTPAdapter

        pool = requests.Session()
        pool.mount("https://", HTTPAdapter(pool_maxsize=connections, max_retries=0))
        transport = RequestsTransport(session=pool, session_owner=False, **options)
        retry = _retry_policy()(**options)
        self._vault = SecretClient(url, credential, transport=transport, retry_policy=retry, **options)
        self.credential = credential
        self._lock, self._is_known = ProcessLock(), False

    def call(self, ask: Callable[[Any], Answer]) -> Answer:
        """Ask the vault. The first call is alone: its answer tells the library where to sign in."""
        if not self._is_known:
            with self._lock:
                if not self._is_known:
                    try:
                        return ask(self._vault)
                    finally:
                        self._is_known = True
        return ask(self._vault)


class _OneLogin:
    """A credential that one thread at a time asks for a token; the others get the same token, or the same refusal."""

    def __init__(self, credential: Any, backend: AzureKeyVaultBackend) -> None:
        self._credential, self._backend = credential, backend
        self._logins: dict[object, Login] = {}

    def get_token_info(self, *scopes: str, options: Mapping[str, Any] | None = None) -> Any:
        """Azure's method. The library keeps the token, and asks again shortly before its end."""
        key = (scopes, tuple(sorted((options or {}).items())))
        return self._logins.setdefault(key, Login(lambda: self._fetch(*scopes, options=options))).token()

    def _fetch(self, *scopes: str, options: Mapping[str, Any] | None) -> tuple[Any, float]:
        from time import time

        from azure.core.exceptions import ClientAuthenticationError

        try:
            token, now = self._credential.get_token_info(*scopes, options=options), time()
            return token, min(token.expires_on - 300, token.refresh_on or token.expires_on) - now
        except ClientAuthenticationError as fault:
            failure = self._backend.failure(fault, self._backend.where("sign-in"))
        raise failure or AssertionError("a sign-in reads no secret")

    def get_token(self, *scopes: str, **options: Any) -> Any:
        """The method that older versions of the library call."""
        return self._credential.get_token(*scopes, **options)


def _retry_policy() -> Any:
    from azure.core.pipeline.policies import RetryPolicy

    class Retry(RetryPolicy):  # type: ignore[misc]
        """Azure's policy with our pauses. Its limits count as well."""

        def increment(self, settings: dict[str, Any], response: Any = None, error: Any = None) -> bool:
            if not super().increment(settings, response=response, error=error):
                return False
            answer = None if response is None else getattr(response, "http_response", None)
            wanted = None if answer is None else self.get_retry_after(response)
            bounds = settings["backoff"], settings["max_backoff"]
            is_throttled = answer is not None and answer.status_code == 429
            pause = retries.pause_after(len(settings["history"]), is_throttled, wanted, *bounds)
            settings["pause"] = pause
            return pause is not None

        def sleep(self, settings: dict[str, Any], transport: Any, response: Any = None) -> None:
            transport.sleep(settings["pause"])

    return Retry


def _code(fault: Any) -> str:
    """Azure's code for a failure: the innermost one of its answer, or the number of a refused sign-in."""
    import re

    error = getattr(fault, "error", None)
    code = (getattr(error, "innererror", None) or {}).get("code") or getattr(error, "code", None) or ""
    if not code:
        number = re.search(r"\bAADSTS\d{1,10}\b", str(getattr(fault, "message", "")))
        return number[0] if number else ""
    return code if re.fullmatch("[A-Za-z]{1,40}", code) else ""


def _is_out_of_reach(fault: Exception) -> bool:
    """Whether a sign-in was not answered, which is not a refusal."""
    import re

    from azure.core.exceptions import ServiceRequestError, ServiceResponseError

    def is_silence(cause: BaseException) -> bool:
        status = getattr(cause, "status_code", None) or 0
        return isinstance(cause, (ServiceRequestError, ServiceResponseError)) or status == 429 or status >= 500

    return any(is_silence(cause) or re.search(_NO_ANSWER, str(cause)) for cause in causes(fault))

"""What all backends over Azure have in common: who asks, and how that is proved to Entra ID."""

from __future__ import annotations

from framework.backends import retries
from framework.backends.faults import refused
from framework.backends.key_files import verification
from framework.backends.remote import RemoteBackend
from framework.backends.session import Login, causes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: How the library retries, unless the kwargs change it, and the longest pause that a server may ask for. In seconds.
LIMITS = {
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

#: The meaning of a sign-in that Entra ID refuses.
REFUSED = refused("Correct tenant_id, client_id and client_secret, or run where Azure provides a managed identity.")


class AzureService(RemoteBackend):
    """A backend over a service of Azure.

    Args:
        tenant_id, client_id, client_secret: a service principal. Unless all three are given, Azure's
            `DefaultAzureCredential` looks for credentials.
        managed_identity_client_id, workload_identity_tenant_id: passed to `DefaultAzureCredential` if both are given.
        authority: where to sign in, for a private cloud (not in Airflow).
        **client: arguments of Azure's clients: `connection_verify`, `connection_timeout`, `retry_total`, …
    """

    extra = "azure"
    quiet = ("azure", "msal")

    def __init__(
        self,
        *,
        tenant_id: str = "",
        client_id: str = "",
        client_secret: str = "",
        managed_identity_client_id: str = "",
        workload_identity_tenant_id: str = "",
        authority: str = "",
        **client: Any,
    ) -> None:
        RemoteBackend.__init__(self)  # a store has more than one base
        self._options: dict[str, Any] = {**LIMITS, **client}
        self._principal = (tenant_id, client_id, client_secret)
        self._identity = (managed_identity_client_id, workload_identity_tenant_id)
        self._authority = authority

    def sign_in(self) -> OneLogin:
        """A credential, which signs in when it is first asked."""
        if (verify := self._options.get("connection_verify")) is not None:
            self._options["connection_verify"] = verification(verify, self.directory, "connection_verify")
        return OneLogin(self._credential(), self)

    @staticmethod
    def is_refused(fault: Exception) -> bool:
        """Whether a sign-in was refused, and not left without an answer."""
        from azure.core.exceptions import ClientAuthenticationError

        return isinstance(fault, ClientAuthenticationError) and not _is_out_of_reach(fault)

    def _credential(self) -> object:
        from azure import identity

        options = {name: self._options[name] for name in (*LIMITS, "connection_verify") if name in self._options}
        if self._authority:
            options |= {"authority": self._authority, "disable_instance_discovery": True}
        self.logins += 1
        if all(self._principal):
            return identity.ClientSecretCredential(*self._principal, retry_policy_class=retry_policy(), **options)
        options = {name: value for name, value in options.items() if name not in LIMITS}  # each has its own
        if all(self._identity):
            client_id, tenant_id = self._identity
            options |= {"managed_identity_client_id": client_id, "workload_identity_tenant_id": tenant_id}
            options["additionally_allowed_tenants"] = [tenant_id]
        return identity.DefaultAzureCredential(**options)


class OneLogin:
    """A credential that one thread at a time asks for a token; the others get the same token, or the same refusal."""

    def __init__(self, credential: Any, backend: AzureService) -> None:
        self._credential, self._backend = credential, backend
        self._logins: dict[object, Login] = {}

    def get_token_info(self, *scopes: str, options: Mapping[str, object] | None = None) -> Any:
        """Azure's method. The library keeps the token, and asks again shortly before its end."""
        key = (scopes, tuple(sorted((options or {}).items())))
        return self._logins.setdefault(key, Login(lambda: self._fetch(*scopes, options=options))).token()

    def _fetch(self, *scopes: str, options: Mapping[str, Any] | None) -> tuple[object, float]:
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


def retry_policy() -> Any:
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

        def sleep(self, settings: dict[str, object], transport: Any, response: Any = None) -> None:
            transport.sleep(settings["pause"])

    return Retry


def code_of(fault: Exception) -> str:
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

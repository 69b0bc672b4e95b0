"""Azure Key Vault, over Azure's own client library.

A secret's name is prefix, separator and id, with the separator for every `_`. As in Airflow, a name that Key Vault does
not allow (other characters than letters, digits and `-`, or more than 127 of them) is absent, and never asked for. Key
Vault returns expired secrets, because their dates are only information; a disabled one is an error.
"""

from __future__ import annotations

from framework import given
from framework.backends.azure.identity import REFUSED, AzureService, OneLogin, code_of, retry_policy
from framework.backends.faults import denied, invalid, throttled, unavailable
from framework.backends.named import names_among
from framework.backends.remote import RemoteStore
from framework.backends.session import read_claims
from framework.locks import ProcessLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    Result = TypeVar("Result")


class AzureKeyVaultBackend(AzureService, RemoteStore):
    """Connections, variables and config secrets of Azure Key Vault; Airflow's class of this name.

    Args:
        vault_url: such as `https://NAME.vault.azure.net`.
        **client: the kwargs of `StoreBackend`, with `-` as the default `sep`, and of `AzureService`. All others go to
            Azure's `SecretClient`.

    Raises:
        BackendError: `vault_url` is missing, or a prefix is not allowed in a name.
    """

    store = "Azure Key Vault"
    packages = {"azure.identity": "azure-identity", "azure.keyvault.secrets": "azure-keyvault-secrets"}
    folders = {"connection": "-connections", "variable": "-variables", "config": "-config"}
    name_rule = ("[0-9a-zA-Z-]{1,127}", "letters, digits and -")
    version_rule = "[0-9a-fA-F]{32}"
    expired = ("sign-in", "AttributeError")  # a thread of the library can lose the token of another one
    acts = {"read": ("reading it", "get"), "list": ("listing the secrets", "list")}
    faults = {
        "SecretNotFound": None,
        "SecretDisabled": invalid("Enable it, or add a version.", "the secret is disabled ({code})"),
        "sign-in": REFUSED,
        "403": denied("Grant the permission {right} on secrets (the role Key Vault Secrets User)."),
        "400": invalid("Check vault_url."),
        "429": throttled(),
        "another name": unavailable("Check vault_url.", "the answer is for another name"),
        "no value": invalid("Look at the secret in the portal.", "the answer has no value"),
        "DecodeError": invalid("Check vault_url.", "the answer is not a Key Vault secret"),
        "AttributeError": invalid("Check vault_url.", "the answer is not a Key Vault secret"),
        "": unavailable("Check vault_url and the network."),
    }

    def __init__(self, vault_url: str = "", sep: str = "-", **client: Any) -> None:
        RemoteStore.__init__(self, sep=sep, **names_among(client))
        AzureService.__init__(self, **client)
        if not given.text(vault_url, "vault_url").startswith("https://"):
            hint = 'Give {"vault_url": "https://NAME.vault.azure.net"}.'
            raise self.misconfigured("vault_url is not an https address", hint)
        self._url = vault_url

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
        return _Client(self._url, self.sign_in(), self._options, 2 * self.max_workers)

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

    def code_of(self, fault: Exception) -> str | tuple[str, str]:
        from azure.core import exceptions

        status, code = getattr(fault, "status_code", None), code_of(fault)
        shown = code or str(status or type(fault).__name__)
        if (status, code) in ((404, "SecretNotFound"), (403, "SecretDisabled")):
            return code
        if self.is_refused(fault):
            return "sign-in", shown
        is_whole = (status or 200) < 300 and not isinstance(fault, exceptions.IncompleteReadError)
        if isinstance(fault, AttributeError) or (isinstance(fault, exceptions.DecodeError) and is_whole):
            return type(fault).__name__
        return str(status), shown


class _Client:
    """Azure's client and its connections."""

    def __init__(self, url: str, credential: OneLogin, options: Mapping[str, Any], connections: int) -> None:
        import requests
        from azure.core.pipeline.transport import RequestsTransport
        from azure.keyvault.secrets import SecretClient
        from requests.adapters import HTTPAdapter

        pool = requests.Session()
        pool.mount("https://", HTTPAdapter(pool_maxsize=connections, max_retries=0))
        transport = RequestsTransport(session=pool, session_owner=False, **options)
        retry = retry_policy()(**options)
        self._vault = SecretClient(url, credential, transport=transport, retry_policy=retry, **options)
        self.credential = credential
        self._lock, self._is_known = ProcessLock(), False

    def call(self, ask: Callable[[Any], Result]) -> Result:
        """Ask the vault. The first call is alone: its answer tells the library where to sign in."""
        if not self._is_known:
            with self._lock:
                if not self._is_known:
                    try:
                        return ask(self._vault)
                    finally:
                        self._is_known = True
        return ask(self._vault)

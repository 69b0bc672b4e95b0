"""Passwords for Azure Database for PostgreSQL and MySQL: tokens of Entra ID."""

from __future__ import annotations

from framework import given
from framework.backends.azure.identity import LIMITS, REFUSED, AzureService, OneLogin, code_of
from framework.backends.faults import unavailable
from framework.backends.tokens import TokensBackend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from framework.connection import Connection


class AzureDatabaseTokensBackend(TokensBackend, AzureService):
    """Connections to Azure's databases for PostgreSQL and MySQL: each password is a token of Entra ID.

    Args:
        connections: name of a connection -> the connection without its password: a URI or fields.
        scope: what the token is for. Another cloud than the public one has another.
        **client: the kwargs of `AzureService`.

    Raises:
        BackendError: an argument is missing or wrong.
    """

    store = "Microsoft Entra ID"
    packages = {"azure.identity": "azure-identity"}
    faults = {"sign-in": REFUSED, "": unavailable("Check authority and the network.")}

    def __init__(
        self,
        connections: dict[str, Any] | None = None,
        scope: str = "https://ossrdbms-aad.database.windows.net/.default",
        **client: Any,
    ) -> None:
        super().__init__(connections, **client)
        self._scope = given.text(scope, "scope")
        if unknown := [name for name in client if name in self._options and name not in (*LIMITS, "connection_verify")]:
            from difflib import get_close_matches
            from inspect import signature

            near = get_close_matches(unknown[0], signature(type(self)).parameters, 1)
            hint = f"Did you mean {near[0]!r}?" if near else "Remove it from backend_kwargs."
            raise self.misconfigured(f"there is no argument {unknown[0]!r}", hint)

    def open(self) -> OneLogin:
        return self.sign_in()

    def code_of(self, fault: Exception) -> str | tuple[str, str]:
        shown = code_of(fault) or str(getattr(fault, "status_code", None) or type(fault).__name__)
        return "sign-in" if self.is_refused(fault) else "", shown

    def token(self, client: OneLogin, connection: Connection) -> tuple[str, float]:
        """All connections have the same one."""
        from time import time

        token = client.get_token_info(self._scope)
        return token.token, token.expires_on - time()

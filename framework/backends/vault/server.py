"""What all backends of a Vault server have in common."""

from __future__ import annotations

from framework.backends.remote import RemoteBackend
from framework.backends.vault.login import Settings, check
from framework.backends.vault.session import Session
from framework.parsing import read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class VaultServer(RemoteBackend):
    """A backend of a Vault server.

    Args:
        **names: the server and the login, see `login.Settings`.

    Raises:
        BackendError: an argument is missing or wrong.
    """

    store = "Vault"
    packages = {"hvac": "hvac"}
    extra = "vault"
    settings = Settings
    batch_size = 1

    def __init__(self, **names: Any) -> None:
        super().__init__()
        self._kwargs = self.settings_of(names)
        check(self._kwargs)
        if self._kwargs["url"] and "://" not in self._kwargs["url"]:
            raise self.misconfigured("url does not begin with https:// or http://")

    def where(self, name: str = "", version: str | None = None) -> str:
        return name

    def is_expired(self, fault: Exception) -> bool:
        return False  # the session itself renews its token

    def open(self) -> Session:
        self.logins = 0
        return Session(self._kwargs, self.directory, self._logged_in, 2 * self.max_workers)

    def _logged_in(self) -> None:
        self.logins += 1

    def _wrong(self, fault: Any, mount: str) -> tuple[str, str] | None:
        """What is wrong if a 404 does not mean that the secret is absent, and what to do."""
        try:
            answer = fault.json or read_json(fault.text or "")
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not {"errors", "data", "warnings"} & set(answer):  # a gateway's
            return "something that is not from Vault", "Check url."
        errors = " ".join(map(str, answer.get("errors") or ()))
        if "no handler for route" in errors:
            # If the id names the mount, a missing mount means a missing secret.
            return ("nothing is mounted there", "Correct mount_point.") if mount else None
        if errors:
            return "that there is no such path", "Correct namespace and mount_point."
        if any("versioned" in str(warning) for warning in answer.get("warnings") or ()):
            return "that the engine keeps versions", "Set kv_engine_version to 2."
        return None

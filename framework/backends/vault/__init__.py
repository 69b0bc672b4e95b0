"""HashiCorp Vault and OpenBao."""

from framework.backends.vault.store import VaultBackend

__all__ = ["VaultBackend"]

VaultBackend.__module__ = __name__  # the class path that people write, and are shown

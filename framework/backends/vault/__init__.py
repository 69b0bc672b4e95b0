"""HashiCorp Vault and OpenBao."""

from framework.backends.vault.database import VaultDatabaseBackend
from framework.backends.vault.store import VaultBackend

__all__ = ["VaultBackend", "VaultDatabaseBackend"]

for _backend in __all__:
    globals()[_backend].__module__ = __name__  # the class paths for configuration files and messages

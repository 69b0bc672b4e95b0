"""Azure Key Vault, and tokens for Azure's databases."""

from framework.backends.azure.tokens import AzureDatabaseTokensBackend
from framework.backends.azure.vault import AzureKeyVaultBackend

__all__ = ["AzureDatabaseTokensBackend", "AzureKeyVaultBackend"]

for _class in (AzureDatabaseTokensBackend, AzureKeyVaultBackend):
    _class.__module__ = __name__  # the class path for configuration files and messages

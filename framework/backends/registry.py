"""The known backends: their short names, Airflow's class paths for them, and the class for a name."""

from __future__ import annotations

import os

from framework.errors import BackendError, warn
from framework.files.modules import is_found
from framework.files.trust import Found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Short name -> the path of our class. Packages add others by the entry point group `framework.backends`.
SHORT_NAMES = {
    "akeyless": "framework.backends.akeyless.AkeylessBackend",
    "aws_rds_tokens": "framework.backends.aws.AwsRdsTokensBackend",
    "aws_secrets_manager": "framework.backends.aws.SecretsManagerBackend",
    "aws_ssm": "framework.backends.aws.SystemsManagerParameterStoreBackend",
    "azure_database_tokens": "framework.backends.azure.AzureDatabaseTokensBackend",
    "azure_key_vault": "framework.backends.azure.AzureKeyVaultBackend",
    "gcp_secret_manager": "framework.backends.gcp.GcpSecretManagerBackend",
    "keyring": "framework.backends.keyring.KeyringBackend",
    "kubernetes": "framework.backends.kubernetes.KubernetesSecretsBackend",
    "local_filesystem": "framework.backends.local_filesystem.LocalFilesystemBackend",
    "mounted_files": "framework.backends.mounted_files.MountedFilesBackend",
    "vault": "framework.backends.vault.VaultBackend",
    "vault_database": "framework.backends.vault.VaultDatabaseBackend",
    "yandex_lockbox": "framework.backends.yandex.LockboxSecretBackend",
}

#: Class path in Airflow -> the short name of our class for the same store.
AIRFLOW_TWINS = {
    "airflow.providers.akeyless.secrets.akeyless.AkeylessBackend": "akeyless",
    "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend": "aws_secrets_manager",
    "airflow.providers.amazon.aws.secrets.systems_manager.SystemsManagerParameterStoreBackend": "aws_ssm",
    "airflow.providers.cncf.kubernetes.secrets.kubernetes_secrets_backend.KubernetesSecretsBackend": "kubernetes",
    "airflow.providers.google.cloud.secrets.secret_manager.CloudSecretManagerBackend": "gcp_secret_manager",
    "airflow.providers.hashicorp.secrets.vault.VaultBackend": "vault",
    "airflow.providers.microsoft.azure.secrets.key_vault.AzureKeyVaultBackend": "azure_key_vault",
    "airflow.providers.yandex.secrets.lockbox.LockboxSecretBackend": "yandex_lockbox",
    "airflow.secrets.local_filesystem.LocalFilesystemBackend": "local_filesystem",
}

#: Class path in an older Airflow -> the same.
RETIRED_PATHS = {
    "airflow.contrib.secrets.aws_secrets_manager.SecretsManagerBackend": "aws_secrets_manager",
    "airflow.contrib.secrets.aws_systems_manager.SystemsManagerParameterStoreBackend": "aws_ssm",
    "airflow.contrib.secrets.azure_key_vault.AzureKeyVaultBackend": "azure_key_vault",
    "airflow.contrib.secrets.gcp_secrets_manager.CloudSecretsManagerBackend": "gcp_secret_manager",
    "airflow.contrib.secrets.hashicorp_vault.VaultBackend": "vault",
    "airflow.providers.google.cloud.secrets.secrets_manager.CloudSecretsManagerBackend": "gcp_secret_manager",
    "airflow.providers.microsoft.azure.secrets.azure_key_vault.AzureKeyVaultBackend": "azure_key_vault",
}

_METHODS = ("get_connection", "get_conn_value", "get_variable", "get_config")


def find_class(path: str, where: str) -> Any:
    """The class for a short name, an Airflow provider's class path, `import:<path>` or a dotted path.

    Raises:
        BackendError: the class does not exist or is not a backend, or two packages claim a short name.
    """
    path = path.strip()
    if path.startswith("import:"):
        path = path.removeprefix("import:")
        warn(
            f"{where}: {path} is Airflow's own class: Airflow starts in this process, and failures may look like "
            "absent secrets"
        )
    elif path in AIRFLOW_TWINS:
        path = SHORT_NAMES[AIRFLOW_TWINS[path]]
    elif path in RETIRED_PATHS:
        short = RETIRED_PATHS[path]
        today = next(twin for twin, name in AIRFLOW_TWINS.items() if name == short)
        warn(f"{where}: {path} is the class path of an older Airflow; today it is {today}", DeprecationWarning)
        path = SHORT_NAMES[short]
    elif "." not in path:
        path = _short_name(path, where)
    elif path.startswith("airflow."):
        raise BackendError(f"framework has no backend for {path}", where=where, hint=_nearest_twin(path))
    from framework.convert import to_import
    from framework.files import modules

    modules.extend_path()
    try:
        found = to_import(path.replace(":", "."))
    except ValueError as fault:
        if isinstance(fault.__cause__, modules.UntrustedModule):
            raise fault.__cause__
        what = str(fault).rpartition("; ")[2]
    else:
        if isinstance(found, type) and any(hasattr(found, method) for method in _METHODS):
            return found
        what = "it is not a secrets backend: it has none of " + ", ".join(_METHODS)
    raise BackendError(f"the class {path} cannot be used: {what}", where=where, hint="Correct the class path.")


def _nearest_twin(path: str) -> str:
    """The hint for an unknown class path of Airflow's: classes were moved, or the path has a typo."""
    from difflib import get_close_matches

    names = {twin.rpartition(".")[2]: twin for twin in (*RETIRED_PATHS, *AIRFLOW_TWINS)}
    near = get_close_matches(path.rpartition(".")[2], names, 1, 0.85)
    own = f"write import:{path} to load Airflow's own class."
    if not near:
        return own[0].upper() + own[1:]
    twin = names[near[0]]
    today = next(known for known, short in AIRFLOW_TWINS.items() if short == RETIRED_PATHS.get(twin) or known == twin)
    return f"Did you mean {today}? Or {own}"


def _short_name(name: str, where: str) -> str:
    if name in SHORT_NAMES and not _others_exist():
        return SHORT_NAMES[name]
    from importlib.metadata import entry_points

    points = [point for point in entry_points(group="framework.backends") if point.name == name]
    claims = [point.value for point in points if point.dist and not _is_beside(str(point.dist.locate_file("")))]
    if name in SHORT_NAMES:
        claims.append(SHORT_NAMES[name])
    if len(set(claims)) > 1:
        raise BackendError(
            f"the short name {name!r} is claimed by {' and '.join(sorted(set(claims)))}",
            where=where,
            hint="Write the class path instead.",
        )
    if not claims:
        from framework.layers.environment import nearest

        near = nearest(name, SHORT_NAMES)
        meant = f"Did you mean {near}? " if near else ""
        raise BackendError(
            f"there is no backend called {name!r}",
            where=where,
            hint=f"{meant}Use one of {', '.join(sorted(SHORT_NAMES))}, or a class path.",
        )
    return claims[0]


def _is_beside(folder: str) -> bool:
    """Whether a package is in a folder that is on `sys.path` only because a project was found there. A virtual
    environment in the project is an entry of its own."""
    import sys

    return is_found(folder) and folder not in [entry for entry in sys.path if not isinstance(entry, Found)]


def _others_exist() -> bool:
    """Whether an installed package may have a backend in our entry point group. Loading `importlib.metadata` can
    take as long as the rest of a start, so the files that it reads are searched first."""
    import sys

    if "importlib.metadata" in sys.modules:
        return True
    for folder in sys.path:
        try:
            packages = [name for name in os.listdir(folder or ".") if name.endswith((".dist-info", ".egg-info"))]
        except NotADirectoryError:  # an archive, which only importlib.metadata opens
            return True
        except OSError:
            continue
        for package in packages:
            try:
                with open(os.path.join(folder, package, "entry_points.txt"), "rb") as file:
                    if b"framework.backends" in file.read():
                        return True
            except OSError:  # a package without entry points
                continue
    return False

"""Runs in Airflow's Python: what Airflow's classes for the stores ask for when a team asks, and what ours do.

Prints for each store that has a provider here: [kwargs, kind, id, team, names that theirs asks, names that ours asks].
"""

# mypy: disable-error-code="func-returns-value, attr-defined"
from __future__ import annotations

import json
import logging
import warnings
from importlib import import_module
from types import SimpleNamespace
from typing import Any

KINDS = ("connection", "variable", "config")
IDS = ("x", "a_b", "a--b", "a__b", "a/b", "a//b", "a___b", "b-")
TEAMS = (None, "ops", "ops_a")

#: Short name -> Airflow's module and class, and the kwargs of each case.
STORES: dict[str, tuple[str, str, list[dict[str, Any]]]] = {
    "aws_secrets_manager": (
        "amazon.aws.secrets.secrets_manager",
        "SecretsManagerBackend",
        [{}, {"connections_prefix": "", "variables_prefix": None}, {"sep": ".", "config_prefix": "c."}],
    ),
    "aws_ssm": (
        "amazon.aws.secrets.systems_manager",
        "SystemsManagerParameterStoreBackend",
        [{}, {"connections_prefix": "", "variables_prefix": None, "config_lookup_pattern": "x"}],
    ),
    "vault": (
        "hashicorp.secrets.vault",
        "VaultBackend",
        [{}, {"connections_path": ["c", "d/e"], "variables_path": None}, {"use_team_secrets_path": False}],
    ),
    "kubernetes": (
        "cncf.kubernetes.secrets.kubernetes_secrets_backend",
        "KubernetesSecretsBackend",
        [{}, {"team_label": None}, {"team_label": "team", "variables_label": None}],
    ),
    "gcp_secret_manager": ("google.cloud.secrets.secret_manager", "CloudSecretManagerBackend", [{}, {"sep": "_"}]),
    "azure_key_vault": (
        "microsoft.azure.secrets.key_vault",
        "AzureKeyVaultBackend",
        [{"vault_url": "https://v.example"}, {"vault_url": "https://v.example", "connections_prefix": ""}],
    ),
    "yandex_lockbox": ("yandex.secrets.lockbox", "LockboxSecretBackend", [{}, {"sep": "-"}, {"variables_prefix": ""}]),
    "akeyless": (
        "akeyless.secrets.akeyless",
        "AkeylessBackend",
        [
            {},
            {"global_secrets_path": "all"},
            {"use_team_secrets_path": False, "global_secrets_path": "all"},
            {"use_team_secrets_path": False},
        ],
    ),
}
#: What no secret in the store can be called: Airflow's class asks for it all the same, ours does not.
NEVER = {"vault": ("a//b",), "kubernetes": ("a/b", "a//b", "b-"), "gcp_secret_manager": ("a/b", "a//b")}
LOGINS = {"vault": {"token": "t"}, "akeyless": {"access_id": "i", "access_key": "k"}}


def spied_theirs(short: str, theirs: Any, kwargs: dict[str, Any], asked: list[str]) -> Any:
    """Airflow's backend, which finds nothing in its store."""
    if short == "gcp_secret_manager":
        theirs.client = SimpleNamespace(get_secret=lambda secret_id, project_id: asked.append(secret_id))
        backend = theirs.__new__(theirs)
        defaults = {
            "sep": "-",
            **{f"{kind}_prefix": f"airflow-{kind}" for kind in ("connections", "variables", "config")},
        }
        backend.__dict__.update({**defaults, **kwargs, "project_id": "p"})
        return backend
    backend = theirs(**LOGINS.get(short, {}), **kwargs)
    if short == "aws_secrets_manager":
        backend._get_secret_value = lambda secret_id, path: asked.append(path)
    elif short == "aws_ssm":
        backend._get_parameter_value = lambda ssm_path: asked.append(ssm_path)
    elif short == "vault":
        backend.vault_client = SimpleNamespace(get_secret=lambda secret_path: asked.append(secret_path))
    elif short == "kubernetes":
        backend.namespace = "n"
        backend.client = SimpleNamespace(
            list_namespaced_secret=lambda namespace, label_selector, resource_version: (
                asked.append(label_selector),
                SimpleNamespace(items=[]),
            )[1]
        )
    elif short == "azure_key_vault":
        backend.client = SimpleNamespace(get_secret=lambda name: (asked.append(name), SimpleNamespace(value=None))[1])
    elif short == "yandex_lockbox":
        backend._get_secrets = list
        backend._find_secret = lambda secrets, prefix, key: asked.append(backend._build_secret_name(prefix, key))
    elif short == "akeyless":
        backend._get_secret = lambda base, key: None if base is None else asked.append(f"{base}{backend.sep}{key}")
    return backend


def spied_ours(short: str, kwargs: dict[str, Any], asked: list[str]) -> Any:
    """Our backend, which finds nothing in its store."""
    from framework.backends import SHORT_NAMES

    module, _, name = SHORT_NAMES[short].rpartition(".")
    backend = getattr(import_module(module), name)(**LOGINS.get(short, {}), **kwargs)
    if short == "vault":
        backend._ask = lambda kind, act, mount, path, version=None: asked.append(path)
    elif short == "kubernetes":
        kubernetes = import_module(module)
        kubernetes._page = lambda login, query: (asked.append(query["label_selector"]), {"items": []})[1]
        backend.ask = lambda question, *_: question(None)
    else:
        backend.read = lambda name, version=None: asked.append(name)
    return backend


def asked_by(backend: Any, asked: list[str], kind: str, secret_id: str, team: str | None) -> list[str]:
    del asked[:]
    # Airflow's Akeyless has get_connection alone.
    get = {"variable": backend.get_variable, "config": backend.get_config}.get(kind)
    if get is None:
        own = type(backend).__dict__
        get = (
            backend.get_conn_value
            if "get_conn_value" in own or "framework" in own["__module__"]
            else backend.get_connection
        )
    found = get(secret_id) if kind == "config" else get(secret_id, team_name=team)
    assert found is None
    return list(asked)


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    answers: dict[str, Any] = {}
    for short, (module, name, cases) in STORES.items():
        try:
            theirs = getattr(import_module(f"airflow.providers.{module}"), name)
        except ImportError:
            continue
        rows = answers[short] = []
        for kwargs in cases:
            asked_theirs: list[str] = []
            asked_ours: list[str] = []
            one = spied_theirs(short, theirs, kwargs, asked_theirs)
            two = spied_ours(short, kwargs, asked_ours)
            for kind in KINDS:
                for secret_id in [each for each in IDS if each not in NEVER.get(short, ())]:
                    for team in TEAMS if kind != "config" else (None,):
                        rows.append(
                            [
                                kwargs,
                                kind,
                                secret_id,
                                team,
                                asked_by(one, asked_theirs, kind, secret_id, team),
                                asked_by(two, asked_ours, kind, secret_id, team),
                            ]
                        )
    print(f"\n{json.dumps(answers)}")  # on the last line: Airflow logs to the same place


if __name__ == "__main__":
    main()

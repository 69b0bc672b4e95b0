"""Print the least-privilege policy for exactly the names that this configuration can ask a store for.

Config secrets are named one by one, for the configuration refers to them; which connections and variables an
application will ask for nobody can know, so theirs is everything below their prefix.

for example:
  python -m framework policy aws
  python -m framework policy vault
"""

from __future__ import annotations

from framework.cli.output import NO, OK, as_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterable
    from typing import Any

    from framework.app import App

#: What stands for every id below a prefix: a name that every store takes.
_ANY = "anyNameThatIsAskedFor"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("store", choices=sorted(_WRITERS), help="whose policy to print")


def run(app: App, args: Namespace) -> int:
    short_names, write = _WRITERS[args.store]
    links = [link for link in app.chain.links if link.custom and type(link.backend).__name__ in short_names]
    if not links:
        import sys

        print(f"error: no configured backend is of {args.store}", file=sys.stderr)
        return NO
    for link in links:
        write(link.backend, _names(app, link.backend))
    return OK


def _names(app: App, backend: Any) -> list[str]:
    """Names in the store: those of the config secrets, and one pattern each for connections and variables."""
    from framework.wiring import references

    asked = [("config", name) for name in dict.fromkeys(references(app))] + [("connection", _ANY), ("variable", _ANY)]
    if hasattr(backend, "policy_paths"):  # a secret may be in several places
        return list(dict.fromkeys(path for wish in asked for path in backend.policy_paths(*wish)))
    names = [backend.name_of(*wish) for wish in asked]
    return list(dict.fromkeys(name for name in names if name is not None))


def _star(names: Iterable[str], star: str = "*") -> list[str]:
    return [name.replace(_ANY, star) for name in names]


def _aws(backend: Any, names: list[str]) -> None:
    ssm = "Systems" in type(backend).__name__
    service, actions = (
        ("ssm", ["ssm:GetParameter", "ssm:GetParameters"])
        if ssm
        else ("secretsmanager", ["secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"])
    )
    # Secrets Manager adds six random characters to each name that is there. One that is not there goes by its bare
    # name, and would be refused instead of absent. BatchGetSecretValue itself cannot be narrowed down.
    if ssm:
        resources = [f"arn:aws:ssm:*:*:parameter/{name.lstrip('/')}" for name in _star(names)]
    else:
        both = [full for name in names for full in ([name] if _ANY in name else [name, f"{name}-??????"])]
        resources = [f"arn:aws:{service}:*:*:secret:{name}" for name in _star(both)]
    allowed: list[dict[str, Any]] = [{"Effect": "Allow", "Action": actions, "Resource": resources}]
    if not ssm:
        allowed[0]["Action"] = actions[:1]
        allowed.append({"Effect": "Allow", "Action": actions[1:], "Resource": "*"})
    print(as_json({"Version": "2012-10-17", "Statement": allowed}))


def _vault(backend: Any, names: list[str]) -> None:
    for path in _star(names):
        print(f'path "{path}" {{\n  capabilities = ["read"]\n}}')


def _gcp(backend: Any, names: list[str]) -> None:
    tests = [
        f'resource.name.extract("secrets/{{name}}/").startsWith("{name.partition(_ANY)[0]}")'
        if _ANY in name
        else f'resource.name.extract("secrets/{{name}}/") == "{name}"'
        for name in names
    ]
    print(
        as_json(
            {
                "role": "roles/secretmanager.secretAccessor",
                "members": ["serviceAccount:SERVICE_ACCOUNT"],
                "condition": {"title": "framework", "expression": " || ".join(tests)},
            }
        )
    )


def _azure(backend: Any, names: list[str]) -> None:
    vault = "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.KeyVault/vaults/VAULT"
    # Azure's scopes know no patterns: who may ask for any connection may read the whole vault.
    scopes = [vault] if any(_ANY in name for name in names) else [f"{vault}/secrets/{name}" for name in names]
    print(as_json({"roleDefinition": "Key Vault Secrets User", "scopes": scopes}))


_WRITERS: dict[str, tuple[tuple[str, ...], Callable[[Any, list[str]], None]]] = {
    "aws": (("SecretsManagerBackend", "SystemsManagerParameterStoreBackend"), _aws),
    "vault": (("VaultBackend",), _vault),
    "gcp": (("GcpSecretManagerBackend",), _gcp),
    "azure": (("AzureKeyVaultBackend",), _azure),
}

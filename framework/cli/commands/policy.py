"""The command `policy`."""

from __future__ import annotations

from framework.cli.output import OK, as_json, machine, print_note
from framework.errors import ConfigError

DESCRIPTION = """\
Print the least-privilege policy for exactly the names that this configuration can ask a store for.

Config secrets are named one by one, because the configuration refers to them. The connections and variables that an
application will ask for cannot be known, so everything below their prefix is allowed.

for example:
  python -m framework policy aws
  python -m framework policy vault
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from framework.app import App
    from framework.chain.link import Link

    Asked = Sequence[tuple[object, Sequence[str]]]  # backend, the names in its store

#: A placeholder for every id below a prefix: a name that every store takes.
_ANY = "anyNameThatIsAskedFor"
#: A condition of Google's IAM has at most 12 logical operators, so 13 names.
_TESTS = 13


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_run)
    parser.add_argument("store", choices=sorted(_WRITERS), help="the store")


def _run(app: App, args: Namespace) -> int:
    classes, write, note = _WRITERS[args.store]
    links = [link for link in app.chain.custom if type(link.backend).__name__ in classes]
    asked = [(link.backend, names) for link in links if (names := _names(app, link))]
    if not asked:
        if links:
            raise ConfigError(f"the kwargs of {links[0].name} exclude every lookup")
        raise ConfigError(f"no configured backend is of {args.store}")
    machine(write(asked))
    print_note(note)
    return OK


def _names(app: App, link: Link) -> list[str]:
    """Names in the store: those of the config secrets, and one pattern each for connections and variables."""
    configs = [("config", name) for name in dict.fromkeys(_references(app, link))]
    anything = [("connection", _ANY), ("variable", _ANY)]
    backend = link.backend
    if hasattr(backend, "roles"):  # its connections are known
        anything = [("connection", name) for name in backend.roles]
    if hasattr(backend, "policy_paths"):  # a secret may be in several places
        return list(dict.fromkeys(path for question in configs + anything for path in backend.policy_paths(*question)))
    names = [backend.name_of(*question) for question in configs]
    # A lookup pattern leaves ids out, but a policy cannot name them.
    names += [backend.joined(prefix, _ANY) for kind, _ in anything if (prefix := backend.prefix(kind)) is not None]
    return list(dict.fromkeys(name for name in names if name is not None))


def _references(app: App, link: Link) -> Iterator[str]:
    """The config secrets that this link may be asked for: not those that it is built from, nor what others answer."""
    for name in app.engine.entries():
        max_level = app.engine.max_level(*name)
        if link in app.chain.visible("config", max_level):
            mention = next(app.engine.mentions(*name), None)  # a shadowed one is never followed
            if mention is not None and mention.form == "secret":
                reference = app.engine.reference_of(mention)
                if reference is not None:
                    yield reference.name


def _star(names: Iterable[str], star: str = "*") -> list[str]:
    return [name.replace(_ANY, star) for name in names]


def _aws(asked: Asked) -> str:
    allowed: list[dict[str, Any]] = []
    for backend, names in asked:
        if "Systems" in type(backend).__name__:
            actions, more = ["ssm:GetParameter", "ssm:GetParameters"], ""
            resources = [f"arn:aws:ssm:*:*:parameter/{name.lstrip('/')}" for name in _star(names)]
        else:
            # Secrets Manager adds six random characters to each name that is there. One that is not there goes by its
            # bare name, and would be refused instead of absent. BatchGetSecretValue itself cannot be narrowed down.
            actions, more = ["secretsmanager:GetSecretValue"], "secretsmanager:BatchGetSecretValue"
            both = [full for name in names for full in ([name] if _ANY in name else [name, f"{name}-??????"])]
            resources = [f"arn:aws:secretsmanager:*:*:secret:{name}" for name in _star(both)]
        allowed.append({"Effect": "Allow", "Action": actions, "Resource": resources})
        if more:
            allowed.append({"Effect": "Allow", "Action": [more], "Resource": "*"})
    return as_json({"Version": "2012-10-17", "Statement": allowed})


def _vault(asked: Asked) -> str:
    paths = dict.fromkeys(path for _, names in asked for path in _star(names))
    return "\n".join(f'path "{path}" {{\n  capabilities = ["read"]\n}}' for path in paths)


def _gcp(asked: Asked) -> str:
    tests = [
        f'resource.name.extract("secrets/{{name}}/").startsWith("{name.partition(_ANY)[0]}")'
        if _ANY in name
        else f'resource.name.extract("secrets/{{name}}/") == "{name}"'
        for _, names in asked
        for name in names
    ]
    parts = [tests[start : start + _TESTS] for start in range(0, len(tests), _TESTS)]
    return as_json(
        {
            "bindings": [
                {
                    "role": "roles/secretmanager.secretAccessor",
                    "members": ["serviceAccount:SERVICE_ACCOUNT"],
                    "condition": {"title": f"framework-{number}", "expression": " || ".join(part)},
                }
                for number, part in enumerate(parts, 1)
            ]
        }
    )


def _azure(asked: Asked) -> str:
    vault = "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.KeyVault/vaults/VAULT"
    names = [name for _, names in asked for name in names]
    # Azure's scopes know no patterns: a client that may ask for any connection may read the whole vault.
    scopes = [vault] if any(_ANY in name for name in names) else [f"{vault}/secrets/{name}" for name in names]
    return as_json({"roleAssignments": [{"role": "Key Vault Secrets User", "scope": scope} for scope in scopes]})


#: Store -> the classes of its backends, what writes the policy, and a note on what the policy lacks.
_WRITERS: dict[str, tuple[tuple[str, ...], Callable[[list[tuple[Any, list[str]]]], str], str]] = {
    "aws": (
        ("SecretsManagerBackend", "SystemsManagerParameterStoreBackend"),
        _aws,
        "narrow down the region and account (*:*); a KMS key of your own needs kms:Decrypt as well",
    ),
    "vault": (("VaultBackend", "VaultDatabaseBackend"), _vault, "the namespace is that of the token"),
    "gcp": (("GcpSecretManagerBackend",), _gcp, "replace SERVICE_ACCOUNT with the account"),
    "azure": (("AzureKeyVaultBackend",), _azure, "replace what is in capitals with your own values"),
}

"""Secrets of HashiCorp Vault and OpenBao: the kv engine, versions 1 and 2."""

from __future__ import annotations

import json

from framework.backends.vault.server import VaultServer
from framework.errors import BackendUnavailable, InvalidSecret, SecretsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from framework.backends.vault.session import Session


#: An id that names its mount must not name one of these, which answer to reads as well.
_NO_ENGINES = ("auth", "sys", "identity")


class VaultBackend(VaultServer):
    """Connections, variables and config secrets in a kv engine; Airflow's class of this name, with the same kwargs.

    A connection's secret holds `conn_uri`, or the fields of a connection; that of a variable or an option `value`.
    A relative path of a file starts at the folder of the file that names it.

    Args:
        connections_path, variables_path, config_path: where the secrets of a kind are, a path or several that are
            tried in order; None: the server is not asked for that kind; empty: the bare id.
        global_secrets_path: one more path to try for every kind (deprecated in Airflow).
        use_team_secrets_path: whether Airflow's teams have their own secrets, below `{path}/{team}`.
        mount_point: where the engine is mounted; None: the first segment of an id names it.
        kv_engine_version: 1 or 2.
        url: the server; by default `VAULT_ADDR`.
        namespace: of Vault Enterprise and OpenBao.
        verify: the file of the authority that signed the server's certificate, or False to trust any server.
        cert: the file of a client's certificate and key, or the two files.
        timeout: seconds to connect and, once more, to wait for an answer; by default 5 and 10.
        proxies, strict_http, request_header: as hvac's client takes them.
        allow_redirects: whether a redirect is followed: True: to any server; None: to the same one; False: never.
        auth_type: approle, aws_iam, azure, github, gcp, jwt, kubernetes, ldap, radius, token or userpass.
        auth_mount_point: where that method is mounted, if not under its own name.
        token, token_path: of token and github; by default `VAULT_TOKEN` for token.
        username, password: of userpass, ldap and radius.
        role_id, secret_id: of approle; role_id is the role of aws_iam, gcp and azure, too.
        key_id, secret_id, region, assume_role_kwargs: of aws_iam; without keys, those that boto3 finds.
        kubernetes_role, kubernetes_jwt_path: of kubernetes.
        jwt_role, jwt_token, jwt_token_path: of jwt.
        gcp_key_path, gcp_keyfile_dict, gcp_scopes: of gcp; without a key, Google's default credentials.
        azure_tenant_id, azure_resource, key_id, secret_id: of azure; without keys, Azure's default credentials.
        radius_host, radius_secret, radius_port: Airflow's; the server knows them, so they are not used.

    Raises:
        BackendError: an argument is missing or wrong.
    """

    switches = {"connection": "connections_path", "variable": "variables_path", "config": "config_path"}
    batch_size = 1
    team_sep = "/"
    guards = ("connection", "variable")
    falls_back = False

    def __init__(
        self,
        connections_path: str | Sequence[str] | None = "connections",
        variables_path: str | Sequence[str] | None = "variables",
        config_path: str | Sequence[str] | None = "config",
        use_team_secrets_path: bool = True,
        global_secrets_path: str | None = None,
        mount_point: str | None = "secret",
        kv_engine_version: int | None = 2,
        **names: Any,
    ) -> None:
        super().__init__(**names)
        if kv_engine_version not in (1, 2, None):
            raise self.misconfigured("kv_engine_version is neither 1 nor 2")
        self._engine = kv_engine_version or 2
        self.keeps_versions = self._engine == 2
        self._mount = (mount_point or "").strip("/")
        given = {"connection": connections_path, "variable": variables_path, "config": config_path}
        more = [] if global_secrets_path is None else [global_secrets_path]
        self._paths = {kind: self._path_list(kind, paths, more) for kind, paths in given.items()}
        self._has_team_paths = use_team_secrets_path
        self._known: set[str] = set()  # mounts whose engine was checked

    def who(self, client: Session) -> str:
        return client.principal()

    def has_own_secrets(self, team: str) -> bool:
        return self._has_team_paths and self.has_teams(team)

    def refusal(self, kind: str, secret_id: str, team: str | None) -> str:
        if not self.has_own_secrets(team or ""):
            return ""
        if team:
            return self.wrong_team(team)
        in_mount = secret_id if self._mount else secret_id.partition("/")[2]
        return super().refusal(kind, in_mount, None)

    def _path_list(self, kind: str, paths: object, more: list[str]) -> list[str]:
        """The paths of one kind, without a slash at their ends; empty: the server is not asked."""
        given = [] if paths is None else [paths] if isinstance(paths, str) else paths
        if not isinstance(given, (list, tuple)) or not all(isinstance(path, str) for path in given):
            raise self.misconfigured(f"{self.switches[kind]} is neither a path nor a list of paths")
        return [path.rstrip("/") for path in (*given, *more)]

    def _get(self, kind: str, secret_id: str, version: str | None = None, team: str | None = None) -> str | None:
        """A connection's `conn_uri`, or its fields as JSON; else the field `value`. The first path that has it counts.

        Raises:
            AccessDenied: the policy, or the login, refuses.
            BackendUnavailable: sealed, throttled, unreachable, failing, or the mount does not exist.
            InvalidSecret: the secret has no such field.
        """
        found = self._find(kind, secret_id, None if version is None else int(version), team)
        if found is None:
            return None
        fields, where = found
        if kind == "connection":
            return _text(fields["conn_uri"], "conn_uri", where) if fields.get("conn_uri") else json.dumps(fields)
        if "value" not in fields:
            raise InvalidSecret("the secret has no field `value`", where=where, hint="Store the text under `value`.")
        return _text(fields["value"], "value", where)

    def asks_for(self, kind: str, name: str) -> bool:
        return bool(self._paths[kind])

    def places(self, kind: str, name: str) -> list[str]:
        return self.policy_paths(kind, name)

    def mistake(self, kind: str, name: str) -> str:
        """What is wrong with a name that begins with a path, as policies, commands or kwargs write it; else empty."""
        for base in filter(None, self._paths[kind]):
            for start in (f"{self._mount}/data/{base}/", f"{self._mount}/{base}/", f"{base}/"):
                if name.lstrip("/").startswith(start):
                    rest = name.lstrip("/").removeprefix(start)
                    return f"{self.switches[kind]} already holds {base}, and mount_point the engine: write {rest}."
        return ""

    def get_config_version(self, key: str, version: str) -> str | None:
        """The field `value` in one version, a number; None for a deleted one. Raises: as `_get`."""
        if self._engine == 1:
            raise NotImplementedError
        # For the server, 0 is the newest version.
        is_number = version.isascii() and version.isdecimal() and 0 < int(version[:20]) < 2**31
        return self._get("config", key, version) if is_number else None

    def list_names(self, kind: str) -> list[str]:
        """The names under the paths of a kind, and in the folders below; also of secrets whose versions are deleted.

        Raises:
            NotImplementedError: `mount_point` is None, so the paths are not known.
            AccessDenied, BackendUnavailable, InvalidSecret: as `_get`.
        """
        if not self._mount:
            raise NotImplementedError
        names: dict[str, None] = {}
        for base in self._paths[kind]:
            names.update(dict.fromkeys(self._names_below(kind, base, "")))
        return list(names)

    def read_elsewhere(self, name: str) -> str | None:
        """Empty text if a secret exists at a name outside every path; see `StoreBackend`."""
        return None if self._ask("config", "read", self._mount or name, name) is None else ""

    def policy_paths(self, kind: str, secret_id: str) -> list[str]:
        """Where a secret may be, as policies write it; `+` stands for any mount if the id names none."""
        mount, name = self._mount, secret_id
        if not mount:
            mount, _, name = secret_id.partition("/") if "/" in secret_id else ("", "", secret_id)
        paths = [self.build_path(base, name) if base else name for base in self._paths[kind]]
        return [self._where("read", mount or "+", path) for path in paths]

    def _names_below(self, kind: str, base: str, folder: str) -> Iterator[str]:
        path = "/".join(filter(None, (base, folder.rstrip("/"))))
        for name in (self._ask(kind, "list", self._mount, path) or {}).get("keys") or ():
            if name.endswith("/"):
                yield from self._names_below(kind, base, folder + name)
            else:
                yield folder + name

    def _find(
        self, kind: str, secret_id: str, version: int | None = None, team: str | None = None
    ) -> tuple[dict[str, object], str] | None:
        """The secret's fields and its path, from the first path that has it."""
        mount, name = self._mount, secret_id
        if not mount:
            mount, _, name = secret_id.partition("/")
        if not _can_be(mount) or not _can_be(name) or (not self._mount and mount in _NO_ENGINES):
            return None
        for base in self._paths[kind]:
            path = "/".join(filter(None, (base, team, name)))
            fields = self._ask(kind, "read", mount, path, version)
            if fields is not None:
                return fields, self._where("read", mount, path)
        return None

    def _ask(self, kind: str, act: str, mount: str, path: str, version: int | None = None) -> dict[str, Any] | None:
        """The server's answer to a read or a list; None: the secret does not exist."""
        where = self._where(act, mount, path)

        def request(client: Any) -> Any:
            if self._engine == 1:
                engine = client.secrets.kv.v1
                read = engine.read_secret if act == "read" else engine.list_secrets
                return read(path, mount_point=mount)["data"]
            engine = client.secrets.kv.v2
            if act == "list":
                return engine.list_secrets(path, mount_point=mount)["data"]
            return engine.read_secret_version(path, version, mount, raise_on_deleted_version=True)["data"]["data"]

        def question(session: Session) -> dict[str, Any]:
            fields = session.call(request)
            if isinstance(fields, dict):
                return fields
            raise session.no_answer(where)

        return self.ask(question, where, act=act)

    def failure(self, fault: Exception, where: str, act: str = "read") -> SecretsError | None:
        from hvac.exceptions import InvalidPath

        session: Session = self._clients.get()
        if isinstance(fault, (KeyError, TypeError)):
            return session.no_answer(where)
        if not isinstance(fault, InvalidPath):
            return session.failed(fault, where=where, hint=f'Check the token, or grant its policy "{act}" on {where}.')
        mount = self._mount or where.partition("/")[0]
        wrong = self._wrong(fault, self._mount) or self._has_no_versions(session, mount)
        return wrong and BackendUnavailable(f"{session.server} says {wrong[0]} (404)", where=where, hint=wrong[1])

    def _where(self, act: str, mount: str, path: str) -> str:
        """The path as policies write it."""
        between = ("",) if self._engine == 1 else ("data",) if act == "read" else ("metadata",)
        return "/".join(filter(None, (mount, *between, path)))

    def _has_no_versions(self, session: Session, mount: str) -> tuple[str, str] | None:
        """What is wrong if the engine has no versions, for then it answers that no secret exists, and what to do.

        Checked once for each mount, when a secret is absent. The token may lack the right to check it.
        """
        if self._engine == 1 or mount in self._known:
            return None
        self._known.add(mount)
        try:
            found = session.call(lambda client: client.adapter.get(f"/v1/sys/internal/ui/mounts/{mount}"))["data"]
            if found["type"] not in ("kv", "generic") or (found["options"] or {}).get("version") == "2":
                return None
        except Exception:
            return None
        self._known.discard(mount)
        return "that the engine keeps no versions", "Set kv_engine_version to 1."


def _can_be(name: str) -> bool:
    """Whether a secret can have this name: `..` would lead elsewhere, and hvac makes one slash of two."""
    return name.isprintable() and not {"", ".", ".."}.intersection(name.split("/"))


def _text(value: object, field: str, where: str) -> str:
    """A field as text: JSON if it is not text."""
    if not isinstance(value, str):
        if value is None or field == "conn_uri":
            raise InvalidSecret(f"the field `{field}` is not text", where=where, hint="Store it as text.")
        return json.dumps(value)
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise InvalidSecret(f"the field `{field}` is not valid Unicode", where=where, hint="Store it as UTF-8.")
    return value

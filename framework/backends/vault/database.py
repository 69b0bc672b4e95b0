"""Credentials that the database engine of Vault and OpenBao issues, and the passwords that it rotates."""

from __future__ import annotations

import json
from time import monotonic

from framework import given
from framework.backends.issued import connection_of, issued, table_of
from framework.backends.vault.leases import Lease, leases_of
from framework.backends.vault.server import VaultServer
from framework.errors import BackendError, BackendUnavailable, InvalidSecret
from framework.lifetime import Expiring, Lifetime, refuse_if_looking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from framework.backends.vault.session import Session
    from framework.connection import Connection
    from framework.errors import SecretsError

    #: The server's answer, the token that asked, and for how many seconds the token is good.
    Read = tuple[dict[str, Any], str, float]

#: What identifies the principal; the rest are credentials, which may change.
_PROOFS = ("secret_id", "password", "jwt_token", "radius_secret")
#: After how many seconds to ask again for a rotation that is due.
_ROTATING = 1.0
#: What names a role in `roles` -> where the engine has its credentials.
_ENGINES = {"role": "creds", "static_role": "static-creds"}
_EXAMPLE = 'Write {"role": "app", "conn": "postgres://db:5432/books"}.'


class VaultDatabaseBackend(VaultServer):
    """Connections with credentials that are issued to this process, or rotated by the server.

    Credentials of a role are issued when they are first read. They are renewed in the background, and revoked when the
    process ends, unless it was given its token. Options read them as `dyn/ROLE#/username` and `dyn/ROLE#/password`,
    those of static roles as `static/ROLE#/password`.

    Args:
        roles: name of a connection -> `{"role": …, "conn": …}`: the role in Vault, or a `static_role`, and the
            connection without login and password.
        mount_point: where the engine is mounted.
        config_path: what references to roles begin with; empty: with the role; None: they are not asked for.
        static_path: the same for static roles.
        **names: the server and the login: the same kwargs as those of `VaultBackend`.

    Attributes:
        roles: name of a connection -> where the engine has its credentials, and the rest of it.

    Raises:
        BackendError: an argument is missing or wrong.
    """

    shares = False
    switches = {"connection": "roles", "config": "config_path"}

    def __init__(
        self,
        roles: dict[str, Any] | None = None,
        mount_point: str = "database",
        config_path: str | None = "dyn",
        static_path: str | None = "static",
        **names: Any,
    ) -> None:
        super().__init__(**names)
        self._mount = given.text(mount_point, "mount_point").strip("/")
        if not _can_be(self._mount):
            raise self.misconfigured("mount_point is not the path of an engine")
        self._folders: dict[str, str] = {}
        for kwarg, path, engine in (
            ("config_path", config_path, "creds"),
            ("static_path", static_path, "static-creds"),
        ):
            if path is not None:
                folder = given.text(path, kwarg).strip("/")
                self._folders[f"{folder}/" if folder else ""] = engine
        if config_path is not None and static_path is not None and len(self._folders) < 2:
            raise self.misconfigured("static_path is the same as config_path", "Choose another one.")
        self.roles = {name: self._role(name, role) for name, role in table_of(roles or {}, "roles").items()}
        who = {name: value for name, value in self._kwargs.items() if name not in _PROOFS}
        self._leases = leases_of(self, repr((self._mount, who)))

    def _role(self, name: str, role: object) -> tuple[str, Connection]:
        """Where the credentials of a connection are, and the rest of it."""
        kwarg, known = f"roles: {name!r}", (*_ENGINES, "conn")
        if not isinstance(role, dict):
            raise BackendError(f"{kwarg} is not an object", hint=_EXAMPLE)
        for key in role:
            if key not in known:
                from difflib import get_close_matches

                near = get_close_matches(str(key), known, 1)
                hint = f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(known)}."
                raise BackendError(f"{kwarg}: there is no key {key!r}", hint=hint)
        if len(kinds := [kind for kind in _ENGINES if kind in role]) != 1:
            what = f"it has {'both' if kinds else 'neither'} a role {'and' if kinds else 'nor'} a static_role"
            raise BackendError(f"{kwarg}: {what}", hint=_EXAMPLE)
        (kind,) = kinds
        if not isinstance(role[kind], str) or not _is_role(role[kind]):
            what, hint = f"{kwarg}: not a valid name for the {kind}", f'Write its name alone: "{kind}": "app".'
            raise BackendError(what, hint=hint)
        if "conn" not in role:
            raise BackendError(f"{kwarg}: it has no conn", hint=_EXAMPLE)
        return f"{_ENGINES[kind]}/{role[kind]}", connection_of(role["conn"], f"{kwarg}: conn")

    def _path(self, kind: str, name: str) -> str | None:
        """Where the engine has it; None: nowhere."""
        if kind == "connection" and name in self.roles:
            return self.roles[name][0]
        for folder, engine in self._folders.items() if kind == "config" else ():
            if name.startswith(folder) and _is_role(name[len(folder) :]):
                return f"{engine}/{name[len(folder) :]}"
        return None

    def mistake(self, kind: str, name: str) -> str:
        """What is wrong with a reference that has the engine's own path, or a field without `#`; else empty."""
        for folder, engine in self._folders.items() if kind == "config" else ():
            for start in (f"{self._mount}/{engine}/", f"{engine}/", folder):
                role, _, field = name.removeprefix(start).partition("/")
                if name.startswith(start) and _is_role(role) and (field or start != folder):
                    return f"Write {folder}{role}#/{field or 'username'}."
        return ""

    def asks_for(self, kind: str, name: str) -> bool:
        return self._path(kind, name) is not None

    def places(self, kind: str, name: str) -> list[str]:
        return self.policy_paths(kind, name)

    def policy_paths(self, kind: str, name: str) -> list[str]:
        """What is read, as policies write it."""
        path = self._path(kind, name)
        return [] if path is None else [f"{self._mount}/{path}"]

    def list_names(self, kind: str) -> list[str]:
        """The connections of `roles`. No store is asked."""
        return list(self.roles) if kind == "connection" else []

    def _get(self, kind: str, secret_id: str, version: str | None = None, team: str | None = None) -> str | None:
        """A connection as JSON, or all that was issued.

        Raises:
            AccessDenied: the policy, or the login, refuses.
            BackendUnavailable: sealed, throttled, unreachable, failing, or the engine is not mounted.
            InvalidSecret: the answer has no username and password.
            IssuedOnUse: it is read only to be shown.
        """
        path = self._path(kind, secret_id)
        if path is None:
            return None
        if path.startswith("static-creds/"):
            found = self._static(path)
        else:
            lease = self._leases.current(path)
            found = None if lease is None else (lease.fields, lease.lifetime)
        if found is None:
            return None
        fields, lifetime = found
        if kind == "config":
            return Expiring(json.dumps(fields), lifetime)
        login, password = fields.get("username"), fields.get("password")
        if not isinstance(login, str) or not isinstance(password, str):
            what = "the answer has no username and password"
            raise InvalidSecret(what, where=f"{self._mount}/{path}", hint="Use a role with passwords.")
        return issued(self.roles[secret_id][1], login, password, lifetime)

    def ask_anew(self, kind: str, name: str) -> None:
        path = self._path(kind, name)
        if path is not None and path.startswith("creds/"):
            self._leases.prove(path)

    def _static(self, path: str) -> tuple[dict[str, Any], Lifetime] | None:
        """The password of a static role, which is good until its rotation."""
        asked, answer = monotonic(), self._read(path)
        if answer is None:
            return None
        lifetime = Lifetime(max(float(answer[0]["data"].get("ttl") or 0), _ROTATING), asked)
        lifetime.due = lifetime.ends  # before that, there is nothing new
        return answer[0]["data"], lifetime

    def _read(self, path: str) -> Read | None:
        """The server's answer, the token that it was given to, and how many seconds that one is good."""
        where = f"{self._mount}/{path}"

        def question(session: Session) -> Read:
            answer = session.call(lambda client: client.adapter.get(f"/v1/{where}"))
            if isinstance(answer, dict) and isinstance(answer.get("data"), dict):
                return answer, session.token, session.seconds_left
            raise session.no_answer(where)

        return self.ask(question, where)

    def issue(self, path: str) -> Lease | None:
        """Request credentials; None: there is no such role."""
        refuse_if_looking("it", f"{self._mount}/{path}")
        asked, found = monotonic(), self._read(path)
        if found is None:
            return None
        answer, token, left = found
        return Lease(answer["data"], answer.get("lease_id", ""), token, answer["lease_duration"], left, asked)

    def renew(self, lease: Lease) -> float:
        """For how many seconds a lease was renewed; 0: it cannot be."""
        from hvac.exceptions import InvalidRequest

        def question(session: Session) -> float:
            asked = monotonic()
            try:
                granted = session.call(lambda client: client.sys.renew_lease(lease.id, int(lease.seconds)))
            except InvalidRequest:  # it is not there any more
                return 0.0
            if session.token != lease.token:  # it ends with the token that it was issued to
                return 0.0
            seconds = float(granted["lease_duration"])
            if seconds >= lease.seconds / 2:
                lease.lifetime.extend(min(seconds, session.seconds_left), asked)
            return seconds

        return self.ask(question, "sys/leases/renew", act="renew") or 0.0

    def revoke(self, tokens: Iterable[str]) -> None:
        """End what was issued to the tokens of our own logins, with these tokens."""
        if self._kwargs["auth_type"] != "token":
            session: Session = self._clients.get()
            session.revoke(tokens)

    def failure(self, fault: Exception, where: str, act: str = "read") -> SecretsError | None:
        from hvac.exceptions import InvalidPath, InvalidRequest

        session: Session = self._clients.get()
        if isinstance(fault, InvalidRequest) and "unknown role" in " ".join(map(str, fault.errors or ())):
            return None
        if isinstance(fault, (KeyError, TypeError)):
            return session.no_answer(where)
        if isinstance(fault, InvalidPath):
            wrong = self._wrong(fault, self._mount) or ("that there is no such path", "Correct mount_point.")
            return BackendUnavailable(f"{session.server} says {wrong[0]} (404)", where=where, hint=wrong[1])
        right = "update" if act == "renew" else act
        return session.failed(fault, where=where, hint=f'Check the token, or grant its policy "{right}" on {where}.')


def _is_role(name: str) -> bool:
    """Whether a role can have this name."""
    return "/" not in name and _can_be(name)


def _can_be(name: str) -> bool:
    """Whether an engine can have this path."""
    parts = name.split("/")
    return all(part.strip(".") and part.isascii() and part.isprintable() for part in parts) and not set(" ?#%") & set(
        name
    )

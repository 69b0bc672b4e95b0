"""Akeyless, by its REST API: static secrets below a path.

Three calls of the API are all it takes, so they are made with urllib3: the vendor's package takes 0.6 s to import.
"""

from __future__ import annotations

from framework.backends.named import DEFAULT, StoreBackend
from framework.backends.remote import Login, OnePerProcess
from framework.errors import AccessDenied, BackendError, BackendUnavailable, InvalidSecret, SecretsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from framework.connection import Connection

ACCESS_TYPES = ("api_key", "uid", "aws_iam", "gcp", "azure_ad")

#: Seconds to connect, and to wait for the next bytes.
_CONNECT, _READ = 5.0, 10.0
#: The waits before a call is tried again; one that the API asks for counts up to the longest.
_WAITS, _LONGEST = (0.2, 0.8), 5.0
_TRY_AGAIN = (0, 429, 500, 502, 503, 504)
#: How many names one call asks for.
_BATCH = 50


class AkeylessBackend(StoreBackend):
    """Static secrets of Akeyless.

    A connection is a URI, a JSON object with `conn_uri`, or one with a connection's fields; anything else is a text,
    or the field `value` of a JSON object.

    Args:
        connections_path, variables_path, config_path: where the secrets of a kind are; None: never asked for that kind;
            empty: the bare id. By default `/`, the application's name and the kind's.
        sep, connections_lookup_pattern, variables_lookup_pattern, config_lookup_pattern: see `StoreBackend`.
        api_url: of the API, or of a gateway.
        access_id, access_key: of an API key; the cloud's types of access take the id alone.
        access_type: api_key, uid, aws_iam, gcp or azure_ad.
        uid_token, gcp_audience, azure_object_id: what these types of access take.
        token_ttl: after how many seconds a login is made anew.
        use_team_secrets_path: whether Airflow's teams have secrets of their own, below `{path}{sep}{team}`.
        global_secrets_path: where, below the path, the others are in an Airflow with teams.
    """

    batch_size = _BATCH

    switches = {"connection": "connections_path", "variable": "variables_path", "config": "config_path"}
    guards = ("connection", "variable")

    def __init__(
        self,
        connections_path: str | None = DEFAULT,
        variables_path: str | None = DEFAULT,
        config_path: str | None = DEFAULT,
        sep: str = "/",
        use_team_secrets_path: bool = True,
        global_secrets_path: str | None = None,
        api_url: str = "https://api.akeyless.io",
        access_id: str | None = None,
        access_key: str | None = None,
        access_type: str = "api_key",
        token_ttl: int = 600,
        uid_token: str | None = None,
        gcp_audience: str | None = None,
        azure_object_id: str | None = None,
        connections_lookup_pattern: str | None = None,
        variables_lookup_pattern: str | None = None,
        config_lookup_pattern: str | None = None,
    ) -> None:
        patterns = connections_lookup_pattern, variables_lookup_pattern, config_lookup_pattern
        super().__init__(connections_path, variables_path, config_path, sep, *patterns)
        needs = {"access_id": access_id, "access_key": access_key} if access_type == "api_key" else {}
        needs = {"uid_token": uid_token} if access_type == "uid" else needs or {"access_id": access_id}
        if access_type not in ACCESS_TYPES:
            raise _misconfigured("the access_type is unknown", f"Use one of {', '.join(ACCESS_TYPES)}.")
        if missing := [name for name, given in needs.items() if not given]:
            raise _misconfigured(
                f"{' and '.join(missing)} not given", f"Set {' and '.join(missing)} in backend_kwargs."
            )
        self._url, self._ttl = api_url.rstrip("/"), token_ttl
        self._type, self._id, self._key, self._uid = access_type, access_id, access_key, uid_token
        self._audience, self._object = gcp_audience, azure_object_id
        self.team_sep, self._has_team_paths = sep, use_team_secrets_path
        self._common = None if global_secrets_path is None else global_secrets_path.rstrip("/")
        self.logins = 0
        self._session = OnePerProcess(self._new_session)

    def is_told_apart(self, team: str) -> bool:
        return self._has_team_paths and self.has_teams(team)

    def refusal(self, kind: str, secret_id: str, team: str | None) -> str:
        is_open = not self._has_team_paths or (not team and self._common is not None)
        return "" if is_open else super().refusal(kind, secret_id, team if self.has_teams(team) else None)

    def folder_of_nobody(self, kind: str, team: str | None) -> str | None:
        return self._common if kind != "config" and self.has_teams(team) else None

    def prefix(self, kind: str) -> str | None:
        prefix = super().prefix(kind)
        return f"/{prefix}" if self._prefixes[kind] is DEFAULT else prefix

    def read(self, name: str, version: str | None = None) -> str | None:
        """The text of one static secret. Versions are numbers.

        Raises:
            AccessDenied, BackendUnavailable, InvalidSecret: as the API says.
            BackendError: a package is missing.
        """
        if version is not None and not (version.isascii() and version.isdigit() and len(version) < 19):
            return None
        more = {} if version is None else {"version": int(version)}
        status, said, what = self._session.get().call("get-secret-value", {"names": [name], **more})
        if status == 200:
            value = said.get(name)
            return None if value is None else _text(value, name)
        if status == 404 and "error" in said:
            return None
        raise _failure(status, what, f"Akeyless, {name}", "reading it")

    def read_many(self, names: list[str]) -> Mapping[str, str | SecretsError]:
        """By calls for fifty names each. A call that fails for one of its names is made again in halves."""
        found: dict[str, str | SecretsError] = {}
        todo = [names[start : start + _BATCH] for start in range(0, len(names), _BATCH)]
        while todo:
            values, instead = self._read_some(todo.pop())
            found |= values
            todo += instead
        return found

    def _read_some(self, names: list[str]) -> tuple[dict[str, str | SecretsError], list[list[str]]]:
        """What one call says, and what is to be asked instead."""
        found: dict[str, str | SecretsError] = {}
        try:
            if len(names) == 1:
                text = self.read(names[0])
                return ({} if text is None else {names[0]: text}), []
            status, said, what = self._session.get().call("get-secret-value", {"names": names})
        except SecretsError as fault:
            return {name: fault.again() for name in names}, []
        if status in (400, 403, 404):  # it does not say for which of the names
            half = len(names) // 2
            return {}, [names[:half], names[half:]]
        if status != 200:
            return {name: _failure(status, what, f"Akeyless, {name}", "reading it") for name in names}, []
        for name in names:
            if said.get(name) is not None:
                try:
                    found[name] = _text(said[name], name)
                except InvalidSecret as fault:
                    found[name] = fault
        # Whether one that is left out is absent or refused, only the answer for it alone says.
        return found, [[name] for name in names if name not in found]

    def names_below(self, start: str) -> list[str]:
        path = start.removesuffix(self.sep) or "/"
        asked: dict[str, Any] = {"path": path, "type": ["static-secret"], "minimal-view": True}
        names: list[str] = []
        while True:
            status, said, what = self._session.get().call("list-items", asked)
            if status == 404 and "error" in said:  # nothing was ever stored there
                return names
            if status != 200:
                raise _failure(status, what, f"Akeyless, {path}", "listing what is there")
            names += [str(item.get("item_name")) for item in said.get("items") or ()]
            if not said.get("next_page"):
                return sorted(names)
            asked["pagination-token"] = said["next_page"]

    def _get(self, kind: str, secret_id: str, version: str | None = None, team: str | None = None) -> str | None:
        text = super()._get(kind, secret_id, version, team)
        return text if text is None or kind == "connection" else _value_in(text)

    def get_many(self, kind: str, names: Iterable[str]) -> Mapping[str, str | SecretsError]:
        found = super().get_many(kind, names)
        if kind == "connection":
            return found
        return {name: _value_in(said) if isinstance(said, str) else said for name, said in found.items()}

    def deserialize_connection(self, conn_id: str, value: str) -> Connection:
        if self.connection_map is None:
            said = _json(value)
            uri = said.get("conn_uri") if isinstance(said, dict) else said
            value = uri if isinstance(uri, str) and uri else value
        return super().deserialize_connection(conn_id, value)

    def _new_session(self) -> _Session:
        self.logins = 0
        return _Session(self._url, self._ttl, self._logged_in, 2 * self.max_workers)

    def _logged_in(self) -> tuple[str, dict[str, Any]]:
        self.logins += 1
        return self._proof()

    def _proof(self) -> tuple[str, dict[str, Any]]:
        """The token that there is, or else what the API makes one for."""
        if self._type == "uid":
            return str(self._uid), {}
        if self._type == "api_key":
            return "", {"access-type": "access_key", "access-id": self._id, "access-key": self._key}
        return "", {"access-type": self._type, "access-id": self._id, "cloud-id": self._cloud_id()}

    def _cloud_id(self) -> str:
        """What proves which machine of a cloud this is."""
        try:
            from akeyless_cloud_id import CloudId

            if self._type == "aws_iam":
                return str(CloudId().generate())
            if self._type == "gcp":
                return str(CloudId().generateGcp(self._audience))
            return str(CloudId().generateAzure(self._object))
        except ImportError:  # also of the cloud's own package
            what = ""
        except Exception as fault:
            what = type(fault).__name__
        if not what:
            hint = "pip install 'framework[akeyless]' 'akeyless_cloud_id[aws]' (or gcp, azure)"
            raise _misconfigured(f"the packages for access_type {self._type} are not installed", hint)
        raise BackendUnavailable(
            f"the cloud does not say who this machine is ({what})",
            where=f"Akeyless, access_type {self._type}",
            hint="Run on a machine of that cloud.",
        )


class _Session:
    """The connections, and one login for all threads."""

    def __init__(self, url: str, ttl: int, proof: Any, connections: int) -> None:
        self._url, self._ttl, self._proof = url, ttl, proof
        self._login = Login(self._log_in)
        self._pool = _pool(url, connections)

    def call(self, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any], str]:
        """What a call answers. A token that is refused is fetched anew once.

        Returns:
            The status (0: no answer), the JSON object of a good answer, and what is wrong with one that is not.
        """
        token = self._login.token()
        status, said, what = self._post(name, {**body, **_signed(token)})
        if status == 401 and (fresh := self._login.token(refused=token)) != token:
            status, said, what = self._post(name, {**body, **_signed(fresh)})
        return status, said, what

    def _log_in(self) -> tuple[str, float]:
        """A token, and for how many seconds it is good."""
        token, proof = self._proof()
        if token:
            return token, self._ttl
        status, said, what = self._post("auth", proof)
        if status in (400, 401, 403):
            raise _refused(status, "Akeyless, login")
        if status != 200:
            raise _failure(status, what, "Akeyless, login", "it")
        return str(said.get("token") or ""), self._ttl

    def _post(self, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any], str]:
        import json
        import time

        waits = list(_WAITS)
        while True:
            status, wait, what = 0, "", ""
            said: Any = {}
            try:
                answer = self._pool.request(
                    "POST",
                    f"{self._url}/{name}",
                    body=json.dumps(body).encode(),
                    headers={"Content-Type": "application/json", "Accept": "application/json"},
                    redirect=False,
                )
                status, wait = answer.status, answer.headers.get("Retry-After", "")
                if status in (200, 404):
                    said = json.loads(answer.data)
                what = "" if isinstance(said, dict) else "no JSON object"
                if status == 404 and "error" not in said:  # another server's says nothing of a secret
                    what = "a 404 of another server"
            except Exception as fault:  # their texts may quote the request, which holds the token
                what = type(fault).__name__
            if what:
                status, said = 0, {}  # no answer, or one that was cut short
            if status not in _TRY_AGAIN or not waits or what.endswith("TimeoutError"):  # a long wait is not repeated
                return status, said, what
            time.sleep(max(waits.pop(0), min(float(wait), _LONGEST) if wait.isdigit() else 0.0))


def _pool(url: str, connections: int) -> Any:
    """Connections, through the proxy that the environment names for this address."""
    try:
        import urllib3
    except ImportError:
        pass
    else:
        from urllib.request import getproxies, proxy_bypass

        at = urllib3.util.parse_url(url)
        proxy = None if proxy_bypass(at.host or "") else getproxies().get(at.scheme or "")
        timeout = urllib3.Timeout(connect=_CONNECT, read=_READ)
        said: dict[str, Any] = {"maxsize": connections, "block": True, "retries": False, "timeout": timeout}
        return urllib3.ProxyManager(proxy, **said) if proxy else urllib3.PoolManager(**said)
    raise _misconfigured("the package urllib3 is not installed", "pip install 'framework[akeyless]'")


def _signed(token: str) -> dict[str, str]:
    """A universal identity's token has a name of its own."""
    return {"uid-token" if token.startswith("u-") else "token": token}


def _misconfigured(what: str, hint: str) -> BackendError:
    return BackendError(what, where="Akeyless", hint=hint)


def _refused(status: int, where: str) -> AccessDenied:
    return AccessDenied(f"the login was refused ({status})", where=where, hint="Check access_id and what proves it.")


def _failure(status: int, what: str, where: str, doing: str) -> SecretsError:
    if status == 401:
        return _refused(status, where)
    if status == 403:
        return AccessDenied(f"{doing} is denied (403)", where=where, hint="Allow it in the access role.")
    if status == 400:
        return InvalidSecret(f"{doing} is refused (400)", where=where, hint="It must be a static secret.")
    hint = "It is asked too often: try again later." if status == 429 else "Check api_url and the network."
    return BackendUnavailable(
        f"the API answered {status}" if status else f"the API cannot be read ({what})", where=where, hint=hint
    )


def _text(value: Any, name: str) -> str:
    """A secret's value as text; the API gives some as JSON."""
    if isinstance(value, (dict, list)):
        import json

        return json.dumps(value)
    if isinstance(value, str):
        return value
    raise InvalidSecret("the value is no text", where=f"Akeyless, {name}", hint="Store it as text.")


def _json(text: str) -> Any:
    """What a text says that is a JSON object or a JSON text, else None."""
    if text.lstrip()[:1] not in ("{", '"'):
        return None
    from framework.files.formats import read_json

    try:
        return read_json(text)
    except ValueError:
        return None


def _value_in(text: str) -> str:
    """The field `value` of a JSON object, or the text as it is: as in Airflow."""
    said = _json(text)
    if not isinstance(said, dict) or "value" not in said:
        return text
    import json

    return said["value"] if isinstance(said["value"], str) else json.dumps(said["value"])

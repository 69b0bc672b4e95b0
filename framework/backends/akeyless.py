"""Akeyless, by its REST API: static secrets below a path.

Three calls of the API are all it takes, so they are made with urllib3: the vendor's package takes 0.6 s to import.
"""

from __future__ import annotations

from framework.backends.named import DEFAULT
from framework.backends.remote import RemoteStore
from framework.backends.session import Login, patiently
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


class AkeylessBackend(RemoteStore):
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

    store = "Akeyless"
    packages = {"urllib3": "urllib3"}
    extra = "akeyless"
    batch_size = 50
    version_rule = "[0-9]{1,18}"
    expired = ("401",)
    acts = {"read": ("reading it", ""), "list": ("listing what is there", "")}
    faults = {
        "404": None,
        "401": (AccessDenied, "the login was refused ({code})", "Check access_id and what proves it."),
        "403": (AccessDenied, "{doing} is denied ({code})", "Allow it in the access role."),
        "400": (InvalidSecret, "{doing} is refused ({code})", "It must be a static secret."),
        "429": (BackendUnavailable, "the API answered {code}", "It is asked too often: try again later."),
        "0": (BackendUnavailable, "the API cannot be read ({code})", "Check api_url and the network."),
        "": (BackendUnavailable, "the API answered {code}", "Check api_url and the network."),
    }
    switches = {"connection": "connections_path", "variable": "variables_path", "config": "config_path"}
    guards = ("connection", "variable")

    def __init__(
        self,
        connections_path: str | None = DEFAULT,
        variables_path: str | None = DEFAULT,
        config_path: str | None = DEFAULT,
        *,
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
        **names: Any,
    ) -> None:
        prefixes = {"connections_prefix": connections_path, "variables_prefix": variables_path}
        super().__init__(**prefixes, config_prefix=config_path, sep=sep, **names)
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

    def where(self, name: str = "", version: str | None = None) -> str:
        return f"Akeyless, {name or 'the list of secrets'}"

    def open(self) -> _Session:
        return _Session(self, self._url, self._ttl)

    def code_of(self, fault: Any) -> str | tuple[str, str]:
        status = fault.status if isinstance(fault, _NoAnswer) else 0
        return str(status) if status else ("0", str(fault) if isinstance(fault, _NoAnswer) else type(fault).__name__)

    def is_expired(self, fault: Exception) -> bool:
        return self._type != "uid" and super().is_expired(fault)  # whose token is always the same

    def fetch(self, client: _Session, name: str, version: str | None) -> str | None:
        more = {} if version is None else {"version": int(version)}
        value = client.call("get-secret-value", {"names": [name], **more}).get(name)
        return None if value is None else _text(value, self.where(name))

    def fetch_many(self, client: _Session, names: list[str]) -> dict[str, Any]:
        """A call that fails for one of its names is made again in halves: it does not say for which.

        Whether a name that is left out is absent, refused or no text, only the answer for it alone says.
        """
        try:
            said = client.call("get-secret-value", {"names": names})
        except _NoAnswer as fault:
            if fault.status not in (400, 403, 404):
                raise
            halves = names[: len(names) // 2], names[len(names) // 2 :]
        else:
            there = [name for name in names if isinstance(said.get(name), (str, dict, list))]
            return {name: _text(said[name], self.where(name)) for name in there}
        found: dict[str, Any] = {}
        for half in halves:
            found |= self.fetch_many(client, half) if len(half) > 1 else {}
        return found

    def names(self, client: _Session, start: str) -> list[str]:
        path = start.removesuffix(self.sep) or "/"
        asked: dict[str, Any] = {"path": path, "type": ["static-secret"], "minimal-view": True}
        names: list[str] = []
        while True:
            said = client.call("list-items", asked)
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

    def proof(self) -> tuple[str, dict[str, Any]]:
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


class _NoAnswer(Exception):
    """What a call met instead of an answer. Its text never quotes the request, which holds the token.

    Attributes:
        status: of the API; 0: there is no answer, or none of the API.
        wait: how many seconds to wait before another call; None: another one is of no use.
    """

    def __init__(self, status: int, what: str = "", wait: str = "") -> None:
        super().__init__(what)
        self.status = status
        is_passing = status in _TRY_AGAIN and not what.endswith("TimeoutError")  # a long wait is not repeated
        self.wait = (min(float(wait), _LONGEST) if wait.isdigit() else 0.0) if is_passing else None


class _Session:
    """The connections, and one login for all threads."""

    def __init__(self, backend: AkeylessBackend, url: str, ttl: int) -> None:
        self._backend, self._url, self._ttl = backend, url, ttl
        self._login = Login(self._log_in)
        self._pool = _pool(url, 2 * backend.max_workers)

    def call(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """The JSON object that a call answers. Raises _NoAnswer."""
        return self._post(name, {**body, **_signed(self._login.token())})

    def _log_in(self) -> tuple[str, float]:
        """A token, and for how many seconds it is good."""
        self._backend.logins += 1
        token, proof = self._backend.proof()
        if token:
            return token, self._ttl
        try:
            return str(self._post("auth", proof).get("token") or ""), self._ttl
        except _NoAnswer as fault:
            code, shown = str(fault.status), str(fault.status or fault)
        raise self._backend.failed("401" if code in ("400", "403") else code, shown, self._backend.where("login"))

    def _post(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        said: dict[str, Any] = patiently(
            lambda: self._posted(name, body), lambda fault: getattr(fault, "wait", None), _WAITS
        )
        return said

    def _posted(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        import json

        said: Any = {}
        try:
            answer = self._pool.request(
                "POST",
                f"{self._url}/{name}",
                body=json.dumps(body).encode(),
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                redirect=False,
            )
            if answer.status in (200, 404):
                said = json.loads(answer.data)
            what = "" if isinstance(said, dict) else "no JSON object"
            if answer.status == 404 and "error" not in said:  # another server's says nothing of a secret
                what = "a 404 of another server"
        except Exception as fault:
            what = type(fault).__name__
        if what:
            raise _NoAnswer(0, what)  # or one that was cut short
        if answer.status != 200:
            raise _NoAnswer(answer.status, wait=answer.headers.get("Retry-After", ""))
        return dict(said)


def _pool(url: str, connections: int) -> Any:
    """Connections, through the proxy that the environment names for this address."""
    from urllib.request import getproxies, proxy_bypass

    import urllib3

    at = urllib3.util.parse_url(url)
    proxy = None if proxy_bypass(at.host or "") else getproxies().get(at.scheme or "")
    timeout = urllib3.Timeout(connect=_CONNECT, read=_READ)
    said: dict[str, Any] = {"maxsize": connections, "block": True, "retries": False, "timeout": timeout}
    return urllib3.ProxyManager(proxy, **said) if proxy else urllib3.PoolManager(**said)


def _signed(token: str) -> dict[str, str]:
    """A universal identity's token has a name of its own."""
    return {"uid-token" if token.startswith("u-") else "token": token}


def _misconfigured(what: str, hint: str) -> BackendError:
    return BackendError(what, where="Akeyless", hint=hint)


def _text(value: Any, where: str) -> str:
    """A secret's value as text; the API gives some as JSON."""
    if isinstance(value, (dict, list)):
        import json

        return json.dumps(value)
    if isinstance(value, str):
        return value
    raise InvalidSecret("the value is not text", where=where, hint="Store it as text.")


def _json(text: str) -> Any:
    """What a text says that is a JSON object or a JSON text, else None."""
    if text.lstrip()[:1] not in ("{", '"'):
        return None
    from framework.parsing import read_json

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

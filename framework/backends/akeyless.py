"""Akeyless, by its REST API: static secrets below a path.

Only three calls of the API are needed, so they are made with urllib3: the vendor's package takes 0.6 s to import.
"""

from __future__ import annotations

import json

from framework.backends.faults import denied, invalid, refused, throttled, unavailable
from framework.backends.fields import json_object
from framework.backends.named import DEFAULT
from framework.backends.remote import RemoteStore
from framework.backends.retries import patiently, wanted_by
from framework.backends.session import Login
from framework.errors import BackendUnavailable, InvalidSecret
from framework.parsing import read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from framework.connection import Connection
    from framework.errors import SecretsError

ACCESS_TYPES = ("api_key", "uid", "aws_iam", "gcp", "azure_ad")

#: Seconds to connect, and to wait for the next bytes.
_CONNECT, _READ = 5.0, 10.0
#: The statuses after which a call is repeated; 0: no answer.
_TRY_AGAIN = (0, 429, 500, 502, 503, 504)


class AkeylessBackend(RemoteStore):
    """Static secrets of Akeyless.

    A connection is a URI, a JSON object with `conn_uri`, or one with the fields of a connection. Any other secret is a
    text, or the field `value` of a JSON object.

    Args:
        connections_path, variables_path, config_path: where the secrets of a kind are; None: the store is not asked for
            that kind; empty: the bare id. By default `/`, the application's name and the kind's.
        api_url: of the API, or of a gateway.
        access_id, access_key: of an API key; the access types of a cloud take the id alone.
        access_type: api_key, uid, aws_iam, gcp or azure_ad.
        uid_token, gcp_audience, azure_object_id: for these access types.
        token_ttl: the lifetime of a login in seconds.
        use_team_secrets_path: whether Airflow's teams have their own secrets, below `{path}{sep}{team}`.
        global_secrets_path: where, below the path, all other secrets are in an Airflow with teams.
        **names: `sep` and the patterns of `StoreBackend`.
    """

    store = "Akeyless"
    packages = {"urllib3": "urllib3"}
    extra = "akeyless"
    batch_size = 50
    version_rule = "[0-9]{1,18}"
    expired = ("401",)
    acts = {"read": ("reading it", ""), "list": ("listing the secrets", "")}
    faults = {
        "404": None,
        "401": refused("Check access_id and its credentials."),
        "403": denied("Allow it in the access role."),
        "400": invalid("It must be a static secret.", "{doing} is refused ({code})"),
        "429": throttled(),
        "0": unavailable("Check api_url and the network.", "the API cannot be read ({code})"),
        "": unavailable("Check api_url and the network.", "the API answered {code}"),
    }
    switches = {"connection": "connections_path", "variable": "variables_path", "config": "config_path"}
    guards = ("connection", "variable")

    def __init__(
        self,
        connections_path: str | None = DEFAULT,
        variables_path: str | None = DEFAULT,
        config_path: str | None = DEFAULT,
        *,
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
        names |= {"connections_prefix": connections_path, "variables_prefix": variables_path}
        super().__init__(config_prefix=config_path, **names)
        needs = {"access_id": access_id, "access_key": access_key} if access_type == "api_key" else {}
        needs = {"uid_token": uid_token} if access_type == "uid" else needs or {"access_id": access_id}
        if access_type not in ACCESS_TYPES:
            raise self.misconfigured("the access_type is unknown", f"Use one of {', '.join(ACCESS_TYPES)}.")
        if missing := " and ".join(name for name, given in needs.items() if not given):
            raise self.misconfigured(f"{missing} not given", f"Set {missing} in backend_kwargs.")
        self._url, self._ttl = api_url.rstrip("/"), token_ttl
        self._type, self._id, self._key, self._uid = access_type, access_id, access_key, uid_token
        self._audience, self._object = gcp_audience, azure_object_id
        self.team_sep, self._has_team_paths = self.sep, use_team_secrets_path
        self._common = None if global_secrets_path is None else global_secrets_path.rstrip("/")

    def has_own_secrets(self, team: str) -> bool:
        return self._has_team_paths and self.has_teams(team)

    def refusal(self, kind: str, secret_id: str, team: str | None) -> str:
        is_open = not self._has_team_paths or (not team and self._common is not None)
        return "" if is_open else super().refusal(kind, secret_id, team if self.has_teams(team) else None)

    def shared_folder(self, kind: str, team: str | None) -> str | None:
        return self._common if kind != "config" and self.has_teams(team) else None

    def prefix(self, kind: str) -> str | None:
        prefix = super().prefix(kind)
        return f"/{prefix}" if self._prefixes[kind] is DEFAULT else prefix

    def where(self, name: str = "", version: str | None = None) -> str:
        return f"Akeyless, {name or 'the list of secrets'}"

    def who(self, client: _Client) -> str | None:
        return "" if self._type in ("api_key", "uid") else None  # a cloud's identity is known to Akeyless alone

    def open(self) -> _Client:
        return _Client(self, self._url, self._ttl)

    def code_of(self, fault: Exception) -> str | tuple[str, str]:
        status = fault.status if isinstance(fault, _NoAnswer) else 0
        return str(status) if status else ("0", str(fault) if isinstance(fault, _NoAnswer) else type(fault).__name__)

    def is_expired(self, fault: Exception) -> bool:
        return self._type != "uid" and super().is_expired(fault)  # its token never changes

    def fetch(self, client: _Client, name: str, version: str | None) -> str | None:
        more = {} if version is None else {"version": int(version)}
        value = client.call("get-secret-value", {"names": [name], **more}).get(name)
        return None if value is None else _text(value, self.where(name))

    def fetch_many(self, client: _Client, names: list[str]) -> dict[str, str | bytes | SecretsError | None]:
        """A call that fails because of one name does not say which one, so it is repeated in halves.

        Whether a name that is left out is absent, refused or not text, only the answer for it alone says.
        """
        try:
            values = client.call("get-secret-value", {"names": names})
        except _NoAnswer as fault:
            if fault.status not in (400, 403, 404):
                raise
        else:
            there = [name for name in names if isinstance(values.get(name), (str, dict, list))]
            return {name: _text(values[name], self.where(name)) for name in there}
        found: dict[str, str | bytes | SecretsError | None] = {}
        for half in (names[: len(names) // 2], names[len(names) // 2 :]):
            found |= self.fetch_many(client, half) if len(half) > 1 else {}
        return found

    def names(self, client: _Client, start: str) -> list[str]:
        path = start.removesuffix(self.sep) or "/"
        question: dict[str, Any] = {"path": path, "type": ["static-secret"], "minimal-view": True}
        names: list[str] = []
        while True:
            page = client.call("list-items", question)
            names += [str(item.get("item_name")) for item in page.get("items") or ()]
            if not page.get("next_page"):
                return sorted(names)
            question["pagination-token"] = page["next_page"]

    def _get(self, kind: str, secret_id: str, version: str | None = None, team: str | None = None) -> str | None:
        text = super()._get(kind, secret_id, version, team)
        return text if text is None or kind == "connection" else _value_in(text)

    def get_many(self, kind: str, names: Iterable[str]) -> Mapping[str, str | SecretsError]:
        found = super().get_many(kind, names)
        if kind == "connection":
            return found
        return {name: _value_in(value) if isinstance(value, str) else value for name, value in found.items()}

    def deserialize_connection(self, conn_id: str, value: str) -> Connection:
        if self.connection_map is None:
            value = _uri_in(value) or value
        return super().deserialize_connection(conn_id, value)

    def proof(self) -> tuple[str, dict[str, object]]:
        """The token, if it is given; else the body of a request for one."""
        if self._type == "uid":
            return str(self._uid), {}
        if self._type == "api_key":
            return "", {"access-type": "access_key", "access-id": self._id, "access-key": self._key}
        return "", {"access-type": self._type, "access-id": self._id, "cloud-id": self._cloud_id()}

    def _cloud_id(self) -> str:
        """The cloud's proof of this machine's identity."""
        try:
            from akeyless_cloud_id import CloudId

            if self._type == "aws_iam":
                return str(CloudId().generate())
            if self._type == "gcp":
                return str(CloudId().generateGcp(self._audience))
            return str(CloudId().generateAzure(self._object))
        except ImportError:  # also of the cloud's own package
            hint = "pip install 'framework[akeyless]' 'akeyless_cloud_id[aws]' (or gcp, azure)"
            failure: Exception = self.misconfigured(
                f"the packages for access_type {self._type} are not installed", hint
            )
        except Exception as fault:
            what, where = (
                f"the cloud does not identify this machine ({type(fault).__name__})",
                f"access_type {self._type}",
            )
            failure = BackendUnavailable(what, where=f"Akeyless, {where}", hint="Run on a machine of that cloud.")
        raise failure


class _NoAnswer(Exception):
    """A call failed. The text never quotes the request, which holds the token.

    Attributes:
        status: of the API; 0: no answer, or not one of the API.
        temporary: whether the API is throttled, and how many seconds it asks to wait; None: it is not asked again.
    """

    def __init__(self, status: int, what: str = "", wait: str = "") -> None:
        super().__init__(what)
        self.status = status
        is_temporary = status in _TRY_AGAIN and not what.endswith("TimeoutError")  # a long wait is not repeated
        self.temporary = (status == 429, wanted_by(wait)) if is_temporary else None


class _Client:
    """The connections, and one login for all threads."""

    def __init__(self, backend: AkeylessBackend, url: str, ttl: int) -> None:
        self._backend, self._url, self._ttl = backend, url, ttl
        self._login = Login(self._log_in)
        self._pool = _pool(url, 2 * backend.max_workers)

    def call(self, name: str, body: dict[str, object]) -> dict[str, Any]:
        """The JSON object that a call answers. Raises _NoAnswer."""
        token = self._login.token()
        return self._post(name, {**body, "uid-token" if token.startswith("u-") else "token": token})

    def _log_in(self) -> tuple[str, float]:
        """A token, and its lifetime in seconds."""
        self._backend.logins += 1
        token, proof = self._backend.proof()
        try:
            return token or str(self._post("auth", proof).get("token") or ""), self._ttl
        except _NoAnswer as fault:
            code, shown = str(fault.status), str(fault.status or fault)
        raise self._backend.failed("401" if code in ("400", "403") else code, shown, self._backend.where("login"))

    def _post(self, name: str, body: Mapping[str, object]) -> dict[str, Any]:
        return patiently(lambda: self._posted(name, body), lambda fault: getattr(fault, "temporary", None))

    def _posted(self, name: str, body: Mapping[str, object]) -> dict[str, object]:
        found: Any = {}
        try:
            url, headers = f"{self._url}/{name}", {"Accept": "application/json"}
            answer = self._pool.request("POST", url, json=body, headers=headers, redirect=False)
            if answer.status in (200, 404):
                found = json.loads(answer.data)
            what = "" if isinstance(found, dict) else "not a JSON object"
            if answer.status == 404 and "error" not in found:  # another server's 404 does not mean an absent secret
                what = "a 404 from another server"
        except Exception as fault:
            what = type(fault).__name__
        if what:
            raise _NoAnswer(0, what)
        if answer.status != 200:
            raise _NoAnswer(answer.status, wait=answer.headers.get("Retry-After", ""))
        return dict(found)


def _pool(url: str, connections: int) -> Any:
    """Connections, through the proxy that the environment names for this address."""
    from urllib.request import getproxies, proxy_bypass

    import urllib3

    at = urllib3.util.parse_url(url)
    proxy = None if proxy_bypass(at.host or "") else getproxies().get(at.scheme or "")
    timeout = urllib3.Timeout(connect=_CONNECT, read=_READ)
    options: dict[str, Any] = {"maxsize": connections, "block": True, "retries": False, "timeout": timeout}
    return urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)


def _text(value: object, where: str) -> str:
    """A secret's value as text; the API returns some as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    raise InvalidSecret("the value is not text", where=where, hint="Store it as text.")


def _uri_in(text: str) -> str:
    """The URI of a JSON object with `conn_uri`, or of a JSON string; else empty."""
    try:
        found = read_json(text) if text.lstrip()[:1] in ("{", '"') else None
    except ValueError:
        return ""
    uri = found.get("conn_uri") if isinstance(found, dict) else found
    return uri if isinstance(uri, str) else ""


def _value_in(text: str) -> str:
    """The field `value` of a JSON object, or the text as it is: as in Airflow."""
    found = json_object(text) if text.lstrip().startswith("{") else None
    if found is None or "value" not in found:
        return text
    return found["value"] if isinstance(found["value"], str) else json.dumps(found["value"])

"""How a process is known to a Vault server: one client, one login, and a token that is renewed before it ends."""

from __future__ import annotations

import os
from math import inf
from time import monotonic

from framework.backends.key_files import client_file, read_token, verification
from framework.backends.retries import retrying
from framework.backends.session import Login
from framework.backends.vault.login import LOGINS, prepared
from framework.errors import AccessDenied, BackendUnavailable, InvalidSecret, SecretsError
from framework.locks import ProcessLock
from framework.logs import INFO, log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeVar

    Result = TypeVar("Result")

#: Seconds to connect, and to wait for an answer.
_TIMEOUTS = (5.0, 10.0)
#: The same for the last requests of a process.
_LAST_TIMEOUTS = (2.0, 8.0)
#: Variables that name the trusted authorities, if `verify` does not.
_AUTHORITIES = ("VAULT_CACERT", "VAULT_CAPATH", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
#: The logins whose credentials are in the kwargs: they identify the principal without a call.
_PROVEN_BY_KWARGS = ("approle", "github", "ldap", "radius", "token", "userpass")
#: A token is renewed after this part of its lifetime.
_RENEWED_AFTER = 2 / 3


class Session:
    """One client of a server, logged in once, for all threads of one process.

    Args:
        kwargs: the arguments of the backend.
        directory: where the relative path of a file starts that an argument names.
        logged_in: called at each login.
        connections: how many idle ones are kept.

    Attributes:
        client: hvac's.
    """

    def __init__(
        self,
        kwargs: Mapping[str, Any],
        directory: str,
        logged_in: Callable[[], None],
        connections: int,
    ) -> None:
        self._kwargs, self._directory, self._logged_in = kwargs, directory, logged_in
        self.client = _client(kwargs, directory, connections)
        self._login = Login(self._fetch, least=0.0)
        self._lock = ProcessLock()
        self._token = ""
        self._renewable = False
        self._seconds = self._ends_at = 0.0
        self._proven_at = 0.0  # when the server last accepted the token

    @property
    def token(self) -> str:
        """The token of the last login."""
        return self._token

    @property
    def seconds_left(self) -> float:
        """How long that token is good."""
        return self._ends_at - monotonic()

    def revoke(self, tokens: Iterable[str]) -> None:
        """End tokens, and everything that was issued to them. Called when the process ends, perhaps by a signal, so
        nothing is shared with the other threads, whose locks may be held."""
        client = _client({**self._kwargs, "timeout": _LAST_TIMEOUTS}, self._directory, 1)
        for token in tokens:
            client.token = token
            try:
                client.auth.token.revoke_self()
            except Exception as fault:  # then they end by themselves
                log(INFO, "vault: a token could not be revoked (%s)", type(fault).__name__)

    def call(self, request: Callable[[Any], Result]) -> Result:
        """The server's answer. If the token has ended, the server is asked once more with a new one.

        Raises:
            SecretsError: the login failed. Else what hvac and requests raise; see `failed`.
        """
        from hvac.exceptions import Forbidden

        asked = monotonic()
        token = self._login.token()
        try:
            return request(self.client)
        except Forbidden as fault:
            refusal = fault
        if self._is_good(token, asked) or self._login.token(refused=token) == token:
            raise refusal
        return request(self.client)

    def principal(self) -> str:
        """The server, the namespace and who logs in: by what the login proves, or else by what the server says of the
        token. Raises: as `call`."""
        place = f"{self.client.url} {self.client.adapter.namespace or ''}"
        if self._kwargs["auth_type"] in _PROVEN_BY_KWARGS and not self._kwargs["token_path"]:
            proof = os.environ.get("VAULT_TOKEN", "") if self._kwargs["auth_type"] == "token" else ""
            return f"{place} {proof.strip()}"
        found = self.call(lambda client: client.auth.token.lookup_self())["data"]
        policies = sorted({*(found.get("policies") or ()), *(found.get("identity_policies") or ())})
        return f"{place} {found.get('entity_id') or found['accessor']} {' '.join(policies)}"

    def _is_good(self, token: str, asked: float) -> bool:
        """Whether a 403 is about the policy, and not about a token that has ended.

        Servers have one answer for both, so the token is looked up, unless it was accepted after the question.
        """
        from hvac.exceptions import Forbidden

        with self._lock:
            if self._token != token:
                return False
            if self._proven_at > asked:
                return True
            try:
                self.client.auth.token.lookup_self()
                self._proven_at = monotonic()
                return True
            except Forbidden:
                self._ends_at = 0.0
                return False

    def _fetch(self) -> tuple[str, float]:
        """A token that is renewed or new, and for how many seconds it is used."""
        used_for = self._renewed()
        if used_for is None:
            used_for = self._begun()
        return self._token, used_for

    def _renewed(self) -> float | None:
        """For how many seconds the token is used, after more time was asked for; None: there must be a login."""
        from hvac.exceptions import Forbidden, InvalidRequest

        asked, before = monotonic(), self._seconds
        if not self._renewable or asked >= self._ends_at:
            return None
        try:
            auth = self.client.auth.token.renew_self()["auth"]
            used_for = self._keep(self._token, auth["lease_duration"], auth["renewable"], asked)
            log(INFO, "vault: the token was renewed")
        except (Forbidden, InvalidRequest, KeyError, TypeError):
            return None
        except Exception as fault:  # the server cannot do it now, and the token is still good
            if not _is_timeout(fault):
                return (self._ends_at - asked) / 2
            failure = self.failed(fault, where="renewal of the token")  # a read would wait as long once more
            raise failure from None
        # Near its maximum lifetime a token gets less and less time: then a login is better.
        return used_for if self._seconds > before / 2 or self._kwargs["auth_type"] == "token" else None

    def _begun(self) -> float:
        """For how many seconds the token of a new login is used."""
        asked = monotonic()
        self._logged_in()
        if self._kwargs["auth_type"] == "token":
            return self._given_token(asked)
        login = prepared(self._kwargs, self._directory)
        try:
            answer = login(self.client.auth)
            if isinstance(answer, dict):
                auth = answer["auth"]
                return self._keep(auth["client_token"], auth["lease_duration"], auth["renewable"], asked)
            failure: SecretsError = self.no_answer(f"login by {self._kwargs['auth_type']}")
        except Exception as fault:
            failure = self._no_login(fault)
        raise failure

    def _given_token(self, asked: float) -> float:
        """A token from elsewhere. Its file is read at each login, because an agent may have written a new one."""
        from hvac.exceptions import Forbidden

        path = self._kwargs["token_path"]
        token = self._kwargs["token"] or os.environ.get("VAULT_TOKEN", "")
        token = read_token(path, self._directory, "token_path") if path else token.strip()
        self.client.token = token
        if not token:
            raise AccessDenied("the token is empty", where="VAULT_TOKEN", hint="Write one.")
        try:
            found = self.client.auth.token.lookup_self()["data"]
            # Whole seconds: 0 may be the rest of one. A token without an end has 0 as well.
            return self._keep(token, max(found["ttl"], 0.5) if found["expire_time"] else 0, found["renewable"], asked)
        except Forbidden:  # it has ended, or has no right to look itself up: the next read will show it
            used_for = self._keep(token, 0, False, asked)
            self._proven_at = 0.0
            return used_for
        except Exception as fault:
            failure = self._no_login(fault)
        raise failure

    def _keep(self, token: str, seconds: float, renewable: bool, asked: float) -> float:
        if not token:
            raise KeyError("client_token")
        self.client.token = self._token = token
        self._renewable, self._seconds, self._proven_at = bool(renewable), seconds or inf, monotonic()
        self._ends_at = asked + self._seconds
        return asked + self._seconds * _RENEWED_AFTER - monotonic()

    def _no_login(self, fault: Exception) -> SecretsError:
        from hvac.exceptions import InvalidPath, InvalidRequest

        kind = self._kwargs["auth_type"]
        where = f"login by {kind}"
        names = dict.fromkeys([*(name for group in LOGINS[kind] for name in group), "role_id", "secret_id"])
        given = [name for name in names if self._kwargs[name]]
        hint = f"Check {', '.join([*given, 'auth_mount_point'])}, and the role on the server."
        if isinstance(fault, (KeyError, TypeError)):
            what, to_do = f"{self.server} gave no token", "A login with a second factor cannot be used."
            return AccessDenied(what, where=where, hint=to_do)
        if isinstance(fault, InvalidPath):
            what, to_do = f"{self.server} has no such login (404)", "Check namespace and auth_mount_point."
            return BackendUnavailable(what, where=where, hint=to_do)
        if isinstance(fault, InvalidRequest):
            return AccessDenied(f"{self.server} refuses (400)", where=where, hint=hint)
        return self.failed(fault, where=where, hint=hint)

    @property
    def server(self) -> str:
        """Host and port, without the name and password that a URL may hold."""
        return f"Vault at {_host(self.client.url)}"

    def no_answer(self, where: str) -> InvalidSecret:
        """The error for an answer of another program."""
        what = f"{self.server} answers, but not as Vault does"
        return InvalidSecret(what, where=where, hint="Check url and the version.")

    def failed(self, fault: Exception, *, where: str = "", hint: str = "") -> SecretsError:
        """The error for a failed request. The texts of server and SDK may hold secrets, and are left out.

        Args:
            where: the path in the store.
            hint: what to do if the server refuses.
        """
        from hvac import exceptions as vault
        from requests import exceptions as http

        if isinstance(fault, _Redirected):
            return BackendUnavailable(str(fault), where=where, hint=fault.hint)
        name = type(fault).__name__
        code = {"InternalServerError": 500, "VaultNotInitialized": 501, "BadGateway": 502}.get(name, name)
        network = "Check url and network."
        if _is_timeout(fault):
            what, hint = f"{self.server} did not answer in time", "Check url and network, or raise timeout."
            return BackendUnavailable(what, where=where, hint=hint)
        for kind, error, what, to_do in (
            (vault.Forbidden, AccessDenied, "refuses (403)", hint),
            (vault.Unauthorized, AccessDenied, "refuses (401)", hint),
            (
                vault.InvalidRequest,
                InvalidSecret,
                "rejects the request as invalid (400)",
                "Check the name and the kwargs.",
            ),
            (vault.VaultDown, BackendUnavailable, "is sealed or in maintenance (503)", "Unseal it, or wait."),
            (vault.RateLimitExceeded, BackendUnavailable, "got too many requests (429)", "Wait, or raise its quota."),
            (vault.VaultError, BackendUnavailable, f"failed ({code})", "See the server's log."),
            (
                http.SSLError,
                BackendUnavailable,
                "is not trusted (TLS)",
                'Set "verify" to the file of its certificate authority.',
            ),
            (http.ConnectionError, BackendUnavailable, "cannot be reached, or closed the connection", network),
            (http.RequestException, BackendUnavailable, f"cannot be asked ({name})", network),
            (
                OSError,
                BackendUnavailable,
                "cannot be asked: a file of verify or cert cannot be read",
                "Correct its path.",
            ),
        ):
            if isinstance(fault, kind):
                return error(f"{self.server} {what}", where=where, hint=to_do)
        return BackendUnavailable(f"{self.server} cannot be asked ({name})", where=where, hint="Check the kwargs.")

    def __repr__(self) -> str:
        return "<Session>"


class _Redirected(Exception):
    """A server redirects a request to a place that must not see the token."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.hint = hint


def _client(kwargs: Mapping[str, Any], directory: str, connections: int) -> Any:
    """A client without a token, over one pool of connections."""
    import hvac
    from requests import Session as Pool
    from requests.adapters import HTTPAdapter
    from requests.utils import get_environ_proxies

    retry = retrying(
        status_forcelist=(412, 429, 500, 502, 503, 504),
        allowed_methods={"GET", "LIST"},  # a login that was taken may have used up its secret_id
    )
    pool = Pool()
    for scheme in ("http://", "https://"):
        pool.mount(scheme, HTTPAdapter(pool_maxsize=connections, max_retries=retry))
    _keep_in_place(pool, kwargs["allow_redirects"])
    url = kwargs["url"] or os.environ.get("VAULT_ADDR") or "http://localhost:8200"
    # Proxies and authorities are read from the environment once, not at each request; ~/.netrc is never read.
    pool.trust_env, pool.verify = False, None
    verify, cert = verification(kwargs["verify"], directory, "verify"), kwargs["cert"]
    if verify in (None, True):
        verify = next(filter(None, map(os.environ.get, _AUTHORITIES)), True)
    if cert:
        paths = [client_file(path, directory, "cert") for path in ([cert] if isinstance(cert, str) else cert)]
        cert = paths[0] if isinstance(cert, str) else tuple(paths)
    return hvac.Client(
        url=url,
        token="",  # not None, or hvac would send VAULT_TOKEN or ~/.vault-token to a login of another kind
        session=pool,
        timeout=kwargs["timeout"] or _TIMEOUTS,
        verify=verify,
        cert=cert or None,
        proxies=kwargs["proxies"] or get_environ_proxies(url),
        **{name: kwargs[name] for name in ("namespace", "strict_http", "request_header")},
    )


def _host(url: str) -> str:
    """Host and port. The text before the last @ may be a password, even one that is not quoted as it should be."""
    host = url.partition("://")[2].rpartition("@")[2].partition("/")[0].partition("?")[0]
    return host if host else "an address without a host"


def _keep_in_place(pool: Any, allowed: bool | None) -> None:
    """Limit redirects: requests would send the token, and the proof of a login, to any server.

    Args:
        pool: requests' session. It calls its `rebuild_auth` before it follows; the redirect's URL is complete then.
        allowed: True: to any server. None: only to the same one. False: nowhere. Never from https to http.
    """
    from urllib.parse import urlsplit

    follow = pool.rebuild_auth

    def redirected(request: Any, answer: Any) -> None:
        old, new = urlsplit(answer.request.url), urlsplit(request.url)
        what = f"Vault at {old.scheme}://{_host(old.geturl())} redirects to {new.scheme}://{_host(new.geturl())}"
        if old.scheme == "https" != new.scheme:
            raise _Redirected(f"{what}, without encryption", "Correct api_addr on the server.")
        if allowed is False or (allowed is not True and pool.should_strip_auth(answer.request.url, request.url)):
            to_do = 'Set url to the second, or "allow_redirects": true in backend_kwargs if both may see the token.'
            raise _Redirected(f"{what}, which is not followed", to_do)
        follow(request, answer)

    pool.rebuild_auth = redirected


def _is_timeout(fault: Exception) -> bool:
    from requests.exceptions import Timeout

    last = getattr(fault.args[0] if fault.args else None, "reason", None)  # of several tries
    return isinstance(fault, Timeout) or type(last).__name__ in ("ConnectTimeoutError", "ReadTimeoutError")

"""How a process is known to a Vault server: one client, one login, and a token that is kept from ending."""

from __future__ import annotations

import os
from math import inf
from time import monotonic

from framework.backends.session import (
    REFUSED_FOR,
    file_for_the_client,
    patiently,
    read_secret_text,
    retrying,
    shown_path,
)
from framework.backends.vault.login import LOGINS, prepared
from framework.errors import AccessDenied, BackendUnavailable, InvalidSecret, SecretsError
from framework.locks import ProcessLock
from framework.logs import INFO, log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

#: Seconds to connect, and to wait for an answer.
_TIMEOUTS = (5.0, 10.0)
#: Pauses before a login that a busy or sealed server turned away is sent again; reads are repeated by the adapter.
_PAUSES = (0.3, 0.9)
#: Variables that name the authorities to trust, where `verify` does not.
_AUTHORITIES = ("VAULT_CACERT", "VAULT_CAPATH", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
#: A token is renewed when so much of its time is over.
_RENEWED_AFTER = 2 / 3


class Session:
    """One client of a server, logged in once, for all threads of one process.

    Args:
        kwargs: the arguments of the backend.
        directory: where the relative path of a file starts that an argument names.
        logged_in: told of each login.
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
        self._lock = ProcessLock()
        self._token = ""
        self._renewable = False
        self._seconds = self._renew_at = self._ends_at = 0.0
        self._proven_at = 0.0  # when the server last took the token for a good one
        self._failed_at, self._failure = 0.0, SecretsError("")

    def call(self, request: Callable[[Any], Any]) -> Any:
        """What the server answers, asked once more under a new token if the token has ended.

        Raises:
            SecretsError: the login failed. Else what hvac and requests raise, for `failed` to tell.
        """
        from hvac.exceptions import Forbidden

        asked = monotonic()
        token = self.log_in()
        try:
            return request(self.client)
        except Forbidden as fault:
            refusal = fault
        if not self._is_replaced(token, asked):
            raise refusal
        return request(self.client)

    def log_in(self) -> str:
        """The token, with some of its time left. Threads that wait for one login share what comes of it, and one that
        is refused is not tried again within a second: servers lock out who fails again and again.

        Raises:
            AccessDenied, BackendUnavailable, InvalidSecret: the login failed.
            BackendError: it needs a package that is not installed.
        """
        asked = monotonic()
        if asked < self._renew_at:
            return self._token
        with self._lock:
            if monotonic() < self._renew_at:
                return self._token
            is_refused = isinstance(self._failure, AccessDenied) and asked - self._failed_at < REFUSED_FOR
            if is_refused or self._failed_at >= asked:
                raise self._failure.again()
            try:
                if not self._renew():
                    self._begin()
            except SecretsError as fault:
                self._failed_at, self._failure = monotonic(), fault.again()
                raise
            return self._token

    def _is_replaced(self, token: str, asked: float) -> bool:
        """Whether a 403 was for a token that had ended, and there is another one now.

        Servers have one answer to a token that has ended and to a policy that refuses, so the token is looked up,
        unless it was seen to be good after the question.
        """
        from hvac.exceptions import Forbidden

        with self._lock:
            if self._token != token:
                return True
            if self._proven_at > asked:
                return False
            try:
                self.client.auth.token.lookup_self()
                self._proven_at = monotonic()
                return False
            except Forbidden:
                self._renew_at = self._ends_at = 0.0
            self.log_in()
            return self._token != token

    def _renew(self) -> bool:
        """Ask for more time; False if there must be a login instead."""
        from hvac.exceptions import Forbidden, InvalidRequest

        asked, before = monotonic(), self._seconds
        if not self._renewable or asked >= self._ends_at:
            return False
        try:
            auth = _patiently(self.client.auth.token.renew_self)["auth"]
            self._keep(self._token, auth["lease_duration"], auth["renewable"], asked)
            log(INFO, "vault: the token was renewed")
        except (Forbidden, InvalidRequest, KeyError, TypeError):
            return False
        except Exception as fault:  # the server cannot do it now, and the token is still good
            if _is_timeout(fault):  # whoever reads with it would wait as long once more
                failure = self.failed(fault, where="renewal of the token")
            else:
                self._renew_at = (asked + self._ends_at) / 2
                return True
            raise failure from None
        # Near its longest time a token is given less and less: then it is better to log in.
        return self._seconds > before / 2 or self._kwargs["auth_type"] == "token"

    def _begin(self) -> None:
        asked = monotonic()
        self._logged_in()
        if self._kwargs["auth_type"] == "token":
            self._take_token(asked)
            return
        login = prepared(self._kwargs, self._text_of)
        try:
            said = _patiently(lambda: login(self.client.auth))
            if isinstance(said, dict):
                auth = said["auth"]
                self._keep(auth["client_token"], auth["lease_duration"], auth["renewable"], asked)
                return
            failure: SecretsError = self.no_answer(f"login by {self._kwargs['auth_type']}")
        except Exception as fault:
            failure = self._no_login(fault)
        raise failure

    def _take_token(self, asked: float) -> None:
        """A token that others got. Its file is read anew each time, for an agent may have written another one."""
        from hvac.exceptions import Forbidden

        path = self._kwargs["token_path"]
        token = self._text_of(path) if path else (self._kwargs["token"] or os.environ.get("VAULT_TOKEN", "")).strip()
        if not token:
            raise AccessDenied(
                "the token is empty", where=self._shown(path) if path else "VAULT_TOKEN", hint="Write one."
            )
        self.client.token = token
        try:
            said = self.client.auth.token.lookup_self()["data"]
            # Whole seconds: none may be the rest of one. A token without an end has none either.
            seconds = max(said["ttl"], 0.5) if said["expire_time"] else 0
            self._keep(token, seconds, said["renewable"], asked)
            return
        except Forbidden:  # it has ended, or may not look itself up: what is read with it will tell
            self._keep(token, 0, False, asked)
            self._proven_at = 0.0
            return
        except Exception as fault:
            failure = self._no_login(fault)
        raise failure

    def _keep(self, token: str, seconds: float, renewable: bool, asked: float) -> None:
        if not token:
            raise KeyError("client_token")
        self.client.token = self._token = token
        self._renewable, self._seconds, self._proven_at = bool(renewable), seconds or inf, monotonic()
        self._ends_at = asked + self._seconds
        self._renew_at = asked + self._seconds * _RENEWED_AFTER

    def _text_of(self, path: str) -> str:
        """The text of a file that an argument names, without white space around it."""
        where = self._shown(path)
        failure: SecretsError
        try:
            return read_secret_text(path, self._directory, self._kwarg_of(path)).strip()
        except PermissionError:
            failure = AccessDenied("the file cannot be read", where=where, hint="Allow this user to read it.")
        except OSError as fault:
            what = f"the file cannot be read ({fault.strerror})"
            failure = BackendUnavailable(what, where=where, hint="Correct the path, or write the file.")
        except UnicodeDecodeError:
            failure = InvalidSecret("the file is not text", where=where, hint="Write UTF-8.")
        raise failure

    def _shown(self, path: str) -> str:
        return shown_path(path, self._kwarg_of(path))

    def _kwarg_of(self, path: str) -> str:
        return next(name for name, said in self._kwargs.items() if said == path)

    def _no_login(self, fault: Exception) -> SecretsError:
        from hvac.exceptions import InvalidPath, InvalidRequest

        kind = self._kwargs["auth_type"]
        where = f"login by {kind}"
        names = [name for group in LOGINS[kind] for name in group if self._kwargs[name]]
        names += [name for name in ("role_id", "secret_id") if self._kwargs[name] and name not in names]
        hint = f"Check {', '.join([*names, 'auth_mount_point'])}, and the role on the server."
        if isinstance(fault, (KeyError, TypeError)):
            return AccessDenied(
                f"{self.server} gave no token", where=where, hint="A login with a second factor cannot be used."
            )
        if isinstance(fault, InvalidPath):
            return BackendUnavailable(
                f"{self.server} has no such login (404)", where=where, hint="Check namespace and auth_mount_point."
            )
        if isinstance(fault, InvalidRequest):
            return AccessDenied(f"{self.server} refuses (400)", where=where, hint=hint)
        return self.failed(fault, where=where, hint=hint)

    @property
    def server(self) -> str:
        """Host and port, without the name and password that a URL may hold."""
        return f"Vault at {_host(self.client.url)}"

    def no_answer(self, where: str) -> InvalidSecret:
        """An answer of somebody else."""
        what = f"{self.server} answers, but not as Vault does"
        return InvalidSecret(what, where=where, hint="Check url and the version.")

    def failed(self, fault: Exception, *, where: str = "", hint: str = "") -> SecretsError:
        """What a request that failed means. The texts of server and SDK may hold secrets and are left out.

        Args:
            where: the path in the store.
            hint: what to do if the server refuses.
        """
        from hvac import exceptions as said
        from requests import exceptions as broken

        if isinstance(fault, _SentOn):
            return BackendUnavailable(str(fault), where=where, hint=fault.hint)
        if isinstance(fault, (said.Forbidden, said.Unauthorized)):
            code = 403 if isinstance(fault, said.Forbidden) else 401
            return AccessDenied(f"{self.server} refuses ({code})", where=where, hint=hint)
        if isinstance(fault, said.InvalidRequest):
            return InvalidSecret(
                f"{self.server} calls the request invalid (400)", where=where, hint="Check the name and the kwargs."
            )
        if _is_timeout(fault):
            what = f"{self.server} did not answer in time"
            return BackendUnavailable(what, where=where, hint="Check url and network, or raise timeout.")
        code = {"InternalServerError": 500, "VaultNotInitialized": 501, "BadGateway": 502}.get(type(fault).__name__, 0)
        for kind, what, to_do in (
            (said.VaultDown, "is sealed or in maintenance (503)", "Unseal it, or wait."),
            (said.RateLimitExceeded, "has had too many requests (429)", "Wait, or raise its quota."),
            (said.VaultError, f"failed ({code or type(fault).__name__})", "See the server's log."),
            (broken.SSLError, "is not trusted (TLS)", 'Set "verify" to the file of its authority.'),
            (broken.ConnectionError, "cannot be reached, or hung up", "Check url and network."),
            (broken.RequestException, f"cannot be asked ({type(fault).__name__})", "Check url and network."),
            (OSError, "cannot be asked: a file of verify or cert cannot be read", "Correct its path."),
        ):
            if isinstance(fault, kind):
                return BackendUnavailable(f"{self.server} {what}", where=where, hint=to_do)
        what = f"{self.server} cannot be asked ({type(fault).__name__})"
        return BackendUnavailable(what, where=where, hint="Check the kwargs.")

    def __repr__(self) -> str:
        return "<Session>"


class _SentOn(Exception):
    """A server sends a request on to where the token must not go along."""

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
        total=3,
        connect=2,
        read=1,
        backoff_factor=0.2,
        status_forcelist=(412, 429, 500, 502, 503, 504),
        allowed_methods={"GET", "LIST"},  # a login may use up its secret_id, so it is not repeated unseen
        raise_on_status=False,
        respect_retry_after_header=False,  # it could say an hour
    )
    pool = Pool()
    for scheme in ("http://", "https://"):
        pool.mount(scheme, HTTPAdapter(pool_maxsize=connections, max_retries=retry))
    _keep_in_place(pool, kwargs["allow_redirects"])
    url = kwargs["url"] or os.environ.get("VAULT_ADDR") or "http://localhost:8200"
    # What the environment says of proxies and authorities is read once, not at each request; ~/.netrc never.
    pool.trust_env, pool.verify = False, None
    verify, cert = kwargs["verify"], kwargs["cert"]
    if isinstance(verify, str):
        said = {"true": True, "false": False}.get(verify.lower())
        verify = file_for_the_client(verify, directory, "verify") if said is None else said
    if verify in (None, True):
        verify = next(filter(None, map(os.environ.get, _AUTHORITIES)), True)
    if cert:
        paths = [file_for_the_client(path, directory, "cert") for path in ([cert] if isinstance(cert, str) else cert)]
        cert = paths[0] if isinstance(cert, str) else tuple(paths)
    return hvac.Client(
        url=url,
        token="",  # not None: then hvac would take VAULT_TOKEN or ~/.vault-token along to a login of another kind
        session=pool,
        timeout=kwargs["timeout"] or _TIMEOUTS,
        verify=verify,
        cert=cert or None,
        proxies=kwargs["proxies"] or get_environ_proxies(url),
        **{name: kwargs[name] for name in ("namespace", "strict_http", "request_header")},
    )


def _host(url: str) -> str:
    """Host and port. What stands before the last @ may be a password, also one that is not quoted as it has to be."""
    host = url.partition("://")[2].rpartition("@")[2].partition("/")[0].partition("?")[0]
    return host if host else "an address without a host"


def _keep_in_place(pool: Any, allowed: bool | None) -> None:
    """Refuse to be sent on to another server: requests takes the token, and what a login shows, along to any.

    Args:
        pool: requests' session. It asks its `rebuild_auth` before it follows; the redirect's URL is then whole.
        allowed: True: to any server. None: only to the same one. False: nowhere. Never from https to http.
    """
    from urllib.parse import urlsplit

    follow = pool.rebuild_auth

    def sent_on(request: Any, answer: Any) -> None:
        old, new = urlsplit(answer.request.url), urlsplit(request.url)
        what = f"Vault at {old.scheme}://{_host(old.geturl())} sends on to {new.scheme}://{_host(new.geturl())}"
        if old.scheme == "https" != new.scheme:
            raise _SentOn(f"{what}, without encryption", "Correct api_addr on the server.")
        if allowed is False or (allowed is not True and pool.should_strip_auth(answer.request.url, request.url)):
            to_do = 'Set url to the second, or "allow_redirects": true in backend_kwargs if both may see the token.'
            raise _SentOn(f"{what}, which is not followed", to_do)
        follow(request, answer)

    pool.rebuild_auth = sent_on


def _is_timeout(fault: Exception) -> bool:
    from requests.exceptions import Timeout

    last = getattr(fault.args[0] if fault.args else None, "reason", None)  # of several tries
    return isinstance(fault, Timeout) or type(last).__name__ in ("ConnectTimeoutError", "ReadTimeoutError")


def _patiently(request: Callable[[], Any]) -> Any:
    """A request that the adapter does not repeat, sent again while the server says that it is busy."""
    from hvac.exceptions import RateLimitExceeded, VaultDown

    busy = (RateLimitExceeded, VaultDown)
    return patiently(request, lambda fault: 0.0 if isinstance(fault, busy) else None, _PAUSES)

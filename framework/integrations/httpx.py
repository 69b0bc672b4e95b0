"""The credentials of a connection for httpx, which survive a rotation.

from framework.integrations.httpx import Auth

client = httpx.Client(auth=Auth("billing_api"))
"""

from __future__ import annotations

from base64 import b64encode
from time import monotonic
from typing import TYPE_CHECKING, Any

import httpx

from framework import given
from framework.errors import FrameworkError
from framework.integrations.rotation import Rotating

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from framework.app import App
    from framework.connection import Connection

_REFUSED = 401


class Auth(httpx.Auth):
    """Sends a connection's login and password, and once more what the store has now if the answer is 401.

    A request whose body cannot be sent twice, such as a stream, is not repeated.

    Args:
        conn_id: the connection of the application.
        app: whose connection it is; None: the current application's.
        scheme: `basic`, or `bearer` with the password as the token. None: `basic` if the connection has a login.
    """

    def __init__(self, conn_id: str, *, app: App | None = None, scheme: str | None = None) -> None:
        self._rotating = Rotating(conn_id, app, 10.0)
        self._scheme = None if scheme is None else given.choice(scheme, "scheme", ("basic", "bearer"))

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        app, conn_id, login = self._rotating.app, self._rotating.conn_id, self._rotating.login
        sent = monotonic()
        try:
            one = app.get_connection(conn_id)
        except FrameworkError as fault:
            one = self._last_good(fault)
        response = yield self._signed(request, one)
        if self._is_final(request, response, one, sent):
            return
        try:
            fresh = app.get_connection(conn_id, max_age=monotonic() - sent)
        except FrameworkError:
            fresh = None
        other = _other_than(one, login.good, fresh)
        if other is not None:
            sent = monotonic()
            self._is_final(request, (yield self._signed(request, other)), other, sent)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        app, conn_id, login = self._rotating.app, self._rotating.conn_id, self._rotating.login
        sent = monotonic()
        try:
            one = await app.aget_connection(conn_id)
        except FrameworkError as fault:
            one = self._last_good(fault)
        response = yield self._signed(request, one)
        if self._is_final(request, response, one, sent):
            return
        try:
            fresh = await app.aget_connection(conn_id, max_age=monotonic() - sent)
        except FrameworkError:
            fresh = None
        other = _other_than(one, login.good, fresh)
        if other is not None:
            sent = monotonic()
            self._is_final(request, (yield self._signed(request, other)), other, sent)

    def _last_good(self, fault: FrameworkError) -> Any:
        """The connection that worked last, while the store gives none. Raises its error: none has worked."""
        good = self._rotating.login.last_good()
        if good is None:
            raise fault
        return good

    def _signed(self, request: httpx.Request, one: Connection) -> httpx.Request:
        if (self._scheme or ("basic" if one.login else "bearer")) == "basic":
            pair = f"{one.login or ''}:{one.password or ''}".encode()
            request.headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        else:
            request.headers["Authorization"] = f"Bearer {one.password or ''}"
        return request

    def _is_final(self, request: httpx.Request, response: httpx.Response, one: Connection, sent: float) -> bool:
        """Note how a request went; whether there is no use in sending it again."""
        if response.status_code != _REFUSED:
            self._rotating.login.note_success(one, sent)
            return True
        self._rotating.login.note_refusal(one)
        return not isinstance(request.stream, httpx.ByteStream)


def _other_than(refused: Connection, *candidates: Connection | None) -> Connection | None:
    """The newest candidate with another login or password, or None."""
    pair = refused.login, refused.password
    others = [one for one in candidates if one is not None and (one.login, one.password) != pair]
    return others[-1] if others else None

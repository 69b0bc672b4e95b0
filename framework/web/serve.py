"""Serves the explorer to one person: on 127.0.0.1 with a link that cannot be guessed, or on a Unix socket."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import stat
import sys

from framework.errors import ConfigError
from framework.web.guard import Refused
from framework.web.handles import query_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from starlette.requests import Request
    from starlette.responses import Response

    from framework.web.guard import Guard

_COOKIE = "explorer"
#: How long requests under way may take after the process was asked to end, in seconds.
_GRACE = 1


class Session:
    """Admits whoever has the printed link. A link works once and gives a cookie.

    Cookies ignore ports, so each start has its own host name: no other server of this machine is sent the cookie.

    Args:
        who: the person's name, for the log.
        port: where the explorer listens.
        link_made: called with each new link.
    """

    def __init__(self, who: str, port: int, link_made: Callable[[str], object]) -> None:
        self.host = f"{secrets.token_hex(8)}.localhost:{port}"
        self._who, self._link_made = who, link_made
        self._token, self._cookies = "", set[str]()

    @property
    def is_new(self) -> bool:
        """Whether the session is not used yet."""
        return not self._cookies

    def new_link(self) -> str:
        self._token = secrets.token_urlsafe(32)
        link = f"http://{self.host}/enter?token={self._token}"
        self._link_made(link)
        return link

    async def enter(self, request: Request) -> Response:
        """Exchange the token for a cookie."""
        from starlette.responses import RedirectResponse

        if request.method != "GET":  # a HEAD request must not use it up
            raise Refused(405, "open the link in a browser")
        given = query_of(request.scope["query_string"]).get("token", "")
        if not self._token or not secrets.compare_digest(given.encode("utf-8", "replace"), self._token.encode()):
            raise Refused(
                403, "this link was already used, or is from an earlier start: open the latest one that was printed"
            )
        self._token = ""
        cookie = secrets.token_urlsafe(32)
        self._cookies.add(cookie)
        response = RedirectResponse("/", 303)
        response.set_cookie(_COOKIE, cookie, httponly=True, samesite="lax", path="/")
        self.new_link()
        return response

    def authorize(self, request: Request) -> str:
        given = request.cookies.get(_COOKIE, "").encode("utf-8", "replace")
        if not any(secrets.compare_digest(given, cookie.encode()) for cookie in self._cookies):
            raise Refused(401, "open the link that was printed where the explorer was started")
        return self._who


def by_socket(who: str) -> Callable[[Request], str]:
    """Whoever may open the socket may do everything. A proxy in front of it names the user, for the log."""

    def authorize(request: Request) -> str:
        name = request.headers.get("x-forwarded-user", "")[:100]
        return f"{name} (by a proxy)" if name else who

    return authorize


def listen(port: int) -> socket.socket:
    """A socket on 127.0.0.1.

    Raises:
        ConfigError: the port is taken.
    """
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(("127.0.0.1", port))
        made.listen(128)
    except OSError as fault:
        made.close()
        what = f"cannot listen on port {port} ({fault.strerror})"
        raise ConfigError(what, where="--port", hint="Choose another, or leave it out.") from None
    return made


def listen_at(path: str) -> socket.socket:
    """A Unix socket that only this user can open; a dead one of this user is replaced.

    Raises:
        ConfigError: something else is there, or it cannot be made.
    """
    made = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        _remove_dead(path)
        made.bind(path)
        made.listen(128)
    except (OSError, ValueError) as fault:
        made.close()
        what = f"the socket cannot be created ({getattr(fault, 'strerror', None) or 'invalid path'})"
        raise ConfigError(what, where=path, hint="Choose another path.") from None
    finally:
        os.umask(before)
    return made


def _remove_dead(path: str) -> None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode) or status.st_uid != os.getuid():
        raise ConfigError("something else is there", where=path, hint="Choose another path.")
    with socket.socket(socket.AF_UNIX) as trial:
        try:
            trial.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise ConfigError("another process listens there", where=path, hint="End it, or choose another path.")


def serve(app: Guard, listening: socket.socket) -> None:
    """Answer requests until the process is asked to end (SIGTERM, SIGINT). Stores that hang do not delay the end."""
    import uvicorn

    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE,
        timeout_keep_alive=30,
    )
    server = uvicorn.Server(config)
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.run(sockets=[listening])
    except (KeyboardInterrupt, SystemExit):
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        listening.close()


def _end(number: int, frame: FrameType | None) -> None:
    """uvicorn raises the signal again when it has ended; by then everything is done."""
    raise SystemExit(0)


def redirect_file(link: str) -> str:
    """A file that redirects a browser to the link, so that no command line shows it; only this user can read it."""
    import tempfile
    from html import escape

    number, path = tempfile.mkstemp(prefix="explorer-", suffix=".html")  # mode 0600
    with open(number, "w") as file:
        file.write(f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={escape(link)}">\n')
    return path


def open_browser(path: str) -> None:
    import webbrowser
    from urllib.parse import quote

    if not webbrowser.open(f"file://{quote(path)}"):
        print("no browser was found: open the link yourself", file=sys.stderr)

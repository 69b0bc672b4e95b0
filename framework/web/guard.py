"""Who may send a request: the rules against other sites and DNS rebinding.

They hold for every page, before anything else looks at the request.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SAFE = ("GET", "HEAD")
#: On every answer. Nothing is loaded from elsewhere, no page contains a script, and the browser keeps nothing.
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), usb=()",
}


class Refused(Exception):
    """A request is not answered.

    Args:
        status: of the answer.
        what: why, for a person.
    """

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status, self.what = status, what


class Guard:
    """ASGI middleware: refuses requests that another site has caused, and adds the headers to every answer.

    Args:
        app: what is guarded.
        hosts: the only hosts, with their ports, that are answered; None: all.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] | None = None) -> None:
        self._app = app
        self._hosts = None if hosts is None else frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name.encode(): text.encode() for name, text in HEADERS.items()}
                others = [pair for pair in message.get("headers", ()) if pair[0].lower() not in ours]
                message = {**message, "headers": [*others, *ours.items()]}
            await send(message)

        try:
            self._check(scope)
        except Refused as refusal:
            await answer(send_with_headers, refusal)
            return
        await self._app(scope, receive, send_with_headers)

    def _check(self, scope: Scope) -> None:
        """Raises `Refused`."""
        headers: dict[str, list[str]] = {}
        for name, text in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), []).append(text.decode("latin-1"))
        for name in ("host", "origin", "sec-fetch-site", "content-length"):
            if len(headers.get(name, ())) > 1:
                raise Refused(400, f"there is more than one header {name}")
        if "transfer-encoding" in headers:
            raise Refused(400, "Transfer-Encoding is not accepted: send a Content-Length")
        host = headers.get("host", [""])[0].lower()
        if not host or (self._hosts is not None and host not in self._hosts):
            raise Refused(421, "this server does not answer for that host")
        one = {name: texts[0] for name, texts in headers.items()}
        site, method = one.get("sec-fetch-site"), scope["method"]
        if method in _SAFE:
            is_visit = one.get("sec-fetch-mode") == "navigate" and one.get("sec-fetch-dest") == "document"
            if site not in (None, "same-origin", "none") and not is_visit:
                raise Refused(403, "the request comes from another site")
            if one.get("sec-fetch-dest") in ("iframe", "frame", "object", "embed"):
                raise Refused(403, "this page cannot be shown in a frame")
            return
        if method != "POST":
            raise Refused(405, "the methods are GET, HEAD and POST")
        if site not in (None, "same-origin"):
            raise Refused(403, "the request comes from another site")
        scheme, _, netloc = one.get("origin", "").partition("://")
        if scheme not in ("http", "https") or netloc.lower() != host:
            raise Refused(403, "the headers Origin and Host must name this server; a proxy has to pass Host on")
        if one.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refused(415, "the body must be application/json")


async def answer(send: Send, refusal: Refused) -> None:
    body = f"{refusal.what}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

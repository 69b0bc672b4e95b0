"""The ASGI application: routes, rendering and who may do what."""

from __future__ import annotations

import json
from functools import partial
from importlib import resources
from inspect import isawaitable

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from framework.errors import FrameworkError
from framework.masking.search import counted
from framework.web import actions, comparison, lists, pages
from framework.web.explorer import PAGES, Explorer
from framework.web.guard import Guard, Refused
from framework.web.handles import handle, query_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from typing import Any

    from starlette.types import Message, Receive, Scope, Send

    from framework.app import App
    from framework.web import Authorize
    from framework.web.jobs import Job

#: The largest body of a request: an uploaded dump, and all else.
_UPLOAD, _BODY = 5_000_000, 100_000
_STATIC = {"explorer.css": "text/css", "explorer.js": "text/javascript", "explorer.svg": "image/svg+xml"}
#: path -> (title, template, how its data is made, the kinds whose lists it shows)
_PAGES: dict[str, tuple[str, str, Callable[[Explorer, dict[str, str]], dict[str, Any]], tuple[str, ...]]] = {
    "": ("Overview", "overview.html", pages.overview, tuple(PAGES)),
    "options": ("Options", "options.html", pages.options, ()),
    "option": ("Option", "option.html", pages.option, ()),
    **{
        page: (page.capitalize(), "names.html", partial(lists.names, kind=kind), (kind,))
        for kind, page in PAGES.items()
    },
    "links": ("Links", "links.html", pages.links, tuple(PAGES)),
    "problems": ("Problems", "problems.html", pages.problems, ()),
    "plan": ("Plan", "plan.html", pages.plan, ()),
    "compare": ("Compare", "compare.html", lambda explorer, query: comparison.nothing(), ()),
    "log": ("Log", "log.html", pages.log, ()),
}
#: The pages that the navigation names.
_MENU = [(path, title) for path, (title, *_) in _PAGES.items() if path != "option"]


def build(
    application: App[Any],
    *,
    authorize: Authorize,
    write: bool = False,
    hosts: Iterable[str] | None = None,
    explorer: Explorer | None = None,
    enter: Callable[[Request], Awaitable[Response]] | None = None,
) -> Guard:
    """The explorer behind its guard.

    Args:
        enter: answers `/enter` without authorization: this is how a user gets it.
        explorer: the state, if the caller has one.
    """
    whose = f"the application {application.name} in the process that serves this page"
    site = _Site(explorer or Explorer(application, write=write, whose=whose), authorize)
    routes = [Route("/do/{action}", site.act, methods=["POST"]), Route("/job", site.job, methods=["POST"])]
    routes += [Route("/compare", site.compare, methods=["POST"])]
    for path in _PAGES:
        routes += [
            Route(f"/{path}", site.page(path, as_json=False), methods=["GET", "POST"]),
            Route(f"/{path or 'index'}.json", site.page(path, as_json=True), methods=["GET", "POST"]),
        ]
    routes += [Route(f"/static/{name}", site.static(name)) for name in _STATIC]
    if enter is not None:
        routes.append(Route("/enter", enter))
    return Guard(_Answered(Starlette(routes=routes), site), hosts)


class _Answered:
    """Turns what an endpoint raises into an answer, without a traceback."""

    def __init__(self, app: Starlette, site: _Site) -> None:
        self._app, self._site = app, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = False

        async def sending(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            # Starlette's own middleware shows errors with their text.
            await self._app.router({**scope, "app": self._app}, receive, sending)
        except ClientDisconnect:
            return
        except Exception as fault:
            if began:
                return
            await self._site.failed(Request(scope), fault)(scope, receive, send)


class _Site:
    """The endpoints."""

    def __init__(self, explorer: Explorer, authorize: Authorize) -> None:
        self.explorer, self._authorize = explorer, authorize
        self._templates = Environment(
            loader=PackageLoader("framework.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["counted"] = counted
        self._templates.filters["handle"] = handle

    async def _who(self, request: Request, action: str) -> str:
        """The person's name.

        Raises:
            Refused: the person may not do it.
        """
        request.state.action = action
        who = self._authorize(request)
        if isawaitable(who):
            who = await who
        if who is None or who is False or not isinstance(who, (str, bool)):
            raise Refused(403, "you are not allowed to do this")
        return who if isinstance(who, str) else "somebody"

    def page(self, path: str, *, as_json: bool) -> Callable[[Request], Awaitable[Response]]:
        title, template, make, kinds = _PAGES[path]

        async def endpoint(request: Request) -> Response:
            await self._who(request, "read")
            query = query_of(request.scope["query_string"])
            if request.method == "POST":  # a search: what is typed stays out of the URL
                query |= {name: str(text) for name, text in (await self._body(request)).items()}
            explorer = self.explorer
            await explorer.ready(kinds, explorer.check, *([explorer.plan] if path == "plan" else ()))
            data = pages.quietly(lambda: make(explorer, query))
            if request.method == "POST" and "query" in data:
                data["query"]["q"] = (
                    ""  # what was typed is not sent back: it may be a secret, pasted into the wrong field
                )
            if as_json:
                return _json(data)
            return self.render(request, template, data.pop("title", title) if path != "" else title, path, data)

        return endpoint

    def render(
        self, request: Request, template: str, title: str, path: str, data: Mapping[str, object], status: int = 200
    ) -> Response:
        explorer = self.explorer
        newer = [file for file in pages.files(explorer) if file["newer"] or file["state"] == "gone"]
        text = self._templates.get_template(template).render(
            data,
            title=title,
            path=path,
            question=f"?{question}" if (question := request.scope["query_string"].decode("latin-1")) else "",
            base=request.scope.get("root_path", "").rstrip("/"),
            app=explorer.app.name,
            whose=explorer.whose,
            writable=explorer.write,
            owned=explorer.owned,
            newer=newer,
            menu=_MENU,
            check=explorer.jobs.get(explorer.key("check")),
        )
        return Response(text.encode("utf-8", "backslashreplace"), status, media_type="text/html; charset=utf-8")

    def static(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        body = resources.files("framework.web").joinpath("static").joinpath(name).read_bytes()

        async def endpoint(request: Request) -> Response:
            return Response(body, media_type=_STATIC[name])

        return endpoint

    async def act(self, request: Request) -> Response:
        action = request.path_params["action"]
        if action not in actions.NEEDS:
            raise Refused(404, "there is no such action")
        who = await self._who(request, actions.NEEDS[action])
        job = actions.begin(self.explorer, who, action, await self._body(request))
        if job is None:
            return _json({"state": "done", "message": ""})
        return await self._answer(job)

    async def job(self, request: Request) -> Response:
        who = await self._who(request, "read")
        job = self.explorer.jobs.take(str((await self._body(request)).get("job", "")))
        if job is None or job.about[0] != who:
            raise Refused(404, "this has expired: ask again")
        return await self._answer(job)

    async def _answer(self, job: Job) -> Response:
        from time import monotonic

        from framework.web.explorer import PATIENCE

        await self.explorer.jobs.wait([job], monotonic() + PATIENCE)
        answer = actions.state_of(self.explorer, job)
        if job.done and job.about[1] != "ask":
            self.explorer.jobs.take(job.id)  # it is handed out once
        return _json(answer)

    async def compare(self, request: Request) -> Response:
        await self._who(request, "read")
        text = str((await self._body(request, _UPLOAD)).get("text", ""))
        data = pages.quietly(lambda: comparison.compared(self.explorer, text))
        return self.render(request, "compare.html", "Compare", "compare", data)

    @staticmethod
    async def _body(request: Request, most: int = _BODY) -> dict[str, object]:
        """The JSON object of a request.

        Raises:
            Refused: it is too large, or is not a JSON object.
        """
        read = bytearray()
        async for chunk in request.stream():
            read += chunk
            if len(read) > most:
                raise Refused(413, "the request is too large")
        try:
            found = json.loads(read or b"{}")
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise Refused(400, "the body must be a JSON object")
        return found

    def failed(self, request: Request, fault: Exception) -> Response:
        """The answer that says what went wrong."""
        status, what = getattr(fault, "status_code", 500), ""
        if isinstance(fault, Refused):
            status, what = fault.status, fault.what
        elif isinstance(fault, FrameworkError):
            status, what = 409, self.explorer.text(fault)
        elif status == 404:
            what = "there is no such page"
        elif status == 405:
            what = "the method is not allowed"
        else:  # its text may hold a secret
            status, what = 500, f"{type(fault).__name__} in the explorer itself: please report it"
        path = request.url.path
        if path.endswith(".json") or request.method == "POST":
            return _json({"state": "failed", "message": what}, status)
        if status in (403, 404, 409, 500) and getattr(request.state, "action", None) and status != 403:
            return self.render(
                request, "failed.html", "Not shown", "-", {"what": what, "busy": False, "made": ""}, status
            )
        return Response(f"{what}\n", status, media_type="text/plain; charset=utf-8")


def _json(data: Mapping[str, object], status: int = 200) -> Response:
    return Response(json.dumps(data, default=str), status, media_type="application/json")

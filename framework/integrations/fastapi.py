"""FastAPI: secrets fetched before the first request, settings as a dependency, and a page for probes.

    app = App("prices", schema=Settings)
    settings = current(app)
    api = FastAPI(lifespan=prefetching(app))
    api.include_router(health(app))

    @api.get("/price")
    def price(now: Annotated[Settings, Depends(settings)]) -> dict[str, str]:
        return {"currency": now.shop.currency}

`examples/fastapi` is a small service with its tests.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response

from framework.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from framework.app import App


def current(app: App) -> Callable[[], Any]:
    """A dependency: `app.settings` as it is when the request begins, the same object for all of that request.

    Give it a name, so that a test can replace it: `api.dependency_overrides[settings] = …`.
    """

    def settings() -> Any:
        return app.settings

    return settings


def prefetching(
    app: App, then: Callable[[Any], AbstractAsyncContextManager[Any]] | None = None
) -> Callable[[Any], AbstractAsyncContextManager[Any]]:
    """A lifespan that resolves every pointer and makes the settings before the first request.

    Args:
        app: the application.
        then: another lifespan, which begins afterwards.

    Raises (when the server starts):
        SettingsError: pointers lead nowhere, or what is set does not fit the class of the settings. All faults are
            named, and no request is served.
    """

    @asynccontextmanager
    async def lifespan(served: object) -> AsyncIterator[Any]:
        failures = await app.aprefetch()
        if failures:
            raise SettingsError(f"{app.name} is not started", failures.values())
        if app.schema_class is not None:
            _ = app.settings  # what does not fit stops the start as well
        async with AsyncExitStack() as stack:
            yield await stack.enter_async_context(then(served)) if then else None

    return lifespan


def health(app: App, path: str = "/healthz", *, unhealthy_status: int = 200) -> APIRouter:
    """A page that shows whether the secret stores answer: names of links and counts, never a name or a value of theirs.

    No store is asked: it shows how the last questions went. So a probe costs nothing, and stores that are down do not
    make a platform restart every process.

    Args:
        app: the application.
        path: where the page is.
        unhealthy_status: the HTTP status while a link fails. With 503 it can be a readiness probe.
    """
    router = APIRouter()

    @router.get(path, include_in_schema=False)
    def state(response: Response) -> dict[str, Any]:
        links = [
            {name: link[name] for name in ("link", "state", "calls", "hits", "absent", "failures", "stale")}
            for link in app.stats()
        ]
        is_well = all(link["state"] not in ("unavailable", "denied") for link in links)
        response.status_code = 200 if is_well else unhealthy_status
        response.headers["Cache-Control"] = "no-store"
        return {"app": app.name, "status": "ok" if is_well else "degraded", "links": links}

    return router

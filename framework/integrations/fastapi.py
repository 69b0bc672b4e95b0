"""FastAPI and Starlette: secrets fetched before the first request, settings as a dependency, and a page for probes.

api = FastAPI(lifespan=prefetching(app))
api.include_router(health(app))

@api.get("/price")
def price(settings: Annotated[Shop, Depends(current(app, Shop))]) -> ...
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import APIRouter, Response

from framework.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from framework.app import App

T = TypeVar("T")


def prefetching(
    app: App, then: Callable[[Any], AbstractAsyncContextManager[Any]] | None = None
) -> Callable[[Any], AbstractAsyncContextManager[Any]]:
    """A lifespan that resolves every pointer before the first request, in as few calls as the stores have.

    Args:
        app: the application.
        then: another lifespan, which begins afterwards.

    Raises (when the server starts):
        ConfigError: pointers lead nowhere; all of them are named, and no request is served.
    """

    @asynccontextmanager
    async def lifespan(served: Any) -> AsyncIterator[Any]:
        failures = await app.aprefetch()
        if failures:
            listed = "\n".join(str(failure) for failure in failures.values())
            raise ConfigError(f"not started, because secrets cannot be read:\n{listed}")
        async with AsyncExitStack() as stack:
            yield await stack.enter_async_context(then(served)) if then else None

    return lifespan


def health(app: App, path: str = "/healthz", *, unhealthy_status: int = 200) -> APIRouter:
    """A page that tells whether the secret stores answer: names of links and counts, never a name or a value of theirs.

    No store is asked: it tells how the last questions went. So a probe costs nothing, and stores that are down do not
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
        is_well = all(link["state"] != "failing" for link in links)
        response.status_code = 200 if is_well else unhealthy_status
        response.headers["Cache-Control"] = "no-store"
        return {"app": app.name, "status": "ok" if is_well else "degraded", "links": links}

    return router

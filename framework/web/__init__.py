"""The explorer: pages, and the same as JSON, over everything that an application is configured with.

    api.mount("/explorer", framework.web.app(billing, authorize=who))

`python -m framework explore` serves it by itself. It needs the extra `web`.
"""

from __future__ import annotations

from framework import given
from framework.errors import ConfigError, wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any

    from framework.app import App
    from framework.web.guard import Guard

    #: Returns the name of who may see the page, True if there is no name, or None.
    Authorize = Callable[[Any], "str | bool | Awaitable[str | bool | None] | None"]


def app(
    application: App[Any],
    *,
    authorize: Authorize | None = None,
    write: bool = False,
    hosts: Iterable[str] | None = None,
) -> Any:
    """The explorer as an ASGI application, to be mounted in yours.

    Args:
        application: whose options, connections, variables and secrets.
        authorize: is called for each request with a `starlette.requests.Request`, and returns the name of the person,
            or True, or None to refuse. It may be a coroutine function. `request.state.action` is `read`, `reveal`,
            `test` or `write`. There is no default: the pages can show secrets.
        write: whether connections and variables of the metastore can be changed.
        hosts: the only values of the Host header that are answered, such as `admin.example.org`. None: all.

    Raises:
        InvalidArgument: `authorize` is missing or is not a function.
        ConfigError: the extra `web` is not installed.
    """
    if not callable(authorize):
        raise wrong(authorize, "authorize", "a function", "Pass authorize=: it decides who may see secrets.")
    made_from = needed()
    allowed = None if hosts is None else given.texts(hosts, "hosts")
    return made_from(application, authorize=authorize, write=given.flag(write, "write"), hosts=allowed)


def needed() -> Callable[..., Guard]:
    """What builds the ASGI application.

    Raises:
        ConfigError: the extra `web` is not installed.
    """
    try:
        from framework.web.site import build
    except ImportError as fault:
        if (fault.name or "").partition(".")[0] not in ("starlette", "jinja2", "anyio"):
            raise
        what = f"the explorer needs {fault.name}, which is not installed"
        raise ConfigError(what, hint="Install it: pip install 'framework[web]'") from None
    return build

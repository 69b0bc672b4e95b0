"""The build order: while a link is built or asked, only links with a lower level are visible."""

from __future__ import annotations

from _contextvars import ContextVar  # its module loads more than we need

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: The roles of a link: an application's own backends, the environment variables, the database.
CUSTOM, ENVIRONMENT, METASTORE = "custom", "environment", "metastore"

#: The levels of the environment and of the metastore; the custom backends are between them.
LOWEST, HIGHEST = 0, 1_000_000

#: Chain -> the level of the link that is at work right now in this context.
at_work: ContextVar[dict[object, int]] = ContextVar("framework_links_at_work")


class AtWork:
    """`with AtWork(chain, level):` in this context only links below the level are visible in the chain."""

    __slots__ = ("_chain", "_level", "_token")

    def __init__(self, chain: object, level: int) -> None:
        self._chain, self._level = chain, level

    def __enter__(self) -> None:
        before = at_work.get({})
        level = min(self._level, before.get(self._chain, self._level))
        self._token = at_work.set({**before, self._chain: level})

    def __exit__(self, *_: object) -> None:
        at_work.reset(self._token)


def is_restricted() -> bool:
    """Whether a link is at work in this context, so that an answer may be less than the whole chain's."""
    return bool(at_work.get({}))


#: Set while an event loop waits: links answer from what is kept and from the environment, or raise NotAtHand.
only_at_hand: ContextVar[bool] = ContextVar("framework_only_at_hand", default=False)


#: Set while a client searches for a login that its server takes: says of a value whether the server has refused it.
refused: ContextVar[Callable[[Any], bool] | None] = ContextVar("framework_refused", default=None)


#: Set while options are refreshed in the background: how old an answer of the shared cache may be, in seconds.
shared_age: ContextVar[float] = ContextVar("framework_shared_age", default=0.0)


class NotAtHand(Exception):  # noqa: N818 - not a failure: the question takes a thread
    """A store would have to be asked, or a chain to be built."""

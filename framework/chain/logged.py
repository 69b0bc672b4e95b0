"""A chain that writes each look-up to the access log."""

from __future__ import annotations

import time
from contextvars import ContextVar

from framework.access import AccessLog, outcome_of
from framework.chain.chain import Chain
from framework.chain.link import Link
from framework.errors import FrameworkError
from framework.masking import REPLACEMENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from framework.connection import Connection

    Value = TypeVar("Value")

#: What the links of the look-up under way answered, as (link, outcome); whether the answer was known without asking;
#: and the links whose answer came from the shared cache.
_asked: ContextVar[tuple[list[tuple[str, str]], list[bool], list[str]] | None] = ContextVar(
    "framework_asked", default=None
)


class LoggedChain(Chain):
    """A `Chain` with an access log.

    Args:
        access: where look-ups are written.
        arguments: those of `Chain`.
    """

    def __init__(self, access: AccessLog, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.access = access

    def connection(
        self, conn_id: str, since: float | None = None, other: tuple[str, str] | None = None
    ) -> tuple[Connection, str]:
        return self._logged("connection", conn_id, lambda: super(LoggedChain, self).connection(conn_id, since, other))

    def variable(self, key: str, since: float | None = None) -> tuple[Any, str]:
        return self._logged("variable", key, lambda: super(LoggedChain, self).variable(key, since))

    def config(
        self, name: str, *, version: str | None = None, max_level: int | None = None, since: float | None = None
    ) -> tuple[str, str]:
        def look_up() -> tuple[str, str]:
            return super(LoggedChain, self).config(name, version=version, max_level=max_level, since=since)

        return self._logged("secret", name, look_up)

    def _logged(self, kind: str, name: str, look_up: Callable[[], tuple[Value, str]]) -> tuple[Value, str]:
        began, asked, at_hand = time.perf_counter(), list[tuple[str, str]](), list[bool]()
        shared: list[str] = []
        token = _asked.set((asked, at_hand, shared))
        outcome, link = "found", None
        try:
            found = look_up()
            link = found[1]
            return found
        except FrameworkError as fault:
            outcome = outcome_of(fault)
            raise
        except BaseException:
            outcome = ""  # another read of the same thing waits for it, or the caller has gone
            raise
        finally:
            _asked.reset(token)
            if outcome:
                shown = REPLACEMENT if name in self.unshown else name
                links = asked or ([(link, "found")] if link else [])
                fields = {"link": link, "cached": any(at_hand), "asked": [list(pair) for pair in links]}
                if shared:
                    fields["shared"] = True  # an answer came from the shared cache: no store was asked for it
                self.access.record(kind, shown, outcome, began, **fields)

    def ask(self, link: Link, kind: str, key: str, version: str | None, since: float | None) -> object:
        noted = _asked.get()
        if noted is None:
            return super().ask(link, kind, key, version, since)
        asked, at_hand, shared = noted
        at_hand.append(link.cache.peek((kind, key, version), since)[0])
        try:
            value = super().ask(link, kind, key, version, since)
        except FrameworkError as fault:
            asked.append((link.name, outcome_of(fault)))
            raise
        asked.append((link.name, "absent" if value is None else "found"))
        if not at_hand[-1] and (kind, key, version) in link.cache.shared:
            shared.append(link.name)
        return value

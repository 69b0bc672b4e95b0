"""Looks again and again whether the values that a program got have changed."""

from __future__ import annotations

import signal
import threading
from contextvars import copy_context
from time import monotonic

from framework import jitter
from framework.errors import ConfigError, FrameworkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from framework.delivery.selection import Item


class Change:
    """What changed.

    Attributes:
        names: of the values that are new, gone or other.
        environ: the new environment.
        delay: seconds to wait before the program is restarted.
    """

    __slots__ = ("names", "environ", "delay")

    def __init__(self, names: list[str], environ: dict[str, str], delay: float) -> None:
        self.names, self.environ, self.delay = names, environ, delay

    def __str__(self) -> str:
        return ", ".join(self.names)


class Watch:
    """Looks for changes at an interval, while the program runs.

    Args:
        items: what the program got.
        seconds: how often.
        resolve: reads and resolves everything again.
        environment: the environment from the items.
        notify: prints a fault.
        splay: wait a random time, at most this many seconds, before a restart, so that copies do not restart at once.

    Attributes:
        next_look: when it looks again; None while it does.
        is_looking: whether it looks just now.
    """

    def __init__(
        self,
        items: list[Item],
        seconds: float,
        resolve: Callable[[], list[Item]],
        environment: Callable[[list[Item]], dict[str, str]],
        notify: Callable[[FrameworkError], None],
        splay: float = 0.0,
    ) -> None:
        self._values = _values(items)
        self._seconds, self._resolve, self._environment = seconds, resolve, environment
        self._notify, self._splay, self._warned = notify, splay, ""
        self._main = threading.main_thread().ident
        self._found: list[Item] | FrameworkError | None = None
        self.is_looking, self._is_closed = False, False
        self.next_look: float | None = monotonic() + seconds

    def look(self) -> Change | None:
        """Take what was found, and look again when it is time. To be called by the main thread."""
        change = self._take() if not self.is_looking and self.next_look is None else None
        if self.next_look is not None and monotonic() >= self.next_look:
            self.next_look, self.is_looking = None, True
            # In this context: warnings go where those of the command go.
            threading.Thread(target=copy_context().run, args=(self._look,), daemon=True).start()
        return change

    def _look(self) -> None:
        # A command of a `_cmd` inherits what is blocked here: it must end at SIGTERM, and many wait for children of
        # their own. A signal that this thread gets instead of the supervisor is noted there.
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        try:
            self._found = self._resolve()
        except FrameworkError as fault:
            self._found = fault
        except Exception as fault:  # of the system, or of a backend's code; its text may hold a secret
            self._found = ConfigError(f"the configuration cannot be read ({type(fault).__name__})")
        self.is_looking = False
        if self._main is not None and not self._is_closed:
            signal.pthread_kill(self._main, signal.SIGCHLD)  # wakes the supervisor

    def _take(self) -> Change | None:
        self.next_look = monotonic() + self._seconds
        found = self._found
        try:
            if isinstance(found, FrameworkError):
                raise found
            assert found is not None
            values = _values(found)
            names = [name for name in {**self._values, **values} if values.get(name) != self._values.get(name)]
            environ = self._environment(found) if names else {}
        except FrameworkError as fault:
            if str(fault) != self._warned:  # once, not at every look
                self._warned = str(fault)
                self._notify(fault)
            return None
        self._warned = ""
        if not names:
            return None
        self._values = values
        return Change(names, environ, jitter.up_to(self._splay))

    def close(self) -> None:
        """Stop looking."""
        self._is_closed = True


def _values(items: list[Item]) -> dict[str, str]:
    return {item.name: item.text for item in items}

"""How long an answer is valid, if it says so itself: a lease, a token, a password that is rotated at a known time.

A backend returns such an answer as `Expiring` text. Caches keep it for as long as its lifetime says, options are
refreshed before it ends, and pools of connections replace what was opened with a lease that has ended.
"""

from __future__ import annotations

import os
from _contextvars import ContextVar  # its module loads more than we need
from time import monotonic

from framework.errors import IssuedOnUse as IssuedOnUse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Set by what only looks: then nothing is issued.
_looks: ContextVar[bool] = ContextVar("framework_looks", default=False)

#: After this part of a lifetime the answer is asked for again.
_RENEWED_AFTER = 2 / 3


class Lifetime:
    """How long one answer is good.

    Args:
        seconds: counted from the question.
        asked: when it was asked for, on the monotonic clock; None: now.
        is_lease: whether connections that were opened with it break when it ends. A lease belongs to one process.

    Attributes:
        ends: when it ends, on the monotonic clock.
        due: when to ask again.
        is_lease: see above.
    """

    __slots__ = ("ends", "due", "is_lease", "_pid")

    def __init__(self, seconds: float, asked: float | None = None, *, is_lease: bool = False) -> None:
        self.is_lease, self._pid = is_lease, os.getpid()
        self.extend(seconds, asked)

    @property
    def is_current(self) -> bool:
        """Whether the answer is good, in this process."""
        return monotonic() < self.ends and (not self.is_lease or self._pid == os.getpid())

    def extend(self, seconds: float, asked: float | None = None) -> None:
        """It ends this many seconds after the question."""
        asked = monotonic() if asked is None else asked
        self.ends, self.due = asked + seconds, asked + seconds * _RENEWED_AFTER

    def end(self) -> None:
        """It ends now: another answer has replaced it."""
        self.ends = self.due = 0.0

    def __repr__(self) -> str:
        ends = getattr(self, "ends", 0.0)  # a constructor may have failed
        return f"<Lifetime of {max(0.0, ends - monotonic()):.0f} s more>"


class Expiring(str):
    """A backend's answer with a lifetime of its own.

    Args:
        text: the answer.
        lifetime: a `Lifetime`, or how many seconds from now it is good.

    Attributes:
        lifetime: how long it is good.
    """

    lifetime: Lifetime

    def __new__(cls, text: str, lifetime: Lifetime | float) -> Expiring:
        made = super().__new__(cls, text)
        made.lifetime = lifetime if isinstance(lifetime, Lifetime) else Lifetime(lifetime)
        return made


def lifetime_of(answer: object) -> Lifetime | None:
    """The lifetime of an answer: text, or a connection; None if it has none of its own."""
    found = getattr(answer, "lifetime", None)
    return found if isinstance(found, Lifetime) else None


class Preferred(float):
    """A time on the monotonic clock after which an answer must have been asked for, if the store answers.

    While the store is unavailable an older answer that is kept may stand in.

    Attributes:
        max_age: how old that may be, in seconds; 0: as old as it is kept.
    """

    max_age: float

    def __new__(cls, since: float, max_age: float = 0.0) -> Preferred:
        made = super().__new__(cls, since)
        made.max_age = max_age
        return made


class Looking:
    """`with Looking():` in this context nothing is issued: reading what would be issued raises IssuedOnUse."""

    __slots__ = ("_token", "_looks")

    def __init__(self, looks: bool = True) -> None:
        self._looks = looks

    def __enter__(self) -> None:
        self._token = _looks.set(self._looks)

    def __exit__(self, *_: object) -> None:
        _looks.reset(self._token)


def is_looking() -> bool:
    """Whether nothing is issued in this context."""
    return _looks.get()


def refuse_if_looking(what: str, where: str) -> None:
    """Called before something is issued. Raises IssuedOnUse: it is read only to be shown."""
    if _looks.get():
        raise IssuedOnUse(f"{what} is issued on use", where=where, hint="The application reads it when it needs it.")


class _Exit:
    """Functions that run before this process ends: normally, by an exception, or by SIGTERM.

    Attributes:
        is_wanted: whether issued credentials are revoked. A command that hands values on, and ends, sets this to False.
    """

    def __init__(self) -> None:
        self.is_wanted = True
        self._acts: list[Callable[[], None]] = []
        self._pid = self._handled = 0

    def add(self, act: Callable[[], None]) -> None:
        """Do this as well."""
        if act not in self._acts:
            self._acts.append(act)
        if self._pid != os.getpid():
            import atexit

            if not self._pid:  # a child inherits it
                atexit.register(self.run)
            self._pid = os.getpid()
            from multiprocessing import util

            util.Finalize(None, self.run, exitpriority=100)  # children of multiprocessing end without atexit

    def run(self) -> None:
        """Do all of it, once."""
        acts, self._acts = self._acts, []
        for act in acts if self.is_wanted else ():
            act()

    def handle_signal(self) -> None:
        """Also before SIGTERM ends this process, if it is not handled: Python would end without notice.

        Only the main thread can set a handler. Others leave it to the next read there.
        """
        if not self._acts or self._handled == os.getpid():
            return
        import signal
        from threading import current_thread, main_thread

        if current_thread() is not main_thread():
            return
        self._handled = os.getpid()
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            return

        def end(number: int, frame: object) -> None:
            self.run()
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

        signal.signal(signal.SIGTERM, end)


at_exit = _Exit()

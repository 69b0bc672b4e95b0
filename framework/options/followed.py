"""What one pointer gave."""

from __future__ import annotations

from math import inf
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from framework.errors import FrameworkError
    from framework.files.text import Stamp
    from framework.lifetime import Lifetime


class Followed:
    """What one pointer gave.

    Attributes:
        value: the text.
        link: the link that has it; None for a command or a file.
        path: the file that it was read from, or None.
        stamp: shows whether that file is still the same, see `files.text.stamp`; None: it is a pipe.
        asked: when its source was asked, on the monotonic clock; a refresh that finds the same value moves it.
        noted: when it was noted here.
        refreshed: when it was last refreshed; None if it never was.
        fault: why that failed, else None.
        lifetime: how long the source says that it is good; None: it does not say.
    """

    __slots__ = ("value", "link", "path", "stamp", "asked", "noted", "refreshed", "fault", "lifetime")

    def __init__(
        self,
        value: str,
        link: str | None,
        asked: float,
        path: str | None = None,
        lifetime: Lifetime | None = None,
        stamp: Stamp | None = None,
    ) -> None:
        self.value, self.link, self.asked, self.lifetime = value, link, asked, lifetime
        self.path, self.stamp = path, stamp
        self.noted = monotonic()
        self.refreshed: float | None = None
        self.fault: FrameworkError | None = None

    def confirm(self, asked: float, again: Followed | None = None) -> None:
        """Note that the source still had this value when it was asked at that time, and what came with it."""
        self.asked, self.refreshed, self.fault = asked, monotonic(), None
        if again is not None:
            self.link, self.lifetime = again.link, again.lifetime
            self.path, self.stamp = again.path, again.stamp

    def due(self) -> float:
        """In how many seconds it must be refreshed, because of its lifetime."""
        if self.lifetime is None:
            return inf
        if self.fault is not None and self.refreshed is not None:
            return max(self.lifetime.due, self.refreshed + _AGAIN) - monotonic()
        return self.lifetime.due - monotonic()

    def fail(self, fault: FrameworkError) -> None:
        """Note that a refresh failed."""
        self.refreshed, self.fault = monotonic(), fault

    def status(self) -> str:
        """How old the value is, and how its last refresh went; empty if there is nothing to report."""
        now = monotonic()
        age = f", {now - self.asked:.0f} s old"
        if self.refreshed is None:
            return age if now - self.asked >= _OLD else ""
        ago = f"{now - self.refreshed:.0f} s ago"
        return f"{age}, " + (f"refreshed {ago}" if self.fault is None else f"its refresh {ago} failed: {self.fault}")


#: The age of a value that was not refreshed is shown from this many seconds on.
_OLD = 60.0
#: After this many seconds a failed refresh is tried again, if the value has a lifetime.
_AGAIN = 5.0

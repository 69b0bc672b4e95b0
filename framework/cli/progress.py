"""What a user at a terminal sees while a command takes longer than a moment: what it waits for, since when, and how
much is done."""

from __future__ import annotations

import sys
from io import RawIOBase
from time import localtime, monotonic, strftime, time

from framework.cli import terminal
from framework.deadlines import waiting
from framework.masking.search import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO, Any

    from framework.app import App
    from framework.errors import FrameworkError

#: Seconds without output, and between two updates.
_PATIENCE, _PAUSE = 1.0, 0.5

#: Those under way, the innermost last, which owns the line.
_stack: list[Progress] = []


class Progress:
    """`with Progress("importing", total) as progress: progress.advance(1)`. Shows nothing but at a terminal.

    A thread of its own draws the line when the moment is over: one slow call, too, is a wait.

    Args:
        what: what is done; empty: nothing is shown but what is waited for.
        total: how much there is to do; 0 if it is not known.
        unit: what is counted, in the plural; empty: parts of the whole, shown as per cent.
    """

    __slots__ = ("what", "_total", "_unit", "_done", "_began", "_drawn", "_over", "_thread")

    def __init__(self, what: str, total: int = 0, unit: str = "") -> None:
        self.what, self._total, self._unit, self._done = what, total, unit, 0
        self._began = self._drawn = monotonic()
        self._over: Any = None

    def total(self, ask: Callable[[], int]) -> None:
        """Find out how much there is to do, if a terminal shows it."""
        if self._over is not None:
            self._total = ask()

    def advance(self, number: int) -> None:
        """Note that more is done."""
        self._done += number
        now = monotonic()
        if self._over is not None and now - self._began > _PATIENCE and now - self._drawn > min(_PATIENCE, _PAUSE):
            self._draw()

    def _draw(self) -> None:
        if _stack[-1] is self and (text := self._text()):
            self._drawn = monotonic()
            terminal.status.show(text, sys.stderr.raw if hasattr(sys.stderr, "raw") else sys.stderr)

    def _text(self) -> str:
        waits = waiting()
        if not self.what and not waits:
            return ""
        since = min(waits.values(), default=self._began)
        clock = strftime("%H:%M:%S", localtime(time() - (monotonic() - since)))
        how_long = f"since {clock} ({monotonic() - since:.0f} s)"
        parts = [self._how_much()] if self._how_much() else []
        parts.append(f"waiting for {', '.join(sorted(waits))} {how_long}" if waits else how_long)
        return f"{self.what}: {', '.join(parts)}" if self.what else parts[-1]

    def _how_much(self) -> str:
        if self._unit and self._total:
            return f"{self._done:,} of {self._total:,} {self._unit} done"
        if self._total:
            return f"{min(self._done, self._total) * 100 // self._total} %"
        return f"{self._done:,} {self._unit} done" if self._unit and self._done else ""

    def _look(self) -> None:
        while not self._over.wait(_PAUSE):
            if monotonic() - self._began > _PATIENCE:
                self._draw()

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from threading import Event, Thread

            self._over, self._thread = Event(), Thread(target=self._look, daemon=True)
            _stack.append(self)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._over is not None:
            self._over.set()
            self._thread.join()
            _stack.remove(self)
            terminal.status.clear()


class Metered(RawIOBase):
    """A file whose reading moves a progress bar."""

    def __init__(self, file: IO[bytes], progress: Progress) -> None:
        self._file, self._progress = file, progress

    @classmethod
    def of(cls, file: IO[bytes], progress: Progress) -> IO[bytes]:
        """The file, buffered."""
        from io import BufferedReader

        return BufferedReader(cls(file, progress), 1 << 16)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer)) or b""
        buffer[: len(data)] = data
        self._progress.advance(len(data))
        return len(data)


def resolve_at_once(app: App, names: list[tuple[str, str]]) -> dict[tuple[str, str], FrameworkError]:
    """The failures of these options' pointers, each followed; and who waits at a terminal sees for what."""
    if not names:
        return {}
    with Progress(f"resolving {counted(len(names), 'pointer')}", unit="calls") as progress:
        return app.prefetch(names, progress.advance)

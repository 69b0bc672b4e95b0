"""A progress bar on stderr, for a person at a terminal who waits for longer than a moment."""

from __future__ import annotations

import sys
from io import RawIOBase

from framework.cli.output import raw

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO, Any

#: Seconds that pass in silence.
_PATIENCE = 1.0


class Progress:
    """`with Progress("importing", total) as progress: progress.advance(1)`. Shows nothing but at a terminal.

    A thread of its own draws the bar when the moment is over: one slow call, too, is a wait.

    Args:
        what: the words beside the bar.
        total: how much there is to do; 0 if it is not known.
    """

    __slots__ = ("what", "_total", "_done", "_bar", "_task", "_shows", "_timer", "_drawing")

    def __init__(self, what: str, total: int) -> None:
        self.what, self._total, self._done = what, total, 0
        self._bar: Any = None
        self._task: Any = 0
        self._shows = sys.stderr.isatty()

    def total(self, ask: Callable[[], int]) -> None:
        """Find out how much there is to do, if anybody sees it."""
        if self._shows:
            self._total = ask()

    def advance(self, number: int) -> None:
        """So much more is done."""
        self._done += number
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, total=self._total or None)

    def _draw(self) -> None:
        with self._drawing:
            if not self._shows:
                return
            try:
                from rich.console import Console
                from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
                from rich.progress import Progress as Bar
            except ImportError:
                return
            columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
            bar = Bar(*columns, console=Console(file=raw(sys.stderr)), transient=True)
            bar.start()
            self._task = bar.add_task(self.what, total=self._total or None, completed=self._done)
            self._bar = bar

    def __enter__(self) -> Progress:
        if self._shows:
            from threading import Lock, Timer

            self._drawing, self._timer = Lock(), Timer(_PATIENCE, self._draw)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._shows:
            return
        self._timer.cancel()
        with self._drawing:  # it may be at it right now
            self._shows = False
            if self._bar is not None:
                self._bar.stop()


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

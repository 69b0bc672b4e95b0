"""Reloads an application when one of its files changes."""

from __future__ import annotations

import os

from framework.errors import ConfigFileError
from framework.logs import WARNING, log
from framework.repeated import Repeated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    #: Path -> what tells that a file is another one, or None: it is not there.
    Stamps = dict[str, tuple[int, ...] | None]

#: How long to wait for more changes after the first one, in milliseconds: an editor writes a file in steps.
_STEP = 50
#: How often to look although nothing has been reported, in seconds: a folder may be made later, or be on a network.
_SELDOM = 5.0


class Watching(Repeated):
    """Looks at the files of an application: those that were looked for, and those of `_file` pointers that are held.

    With the package watchfiles the system reports changes. Without it, or where that does not work, the files are
    looked at at an interval.

    Args:
        app: the application, which is not kept alive.
        following: reads again.
        seconds: how often to look where changes are not reported.
    """

    thread_name = "framework-watch"

    def __init__(self, app: Any, following: Any, seconds: float) -> None:
        self._every, self._following = seconds, following
        self._stamps, self._pointed = stamps(app.watched_files()), stamps(app.engine.followed_files())
        self._is_behind = False  # whether a reload failed that may work without another change
        self._reports = _has_watchfiles()
        super().__init__(app, lambda app: self._every, self._look)

    def end(self) -> None:
        """Look no more."""
        self._every = 0.0
        self.wake()

    def _look(self, app: Any) -> None:
        """Reload if a file has changed, and refresh the options whose `_file` has."""
        found = stamps(app.watched_files())  # before they are read: a change during the reload is found the next time
        if found != self._stamps or self._is_behind:
            self._stamps = found
            fault = self._following.reload_or_warn()
            # Whatever else fails may work without another change of a file: a store that answers again, say.
            self._is_behind = fault is not None and not isinstance(fault, ConfigFileError)
        followed = app.engine.followed_files()
        pointed = stamps(followed)
        changed = {path for path, stamp in pointed.items() if self._pointed.get(path, stamp) != stamp}
        self._pointed = pointed
        if changed:
            self._following.refresh_or_warn(sorted({name for path in changed for name in followed[path]}))

    def _pause(self, seconds: float) -> bool:
        folders = {os.path.dirname(path) for path in (*self._stamps, *self._pointed)}
        folders = {folder for folder in folders if os.path.isdir(folder)}
        if self._reports and folders:
            try:
                return self._reported(folders)
            except Exception as fault:  # no more inotify watches, say
                self._reports = False
                log(WARNING, "changes of files are not reported here, so they are looked for: %s", fault)
        return super()._pause(seconds)

    def _reported(self, folders: Iterable[str]) -> bool:
        """Wait until the system reports a change; returns whether to look again."""
        from watchfiles import watch

        reports = watch(
            *folders,
            watch_filter=None,
            step=_STEP,
            stop_event=self._changed,
            rust_timeout=int(_SELDOM * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
            recursive=False,
        )
        for _ in reports:
            break
        return self._changed.is_set()


def stamps(paths: Iterable[str]) -> Stamps:
    """What the files look like now. A link that leads elsewhere is another file."""
    return {path: _stamp(path) for path in paths}


def _stamp(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev


def _has_watchfiles() -> bool:
    from importlib.util import find_spec

    return find_spec("watchfiles") is not None

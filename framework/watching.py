"""Reloads an application when one of its files changes."""

from __future__ import annotations

import copy  # noqa: F401 - for a reload, see `_reporter`
import os
from time import sleep

import framework.options.refresh  # noqa: F401 - likewise
from framework.errors import ConfigFileError
from framework.files.text import stamp, stamp_of
from framework.logs import WARNING, log
from framework.repeated import Repeated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Protocol

    from framework.files.text import Stamp
    from framework.layers.environment import Environment
    from framework.options.engine import Engine

    #: Path -> what changes if the file changes, or None: the file does not exist.
    Stamps = dict[str, Stamp | None]

    class Following(Protocol):
        """What brings an application up to date; a failure becomes a warning."""

        def reload_or_warn(self) -> Exception | None: ...
        def refresh_or_warn(self, names: list[tuple[str, str]]) -> None: ...

    class Application(Protocol):
        """What is asked of the application."""

        engine: Engine
        environment: Environment

        @property
        def _following(self) -> Following: ...
        def watched_files(self) -> list[str]: ...


#: How long to wait for more changes after the first one, in milliseconds: an editor writes a file in steps. And how
#: often, while there are more, or while a file is empty that was not.
_STEP, _MOST_STEPS = 50, 20
#: How often to look although nothing has been reported, in seconds: a folder may be made later, or be on a network.
_SELDOM = 5.0


class Watching(Repeated):
    """Looks at the files of an application: those that were looked for, and those of `_file` pointers that are held.

    With the package watchfiles the system reports changes. Without it, or where that does not work, the files are
    looked at at an interval.

    Args:
        app: the application, which is not kept alive.
        seconds: how often to look where changes are not reported.
    """

    thread_name = "framework-watch"

    def __init__(self, app: Application, seconds: float) -> None:
        self._every = seconds
        self._stamps = _as_read(app)
        self._pointed: Stamps = {}  # the files of pointers
        self._tried: dict[tuple[str, str], Stamp | None] = {}  # option -> the file that it was last read again from
        self._is_behind = False  # whether a reload failed that may work without another change
        self._report = _reporter()
        super().__init__(app, lambda app: self._every, self._look)
        self.look()  # at first without waiting: a file may have changed since it was read

    def look(self) -> None:
        """Look now, and from now on at a file that was not known before."""
        self.wake()

    def end(self) -> None:
        """Stop looking."""
        self._every = 0.0
        self.wake()

    def _look(self, app: Application) -> None:
        """Reload if a file has changed, and refresh the options whose `_file` has."""
        # Before they are read: a change during the reload is found the next time.
        found = _settled(lambda: stamps(app.watched_files()), self._stamps)
        if found != self._stamps or self._is_behind:
            self._stamps = found
            fault = app._following.reload_or_warn()
            # Other failures may end without a change of a file, for example when a store answers again.
            self._is_behind = fault is not None and not isinstance(fault, ConfigFileError)
        followed = app.engine.followed_files()
        known = {path: then for path, options in followed.items() for _, then in options}
        self._pointed = _settled(lambda: stamps(followed), known)
        behind = {
            name: self._pointed[path]
            for path, options in followed.items()
            for name, then in options
            if then != self._pointed[path]
        }
        names = [name for name, now in behind.items() if name not in self._tried or self._tried[name] != now]
        self._tried = behind  # what cannot be read is tried again when its file has changed once more
        if names:
            app._following.refresh_or_warn(names)

    def _pause(self, seconds: float) -> bool:
        is_woken = self._waited(seconds)
        if is_woken and self._every:
            self._changed.clear()
            return False
        return is_woken

    def _waited(self, seconds: float) -> bool:
        folders = {os.path.dirname(path) for path in (*self._stamps, *self._pointed)}
        folders = {folder for folder in folders if os.path.isdir(folder)}
        if self._report is not None and folders:
            try:
                return self._reported(folders)
            except Exception as fault:  # no more inotify watches, say
                self._report = None
                log(WARNING, "file changes are not reported on this system, so the files are polled: %s", fault)
        return super()._pause(seconds)

    def _reported(self, folders: Iterable[str]) -> bool:
        """Wait until the system reports a change; returns whether to look again."""
        reports = self._report(
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
    """What the files are now."""
    return {path: stamp_of(path) for path in paths}


def _settled(look: Callable[[], Stamps], before: Mapping[str, Stamp | None]) -> Stamps:
    """What files are now, once none of them is being written: a file is often emptied first, and filled later."""
    found = look()
    if found != before:
        for _ in range(_MOST_STEPS):
            sleep(_STEP / 1000)
            last, found = found, look()
            if found == last and not any(_is_emptied(before.get(path), now) for path, now in found.items()):
                break
    return found


def _is_emptied(before: Stamp | None, now: Stamp | None) -> bool:
    return before is not None and now is not None and before[1] > 0 and now[1] == 0


def _as_read(app: Application) -> Stamps:
    """What the application's files were when they were read, so that no change after that is missed."""
    opened = {path: stamp(status) for layer in app.engine.layers for path, status in layer.opened.items()}
    there = {look.path for look in app.environment.looks if look.found}
    return {
        path: opened[path] if path in opened else stamp_of(path) if path in there else None
        for path in app.watched_files()
    }


def _reporter() -> Any:
    """What the package watchfiles reports changes with; None without the package, or where it would stop the process.

    It is imported here and not in the thread: if the process forked in the middle of that, the child could never import
    it.
    """
    from threading import get_ident

    if get_ident.__module__ != "_thread":  # replaced by gevent: while one of its threads waits, all of them would
        return None
    try:
        from watchfiles import watch
    except ImportError:
        return None
    return watch

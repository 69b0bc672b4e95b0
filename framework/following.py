"""How an application follows changes while it runs: options that are read again, and functions that are called."""

from __future__ import annotations

from _weakref import ref

from framework import given
from framework.bound import in_no_context
from framework.errors import ConfigError, FrameworkError, clean, public, warn
from framework.locks import ProcessLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from framework.chain.chain import Chain
    from framework.config import Config
    from framework.options.engine import Engine
    from framework.repeated import Repeated
    from framework.watching import Watching

    Name = tuple[str, str]  # section and key
    Listener = Callable[[str, str], object]

#: Stands for the value of an option that is not set.
_NOT_SET = object()
#: How many seconds are at least between refreshes.
_LEAST = 0.5


@public
class Following:
    """The part of an application that follows changes."""

    if TYPE_CHECKING:
        name: str
        engine: Engine
        conf: Config

        @property
        def chain(self) -> Chain: ...
        def _renew_settings(self) -> None: ...
        def reload(self) -> None: ...

    def __init__(self) -> None:
        super().__init__()
        self._listeners: dict[Name, list[Listener]] = {}
        self._refresher: list[Repeated] = []  # one, once it is needed
        self._beginning = ProcessLock()
        self._changing = ProcessLock()  # held by `refresh` and `reload`: of two at once, the one that began last counts
        self._told: set[str] = set()
        self._told_of_reload = ""
        self._watching: list[Watching] = []
        self._me = ref(self)  # also in the copy that `reload` tries

    def refresh(self, names: Iterable[Name] | Name | None = None) -> dict[Name, FrameworkError]:
        """Read the secrets behind `_secret` pointers again, in as few calls as the stores have.

        All values that have changed are replaced at once, those of `settings` too. Whatever fails keeps its last value.
        Nothing that a reader does waits for this, or fails because of it.

        Args:
            names: these options alone, as (section, key), also those that were not read yet. Their `_cmd` and `_file`
                pointers are followed again, which are left alone otherwise.

        Returns:
            The options that could not be read, each with its error; empty if all is well.
        """
        from framework.options.refresh import refresh

        asked = given.pairs(names, "names")
        seconds, workers, max_age = (
            self.conf.value("secrets", key)
            for key in ("resolve_timeout_seconds", "max_workers", "refresh_max_age_seconds")
        )
        with self._changing:
            done = refresh(self.engine, lambda: self.chain, asked, seconds=seconds, workers=workers, max_age=max_age)
            for _, level in done.of_links:
                for link in self.chain.links:
                    if link.level == level:
                        link.renew()
            if done.changed:
                self._renew_settings()
        self._tell(done.changed)
        return {name: clean(fault) for name, fault in done.failures.items()}

    async def arefresh(self, names: Iterable[Name] | Name | None = None) -> dict[Name, FrameworkError]:
        """`refresh`, without blocking the event loop."""
        from framework.chain.runner import awaited

        return await awaited(lambda: self.refresh(names))

    def on_change(self, section: str, key: str, fn: Listener) -> Callable[[], None]:
        """Call a function after the option's value has changed, by `refresh()` or `reload()`.

        It is called in the thread that made the change, with the section and the key. What it raises is a warning.
        Changes of the process environment are not noticed.

        Args:
            section, key: the option.
            fn: takes the section and the key.

        Returns:
            A function that ends this.
        """
        name = self.engine.current_name(*given.option(section, key))
        if not callable(fn):
            raise given.wrong(fn, "fn", "a function that takes a section and a key")
        listeners = self._listeners.setdefault(name, [])
        listeners.append(fn)

        def end() -> None:
            if fn in listeners:
                listeners.remove(fn)

        return end

    def _tell(self, changed: Iterable[Name]) -> None:
        """Call the functions of `on_change`. Their errors become warnings afterwards, so that each is called."""
        faults = []
        for name in changed:
            for fn in list(self._listeners.get(name, ())):
                try:
                    fn(*name)
                except Exception as fault:
                    faults.append(f"[{name[0]}] {name[1]} has changed, and a function of on_change failed: {fault!r}")
        for text in faults:
            warn(text)

    def _values(self) -> dict[Name, Any]:
        """The values of the options that have listeners, as far as they are known without a question."""
        values: dict[Name, Any] = in_no_context(
            lambda: {name: value for name in list(self._listeners) for value in self._known(name)}
        )
        return values

    def _known(self, name: Name) -> list[Any]:
        mention = next(self.engine.mentions(*name), None)
        if mention is None:
            return [_NOT_SET]
        if mention.is_pointer and not self.engine.is_followed(mention):
            return []
        try:
            return [self.engine.resolve(mention).value]
        except FrameworkError:
            return []

    def _tell_differences(self, before: dict[Name, Any]) -> None:
        """Report what has changed since `_values`. Pointers are followed for that."""

        def differs(name: Name) -> bool:
            try:
                answer = self.engine.answer(*name)
            except FrameworkError:  # a read raises the error
                return True
            value: Any = _NOT_SET if answer is None else answer.value
            return bool(value != before[name])

        self._tell(in_no_context(lambda: [name for name in before if differs(name)]))

    # Files and signals

    def watch(self, seconds: float = 1.0) -> Callable[[], None]:
        """Reload whenever one of the application's files changes, in the background; all of it or nothing.

        The files are those that `dump --files` lists, also those that are not there yet. Those of `_file` pointers are
        read again by themselves. A file that cannot be read keeps what was read before, and is reported once. With the
        package watchfiles (the extra `watch`) the system reports changes; else the files are looked at again and again.

        Args:
            seconds: how often to look where changes are not reported.

        Returns:
            A function that ends this.
        """
        from framework.watching import Watching

        watching, all_watching = Watching(self._me(), given.seconds(seconds, "seconds")), self._watching
        all_watching.append(watching)
        watching.start()

        def end() -> None:
            watching.end()
            if watching in all_watching:
                all_watching.remove(watching)

        return end

    def reload_on_signal(self, signum: int | None = None) -> None:
        """Reload when the process gets a signal, in a thread of its own. The handler before is called as well.

        A file that cannot be read keeps what was read before, and is reported once.

        Args:
            signum: which signal; None: SIGHUP.

        Raises:
            ConfigError: this is not the main thread, or there is no such signal on this system.
        """
        import signal
        from threading import Thread

        number = getattr(signal, "SIGHUP", None) if signum is None else signum
        where = f"App({self.name!r}).reload_on_signal()"
        if number is None:
            raise ConfigError("this system has no SIGHUP", where=where, hint="Pass another signal, or use watch().")
        me, before = self._me, None

        def reload(signum: int, frame: Any) -> None:
            app = me()
            if app is not None:  # not here: the main thread may be in the middle of anything
                Thread(target=app.reload_or_warn, name="framework-reload", daemon=True).start()
            if callable(before):
                before(signum, frame)

        what = ""
        try:
            before = signal.signal(number, reload)
        except (ValueError, OSError, TypeError) as fault:
            what = str(fault)
        if what:
            hint = "Call it in the main thread, with a signal that can be handled."
            raise ConfigError(f"the signal cannot be handled ({what})", where=where, hint=hint)

    def reload_or_warn(self) -> Exception | None:
        """`reload`, where no caller would catch an error: it becomes a warning, once, and is returned."""
        fault: Exception | None = None
        try:
            self.reload()
        except Exception as error:  # a class of settings may raise anything
            fault = error
        told = "" if fault is None else f"nothing is reloaded, and what was read before stays: {fault}"
        is_new, self._told_of_reload = told != self._told_of_reload, told
        if told and is_new:
            from framework.logs import log_and_warn

            log_and_warn(told)
        return fault

    # In the background

    def _follow_secrets(self) -> None:
        """Begin to refresh in the background, if `[secrets] refresh_interval_seconds` or the lifetime of a secret that
        is held says so."""
        app = self._me()
        if app is None or not _interval(app):
            return
        if not self._refresher:
            from framework.repeated import Repeated

            with self._beginning:  # and not the lock of a refresh, which may be under way, and may wait for this thread
                if not self._refresher:
                    self._refresher.append(
                        Repeated(app, _interval, Following._refresh_in_time, lambda app: app.engine.forget_leases())
                    )
        self._refresher[0].start()
        if app.engine.expiring():
            self._refresher[0].wake()  # this one may be due before the others

    def _refresh_in_time(self) -> None:
        """Refresh all secrets, or without an interval those that are soon to expire."""
        if _every(self):
            self.refresh_or_warn()
            return
        due = self.engine.expiring()
        soon = 1.2 * max(min(due.values(), default=0.0), 0.0) + _LEAST  # what is due a little later needs no other call
        if names := [name for name, seconds in due.items() if seconds <= soon]:
            self.refresh_or_warn(names)

    def refresh_or_warn(self, names: Iterable[Name] | None = None) -> None:
        """`refresh`, where no caller would look at the errors: each becomes a warning, once."""
        told = {str(fault) for fault in self.refresh(names).values()}
        new, self._told = told - self._told, told
        for text in sorted(new):
            from framework.logs import log_and_warn

            log_and_warn(f"a refresh failed, and the last value is used: {text}")


def _interval(app: Following) -> float:
    """Seconds to the next refresh; 0: there is none."""
    every, due = _every(app), min(app.engine.expiring().values(), default=0.0)
    soon = max(due, _LEAST) if due else 0.0
    return min(every, soon) if every and soon else every or soon


def _every(app: Following) -> float:
    """Seconds between refreshes. A value that makes no sense is 0; `check` names it."""
    try:
        return float(app.conf.value("secrets", "refresh_interval_seconds"))
    except FrameworkError:
        return 0.0

"""How an application follows changes while it runs: options that are read again, and functions that are called."""

from __future__ import annotations

from _weakref import ref

from framework import given
from framework.bound import in_no_context
from framework.errors import ConfigError, FrameworkError, clean, warn
from framework.locks import ProcessLock
from framework.logs import log_and_warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Protocol

    from framework.chain.chain import Chain
    from framework.config import Config
    from framework.layers.environment import Environment
    from framework.options.engine import Engine
    from framework.repeated import Repeated
    from framework.watching import Watching

    Name = tuple[str, str]  # section and key
    Listener = Callable[[str, str], object]

    class Application(Protocol):
        """What this module needs of the application."""

        name: str
        engine: Engine
        conf: Config
        environment: Environment
        _changing: ProcessLock

        @property
        def chain(self) -> Chain: ...
        @property
        def _following(self) -> Following: ...
        @property
        def _refresh_interval(self) -> float: ...
        def _renew_settings(self) -> None: ...
        def _reload(self, check: Callable[[Any], None]) -> None: ...
        def prefetch(self, names: Iterable[Name]) -> dict[Name, FrameworkError]: ...
        def watched_files(self) -> list[str]: ...


#: Stands for the value of an option that is not set.
_NOT_SET = object()
#: How many seconds are at least between refreshes.
_LEAST = 0.5
#: The flag of the code of an `async def`: `inspect.CO_COROUTINE`.
_COROUTINE = 0x80


class Following:
    """The part of an application that follows changes, made when it is first needed. `Reads` documents its methods.

    A thread in the background holds the application only while it works for it, and this never: functions of
    `on_change` may hold the application.

    Args:
        app: the application, which is not kept alive.
    """

    def __init__(self, app: ref[Any]) -> None:
        self._app: ref[Application] = app
        self._listeners: dict[Name, list[Listener]] = {}
        self._refresher: list[Repeated] = []  # one, once it is needed
        self._beginning = ProcessLock()
        self._failures: dict[Name, str] = {}  # those of the last refreshes in the background
        self._failure_of_reload = ""
        self._handlers: dict[int, object] = {}  # signal -> ours
        self._watching: list[Watching] = []

    @property
    def app(self) -> Application:
        """The application, which is alive while one of its methods runs."""
        app = self._app()
        assert app is not None
        return app

    def refresh(
        self, names: Iterable[Name] | Name | None = None, shared_max_age: float = 0.0
    ) -> dict[Name, FrameworkError]:
        """Read the secrets behind pointers again; see `options.refresh.refresh` for `shared_max_age`."""
        from framework.options.refresh import Refreshed, refresh

        app, asked, done = self.app, given.pairs(names, "names"), Refreshed()
        seconds, workers, max_age = (
            app.conf.value("secrets", key)
            for key in ("resolve_timeout_seconds", "max_workers", "refresh_max_age_seconds")
        )
        limits = {"seconds": seconds, "workers": workers, "max_age": max_age, "shared_max_age": shared_max_age}
        try:
            with app._changing:
                done = refresh(app.engine, lambda: app.chain, asked, **limits)
                for name, level in done.of_links:
                    self._renew_links(name, level)
                if done.changed:
                    app._renew_settings()
        finally:  # a warning about the settings may be an error
            self._notify(done.changed)
        return {name: clean(fault) for name, fault in done.failures.items()}

    def _renew_links(self, name: Name, level: int) -> None:
        """An option has changed that links are built from."""
        from framework.assembly import SHARED_CACHE

        for link in self.app.chain.links:
            if link.level == level or (name in SHARED_CACHE and link.custom):
                link.renew()

    def on_change(self, section: str, key: str, fn: Listener) -> Callable[[], None]:
        """Call a function after the option's value has changed."""
        name = self.app.engine.current_name(*given.option(section, key))
        if not callable(fn) or _is_async(fn):
            hint = "It is not awaited: let it call asyncio.run_coroutine_threadsafe." if callable(fn) else ""
            raise given.wrong(fn, "fn", "a function that takes a section and a key", hint)
        listeners = self._listeners.setdefault(name, [])
        listeners.append(fn)

        def end() -> None:
            if fn in listeners:
                listeners.remove(fn)

        return end

    def _notify(self, changed: Iterable[Name]) -> None:
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

    def values(self) -> dict[Name, object]:
        """The values of the options that have listeners, as far as they are known without a question."""
        return in_no_context(lambda: {name: value for name in list(self._listeners) for value in self._known(name)})

    def _known(self, name: Name) -> list[object]:
        engine = self.app.engine
        mention = next(engine.mentions(*name), None)
        if mention is None:
            return [_NOT_SET]
        if mention.is_pointer and not engine.is_followed(mention):
            return []
        try:
            return [engine.resolve(mention).value]
        except FrameworkError:
            return []

    def reloaded(self, before: Mapping[Name, object]) -> None:
        """After a reload: wait for the new interval, and report what differs from `values()` before it.

        Pointers are followed for that.
        """

        def differs(name: Name) -> bool:
            try:
                answer = self.app.engine.answer(*name)
            except FrameworkError:  # a read raises the error
                return True
            value: Any = _NOT_SET if answer is None else answer.value
            return bool(value != before[name])

        for refresher in self._refresher:
            refresher.wake()
        self._notify(in_no_context(lambda: [name for name in before if differs(name)]))

    # Files and signals

    def watch(self, seconds: float) -> Callable[[], None]:
        """Reload whenever one of the application's files changes."""
        from framework.watching import Watching

        watching, all_watching = Watching(self.app, given.seconds(seconds, "seconds")), self._watching
        all_watching.append(watching)
        watching.start()

        def end() -> None:
            watching.end()
            if watching in all_watching:
                all_watching.remove(watching)

        return end

    def look_again(self) -> None:
        """A file is followed that was perhaps not looked at before."""
        for watching in list(self._watching):
            watching.look()

    def reload_on_signal(self, signum: int | None) -> None:
        """Reload when the process gets a signal."""
        import signal
        from threading import Thread

        number = getattr(signal, "SIGHUP", None) if signum is None else signum
        where = f"App({self.app.name!r}).reload_on_signal()"
        if number is None:
            raise ConfigError("this system has no SIGHUP", where=where, hint="Pass another signal, or use watch().")
        me, before = ref(self), None
        import framework.options.refresh  # noqa: F401 - before a thread needs it, see `watching._reporter`

        def reload(signum: int, frame: object) -> None:
            following = me()
            if following is not None:  # not here: the main thread may be in the middle of anything
                Thread(target=following.reload_or_warn, name="framework-reload", daemon=True).start()
            if callable(before):
                before(signum, frame)

        what = ""
        try:
            if type(number) not in (int, signal.Signals):  # Python would take 1.5 for 1
                raise TypeError("it is not the number of one")
            before = signal.signal(number, reload)
            if before is not None and before is self._handlers.get(number):  # one is enough
                signal.signal(number, before)
            else:
                self._handlers[number] = reload
        except (ValueError, OSError, TypeError) as fault:
            what = str(fault)
        if what:
            hint = "Call it in the main thread, with a signal that can be handled."
            raise ConfigError(f"the signal cannot be handled ({what})", where=where, hint=hint)

    def reload_or_warn(self) -> Exception | None:
        """`reload`, where no caller would catch an error: it becomes a warning, once, and is returned.

        A secret that is in use and cannot be read is such an error, because readers would fail.
        """
        fault: Exception | None = None
        app = self._app()
        try:
            if app is not None:
                app._reload(self._check_pointers)
        except Exception as error:  # a class of settings may raise anything
            fault = error
        text = "" if fault is None else f"the reload failed, and the previous configuration stays in use: {fault}"
        is_new, self._failure_of_reload = text != self._failure_of_reload, text
        if text and is_new:
            log_and_warn(text)
        return fault

    def _check_pointers(self, trial: Application) -> None:
        """Follow the pointers of what the application will become, where one of its options was followed before.

        Raises:
            PointerError: one of them leads nowhere.
        """
        engine = self.app.engine

        def is_held(name: Name) -> bool:
            held, new = (next(one.mentions(*name), None) for one in (engine, trial.engine))
            is_known = held is not None and held.is_pointer and engine.is_followed(held)
            return is_known and new is not None and new.is_pointer

        for fault in trial.prefetch([name for name in engine.entries() if is_held(name)]).values():
            raise fault

    # In the background

    def refresh_in_background(self) -> None:
        """Begin to refresh as often as the interval, or the lifetime of a secret that is held, wants it."""
        if not self._refresher:
            import framework.options.refresh  # noqa: F401 - before the thread needs it, see `watching._reporter`
            from framework.repeated import Repeated

            with self._beginning:  # and not the lock of a refresh, which may be under way, and may wait for this thread
                if not self._refresher:
                    self._refresher.append(
                        Repeated(self.app, _pause, _refresh_in_time, lambda app: app.engine.forget_leases())
                    )
        self._refresher[0].start()
        if self.app.engine.expiring():
            self._refresher[0].wake()  # this one may be due before the others

    def refresh_or_warn(self, names: list[Name] | None = None, shared_max_age: float = 0.0) -> None:
        """`refresh`, where no caller would look at the errors: each becomes a warning, once."""
        failures = {name: str(fault) for name, fault in self.refresh(names, shared_max_age).items()}
        before, asked = self._failures, self._failures if names is None else names
        self._failures = {name: text for name, text in before.items() if name not in asked} | failures
        for text in sorted(text for name, text in failures.items() if before.get(name) != text):
            log_and_warn(f"a refresh failed, and the last value is used: {text}")


def _is_async(fn: Callable[..., object]) -> bool:
    """Whether a call gives a coroutine. `inspect` is loaded only for what is not a plain function: it takes long."""
    code = getattr(fn, "__code__", None)
    if code is not None and not fn.__dict__:
        return bool(code.co_flags & _COROUTINE)
    from inspect import iscoroutinefunction

    return iscoroutinefunction(fn)


def _refresh_in_time(app: Application) -> None:
    """Refresh all secrets, or without an interval those that are soon to expire."""
    if app._refresh_interval:
        # The answers of others count, so that of a fleet not every process asks the store.
        app._following.refresh_or_warn(shared_max_age=app._refresh_interval / 2)
        return
    due = app.engine.expiring()
    soon = 1.2 * max(min(due.values(), default=0.0), 0.0) + _LEAST  # what is due a little later needs no other call
    if names := [name for name, seconds in due.items() if seconds <= soon]:
        app._following.refresh_or_warn(names)


def _pause(app: Application) -> float:
    """Seconds to the next refresh; 0: there is none."""
    every, due = app._refresh_interval, min(app.engine.expiring().values(), default=0.0)
    soon = max(due, _LEAST) if due else 0.0
    return min(every, soon) if every and soon else every or soon

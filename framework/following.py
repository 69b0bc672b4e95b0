"""How an application follows changes while it runs: options that are read again, and who is told."""

from __future__ import annotations

from _weakref import ref

from framework import given
from framework.bound import in_no_context
from framework.errors import FrameworkError, clean, public, warn
from framework.locks import ProcessLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from framework.chain.chain import Chain
    from framework.config import Config
    from framework.options.engine import Engine
    from framework.repeated import Repeated

    Name = tuple[str, str]  # section and key
    Listener = Callable[[str, str], object]

#: Stands for the value of an option that is not set.
_NOT_SET = object()


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

    def __init__(self) -> None:
        super().__init__()
        self._listeners: dict[Name, list[Listener]] = {}
        self._refresher: list[Repeated] = []  # one, once it is needed
        self._refreshing = ProcessLock()
        self._told: set[str] = set()
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
        with self._refreshing:
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
        self._listeners.setdefault(name, []).append(fn)

        def end() -> None:
            if fn in self._listeners.get(name, ()):
                self._listeners[name].remove(fn)

        return end

    def _tell(self, changed: Iterable[Name]) -> None:
        """Call those who want to know. Afterwards their errors are warnings, so that each is called."""
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
        """The values of the options that are listened to, as far as they are known without asking anybody."""
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
        """Tell what has changed since `_values`. Pointers are followed for that."""

        def differs(name: Name) -> bool:
            try:
                answer = self.engine.answer(*name)
            except FrameworkError:  # whoever reads it gets the error
                return True
            value: Any = _NOT_SET if answer is None else answer.value
            return bool(value != before[name])

        self._tell(in_no_context(lambda: [name for name in before if differs(name)]))

    # In the background

    def _follow_secrets(self) -> None:
        """Begin to refresh in the background, if `[secrets] refresh_interval_seconds` says so: a secret is held."""
        app = self._me()
        if app is None or not _interval(app):
            return
        if not self._refresher:
            from framework.repeated import Repeated

            with self._refreshing:
                if not self._refresher:
                    self._refresher.append(Repeated(app, _interval, Following._refresh_quietly))
        self._refresher[0].start()

    def _refresh_quietly(self) -> None:
        from framework.logs import WARNING, log

        told = {str(fault) for fault in self.refresh().values()}
        new, self._told = told - self._told, told
        for text in sorted(told):
            log(WARNING, "a refresh failed, and the last value is used: %s", text)
        for text in sorted(new):  # once, not at every refresh
            warn(f"a refresh failed, and the last value is used: {text}")


def _interval(app: Following) -> float:
    """Seconds between refreshes. A value that makes no sense is 0; `check` names it."""
    try:
        return float(app.conf.value("secrets", "refresh_interval_seconds"))
    except FrameworkError:
        return 0.0

"""The current application. It imports nothing: `framework/__init__.py` passes it the function that makes one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    class Application(Protocol):
        """What `Connection`, `Variable` and `conf` ask of the current application."""

        @property
        def conf(self) -> Any: ...
        @property
        def chain(self) -> Any: ...
        @property
        def store(self) -> Any: ...
        def get_connection(self, conn_id: str) -> Any: ...
        def test_connection(self, connection: Any, timeout: float = ...) -> tuple[bool, str]: ...
        def hide_variable(self, key: str, value: Any) -> None: ...
        def list_names(self, kind: str) -> list[str]: ...
        def warn_if_shadowed(self, kind: str, key: str) -> None: ...


_app: Application | None = None
_make: Callable[[], Application] | None = None
_watchers: list[Callable[[], None]] = []


def app() -> Application:
    """The current application, made on first use."""
    if _app is None:
        if _make is None:
            raise RuntimeError("framework/__init__.py says how an application is made")
        made = _make()
        if _app is None:  # else another thread was first, and has one in use
            use(made)
        return _app or made
    return _app


def use(application: Application | None) -> Application | None:
    """Make `application` the current one (None: the one that is found next) and return the one before."""
    global _app
    before, _app = _app, application
    for changed in _watchers:
        changed()
    return before


def found_by(make: Callable[[], Application]) -> None:
    """Register the function that makes an application when there is none."""
    global _make
    _make = make


class CurrentProxy:
    """Stands for an attribute of the current application: `CurrentProxy("conf")`.

    What it returns is kept in its own dictionary until another application becomes
    the current one, so that `conf.get` through the front door costs no more than `app.conf.get`.
    """

    __attribute = ""  # until the constructor has run

    def __init__(self, attribute: str) -> None:
        self.__attribute = attribute
        keep = dict(self.__dict__)

        def forget() -> None:
            self.__dict__ = dict(keep)

        _watchers.append(forget)

    def __getattr__(self, name: str) -> Any:
        kept = self.__dict__  # what is found too late goes to a dictionary that is not used any more
        asked = getattr(app(), self.__attribute)
        if not name.startswith("_") and not any(name in vars(kind) for kind in type(asked).__mro__):
            hint = f'an option is read by its section and key: conf.get("{name}", "port")'
            raise AttributeError(f"{self.__attribute} has no {name!r}: {hint}")
        value = getattr(asked, name)
        if callable(value) and not name.startswith("__"):
            kept[name] = value
        return value

    def __getitem__(self, name: object) -> Any:
        return getattr(app(), self.__attribute)[name]

    def __repr__(self) -> str:
        return f"<framework.{self.__attribute} of the current application>"

"""Libraries that keep quiet."""

from __future__ import annotations

from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Quietly:
    """`with Quietly("botocore"):` what these packages log in this context is dropped.

    They write out tokens, whole answers, and URLs with a password: at DEBUG, and when something fails also as an error.
    What is to be told is told by our errors. What other code has them do goes on being logged.

    Args:
        *packages: names of loggers that are there, for the packages are imported; those below them count as well.
            Empty text: what is logged without a logger's name.
    """

    __slots__ = ("_packages", "_before", "_handler")

    def __init__(self, *packages: str) -> None:
        self._packages = packages

    def __enter__(self) -> None:
        _hush(self._packages)
        self._handler = _silent_handler() if "" in self._packages else None
        self._before = _quiet.set(True)

    def __exit__(self, *_: object) -> None:
        _quiet.reset(self._before)
        if self._handler is not None:
            import logging

            logging.root.removeHandler(self._handler)


_quiet: ContextVar[bool] = ContextVar("framework_quiet", default=False)
#: Packages -> how many loggers there were when theirs were last looked for: more come as modules are imported.
_hushed: dict[tuple[str, ...], int] = {}


def _hush(packages: tuple[str, ...]) -> None:
    import logging

    known = logging.root.manager.loggerDict
    if _hushed.get(packages) == len(known):
        return
    number = len(known)
    if "" in packages:
        logging.root.addFilter(_is_loud)
    for name in list(known):
        if any(name == package or name.startswith(f"{package}.") for package in packages if package):
            logging.getLogger(name).addFilter(_is_loud)
    _hushed[packages] = number  # last: another thread that finds it relies on the filters


def _silent_handler() -> Any:
    """A handler at the root while there is none: or else the first word that is dropped would install one for good."""
    import logging

    if logging.root.handlers:
        return None
    handler = logging.NullHandler()
    logging.root.addHandler(handler)
    return handler


def _is_loud(record: Any) -> bool:
    return not _quiet.get()

"""Silences the log records of client libraries."""

from __future__ import annotations

from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging


class Quietly:
    """`with Quietly("botocore"):` drops what these packages log in this context.

    They log tokens, whole answers, and URLs with a password: at DEBUG, and in failures also as errors. Our own errors
    report failures. Calls of other code are still logged.

    Args:
        *packages: names of existing loggers, because the packages are imported; those below them count as well. Empty
            text: what is logged without a logger's name.
    """

    __slots__ = ("_packages", "_before", "_handler")

    def __init__(self, *packages: str) -> None:
        self._packages = packages

    def __enter__(self) -> None:
        _silence(self._packages)
        self._handler = _silent_handler() if "" in self._packages else None
        self._before = _quiet.set(True)

    def __exit__(self, *_: object) -> None:
        _quiet.reset(self._before)
        if self._handler is not None:
            import logging

            logging.root.removeHandler(self._handler)


_quiet: ContextVar[bool] = ContextVar("framework_quiet", default=False)
#: Packages -> the number of all loggers when theirs were last looked for: imports create more.
_silenced: dict[tuple[str, ...], int] = {}


def _silence(packages: tuple[str, ...]) -> None:
    import logging

    known = logging.root.manager.loggerDict
    if _silenced.get(packages) == len(known):
        return
    number = len(known)
    if "" in packages:
        logging.root.addFilter(_is_loud)
    for name in list(known):
        if any(name == package or name.startswith(f"{package}.") for package in packages if package):
            logging.getLogger(name).addFilter(_is_loud)
    _silenced[packages] = number  # last: another thread that reads it relies on the filters


def _silent_handler() -> logging.Handler | None:
    """A handler for the root logger if it has none: else the first dropped record would install one permanently."""
    import logging

    if logging.root.handlers:
        return None
    handler = logging.NullHandler()
    logging.root.addHandler(handler)
    return handler


def _is_loud(record: object) -> bool:
    return not _quiet.get()

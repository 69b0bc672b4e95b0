"""The library's log, `logging.getLogger("framework")`: never a value, and redacted like every message.

`logging` is not imported here: in a process that has not loaded it, nothing reads the records.
"""

from __future__ import annotations

import sys

from framework.errors import listener, warn
from framework.masking import safe_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging

DEBUG, INFO, WARNING = 10, 20, 30

_logger: logging.Logger | None = None


def log(level: int, layout: str, *args: object) -> None:
    """Log a message. It is not even formatted if messages of this level are not handled.

    Args:
        level: `DEBUG` for look-ups, `INFO` for logins and refreshes, `WARNING` for fallbacks and stale answers.
        layout: the message with a `%s` for each of the arguments.
        args: names, places and numbers; no value of an option, connection, variable or secret.
    """
    logger = _logger or _find()
    if logger is not None and logger.isEnabledFor(level):
        logger.log(level, "%s", safe_text(layout % args))


def log_and_warn(text: str) -> None:
    """Log the text and warn with it: programs read one or the other."""
    log(WARNING, "%s", text)
    warn(text)


def log_and_show(text: str) -> None:
    """Log a warning. Whoever waits for a command or a page sees it as well; an application is not warned."""
    log(WARNING, "%s", text)
    if (listen := listener.get()) is not None:
        listen(safe_text(text))


def _find() -> logging.Logger | None:
    global _logger
    logging = sys.modules.get("logging")
    if hasattr(logging, "NullHandler"):  # else another thread is importing it right now
        logger: logging.Logger = logging.getLogger("framework")  # type: ignore[union-attr, name-defined]
        logger.addHandler(logging.NullHandler())  # type: ignore[union-attr] # else warnings go to stderr unasked
        _logger = logger
    return _logger


class Logins:
    """Logs that a backend has logged in. All backends are counted."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known = 0

    def log_new(self, link: str, backend: object) -> None:
        """Look at the count again.

        Args:
            link: the name of the link.
            backend: its backend, or None.
        """
        logins = getattr(backend, "logins", 0)
        if isinstance(logins, int) and logins != self._known:
            if logins > self._known:
                log(INFO, "%s: logged in%s", link, " again" if self._known else "")
            self._known = logins  # less in the child of a fork

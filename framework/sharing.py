"""The shared cache of an application, as its options say: `[secrets] shared_cache_url` and those beside it."""

from __future__ import annotations

from framework.chain.sealed import KEY_OPTION, MAKE_ONE, Sealed, opened
from framework.chain.server import Server
from framework.chain.shared import SharedCache
from framework.errors import BackendError, FrameworkError
from framework.locks import ProcessLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from framework.config import Config
    from framework.options.engine import Engine

    class HasOptions(Protocol):
        """An application."""

        conf: Config
        engine: Engine


class Sharing:
    """Makes the shared cache of each link, over one server.

    Args:
        app: has the options.
    """

    def __init__(self, app: HasOptions) -> None:
        self._app, self._lock = app, ProcessLock()
        self._opened: tuple[tuple[str, float], Server] | None = None

    def __call__(self, identity: str) -> SharedCache:
        """The shared cache of one link.

        Args:
            identity: of the link: the store, and who asks it.

        Raises:
            BackendError: an option is wrong, the key is missing, or the package `redis` is not installed.
            PointerError: a pointer leads nowhere.
        """
        names = ("cache_ttl_seconds", "negative_cache_ttl_seconds")
        ttl, negative, wait, lease = (
            float(self._app.conf.value("secrets", name))
            for name in (*names, "shared_cache_wait_seconds", "shared_cache_lease_seconds")
        )
        sealed = Sealed(self.key(), identity)
        return SharedCache(self.server(), sealed, ttl=ttl, negative=negative, wait=wait, lease=lease)

    def server(self) -> Server:
        """The server, one for all links. Raises: as a call."""
        url = str(self._app.conf.get("secrets", "shared_cache_url")).strip()
        seconds = float(self._app.conf.value("secrets", "shared_cache_timeout_seconds"))
        with self._lock:
            if self._opened is None or self._opened[0] != (url, seconds):
                try:
                    self._opened = (url, seconds), Server(url, seconds)
                except BackendError as fault:
                    raise self._placed(fault, "shared_cache_url") from None
            return self._opened[1]

    def key(self) -> str:
        """`[secrets] shared_cache_key`. Raises BackendError: it is not set, is not a key, or is the metastore's."""
        key = str(self._app.conf.get("secrets", "shared_cache_key")).strip()
        try:
            if not key:
                what = "[secrets] shared_cache_url is set, and the key of the entries is not"
                hint = f"{MAKE_ONE}, and give it to all processes of the fleet."
                raise BackendError(what, where=KEY_OPTION, hint=hint)
            opened(key)
            if key in self._keys_of_the_metastore():
                what = "it is [core] fernet_key, and must be another key, because more processes have it"
                raise BackendError(what, where=KEY_OPTION, hint=MAKE_ONE)
        except BackendError as fault:
            raise self._placed(fault, "shared_cache_key") from None
        return key

    def _keys_of_the_metastore(self) -> list[str]:
        """None if a command would have to be run for them, or a link to be asked, which may be the one being made."""
        mention = next(self._app.engine.mentions("core", "fernet_key"), None)
        if mention is None or mention.form in ("secret", "cmd"):
            return []
        try:
            return [key.strip() for key in str(self._app.conf.get("core", "fernet_key")).split(",")]
        except FrameworkError:  # reported where it is needed
            return []

    def _placed(self, fault: BackendError, key: str) -> BackendError:
        """The error with the place where its option is written."""
        mention = next(self._app.engine.mentions("secrets", key), None)
        where = fault.where if mention is None else f"{mention.origin}: {fault.where}"
        return BackendError(fault.what, where=where, hint=fault.hint)

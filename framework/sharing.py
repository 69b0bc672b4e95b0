"""The shared cache of an application, as its options say: `[secrets] shared_cache_url` and those beside it."""

from __future__ import annotations

from framework.chain.server import Server
from framework.chain.shared import KEY_OPTION, MAKE_ONE, Sealed, SharedCache
from framework.errors import BackendError
from framework.locks import ProcessLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from framework.config import Config


class Sharing:
    """Makes the shared cache of each link, over one server.

    Args:
        conf: has the options.
    """

    def __init__(self, conf: Config) -> None:
        self._conf, self._lock = conf, ProcessLock()
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
            float(self._conf.value("secrets", name))
            for name in (*names, "shared_cache_wait_seconds", "shared_cache_lease_seconds")
        )
        sealed = Sealed(key_of(self._conf), identity)
        return SharedCache(self.server(), sealed, ttl=ttl, negative=negative, wait=wait, lease=lease)

    def server(self) -> Server:
        """The server, one for all links. Raises: as a call."""
        url = str(self._conf.get("secrets", "shared_cache_url")).strip()
        seconds = float(self._conf.value("secrets", "shared_cache_timeout_seconds"))
        with self._lock:
            if self._opened is None or self._opened[0] != (url, seconds):
                self._opened = (url, seconds), Server(url, seconds)
            return self._opened[1]


def key_of(conf: Config) -> str:
    """`[secrets] shared_cache_key`. Raises BackendError: it is not set."""
    key = str(conf.get("secrets", "shared_cache_key")).strip()
    if not key:
        what = "[secrets] shared_cache_url is set, and the key of the entries is not"
        raise BackendError(what, where=KEY_OPTION, hint=f"{MAKE_ONE}, and give it to all processes of the fleet.")
    return key

"""What is stored in the shared cache: names that show nothing, and encrypted entries that say what they answer."""

from __future__ import annotations

from hashlib import sha256
from hmac import digest

from framework.errors import BackendError
from framework.lifetime import lifetime_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cryptography.fernet import Fernet

    from framework.chain.cache import Key

KEY_OPTION = "[secrets] shared_cache_key"
MAKE_ONE = "Create one with: python -m framework fernet generate"


class Sealed:
    """Names and entries of one link, which only processes with the same key and the same identity can make and read.

    Args:
        key: a Fernet key.
        identity: of the link: the store, and who asks it.

    Raises:
        BackendError: the key is not one.
    """

    __slots__ = ("_fernet", "_names", "_identity")

    def __init__(self, key: str, identity: str) -> None:
        self._fernet = opened(key)
        self._names = digest(key.strip().encode(), b"framework: names in the shared cache", "sha256")
        self._identity = sha256(identity.encode()).hexdigest()

    def name(self, key: Key) -> str:
        """Under which an answer is stored; it does not show what it is about."""
        from base64 import urlsafe_b64encode

        named = digest(self._names, _json([self._identity, *key]).encode(), "sha256")
        return f"framework:{urlsafe_b64encode(named).decode().rstrip('=')}"

    def lease(self, key: Key, what: str) -> bytes:
        """The content of a lease. Other programs cannot make one, so no process waits for them."""
        return digest(self._names, _json(["lease", what, self._identity, *key]).encode(), "sha256")

    def seal(self, key: Key, value: object, asked: float) -> bytes | None:
        """The entry for an answer; None if it cannot be one.

        Args:
            asked: when the store was asked, on the clock of `time.time`.
        """
        plain = _plain(value)
        if plain is None:
            return None
        return bytes(self._fernet.encrypt(_json({"w": [self._identity, *key], "t": asked, "x": plain}).encode()))

    def open(self, key: Key, entry: bytes) -> tuple[object, float] | None:
        """The answer and when it was asked for; None: the entry was not written for this question with this key."""
        import json

        from cryptography.fernet import InvalidToken

        try:
            found = json.loads(self._fernet.decrypt(entry))
            if found["w"] != [self._identity, *key]:
                return None
            return _value(key, found["x"]), float(found["t"])
        except (InvalidToken, ValueError, KeyError, TypeError, RecursionError):
            return None


def opened(key: str) -> Fernet:
    """The key. Raises BackendError: it is not one."""
    from base64 import urlsafe_b64decode, urlsafe_b64encode

    from cryptography.fernet import Fernet

    try:
        given = key.strip().encode()
        if urlsafe_b64encode(urlsafe_b64decode(given)) == given:  # others are read too, but have other names
            return Fernet(given)
    except ValueError:
        pass  # so that the error has no context
    what = "it is not 32 bytes as URL-safe base64"
    raise BackendError(what, where=KEY_OPTION, hint=MAKE_ONE)


def _plain(value: object) -> list[object] | None:
    """An answer as JSON; None if it is not one that others may have: an object of another class, such as one that has
    a lifetime of its own."""
    from framework.connection import FIELDS, Connection

    if lifetime_of(value) is not None:
        return None
    if type(value) is Connection:
        return ["connection", {name: getattr(value, name) for name in ("conn_id", *FIELDS)}]
    return ["value", value] if _is_json(value) else None


def _is_json(value: object) -> bool:
    if type(value) is dict:
        return all(type(name) is str and _is_json(inner) for name, inner in value.items())
    if type(value) is list:
        return all(map(_is_json, value))
    return value is None or type(value) in (str, bool, int, float)


def _value(key: Key, plain: list[Any]) -> object:
    kind, value = plain
    if (kind == "connection") != (key[0] == "connection" and value is not None):
        raise ValueError("an entry of another kind")
    if kind != "connection":
        return value
    from framework.connection import Connection

    return Connection(**value)


def _json(value: object) -> str:
    import json

    return json.dumps(value, separators=(",", ":"))

"""What is wrong with the options of the shared cache. Its server is not connected to."""

from __future__ import annotations

from framework.errors import FrameworkError
from framework.inspection.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from framework.app import App

_URL, _KEY = ("secrets", "shared_cache_url"), ("secrets", "shared_cache_key")


def problems_of_sharing(app: App, *, failed: Container[tuple[str, str]], offline: bool) -> Iterator[Problem]:
    """Everything that is wrong with the options of the shared cache, if it is used.

    Args:
        failed: options that have a problem already.
        offline: follow no pointer.
    """
    mentions = {name: next(app.engine.mentions(*name), None) for name in (_URL, _KEY)}
    place = mentions[_URL]
    if place is None or (not place.is_pointer and not str(place.raw).strip()) or _URL in failed:
        return
    pointers = {name for name, mention in mentions.items() if mention is not None and mention.is_pointer}
    if not app.conf.value("secrets", "use_cache") or not app.conf.value("secrets", "cache_ttl_seconds"):
        what = "[secrets] shared_cache_url has no effect, because use_cache and cache_ttl_seconds keep no answers"
        yield Problem("warning", "shared-cache", place.origin, what, _URL)
        return
    from framework.sharing import Sharing, key_of

    try:
        if not (offline and _URL in pointers):
            Sharing(app.conf).server()
    except FrameworkError as fault:
        yield Problem("error", "shared-cache", place.origin, str(fault), _URL)
    try:
        if _KEY not in failed and not (offline and _KEY in pointers):
            from framework.chain.shared import opened

            opened(key_of(app.conf))
            if not offline and _is_fernet_key(app):
                what = (
                    "[secrets] shared_cache_key is [core] fernet_key: make another one, because more processes have it"
                )
                yield Problem("error", "shared-cache", place.origin, what, _KEY)
    except FrameworkError as fault:
        yield Problem("error", "shared-cache", (mentions[_KEY] or place).origin, str(fault), _KEY)
    yield from _unshared(app, place.origin)


def _is_fernet_key(app: App) -> bool:
    from framework.sharing import key_of

    try:
        keys = str(app.conf.get("core", "fernet_key")).split(",")
    except FrameworkError:  # reported elsewhere
        return False
    return key_of(app.conf) in map(str.strip, keys)


def _unshared(app: App, where: str) -> Iterator[Problem]:
    """Links whose backend does not say who asks the store."""
    from framework.backends.base import BaseSecretsBackend
    from framework.backends.remote import RemoteBackend

    try:
        remote = [link for link in app.chain.custom if link.is_remote]
    except FrameworkError:  # reported with the links
        return
    if not remote:
        what = "[secrets] shared_cache_url has no effect, because no link asks another machine"
        yield Problem("warning", "shared-cache", where, what, _URL)
    for link in remote:
        made = link.backend_or_class()
        kind = made if isinstance(made, type) else type(made)
        says = getattr(kind, "identity", None) not in (None, BaseSecretsBackend.identity)
        if says and issubclass(kind, RemoteBackend) and kind.identity is RemoteBackend.identity:
            says = kind.who is not RemoteBackend.who
        if not says:
            what = f"nothing of {link.name} is in the shared cache, because {kind.__name__} has no method `identity`"
            yield Problem("warning", "shared-cache", where, what, _URL)

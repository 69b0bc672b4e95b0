"""What is wrong with the options of the shared cache, and whether its server can be used."""

from __future__ import annotations

from framework.errors import BackendError, BackendUnavailable, FrameworkError
from framework.inspection.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from framework.app import App
    from framework.sharing import Sharing

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
    from framework.sharing import Sharing

    sharing = Sharing(app)
    for name, check in ((_URL, lambda: _unusable(sharing, offline=offline)), (_KEY, sharing.key)):
        if name in failed or (offline and name in pointers):
            continue
        try:
            check()
        except BackendError as fault:
            where = (mentions[name] or place).origin
            yield Problem("error", "shared-cache", where, f"[{name[0]}] {name[1]}: {fault.what}. {fault.hint}", name)
        except BackendUnavailable as fault:
            yield Problem("warning", "shared-cache", place.origin, fault.what, name)
        except FrameworkError:
            pass  # of an option, and reported with it
    yield from _unshared(app, place.origin)


def _unusable(sharing: Sharing, *, offline: bool) -> None:
    """Raises BackendUnavailable: the server cannot be used."""
    server = sharing.server()
    if not offline and (state := server.tried()) != "ok":
        raise BackendUnavailable(f"the shared cache is {state}, so every process asks the stores itself")


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

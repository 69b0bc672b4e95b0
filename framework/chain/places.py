"""For messages: what a link's store was asked for, and what is wrong with a name that repeats a prefix."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from framework.chain.link import Link


def shown_with_places(link: Link, kind: str, key: str) -> str:
    """The link and what its store was asked for, so that a wrong prefix is visible."""
    places = _places(link, kind, key)
    return f"{link.name} ({', '.join(places)})" if places else link.name


def mistake(link: Link, kind: str, key: str) -> str:
    """A sentence about a name that already holds the link's prefix; else empty."""
    find_mistake = getattr(link.backend, "mistake", None) if link.custom else None
    if find_mistake is not None and (found := find_mistake(kind, key)):
        return str(found)
    probe = "x"  # the key itself may be a name that the store refuses
    for start in {place[:-1] for place in _places(link, kind, probe) if place.endswith(probe)} - {""}:
        prefix, rest = _split(key, start)
        if rest:
            return f"The name already holds {prefix}, which {link.name} puts before it: write {rest}."
    return ""


def _places(link: Link, kind: str, key: str) -> list[str]:
    """The names in the store, if the backend can tell."""
    places = getattr(link.backend, "places", None)
    return [] if places is None else list(places(kind, key))


def _split(key: str, start: str) -> tuple[str, str]:
    """The store's prefix in a key, whole or its last folders, and what follows it; empty if it is not there.

    It may also be inside of a longer path, such as `projects/p/secrets/START…/versions/1`.
    """
    whole = prefix = start.lstrip("/")
    while prefix:
        if key.lstrip("/").startswith(prefix):
            return prefix, key.lstrip("/").removeprefix(prefix)
        prefix = prefix.partition("/")[2]
    return whole, key.partition(f"/{whole}")[2].partition("/versions/")[0]

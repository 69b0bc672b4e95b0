"""What a link's store was asked for, and what is wrong with a name that is more than a name: for messages."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from framework.chain.link import Link


def asked(link: Link, kind: str, key: str) -> str:
    """The link, and what its store was asked for, so that a wrong prefix is seen."""
    places = _places(link, kind, key)
    return f"{link.name} ({', '.join(places)})" if places else link.name


def mistake(link: Link, kind: str, key: str) -> str:
    """A sentence on a name that holds what the link puts before every name; or empty."""
    own: Any = getattr(link.backend, "mistake", None) if link.custom else None
    if own is not None and (found := own(kind, key)):
        return str(found)
    probe = "x"  # the key itself may be what the store cannot have
    for start in {place[:-1] for place in _places(link, kind, probe) if place.endswith(probe)} - {""}:
        begin, rest = _split(key, start)
        if rest:
            return f"The name already holds {begin}, which {link.name} puts before it: write {rest}."
    return ""


def _places(link: Link, kind: str, key: str) -> list[str]:
    """As far as the backend says it."""
    places: Any = getattr(link.backend, "places", None)
    return [] if places is None else list(places(kind, key))


def _split(key: str, start: str) -> tuple[str, str]:
    """The start of the store's names in a key, whole or its last folders, and what follows; empty if it is not there.

    It may also stand inside of a longer path, such as `projects/p/secrets/START…/versions/1`.
    """
    whole = begin = start.lstrip("/")
    while begin:
        if key.lstrip("/").startswith(begin):
            return begin, key.lstrip("/").removeprefix(begin)
        begin = begin.partition("/")[2]
    return whole, key.partition(f"/{whole}")[2].partition("/versions/")[0]

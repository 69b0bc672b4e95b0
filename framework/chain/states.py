"""The state of a link: for one name, for `explain`, and in numbers, for `stats`. No value is shown."""

from __future__ import annotations

from framework.errors import AccessDenied, BackendUnavailable, FrameworkError, IssuedOnUse
from framework.lifetime import Looking
from framework.masking import REPLACEMENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from framework.chain.link import Link


def state_of(link: Link, kind: str, key: str, since: float | None) -> str:
    """Why a link does not have the value; empty if it has it."""
    if not link.serves(kind):
        return "does not serve this kind"
    with Looking():
        value = link.ask(kind, key, since=since)
    if not link.serves(kind):  # it raised NotImplementedError
        return "does not serve this kind"
    if not link.asks_for(kind, key):
        return "is never asked for it"
    return "absent" if value is None else ""


def has(link: Link, kind: str, key: str) -> bool:
    """Whether a link has a value, or would have one issued."""
    try:
        with Looking():
            return link.ask(kind, key) is not None
    except IssuedOnUse:
        return True


def failed(fault: FrameworkError) -> str:
    if isinstance(fault, IssuedOnUse):
        return "issued on use"
    return f"{_STATES.get(type(fault), 'invalid')}: {fault}"


_STATES: dict[type, str] = {AccessDenied: "denied", BackendUnavailable: "unavailable"}


def age_of(link: Link, kind: str, key: str, ago: float) -> str:
    """How old the answer was that the link had kept when it was asked, so many seconds ago."""
    age = link.cache.age((kind, key, None))
    if age is None:
        return ""
    age = max(0.0, age - ago)
    if (kind, key, None) in link.cache.shared:
        return f" (in the shared cache, asked for {age:.0f} s ago)"
    return "" if age < 1 else f" (kept for {age:.0f} s)"


def stats_of(link: Link, unshown: Container[str]) -> dict[str, object]:
    """How often a link was asked so far, and how that ended.

    Args:
        unshown: names that must not be shown.
    """
    misses = link.cache.misses.copy()  # other threads go on asking
    most = sorted(misses, key=misses.__getitem__, reverse=True)[:5]
    shown = (f"{REPLACEMENT if name in unshown else name} ({misses[name]})" for name in most)
    return {
        "link": link.name,
        "state": link.cache.state,
        **link.cache.counts,
        "kept": len(link.cache),
        "logins": getattr(link.built, "logins", None),
        "most missed": ", ".join(shown),
        **link.sharing_counts,
    }

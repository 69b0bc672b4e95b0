"""The message where no link has a name: what each store was asked for, and what may be wrong with the name."""

from __future__ import annotations

from framework.errors import ConnectionNotFound, NotFound, VariableNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from framework.chain.link import Link


_NOT_FOUND = {"connection": ConnectionNotFound, "variable": VariableNotFound, "config": NotFound}


def not_found(
    kind: str,
    key: str,
    version: str | None,
    asked: list[Link],
    every: list[Link],
    *,
    ceiling: int,
    allowed: list[str],
    note: str,
) -> NotFound:
    """The error where no link has a name: which were asked, for what, and why the others were not.

    Args:
        asked: the links that were asked.
        every: all links of the chain.
        ceiling: only links below this level could be asked.
        allowed: `[secrets] config_links`, where it counts.
        note: a sentence for the end.
    """
    what = f"{'secret' if kind == 'config' else kind} {key!r} not found"
    what += f" in version {version}" if version is not None else ""
    serving = [link for link in asked if link.serves(kind)]
    asking = [link for link in serving if link.asks_for(kind, key)]
    names = ", ".join(shown_with_places(link, kind, key) for link in asking) or "no link"
    plain = ", ".join(link.name for link in asking) or "no link"
    reasons = [
        f"{link.name} is never asked for it, because its kwargs exclude it." for link in serving if link not in asking
    ]
    reasons += _reasons(version, asked, every, ceiling, allowed)
    reasons += filter(None, (mistake(link, kind, key) for link in serving))
    hint = f"{' '.join(reasons) or 'Check its name, or create it.'} {note}".rstrip()
    fault = _NOT_FOUND[kind](f"{what} (asked: {names})", hint=hint)
    fault.plain = f"{what} (asked: {plain})"
    return fault


def _reasons(
    version: str | None, asked: list[Link], every: list[Link], ceiling: int, allowed: list[str]
) -> Iterator[str]:
    """Why the other links were not asked."""
    above = [link for link in every if link.level >= ceiling]
    for link in above:
        if link.level == ceiling:
            others = ", ".join(other.name for other in above if other is not link)
            later = f", nor are those that come after it: {others}" if others else ""
            yield f"This is for the link {link.name} itself, so it is not asked{later}."
    rest = [link.name for link in every if link not in asked and link not in above]
    if rest and allowed:
        named = {name.lower() for name in allowed}
        forbidden = [name for name in rest if name.lower() not in named]
        rest = [name for name in rest if name not in forbidden]
        if forbidden:
            yield f"[secrets] config_links leaves out {', '.join(forbidden)}."
    if rest and version is not None:
        yield f"No versions are kept by {', '.join(rest)}: leave out ?version."


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

    It may also be inside a longer path, such as `projects/p/secrets/START…/versions/1`.
    """
    whole = prefix = start.lstrip("/")
    while prefix:
        if key.lstrip("/").startswith(prefix):
            return prefix, key.lstrip("/").removeprefix(prefix)
        prefix = prefix.partition("/")[2]
    return whole, key.partition(f"/{whole}")[2].partition("/versions/")[0]

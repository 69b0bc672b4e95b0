"""The pages about names: what each link lists, who answers, what is shadowed. And what all pages with lists share."""

from __future__ import annotations

from framework.errors import FrameworkError
from framework.inspection.listing import WORDS
from framework.masking.search import visible
from framework.web.explorer import Explorer, failure_word
from framework.web.handles import handle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, TypeVar

    from framework.options.values import Mention

    Query = dict[str, str]
    Row = TypeVar("Row")

#: How many rows one page has.
_ROWS = 100


def status(explorer: Explorer, kind: str) -> list[dict[str, Any]]:
    """For each link how its list of one kind is."""
    found = []
    for link, job in explorer.lists(kind):
        one, row = job.outcome, {"link": link.name, "seconds": round(job.seconds, 3), "names": None, "why": None}
        if not job.done or one is None:
            row["state"] = "failed" if job.done else "listing"
            row["why"] = message_of(explorer, job.failure)
        elif one.failure is not None:
            row |= {"state": "failed", "why": explorer.text(one.failure), "word": failure_word(one.failure)}
        elif one.names is None:
            row["state"] = "cannot list"
        else:
            row |= {"state": "listed", "names": len(one.names)}
        row["age"] = round(job.age, 1) if job.done else None
        found.append(row)
    return found


def names(explorer: Explorer, query: Query, kind: str) -> dict[str, object]:
    """The names of one kind: which link answers, and which are shadowed."""
    if "name" in query:
        return name(explorer, query, kind)
    is_busy = busy(explorer, [kind])
    word, of_link, state = query.get("q", "").lower(), query.get("link", ""), query.get("state", "")
    found = []
    for entry in explorer.entries[kind]:
        if word and word not in entry.name.lower():
            continue
        if (entry.link.name != of_link) if of_link else (entry.shadowed_by is not None):
            continue
        if state == "shadowed" and not (entry.shadows or entry.shadowed_by):
            continue
        if state == "unsure" and not entry.unsure:
            continue
        found.append(entry)
    page, part = part_of(found, query)
    by_link = status(explorer, kind)
    return {
        **found_by(query, page, len(found)),
        "kind": kind,
        "words": WORDS[kind],
        "links": by_link,
        "rows": [
            {
                "name": visible(entry.name),
                "handle": handle(entry.name),
                "answers": entry.shadowed_by or entry.link.name,
                "unsure": list(entry.unsure),
                "shadowed_in": [entry.link.name] if entry.shadowed_by else entry.shadows,
            }
            for entry in part
        ],
        "so_far": any(row["state"] == "listing" for row in by_link),
        "chain_failed": message_of(explorer, explorer.chain().failure),
        "write": explorer.write and kind != "config",
        "busy": is_busy,
    }


def name(explorer: Explorer, query: Query, kind: str) -> dict[str, object]:
    """One name: what each link's list says of it, and what may be done with it."""
    key, links = query["name"], []
    asked = explorer.jobs.get(explorer.key("ask", kind, key))
    is_asking = asked is not None and not asked.done
    is_busy = busy(explorer, [kind]) or is_asking
    by_link = status(explorer, kind)
    entries = {entry.link.name: entry for entry in explorer.entries[kind] if entry.name.upper() == key.upper()}
    answers: dict[str, str] = {}
    if asked is not None:
        answers = {step["link"]: step["state"] for step in asked.steps} | dict(asked.outcome or ())
    for row in by_link:
        entry = entries.get(row["link"])
        has = entry is not None and (entry.name == key or entry.link.role == "environment")
        states = {"listed": "has it" if has else "is not in its list", "listing": "is still listing"}
        links.append(
            {
                "link": row["link"],
                "list": states.get(row["state"], row["state"]),
                "why": row["why"],
                "now": answers.get(row["link"]) or ("asking" if is_asking else None),
            }
        )
    used = [
        {"section": section, "key": option}
        for section, option, mention in _pointers(explorer)
        if kind == "config" and (found := explorer.app.engine.reference_of(mention)) is not None and found.name == key
    ]
    word = WORDS[kind][0]
    flag = {"connection": "--connection", "variable": "--variable"}.get(kind)
    from shlex import quote

    command = f"{explorer.command} explain {flag} {quote(visible(key))}" if flag else None
    return {
        "kind": kind,
        "words": WORDS[kind],
        "name": visible(key),
        "handle": handle(key),
        "title": f"{word} {visible(key)}",
        "links": links,
        "used": used,
        "asked": None if asked is None or is_asking else round(asked.age, 1),
        "command": command,
        "write": explorer.write and kind != "config",
        "in_metastore": any(entry.link.role == "metastore" and entry.name == key for entry in entries.values()),
        "busy": is_busy,
    }


def _pointers(explorer: Explorer) -> Iterator[tuple[str, str, Mention]]:
    """The options whose first mention names a secret."""
    engine = explorer.app.engine
    for section, key in engine.entries():
        mention = next(engine.mentions(section, key), None)
        if mention is not None and mention.form == "secret":
            yield section, key, mention


def message_of(explorer: Explorer, fault: FrameworkError | None) -> str | None:
    return None if fault is None else explorer.text(fault)


def busy(explorer: Explorer, kinds: Iterable[str]) -> bool:
    """Whether something is still under way that this page shows.

    A page asks before it looks at anything else: what ends while it is made may be missing on it, so it is made again.
    """
    chain = explorer.chain()
    return not chain.done or any(not job.done for kind in kinds for _, job in explorer.lists(kind))


def part_of(found: list[Row], query: Query) -> tuple[int, list[Row]]:
    """The number of the page, and its rows."""
    last = max(1, -(-len(found) // _ROWS))
    page = int(query["page"]) if query.get("page", "").isdecimal() and len(query["page"]) < 9 else 1
    page = min(max(page, 1), last)
    return page, found[(page - 1) * _ROWS : page * _ROWS]


def found_by(query: Query, page: int, number: int) -> dict[str, object]:
    wanted = {name: visible(query.get(name, "")) for name in ("q", "layer", "link", "state")}
    return {
        "query": wanted,
        "filtered": any(wanted.values()),
        "page": page,
        "pages": max(1, -(-number // _ROWS)),
        "found": number,
    }

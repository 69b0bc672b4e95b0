"""What each page shows, as data: a template draws it, and `PATH.json` is it."""

from __future__ import annotations

import os
from time import localtime, strftime, time

from framework import errors
from framework.chain.states import stats_of
from framework.convert import to_text
from framework.errors import FrameworkError
from framework.inspection.listing import WORDS
from framework.inspection.rows import declared_facts, looked_for, rows
from framework.inspection.snapshot import may_be_shown
from framework.masking import redact_text
from framework.masking.search import visible
from framework.masking.shown import HIDDEN, shown
from framework.options.values import pointer_text
from framework.web.explorer import PAGES, Explorer
from framework.web.handles import handle
from framework.web.lists import busy, found_by, message_of, part_of, status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from framework.options.values import Mention

    Query = dict[str, str]

#: A link that lists for longer than this is named in the headline.
_SLOW = 1.0


def overview(explorer: Explorer, query: Query) -> dict[str, object]:
    """The start page: whether all is well, what is wrong, and the chain."""
    check = explorer.check()
    is_checked, is_busy = check.done, busy(explorer, PAGES)
    found = check.outcome or []
    counts = {level: sum(row["level"] == level for row in found) for level in ("error", "warning", "note")}
    chain = explorer.chain()
    boxes: dict[str, dict[str, Any]] = {}
    for link in explorer.links():
        boxes[link.name] = {"link": link.name, "role": link.role, "class": chain.outcome["classes"][link.name]}
        boxes[link.name]["counts"] = []
    quiet, unlisted = [], []
    for kind, page in PAGES.items():
        for row in status(explorer, kind):
            if row["link"] in boxes:
                boxes[row["link"]]["counts"].append({**row, "page": page, "word": WORDS[kind][1]})
            if row["state"] == "failed" or (row["state"] == "listing" and row["seconds"] > _SLOW):
                quiet.append(row["link"])
            elif row["state"] == "cannot list":
                unlisted.append(row["link"])
    total = list(explorer.app.engine.entries())
    return {
        "checked": is_checked,
        "check_failed": message_of(explorer, check.failure),
        "stores_checked": explorer.stores_checked,
        "counts": counts,
        "quiet": list(dict.fromkeys(quiet)),
        "unlisted": list(dict.fromkeys(unlisted)),
        "chain_failed": message_of(explorer, chain.failure),
        "well": is_checked and not (check.failure or chain.failure or counts["error"] or counts["warning"] or quiet),
        "problems": [row for row in found if row["level"] != "note"][:8],
        "chain": list(boxes.values()),
        "options": len(total),
        "files": files(explorer),
        "busy": is_busy or not is_checked,
    }


def files(explorer: Explorer) -> list[dict[str, bool | str | None]]:
    """Every file that was looked for, and whether it was changed since it was read."""
    found = []
    for kind, path, is_there in looked_for(explorer.app):
        try:
            changed: float | None = os.stat(path).st_mtime
        except (OSError, ValueError):
            changed = None
        state = "found" if is_there and changed is not None else "absent"
        is_newer = changed is not None and changed > explorer.reading.at
        if is_there and changed is None:
            state = "gone"
        found.append(
            {
                "kind": kind,
                "path": explorer.place(path),
                "state": state,
                "changed": None if changed is None else strftime("%Y-%m-%d %H:%M:%S", localtime(changed)),
                "newer": is_newer,
            }
        )
    return found


def options(explorer: Explorer, query: Query) -> dict[str, object]:
    """Every option with its value and its place. No pointer is followed."""
    is_busy = not explorer.check().done
    failing = _failing(explorer)
    words, layer, state = query.get("q", "").lower().split(), query.get("layer", ""), query.get("state", "")
    found, layers = [], dict[str, None]()
    for row in rows(explorer.app, offline=True):
        layers[row.mention.layer] = None
        name = (row.section, row.key)
        if layer and row.mention.layer != layer:
            continue
        if state == "changed" and row.mention.layer == "default":
            continue
        if state == "fails" and name not in failing and row.error is None:
            continue
        is_secret = row.hidden or row.mention.is_pointer
        if state == "secret" and not is_secret:
            continue
        if words:
            text = f"[{row.section}] {row.key} {explorer.place(row.mention.origin)}"
            text = f"{text} {'' if is_secret else row.text or ''}".lower()
            if not all(word in text for word in words):
                continue
        times = sum(mention.layer != "default" for mention in explorer.app.engine.mentions(*name))
        if state == "contested" and times < 2:
            continue
        found.append((row, times))
    page, part = part_of(found, query)
    shown_rows = [
        {
            "section": row.section,
            "key": row.key,
            "value": None if row.mention.is_pointer else visible(row.text or ""),
            "hidden": row.hidden,
            "pointer": _pointer(explorer, row.mention),
            "layer": row.mention.layer,
            "from": explorer.place(row.origin),
            "times": times,
            "error": message_of(explorer, row.error) or failing.get((row.section, row.key)),
        }
        for row, times in part
    ]
    return {
        **found_by(query, page, len(found)),
        "rows": shown_rows,
        "layers": list(layers),
        "busy": is_busy,
    }


def option(explorer: Explorer, query: Query) -> dict[str, object]:
    """One option: its value or the way to it, problems, every place where it is set, and how to change it."""
    is_busy = not explorer.check().done
    app, section, key = explorer.app, query.get("section", "").lower(), query.get("key", "").lower()
    section, key = app.engine.current_name(section, key)
    app.schema.describe()
    declared = app.schema.option(section, key)
    mentions = list(app.engine.mentions(section, key))
    first = mentions[0] if mentions else None
    row = next((row for row in rows(app, section=section, offline=True) if row.key == key), None)
    problems = [one for one in explorer.check().outcome or [] if (one["section"], one["key"]) == (section, key)]
    return {
        "section": section,
        "key": key,
        "handle": handle(f"{section}\n{key}"),
        "set": first is not None,
        "value": None if row is None or row.hidden or first is None or first.is_pointer else row.text,
        "hidden": row is not None and (row.hidden or row.mention.is_pointer),
        "error": None if row is None else message_of(explorer, row.error),
        "pointer": None if first is None else _pointer(explorer, first),
        "problems": problems,
        "mentions": [_mention(explorer, mention) for mention in mentions],
        "declared": None if declared is None else ", ".join(map(visible, declared_facts(app, declared))),
        "description": None if declared is None else visible(declared.description or "", keep="\n"),
        "example": None if declared is None or not declared.example else visible(str(declared.example)),
        "variable": app.names.option(section, key),
        "file": explorer.place(app.main_file()[0]),
        "command": f"{explorer.command} explain {section} {key}",
        "busy": is_busy,
    }


def _mention(explorer: Explorer, mention: Mention) -> dict[str, object]:
    app = explorer.app
    hides = mention.is_pointer or app.engine.is_hidden(mention.section, mention.key)
    return {
        "layer": mention.layer,
        "where": explorer.place(mention.origin),
        "old_name": f"[{mention.name[0]}] {mention.name[1]}" if mention.is_old_name else None,
        "form": mention.form,
        "written": (_pointer(explorer, mention) or {}).get("to") if mention.is_pointer else _raw(mention, hides),
    }


def _raw(mention: Mention, hides: bool) -> str:
    """What is written there, masked."""
    if hides:
        return HIDDEN
    try:
        return visible(to_text(shown(mention.raw)))
    except ValueError:  # a table with what has no text
        return "a table"


def _pointer(explorer: Explorer, mention: Mention) -> dict[str, object] | None:
    """What a pointer leads to, as far as that may be shown; None for a plain value."""
    if not mention.is_pointer:
        return None
    app, kept = explorer.app, explorer.app.engine.followed(mention)
    to, secret = HIDDEN, None
    try:
        if may_be_shown(app, (mention.section, mention.key), mention):
            to = visible(redact_text(pointer_text(mention)))
            reference = app.engine.reference_of(mention) if mention.form == "secret" else None
            secret = None if reference is None else handle(reference.name)
    except FrameworkError as fault:
        to = explorer.text(fault)
    return {"form": mention.form, "to": to, "secret": secret, "link": None if kept is None else kept.link}


def links(explorer: Explorer, query: Query) -> dict[str, object]:
    """Every link: what it is, how its lists went, what it was asked."""
    is_busy = busy(explorer, PAGES)
    job, found = explorer.chain(), []
    lists = {kind: {row["link"]: row for row in status(explorer, kind)} for kind in PAGES}
    for link in explorer.links():
        stats, of_kinds = stats_of(link, explorer.app.chain.unshown), {}
        for kind, by_link in lists.items():
            if link.name in by_link:
                of_kinds[WORDS[kind][1]] = by_link[link.name]
        oldest = link.cache.oldest
        found.append(
            {
                "link": link.name,
                "role": link.role,
                "class": job.outcome["classes"][link.name],
                "lists": of_kinds,
                "failure": next((row["why"] for row in of_kinds.values() if row["why"]), None),
                "state": stats["state"],
                **{word: stats[word] for word in ("calls", "hits", "absent", "failures", "stale", "kept")},
                "oldest": None if oldest is None else round(oldest),
            }
        )
    return {"links": found, "chain_failed": message_of(explorer, job.failure), "busy": is_busy}


def problems(explorer: Explorer, query: Query) -> dict[str, object]:
    """Everything that is wrong, errors first."""
    check = explorer.check()
    is_checked = check.done
    return {
        "checked": is_checked,
        "failed": message_of(explorer, check.failure),
        "stores": explorer.stores_checked,
        "seconds": round(check.seconds, 1),
        "rows": check.outcome or [],
        "busy": not is_checked,
    }


def plan(explorer: Explorer, query: Query) -> dict[str, object]:
    """What will be run, read and asked to resolve every pointer that was not followed yet."""
    job = explorer.plan()
    is_busy = not job.done
    calls = [{name: visible(str(text)) for name, text in row.items()} for row in job.outcome or []]
    pointers = []
    for row in rows(explorer.app, offline=True):
        if row.mention.is_pointer:
            found = {"section": row.section, "key": row.key, "where": explorer.place(row.mention.origin)}
            pointers.append({**found, "pointer": _pointer(explorer, row.mention)})
    return {
        "calls": calls,
        "pointers": pointers,
        "failed": message_of(explorer, job.failure),
        "busy": is_busy,
    }


def log(explorer: Explorer, query: Query) -> dict[str, object]:
    """What was shown, tested and changed here."""
    return {"rows": [{**row, "name": visible(row["name"])} for row in explorer.log], "busy": False}


def _failing(explorer: Explorer) -> dict[tuple[str, str], str]:
    """The errors that `check` found, by option."""
    found: dict[tuple[str, str], str] = {}
    for row in explorer.check().outcome or []:
        if row["level"] == "error" and row["section"] is not None:
            found.setdefault((row["section"], row["key"]), row["what"])
    return found


def quietly(make: Callable[[], Mapping[str, object]]) -> dict[str, Any]:
    """Make the data of a page; what it warns of is on the page about problems."""
    token = errors.listener.set(lambda message: None)
    try:
        return {**make(), "made": strftime("%H:%M:%S", localtime(time()))}
    finally:
        errors.listener.reset(token)

"""What differs from a configuration that was saved: a snapshot, or the output of `dump --format json`."""

from __future__ import annotations

from framework.convert import to_text
from framework.errors import ConfigFileError, FrameworkError
from framework.inspection.difference import DIFFERENT, LEFT, RIGHT, SAME, UNKNOWN, differences
from framework.inspection.rows import NOT_FOLLOWED, rows
from framework.inspection.snapshot import Entry, Snapshot, read, taken
from framework.masking.search import visible
from framework.masking.shown import HIDDEN, shown
from framework.web.explorer import Explorer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WORDS = {
    DIFFERENT: "different",
    LEFT: "only in the file",
    RIGHT: "only here",
    UNKNOWN: "not known",
}


def nothing() -> dict[str, object]:
    """The page before a file is chosen."""
    return {"rows": None, "same": 0, "failed": None, "busy": False}


def compared(explorer: Explorer, text: str) -> dict[str, object]:
    """What differs, or why the file cannot be compared."""
    try:
        sides = _sides(explorer, text)
        found = list(differences(*sides))
    except FrameworkError as fault:
        return {**nothing(), "failed": explorer.text(fault)}
    rows = []
    for one in found:
        if one.state != SAME:
            row: dict[str, Any] = {"section": visible(one.section), "key": visible(one.key), "state": _WORDS[one.state]}
            row |= {"left": _side(explorer, one.left), "right": _side(explorer, one.right), "why": visible(one.why)}
            rows.append(row)
    return {"rows": rows, "same": sum(one.state == SAME for one in found), "failed": None, "busy": False}


def _sides(explorer: Explorer, text: str) -> tuple[Snapshot, Snapshot]:
    """The file, and what is here, read in the same way."""
    import json

    try:
        saved = json.loads(text)
    except (ValueError, RecursionError):
        saved = None
    if isinstance(saved, dict) and "format" in saved:
        return read(text, "the file"), taken(explorer.app, "here")
    if not isinstance(saved, dict) or not all(isinstance(keys, dict) for keys in saved.values()):
        hint = "Choose one that `snapshot -o FILE` or `dump --format json` has written."
        raise ConfigFileError("it is neither a snapshot nor a dump in JSON", where="the file", hint=hint)
    there = {
        (section, key): _entry(explorer, (section, key), value)
        for section, keys in saved.items()
        for key, value in keys.items()
        if section not in ("connections", "variables", "files")
    }
    here = {}
    for row in rows(explorer.app, own=False, offline=True):
        entry = here[row.section, row.key] = _entry(explorer, (row.section, row.key), row.value)
        entry.origin = row.origin
        if row.redacted and entry.has_value:  # both may differ in what is hidden
            entry.fails, entry.sensitive = "a part of the value is hidden", True
    name = explorer.app.name
    return Snapshot("the file", name, there, None, resolved=True), Snapshot("here", name, here, None, resolved=True)


def _entry(explorer: Explorer, name: tuple[str, str], value: object) -> Entry:
    fields = value if isinstance(value, dict) and "value" in value and "origin" in value else {"value": value}
    entry = Entry(str(fields.get("origin", "")), "plain", sensitive=explorer.app.engine.is_hidden(*name))
    if fields.get("error"):
        entry.fails = "it failed when the file was written"
    elif fields.get("redacted") or fields["value"] in (HIDDEN, NOT_FOLLOWED, None):
        entry.fails, entry.sensitive = "the value is hidden", True
    else:
        entry.value, entry.has_value = fields["value"], True
    return entry


def _side(explorer: Explorer, entry: Entry | None) -> str | None:
    """The value, if it may be shown."""
    if entry is None:
        return None
    if entry.sensitive:
        return HIDDEN
    if entry.has_value:
        return visible(to_text(shown(entry.value)))
    return explorer.place(entry.place)

"""`config lint` and `config update`: older names, older values, and options that have no effect."""

from __future__ import annotations

from framework.cli.edit import CfgText, edit
from framework.cli.output import NO, OK, print_message, short, show
from framework.errors import ConfigError, ConfigFileError
from framework.masking.search import counted
from framework.masking.shown import shown
from framework.masking.wording import redact_message
from framework.options.notices import nearest
from framework.options.own import is_backend_kwarg
from framework.schemas.facts import table as packaged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from framework.app import App
    from framework.options.values import Mention
    from framework.parsing import Table


class Finding:
    """One setting that should be removed or written differently.

    Attributes:
        kind: `renamed`, `outdated` (its value), `deprecated`, `undeclared`, `old value` (best left out), `changed
            default` (its value is the old one) or `invalid` (its value is refused).
        mention: where it is written.
        what: what is wrong with it, a clause.
        value: today's value, of an outdated one or a changed default.
    """

    __slots__ = ("kind", "mention", "what", "value")

    def __init__(self, kind: str, mention: Mention, what: str, value: str = "") -> None:
        self.kind, self.mention, self.what, self.value = kind, mention, what, value

    @property
    def written(self) -> tuple[str, str]:
        """Section and key as they are written, with the form of a pointer."""
        section, key = self.mention.name
        return section, key if self.mention.form == "plain" else f"{key}_{self.mention.form}"

    @property
    def origin(self) -> str:
        return short(self.mention.origin)


class _Selection:
    """The sections and options that the flags name."""

    def __init__(self, args: Namespace) -> None:
        self.sections, self.options = _names(args.section), _names(args.option)
        self.ignored_sections, self.ignored_options = _names(args.ignore_section), _names(args.ignore_option)

    def has(self, finding: Finding) -> bool:
        mention = finding.mention
        sections = {mention.section, mention.name[0]}
        options = {mention.key, mention.name[1], finding.written[1]}
        return (
            (not self.sections or bool(self.sections & sections))
            and (not self.options or bool(self.options & options))
            and not self.ignored_sections & sections
            and not self.ignored_options & options
        )


def _names(text: str | None) -> set[str]:
    return {name.strip().lower() for name in (text or "").split(",") if name.strip()}


def lint(app: App, args: Namespace) -> int:
    """List the findings; exit status 1 if there are any."""
    found = _selected(app, args)
    if args.output == "table":
        for finding in found:
            print(f"{finding.origin}: {short(finding.what)}")
    else:
        rows = [_row(finding) for finding in found]
        show(rows, ("origin", "section", "option", "kind", "problem"), args.output)
    if found:
        main = any(finding.mention.layer == "main cfg" for finding in found)
        print_message(f"{len(found)} found" + ("; `config update` shows what it would change" if main else ""))
    else:
        print_message("nothing is renamed, outdated or removed")
    return NO if found else OK


def _row(finding: Finding) -> dict[str, object]:
    section, option = finding.written
    return {
        "origin": finding.origin,
        "section": section,
        "option": option,
        "kind": finding.kind,
        "problem": finding.what,
    }


def _selected(app: App, args: Namespace) -> list[Finding]:
    _learn(app)
    chosen = _Selection(args)
    every = list(findings(app))
    found = [finding for finding in every if chosen.has(finding)]
    if args.verbose:
        for what in ("section", "option"):
            names = getattr(args, f"ignore_{what}")
            print_message(f"ignored {what}s: {names or 'none'}")
        print_message(f"left out: {len(every) - len(found)} of {counted(len(every), 'finding')}")
    return found


def _learn(app: App) -> None:
    """Add the options of older versions of the application, if a list of them is packaged."""
    table, path = packaged(app.name, "older")
    if table:
        app.engine.supplement(table, path)


def findings(app: App) -> Iterator[Finding]:
    """All findings, in every layer that a person writes. No secret is shown, nothing is run."""
    rules, _ = packaged(app.name, "values")
    for section, key in app.engine.entries():
        for mention in app.engine.mentions(section, key):
            if mention.layer not in ("default", "override"):
                of_value = _of_value(mention, rules.get(section, {}).get(key, {}))
                yield from _of(app, mention, of_value)


def _of_value(mention: Mention, rules: Table) -> Finding | None:
    """The finding about the value itself, by the rules for its option."""
    if not rules or mention.form != "plain" or not isinstance(mention.raw, str):
        return None
    text, name = _unexpanded(mention).strip(), f"[{mention.section}] {mention.key}"
    if text in rules.get("old_values", ()):
        what = f"the value of {name} belongs to an older version: leave it out, so that today's default counts"
        return Finding("old value", mention, what)
    if text in rules.get("invalid", ()):
        return Finding("invalid", mention, f"the value {text!r} of {name} is refused: {rules['invalid'][text]}")
    changed = rules.get("default_changed")
    if changed and _means(text, changed["old"]):
        what = f"the default of {name} was {changed['old']} and is {changed['new']} now; the old one is written here"
        return Finding("changed default", mention, what, changed["new"])
    return None


def _means(text: str, default: str) -> bool:
    """Whether a text equals a default, in any of the ways to write a boolean."""
    from framework.convert import to_bool

    try:
        return to_bool(text) == to_bool(default)
    except ValueError:
        return text == default


def _of(app: App, mention: Mention, of_value: Finding | None) -> Iterator[Finding]:
    section, key = mention.section, mention.key
    option = app.schema.option(section, key)
    if of_value is not None:
        yield of_value
        if of_value.kind == "old value":
            return  # it is removed, so other findings do not matter
    if mention.is_old_name:
        since = next((s for *name, s in app.schema.old_names(section, key) if tuple(name) == mention.name), "")
        old = f"[{mention.name[0]}] {mention.name[1]}"
        yield Finding(
            "renamed", mention, f"{old} is now called [{section}] {key}" + (f" (since {since})" if since else "")
        )
    if option is None:
        if app.schema.is_open(section):
            return
        single_kwarg = "__" in key and is_backend_kwarg(section, key)
        if app.schema.declared and section in app.schema.sections and not single_kwarg:
            near = nearest(app.engine, section, key, declared=True)
            hint = f"; did you mean [{near[0]}] {near[1]}?" if near and app.schema.option(*near) else ""
            yield Finding("undeclared", mention, f"[{section}] {key} is not declared: removed, or misspelt{hint}")
        return
    if option.retired:
        reason = f": {redact_message(option.deprecation_reason)}" if option.deprecation_reason else ""
        yield Finding("deprecated", mention, f"[{section}] {key} is deprecated{reason}")
    if mention.form == "plain" and isinstance(mention.raw, str):
        text = _unexpanded(mention)
        for pattern, replacement, since in option.deprecated_values:
            today = pattern.sub(replacement, text)
            if today != text:
                hidden = app.engine.is_hidden(section, key)
                values = "" if hidden else f": {shown(text)!r} is now {shown(today)!r}"
                what = f"the value of [{section}] {key} is outdated since {since}{values}"
                yield Finding("outdated", mention, what, today)
                break


def _unexpanded(mention: Mention) -> str:
    """The text with its `%` read, and its `$` not."""
    try:
        text: str = mention.source.reference(mention.raw, *mention.name, mention.origin)
    except ConfigError:
        return str(mention.raw)
    return text


def update(app: App, args: Namespace) -> int:
    """Update the main cfg file, or show what would be changed. Findings in other files are listed."""
    found = _selected(app, args)
    mine = [finding for finding in found if finding.mention.layer == "main cfg"]
    changes: list[dict[str, object]] = []
    by_hand = [finding for finding in found if finding not in mine]
    path = app.main_file()[0]

    def change(text: CfgText) -> None:
        _apply(app, text, mine, args.all_recommendations, changes, by_hand)

    if mine and args.fix:
        edit(path, change)
    elif mine:
        from framework.files.text import read_text

        change(CfgText(read_text(path, universal=False), path))
    if args.output == "table":
        for row in changes:
            print(f"{row['origin']}: {short(str(row['change']))}")
    else:
        show(changes, ("origin", "section", "option", "change"), args.output)
    optional = ("deprecated", "changed default")
    left = [finding for finding in by_hand if finding.kind in optional and finding in mine]
    for finding in by_hand:
        if finding not in left or args.all_recommendations:
            print_message(f"by hand: {finding.origin}: {finding.what}")
    if left and not args.all_recommendations:
        kept = counted(len(left), "deprecated option or old default", "deprecated options or old defaults")
        print_message(f"left as they are: {kept}; --all-recommendations changes them too")
    if not changes:
        print_message(f"there is nothing to change in {short(path)}")
    elif args.fix:
        print_message(f"{short(path)}: written with {counted(len(changes), 'change')}")
    else:
        print_message("this was a dry run, nothing is written; --fix writes it")
    return OK


def _apply(
    app: App,
    text: CfgText,
    found: list[Finding],
    everything: bool,
    changes: list[dict[str, object]],
    by_hand: list[Finding],
) -> None:
    moved: dict[int, tuple[str, str] | None] = {}  # mention -> its name by now; None: it is a comment
    for finding in found:
        mention = id(finding.mention)
        name = moved[mention] if mention in moved else text.find(*finding.written)
        if name is None and mention in moved:
            continue
        change = None
        try:
            if name is not None:
                change, moved[mention] = _change(app, text, finding, name, everything)
        except ConfigFileError:  # a %(name)s that would lead elsewhere
            pass
        if change is None:
            by_hand.append(finding)
        else:
            row = _row(finding)
            changes.append({**{key: row[key] for key in ("origin", "section", "option")}, "change": change})


def _change(
    app: App, text: CfgText, finding: Finding, name: tuple[str, str], everything: bool
) -> tuple[str | None, tuple[str, str] | None]:
    """Make one change; return what it was (None: a person must make it) and the name of the option afterwards."""
    section, key, form = finding.mention.section, finding.mention.key, finding.mention.form
    old = f"[{name[0]}] {name[1]}"
    if finding.kind == "renamed":
        if _is_taken(app, text, section, key):
            text.comment_out(name)
            return f"{old} is commented out: [{section}] {key} is written, too, and wins", None
        name = text.rename(name, section, key if form == "plain" else f"{key}_{form}")
        return f"{old} becomes [{name[0]}] {name[1]}", name
    if finding.kind == "outdated":
        return finding.what, text.set(name[0].lower(), name[1].lower(), finding.value.replace("%", "%%"))
    if finding.kind == "old value" or (finding.kind == "deprecated" and everything):
        text.comment_out(name)
        return f"{old} is commented out", None
    if finding.kind == "changed default" and everything:
        name = text.set(name[0].lower(), name[1].lower(), finding.value)
        return f"{old} becomes {finding.value}, today's default", name
    return None, name


def _is_taken(app: App, text: CfgText, section: str, key: str) -> bool:
    """Whether the option is written in the file by its current name, in any form that counts."""
    writings = app.engine.spec(section, key).writings
    return any(text.find(section, writing.key) is not None for writing in writings if writing.is_current)

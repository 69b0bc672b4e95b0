"""The command `dump`."""

from __future__ import annotations

from framework.cli.output import LINK_FAILED, NO, OK, as_json, as_yaml, link_failed, machine, print_error, short, show
from framework.cli.progress import resolve_at_once
from framework.convert import to_text
from framework.errors import FrameworkError, IssuedOnUse
from framework.inspection.rows import ISSUED, Row, files_of, rows
from framework.layers.writers import cfg_line, cfg_section, comment, env_line, stays, toml_key, toml_value
from framework.masking import add_mask, should_hide_value_for_name
from framework.masking.shown import HIDDEN, shown

DESCRIPTION = """\
Print the effective configuration: every value that this application will run with, and where it comes from.

As `cfg` (the default) it is a valid cfg file with the origin of each value in a comment. An option that is redacted
or fails is a comment line, so the output cannot be mistaken for the file. The framework's own options
(`[secrets]`, `[database]`, …) are shown if they are set; `--all` or `--section` shows the rest.

for example:
  python -m framework dump
  python -m framework dump --changed --format json --sources
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable, Iterator
    from typing import Any, TypedDict

    from framework.app import App

    class Entry(TypedDict, total=False):
        """A connection, a variable or a file that is listed; `link` is the kind of a file."""

        name: str
        value: Any
        link: str
        error: str

    Listed = dict[str, list[Entry]]  # kind -> what there is


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_run, unknown_app="shown")
    parser.add_argument(
        "--format",
        choices=sorted(_WRITERS),
        default="cfg",
        help="cfg (default), json {section: {key: value}}, yaml, toml, env or table",
    )
    parser.add_argument("--sources", action="store_true", help="json and yaml: {value, source, origin} for each option")
    parser.add_argument("--section", metavar="NAME", help="only this section")
    parser.add_argument("--changed", action="store_true", help="leave out values that are the default")
    parser.add_argument("--all", action="store_true", help="also the framework's own options that are not set")
    parser.add_argument("--offline", action="store_true", help="do not follow pointers: run no command, ask no link")
    parser.add_argument(
        "--plan", action="store_true", help="print the calls that a dump would make, without making them"
    )
    parser.add_argument("--show-secrets", action="store_true", help="print sensitive values in clear")
    parser.add_argument("--files", action="store_true", help="list every file that was looked for, highest first")
    parser.add_argument("--connections", action="store_true", help="list the connections too, with their links")
    parser.add_argument("--variables", action="store_true", help="list the variables too, with their links")


def _run(app: App, args: Namespace) -> int:
    if args.plan:
        from framework.options.prefetch import Plan

        show(Plan(app.engine).calls(app.chain), ("by", "call", "for"), "table")
        return 0
    found = list(
        rows(
            app,
            section=args.section,
            changed=args.changed,
            own=args.all or args.section is not None,
            offline=args.offline,
            show_secrets=args.show_secrets,
            resolve=resolve_at_once,
        )
    )
    if args.section is not None and not found and args.section.lower() not in app.conf.sections():
        raise FrameworkError(f"there is no section [{args.section}]", hint="See `config list`.")
    kinds = [kind for kind in ("connection", "variable") if getattr(args, f"{kind}s")]
    listed = {kind: list(_listed(app, kind)) for kind in kinds}
    for kind, entries in listed.items():
        for entry in entries:
            if "value" in entry:
                entry["value"] = _value(kind, entry["name"], entry["value"], args.show_secrets)
    listed = {f"{kind}s": entries for kind, entries in listed.items()}
    if args.files:
        listed["files"] = [{"name": file, "value": state, "link": kind} for kind, file, state in files_of(app)]
    _WRITERS[args.format](app, found, listed, args.sources)
    failed = [row for row in found if row.error is not None]
    if failed:
        _print_errors(failed)
    unlisted = [entry for entries in listed.values() for entry in entries if "error" in entry]
    for entry in unlisted:
        print_error(entry["error"])
    if any(link_failed(row.error) for row in failed) or unlisted:
        return LINK_FAILED
    return NO if failed else OK


def _print_errors(failed: list[Row]) -> None:
    """Print why options failed, an outage once for all that it stopped."""
    from framework.inspection.outages import outages

    down = outages({(row.section, row.key): row.error for row in failed if row.error is not None})
    reported = {name for names in down.values() for name in names}
    alone = [str(row.error) for row in failed if (row.section, row.key) not in reported]
    for text in (*down, *alone):
        print_error(text)


def _listed(app: App, kind: str) -> Iterator[Entry]:
    """The names of one kind with the link that has each, values as they are; their secrets are known from then on."""
    from framework.chain.chain import each

    names: set[str] = set()
    links = app.chain.links
    for link, listed in zip(links, each(links, lambda link: link.list_names(kind)), strict=True):
        if isinstance(listed, FrameworkError):
            yield {"name": f"({link.name})", "error": str(listed)}  # always a link's
        else:
            names.update(listed)
    for name in sorted(names):
        entry: Entry = {"name": name}
        try:
            value, entry["link"] = app.chain.connection(name) if kind == "connection" else app.chain.variable(name)
        except IssuedOnUse as fault:
            entry["value"], entry["link"] = fault, fault.where.partition(": ")[0]
        except FrameworkError as fault:
            entry["error"] = str(fault)
        else:
            for secret in value.secrets() if kind == "connection" else ():
                add_mask(secret)
            if kind == "variable":
                app.hide_variable(name, value)
            entry["value"] = value
        yield entry


def _value(kind: str, name: str, value: Any, show_secrets: bool) -> str:
    if isinstance(value, IssuedOnUse):
        return ISSUED
    if kind == "connection":
        return value.get_uri() if show_secrets else repr(value)
    if show_secrets:
        return to_text(value)
    return HIDDEN if should_hide_value_for_name(name) else to_text(shown(value))


def _cfg(app: App, found: list[Row], listed: Listed, sources: bool) -> None:
    lines = [comment(f"the effective configuration of {app.name}; hidden and failed values are comments")]
    for section, rows_of_it in _by_section(found):
        header = cfg_section(section)
        lines += ["", header]
        for row in rows_of_it:
            lines.append(comment(f"{row.source}: {row.origin}" if row.mention.layer != "default" else "default"))
            lines.append(_cfg_option(app, row) if header[0] == "[" else comment(f"{row.key} = {row.text}"))
    for kind, entries in listed.items():
        lines += ["", f"# {kind}", *(f"#   {comment(_entry_text(entry))[2:]}" for entry in entries)]
    machine("\n".join(lines))


def _by_section(found: list[Row]) -> Iterable[tuple[str, list[Row]]]:
    sections: dict[str, list[Row]] = {}
    for row in found:
        sections.setdefault(row.section, []).append(row)
    return sections.items()


def _entry_text(entry: Entry) -> str:
    if "error" in entry:
        return f"{entry['name']}: fails: {short(entry['error'])}"
    return f"{entry['name']} = {entry['value']}  ({entry['link']})"


def _cfg_option(app: App, row: Row) -> str:
    if row.error is not None:
        return comment(f"{row.key} fails: {short(str(row.error))}")
    text = row.written or ""
    if row.redacted or row.answer is None:
        return comment(f"{row.key} = {text}")
    return cfg_line(app.environment, row.key, text)


def _tree(found: list[Row], listed: Listed, sources: bool) -> dict[str, object]:
    tree: dict[str, Any] = {}
    for row in found:
        if sources:
            tree.setdefault(row.section, {})[row.key] = _with_source(row)
        elif row.error is None:
            tree.setdefault(row.section, {})[row.key] = row.value
    for kind, entries in listed.items():
        tree[kind] = {
            entry["name"]: {key: value for key, value in entry.items() if key != "name"}
            if sources
            else entry.get("value")
            for entry in entries
        }
    return tree


def _with_source(row: Row) -> dict[str, object]:
    shown: dict[str, Any] = {"value": row.value, "source": row.source, "origin": row.origin}
    if row.redacted:
        shown["redacted"] = True
    if row.error is not None:
        shown["error"] = str(row.error)
    return shown


def _json(app: App, found: list[Row], listed: Listed, sources: bool) -> None:
    machine(as_json(_tree(found, listed, sources)))


def _yaml(app: App, found: list[Row], listed: Listed, sources: bool) -> None:
    machine(as_yaml(_plain(_tree(found, listed, sources))), end="")


def _toml(app: App, found: list[Row], listed: Listed, sources: bool) -> None:
    lines = [comment(f"the effective configuration of {app.name}; hidden and failed values are comments")]
    for section, rows_of_it in _by_section(found):
        is_text = toml_value(section) is not None
        lines += ["", f"[{toml_key(section)}]" if is_text else comment(f"[{section}]")]
        for row in rows_of_it:
            lines.append(comment(f"{row.source}: {row.origin}"))
            lines.append(_toml_option(row) if is_text else comment(f"{row.key} = {row.text}"))
    lines += [comment(f"{kind[:-1]} {_entry_text(entry)}") for kind, entries in listed.items() for entry in entries]
    machine("\n".join(lines))


def _toml_option(row: Row) -> str:
    if row.error is not None:
        return comment(f"{row.key} fails: {short(str(row.error))}")
    value = toml_value(row.value) if toml_value(row.key) is not None else None
    if row.redacted or row.answer is None:
        return comment(f"{row.key} = {value}")
    return f"{toml_key(row.key)} = {value}" if value else f"{comment(f'{row.key} = {row.text!r}')} (TOML lacks this)"


def _env(app: App, found: list[Row], listed: Listed, sources: bool) -> None:
    lines, taken = list[str](), set[str]()
    for row in found:
        name = app.names.option(row.section, row.key)
        text = row.written or ""
        if row.error is not None:
            lines.append(comment(f"{name} fails: {short(str(row.error))}"))
        elif row.redacted or row.answer is None:
            lines.append(comment(f"{name}={text}"))
        else:
            line = env_line(name, text) if stays(app.environment, text) and name not in taken else None
            lines.append(
                line or f"{comment(f'{name}={text!r}')} (no .env syntax that every reader understands can hold it)"
            )
            taken.add(name)
    lines += [comment(f"{kind[:-1]} {_entry_text(entry)}") for kind, entries in listed.items() for entry in entries]
    machine("\n".join(lines), end="\n" if lines else "")


def _table(app: App, found: list[Row], listed: Listed, sources: bool) -> None:
    lines = [
        {
            "section": row.section,
            "key": row.key,
            "value": "< fails >" if row.error is not None else row.text,
            "source": row.source,
            "origin": row.origin,
        }
        for row in found
    ]
    show(lines, ("section", "key", "value", "source", "origin"), "table")
    for kind, entries in listed.items():
        print()
        show(
            [{kind: e["name"], "value": e.get("value", e.get("error")), "link": e.get("link")} for e in entries],
            (kind, "value", "link"),
            "table",
        )


def _plain(value: object) -> object:
    """Nothing but what YAML's safe dumper knows."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


_WRITERS = {"cfg": _cfg, "json": _json, "yaml": _yaml, "toml": _toml, "env": _env, "table": _table}

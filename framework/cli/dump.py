"""Print the effective configuration: every value that this application will run with, and where it is from.

As `cfg` (the default) it is a valid cfg file with the origin of each value in a comment; an option that is redacted
or fails is a comment line, so that the output can never be mistaken for the file.

for example:
  python -m framework dump
  python -m framework dump --changed --format json --sources
"""

from __future__ import annotations

import sys

from framework.cli.output import as_json, as_yaml, short, show
from framework.cli.rows import Row, rows
from framework.convert import expand, to_text
from framework.errors import FrameworkError
from framework.explanation import HIDDEN, shown
from framework.masking import add_mask, should_hide_value_for_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any

    from framework.app import App


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        choices=sorted(_WRITERS),
        default="cfg",
        help="cfg (default), json {section: {key: value}}, yaml, toml, env or table",
    )
    parser.add_argument("--sources", action="store_true", help="json and yaml: {value, source, origin} for each option")
    parser.add_argument("--section", metavar="NAME", help="this section alone")
    parser.add_argument("--changed", action="store_true", help="leave out what is just the default")
    parser.add_argument("--offline", action="store_true", help="follow no pointer: run no command, ask no link")
    parser.add_argument("--plan", action="store_true", help="print the calls that a dump would make, and make none")
    parser.add_argument("--show-secrets", action="store_true", help="print sensitive values in clear")
    parser.add_argument("--connections", action="store_true", help="list the connections too, with their links")
    parser.add_argument("--variables", action="store_true", help="list the variables too, with their links")


def run(app: App, args: Namespace) -> int:
    if args.plan:
        from framework.prefetch import Plan

        show(Plan(app).calls(), ("by", "call", "for"), "table")
        return 0
    found = list(
        rows(
            app,
            section=args.section,
            changed=args.changed,
            offline=args.offline,
            show_secrets=args.show_secrets,
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
    _WRITERS[args.format](app, found, listed, args.sources)
    failed = [row for row in found if row.error is not None]
    for row in failed:
        print(f"error: {short(str(row.error))}", file=sys.stderr)
    unlisted = [entry for entries in listed.values() for entry in entries if "error" in entry]
    for entry in unlisted:
        print(f"error: {short(entry['error'])}", file=sys.stderr)
    return 1 if failed or unlisted else 0


def _listed(app: App, kind: str) -> Any:
    """The names of one kind with the link that has each, values as they are; their secrets are known from then on."""
    names: set[str] = set()
    for link in app.chain.links:
        try:
            names.update(link.list_names(kind))
        except FrameworkError as fault:
            yield {"name": f"({link.name})", "error": str(fault)}
    for name in sorted(names):
        entry: dict[str, Any] = {"name": name}
        try:
            value, entry["link"] = app.chain.connection(name) if kind == "connection" else app.chain.variable(name)
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
    if kind == "connection":
        return value.get_uri() if show_secrets else repr(value)
    if show_secrets:
        return to_text(value)
    return HIDDEN if should_hide_value_for_name(name) else to_text(shown(value))


def _cfg(app: App, found: list[Row], listed: dict[str, list[dict[str, Any]]], sources: bool) -> None:
    print(f"# the effective configuration of {app.name}; what is hidden or fails is a comment")
    section, can_be_named = None, True
    for row in found:
        if row.section != section:
            section = row.section
            can_be_named = _is_section(section)
            print(f"\n{'' if can_be_named else '# '}[{_comment(section)}]")
        print(f"# {_comment(f'{row.source}: {row.origin}' if row.mention.layer != 'default' else 'default')}")
        print(_cfg_option(app, row) if can_be_named else f"# {_comment(f'{row.key} = {row.text}')}")
    for kind, entries in listed.items():
        print(f"\n# {kind}")
        for entry in entries:
            print(f"#   {_comment(_entry_text(entry))}")


def _entry_text(entry: dict[str, Any]) -> str:
    if "error" in entry:
        return f"{entry['name']}: fails: {entry['error']}"
    return f"{entry['name']} = {entry['value']}  ({entry['link']})"


def _cfg_option(app: App, row: Row) -> str:
    if row.error is not None:
        return f"# {_comment(f'{row.key} fails: {row.error}')}"
    text = row.written or ""
    if row.redacted or row.answer is None:
        return f"# {_comment(f'{row.key} = {text}')}"
    line = f"{row.key} = " + text.replace("%", "%%").replace("\n", "\n    ")
    if _reads_back(row.key, line, text) and _stays(app, text):
        return line.rstrip(" ") if not text else line
    return f"# {_comment(f'{row.key} = {text!r}')} (a cfg file cannot hold this text)"


def _stays(app: App, text: str) -> bool:
    """Whether nothing in the text would be expanded, were it written in a cfg file or a variable."""
    return bool(expand(text, app.environment.get) == text)


def _is_section(name: str) -> bool:
    if name.isprintable() and name.strip() == name and "]" not in name and name != "DEFAULT":
        return True
    from framework.layers.cfg import parse

    try:
        return list(parse(f"[{name}]\n", "")[0]) == [name]
    except FrameworkError:
        return False


def _reads_back(key: str, line: str, text: str) -> bool:
    """Whether the line means the text: a cfg file cannot hold every one, blanks at its ends for example."""
    if text.isprintable() and text.strip() == text and key.replace("_", "").isalnum():
        return True
    from framework.layers.cfg import interpolate, parse

    try:
        read = parse(f"[s]\n{line}\n", "")[0]["s"]
    except FrameworkError:
        return False
    return list(read) == [key] and interpolate(read[key], lambda name: None, "") == text


def _comment(text: str) -> str:
    return " ".join(short(text).split())


def _tree(found: list[Row], listed: dict[str, list[dict[str, Any]]], sources: bool) -> dict[str, Any]:
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


def _with_source(row: Row) -> dict[str, Any]:
    shown: dict[str, Any] = {"value": row.value, "source": row.source, "origin": row.origin}
    if row.redacted:
        shown["redacted"] = True
    if row.error is not None:
        shown["error"] = str(row.error)
    return shown


def _json(app: App, found: list[Row], listed: dict[str, list[dict[str, Any]]], sources: bool) -> None:
    print(as_json(_tree(found, listed, sources)))


def _yaml(app: App, found: list[Row], listed: dict[str, list[dict[str, Any]]], sources: bool) -> None:
    print(as_yaml(_plain(_tree(found, listed, sources))), end="")


def _toml(app: App, found: list[Row], listed: dict[str, list[dict[str, Any]]], sources: bool) -> None:
    print(f"# the effective configuration of {app.name}; what is hidden or fails is a comment")
    section = None
    for row in found:
        if row.section != section:
            section = row.section
            print(f"\n[{_toml_key(section)}]")
        print(f"# {_comment(f'{row.source}: {row.origin}')}")
        if row.error is not None:
            print(f"# {_comment(f'{row.key} fails: {row.error}')}")
        else:
            mark = "# " if row.redacted or row.answer is None else ""
            print(f"{mark}{_toml_key(row.key)} = {_toml_value(row.value)}")
    for kind, entries in listed.items():
        for entry in entries:
            print(f"# {kind[:-1]} {_comment(_entry_text(entry))}")


def _toml_key(key: str) -> str:
    import json

    bare = key.replace("_", "").replace("-", "").isalnum() and key.isascii()
    return key if bare else json.dumps(key, ensure_ascii=False)


def _toml_value(value: Any) -> str:
    import json

    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_toml_value, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml_key(str(key))} = {_toml_value(inner)}" for key, inner in value.items()) + "}"
    return json.dumps("" if value is None else str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _env(app: App, found: list[Row], listed: dict[str, list[dict[str, Any]]], sources: bool) -> None:
    for row in found:
        name = app.names.option(row.section, row.key)
        text = row.written or ""
        if row.error is not None:
            print(f"# {_comment(f'{name} fails: {row.error}')}")
        elif row.redacted or row.answer is None:
            print(f"# {_comment(f'{name}={text}')}")
        elif "\r" in text or not (name.replace("_", "").isalnum() and _stays(app, text)):
            print(f"# {_comment(f'{name}={text!r}')} (a variable cannot hold this)")
        else:
            print(f"{name}={_env_value(text)}")
    for kind, entries in listed.items():
        for entry in entries:
            print(f"# {kind[:-1]} {_comment(_entry_text(entry))}")


def _env_value(text: str) -> str:
    if text and all(char.isalnum() or char in "_./:,@%+-" for char in text):
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _table(app: App, found: list[Row], listed: dict[str, list[dict[str, Any]]], sources: bool) -> None:
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


def _plain(value: Any) -> Any:
    """Nothing but what YAML's safe dumper knows."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


_WRITERS = {"cfg": _cfg, "json": _json, "yaml": _yaml, "toml": _toml, "env": _env, "table": _table}

"""Single options and the list of all of them, with Airflow's names and flags.

for example:
  python -m framework config get-value secrets backend
  python -m framework config list --section core --show-values --include-sources
"""

from __future__ import annotations

import sys

from framework.cli.output import NO, OK, short
from framework.cli.rows import Row, rows
from framework.errors import OptionNotFound
from framework.explanation import HIDDEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from framework.app import App
    from framework.schema import Option


def add_arguments(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="get-value|list")
    get_value = commands.add_parser("get-value", help="print the value of one option, in clear")
    get_value.add_argument("section")
    get_value.add_argument("option", metavar="key")
    listing = commands.add_parser("list", help="list the options as a cfg file, without their values")
    listing.add_argument("--section", metavar="NAME", help="this section alone")
    listing.add_argument("--show-values", action="store_true", help="show the values; those of secrets stay hidden")
    listing.add_argument("--hide-sensitive", action="store_true", help="as in Airflow; secrets are always hidden here")
    listing.add_argument("-d", "--include-descriptions", action="store_true")
    listing.add_argument("-e", "--include-examples", action="store_true")
    listing.add_argument("-s", "--include-sources", action="store_true")
    listing.add_argument("-V", "--include-env-vars", action="store_true")
    listing.add_argument("-c", "--comment-out-everything", action="store_true", help="a starting point for a new file")
    listing.add_argument("-a", "--defaults", action="store_true", help="the declared defaults alone, commented out")


def run(app: App, args: Namespace) -> int:
    return _get_value(app, args) if args.action == "get-value" else _list(app, args)


def _get_value(app: App, args: Namespace) -> int:
    try:
        print(app.conf.get(args.section, args.option))
    except OptionNotFound as fault:
        print(f"error: {short(str(fault))}", file=sys.stderr)
        return NO
    return OK


def _list(app: App, args: Namespace) -> int:
    if args.defaults:
        args.include_descriptions = args.include_examples = args.include_env_vars = True
        args.include_sources, args.comment_out_everything = False, True
    found = {(row.section, row.key): row for row in rows(app, section=args.section, offline=not args.show_values)}
    section, status = None, OK
    for name, key in app.engine.entries():
        if args.section is not None and name != args.section.lower():
            continue
        if name != section:
            section = name
            print(f"[{section}]")
        row, option = found.get((name, key)), app.schema.option(name, key)
        notes = list(_notes(app, args, name, key, row, option))
        for note in notes:
            print(f"#\n# {note}".replace("\n\n", "\n#\n").replace("\n", "\n# ").replace("# #", "#"))
        print(_line(args, key, row, option) + ("\n" if notes else ""))
        if row is not None and row.error is not None:
            print(f"error: {short(str(row.error))}", file=sys.stderr)
            status = NO
    return status


def _notes(app: App, args: Namespace, section: str, key: str, row: Row | None, option: Option | None) -> Iterator[str]:
    if args.include_descriptions and option is not None and option.description:
        yield option.description
    if args.include_examples and option is not None and option.example is not None:
        yield f"Example: {key} = {option.example}"
    if args.include_sources:
        yield f"Source: {short(f'{row.source} {row.origin}') if row is not None else 'not defined'}"
    if args.include_env_vars:
        yield f"Variable: {app.names.option(section, key)}"


def _line(args: Namespace, key: str, row: Row | None, option: Option | None) -> str:
    if args.defaults:
        value = HIDDEN if option is not None and option.sensitive and option.default else option and option.default
        return f"# {key} = {'' if value is None else value}".replace("\n", "\n# ")
    shown = args.show_values and row is not None and row.error is None
    text = (row.text or "") if shown and row is not None else ""
    commented = args.comment_out_everything or not shown or (row is not None and row.redacted)
    line = f"{key} = {text.replace('%', '%%')}"
    return "# " + line.replace("\n", "\n# ") if commented else line.replace("\n", "\n    ")

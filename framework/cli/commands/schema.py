"""The command `schema`."""

from __future__ import annotations

from framework.cli.output import NO, OK, UsageError, machine, print_error, print_message, print_note, short
from framework.errors import ConfigError
from framework.schema_export import FORMATS, export, format_of

DESCRIPTION = """\
Export the application's schema in other formats, and check whether exported files are current.

  python        frozen dataclasses for app.bind
  json-schema   for editors of TOML, YAML and JSON files
  toml          a schema file
  markdown      tables for the docs of a project
  env-example   a .env file in which every line is a comment
  stub          types of conf.value

for example:
  python -m framework schema export --format python -o billing_settings.py
  python -m framework schema export --format json-schema -o billing.schema.json
  python -m framework schema check billing_settings.py billing.schema.json
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from framework.app import App


def add_arguments(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="export|check")
    exporting = commands.add_parser("export", help="write the schema in another format")
    exporting.set_defaults(run=_export, unknown_app="refused")
    exporting.add_argument("--format", choices=FORMATS, required=True, help="the format")
    exporting.add_argument("-o", "--output", metavar="FILE", help="write this file instead of stdout")
    checking = commands.add_parser("check", help="find exported files that are not current; status 1 if there are any")
    checking.set_defaults(run=_check, unknown_app="refused")
    checking.add_argument("files", nargs="+", metavar="FILE", help="a file that schema export wrote")
    checking.add_argument("--diff", action="store_true", help="show what would change")


def _text(app: App, file_format: str) -> str:
    if not app.schema.declared:
        raise ConfigError("the application has no schema", hint="Declare its options: see docs/guides/schema.md.")
    app.schema.describe()
    return export(app.schema, app.names, file_format)


def _export(app: App, args: Namespace) -> int:
    text = _text(app, args.format)
    for where, what in app.schema.unmapped:
        print_note(f"{where}: {what}")
    if not args.output:
        machine(text, end="")
        return OK
    from framework.cli.edit import replace

    replace(args.output, text, mode=0o644)
    print_message(f"{args.output} was written")
    return OK


def _check(app: App, args: Namespace) -> int:
    from framework.files.text import read_text

    status = OK
    for path in args.files:
        found = read_text(path)
        file_format = format_of(found)
        if file_format is None:
            raise UsageError(f"{path}: this file was not written by schema export")
        text = _text(app, file_format)
        if text == found:
            continue
        status = NO
        print_error(f"{path} is not current: python -m framework schema export --format {file_format} -o {path}")
        if args.diff:
            from difflib import unified_diff

            lines = unified_diff(found.split("\n"), text.split("\n"), short(path), "current", lineterm="", n=2)
            machine("\n".join(lines))
    return status

"""The command `variables`."""

from __future__ import annotations

from framework.cli.arguments import add_export, add_ignored, add_import, secret_argument
from framework.cli.output import (
    OK,
    UsageError,
    add_output,
    as_json,
    machine,
    print_error,
    print_message,
    print_note,
    show,
    status_of,
)
from framework.errors import SecretsError, VariableNotFound

DESCRIPTION = """\
Variables, with Airflow's commands and flags. Reads go through the chain, writes go to the metastore.

for example:
  python -m framework variables get weekday
  python -m framework variables set api_token - < token.txt
  python -m framework variables list --prefix etl_ --show-values
  python -m framework variables import variables.json --action-on-existing-key skip
  python -m framework variables export variables.json
  python -m framework variables delete weekday
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any

    from framework.app import App

_HIDDEN = "***"


def add_arguments(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="get|list|set|delete|import|export")

    get = commands.add_parser("get", help="print a variable, from the link that answers")
    get.set_defaults(run=_get, issues="handed on")
    get.add_argument("key")
    get.add_argument("-d", "--default", metavar="VAL", help="printed if it is not found; never when a link fails")
    get.add_argument("-j", "--json", action="store_true", help="it must be JSON; a JSON text is printed without quotes")
    listing = commands.add_parser(
        "list", help="list the keys from every link that can list, and which link shadows which"
    )
    listing.set_defaults(run=_list)
    listing.add_argument("--prefix", default="", help="only keys that start with this")
    listing.add_argument("--show-values", action="store_true", help="show the values; those of secrets stay hidden")
    listing.add_argument("--hide-sensitive", action="store_true", help="with --show-values: hide every value")
    add_output(listing)
    setting = commands.add_parser("set", help="write a variable to the metastore")
    setting.set_defaults(run=_set)
    setting.add_argument("key")
    setting.add_argument("value", metavar="VALUE", help="- reads it from stdin")
    setting.add_argument("--description", help="free text; without it the old one stays")
    setting.add_argument("-j", "--json", action="store_true", help="store the value as a JSON text, in quotes")
    delete = commands.add_parser("delete", help="delete a variable from the metastore")
    delete.set_defaults(run=_delete)
    delete.add_argument("key")
    importing = commands.add_parser("import", help="read a file into the metastore: all of it, or nothing")
    importing.set_defaults(run=_import)
    add_import(importing)
    importing.add_argument(
        "-a",
        "--action-on-existing-key",
        choices=("overwrite", "fail", "skip"),
        default="overwrite",
        help="what to do with keys that exist (default: overwrite)",
    )
    add_output(importing)
    export = commands.add_parser("export", help="write the metastore's variables to a file, in clear")
    export.set_defaults(run=_export)
    add_export(export)
    export.add_argument(
        "--json-values",
        action="store_true",
        help="write every value that is JSON as JSON, as Airflow does; without it each text is kept exactly",
    )
    for command in commands.choices.values():
        add_ignored(command)


def _get(app: App, args: Namespace) -> int:
    from framework.convert import to_text

    try:
        value = app.get_variable(args.key, deserialize_json=args.json)
    except VariableNotFound:
        if args.default is None:
            raise
        machine(args.default)
        return OK
    machine(as_json(value) if isinstance(value, (dict, list)) and args.json else to_text(value))
    return OK


def _list(app: App, args: Namespace) -> int:
    from framework.cli.listing import list_names

    if args.hide_sensitive and not args.show_values:
        raise UsageError("--hide-sensitive requires --show-values")
    listed, status = list_names(app, "variable", args.prefix)
    rows = []
    for entry in listed:
        row: dict[str, Any] = {"key": entry.name, "link": entry.link.name, "shadowed_by": entry.shadowed_by}
        if args.show_values:
            try:
                row["val"] = entry.link.ask("variable", entry.name)
                app.hide_variable(entry.name, row["val"])
            except SecretsError as fault:
                print_error(fault)
                status = max(status, status_of(fault))
        rows.append(row)
    for row in rows:  # now that the secrets of all are known
        row["val"] = _shown(row["key"], row.get("val"), args.hide_sensitive)
    show(rows, ("key", *(("val",) if args.show_values else ()), "link", "shadowed_by"), args.output)
    return status


def _shown(key: str, value: object, hide: bool) -> str | None:
    from framework.convert import to_text
    from framework.masking.shown import shown

    if value is None:
        return None
    return _HIDDEN if hide else to_text(shown(value, key))


def _set(app: App, args: Namespace) -> int:
    value = secret_argument(args.value, f"value of {args.key}") or ""
    if args.json:
        import json

        value = json.dumps(value, indent=2)  # as in Airflow: the text itself becomes a JSON text
    from framework.inspection import changes

    print_message(changes.write_variable(app, args.key, value, args.description))
    return OK


def _delete(app: App, args: Namespace) -> int:
    from framework.inspection import changes

    if done := changes.delete_variable(app, args.key):
        print_message(done)
    else:
        print_note("the metastore had no such key")
    return OK  # as in Airflow, so that a script may delete what is gone


def _import(app: App, args: Namespace) -> int:
    from framework.cli.transfer import import_file

    return import_file(app, "variable", args, args.action_on_existing_key)


def _export(app: App, args: Namespace) -> int:
    from framework.cli.transfer import export_file, format_of

    if args.json_values and format_of(args, default="json") == "env":
        raise UsageError("--json-values requires the format json or yaml")
    return export_file(app, "variable", args, lambda *row: _written(args, *row))


def _written(args: Namespace, key: str, text: str, description: str | None) -> str:
    """A variable as a file has it: it reads back as the same text and, if possible, is what Airflow writes."""
    from framework.cli.transfer import env_line, yaml_lines

    if args.file_format == "env":
        return env_line(key, text)
    value = _typed(text, exactly=not args.json_values)
    if description or (isinstance(value, dict) and "value" in value):
        value = {"value": value, "description": description}
    if args.file_format == "yaml":
        return yaml_lines({key: value})
    import json

    return json.dumps({key: value}, indent=4)[2:-2]


def _typed(text: str, *, exactly: bool) -> object:
    """The value of a JSON text; the text itself if it is not JSON, or a JSON string, as in Airflow.

    Args:
        exactly: only if writing it gives the same text again.
    """
    if exactly and text[:1] not in ("{", "[") and text[-1:].isalpha() and text not in ("true", "false", "null"):
        return text  # that is, not JSON
    import json

    from framework.parsing import read_json

    def refuse(constant: str) -> object:
        raise ValueError

    try:
        value = read_json(text, parse_constant=refuse)
        same = not exactly or json.dumps(value, indent=2) == text
        return value if same and not isinstance(value, str) else text
    except ValueError:
        return text

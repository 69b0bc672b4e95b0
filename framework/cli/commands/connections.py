"""The command `connections`."""

from __future__ import annotations

from framework.chain.level import METASTORE
from framework.cli.arguments import FORMATS, add_export, add_ignored, add_import, seconds, secret_argument
from framework.cli.output import NO, OK, UsageError, add_output, print_error, print_message, print_note, show, status_of
from framework.connection import Connection
from framework.errors import FrameworkError, InvalidConnection, IssuedOnUse
from framework.masking.search import counted

DESCRIPTION = """\
Connections, with Airflow's commands and flags. Reads go through the chain, writes go to the metastore.

for example:
  python -m framework connections get warehouse -o json
  python -m framework connections list --show-values
  python -m framework connections add warehouse --conn-uri - < uri.txt
  python -m framework connections import connections.yaml --dry-run
  python -m framework connections test warehouse
  python -m framework connections delete warehouse
  python -m framework connections export connections.json
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any

    from framework.app import App
    from framework.inspection.listing import Listed

#: The fields in the order in which Airflow shows them.
_SHOWN = ("conn_type", "description", "host", "schema", "login", "password", "port", "extra_dejson", "get_uri")
#: What `get` shows, as in Airflow.
_GOT = (
    *("id", "conn_id", "conn_type", "description", "host", "schema", "login", "password", "port"),
    *("is_encrypted", "is_extra_encrypted", "extra_dejson", "get_uri"),
)
#: The fields in the order in which Airflow exports them.
_EXPORTED = ("conn_type", "description", "login", "password", "host", "port", "schema", "extra")
_FIELDS = ("type", "host", "login", "password", "schema", "port")
_HIDDEN = "***"
#: How long the values of a list may take, in seconds; each of them is bounded, too.
_HOUR = 3600.0


def add_arguments(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="get|list|add|delete|import|export|test")

    get = commands.add_parser("get", help="print a connection with its password, from the link that answers")
    get.set_defaults(run=_get, issues="handed on")
    get.add_argument("conn_id")
    listing = commands.add_parser(
        "list", help="list the ids from every link that can list, and which link shadows which"
    )
    listing.set_defaults(run=_list)
    listing.add_argument("--prefix", default="", help="only ids that start with this")
    _add_show_values(listing)
    add = commands.add_parser("add", help="write a connection to the metastore")
    add.set_defaults(run=_add)
    add.add_argument("conn_id", nargs="?")
    add.add_argument("--conn-id", dest="conn_id_flag", metavar="CONN_ID", help="the same as the positional argument")
    add.add_argument("--conn-uri", help="the whole connection as a URI; - reads it from stdin")
    add.add_argument("--conn-json", help="the whole connection as a JSON object; - reads it from stdin")
    for field in _FIELDS:
        stdin = "; - reads it from stdin" if field == "password" else ""
        add.add_argument(f"--conn-{field}", help=f"its {field}{stdin}", type=int if field == "port" else str)
    add.add_argument("--conn-extra", help="its extra, a JSON object; - reads it from stdin")
    add.add_argument("--conn-description", help="free text")
    add.add_argument("--overwrite", action="store_true", help="replace a connection that exists")
    delete = commands.add_parser("delete", help="delete a connection from the metastore")
    delete.set_defaults(run=_delete)
    delete.add_argument("conn_id")
    importing = commands.add_parser("import", help="read a file into the metastore: all of it, or nothing")
    importing.set_defaults(run=_import)
    add_import(importing)
    importing.add_argument("--overwrite", action="store_true", help="replace connections that exist, else skip them")
    export = commands.add_parser("export", help="write the metastore's connections to a file, passwords included")
    export.set_defaults(run=_export)
    add_export(export)
    export.add_argument("--format", choices=FORMATS, type=str.lower, help="Airflow's old name for --file-format")
    export.add_argument("--serialization-format", choices=("json", "uri"), help="in a .env file (default: uri)")
    test = commands.add_parser("test", help="connect, and report what happened")
    test.set_defaults(run=_test, issues="used")
    test.add_argument("conn_id")
    test.add_argument(
        "--timeout", type=seconds, default=10.0, metavar="SECONDS", help="how long each step may take (default: 10)"
    )
    for command in (get, listing, importing, test):
        add_output(command)
    for command in commands.choices.values():
        add_ignored(command)


def _add_show_values(parser: ArgumentParser) -> None:
    parser.add_argument("--show-values", action="store_true", help="show the fields; those of secrets stay hidden")
    parser.add_argument("--hide-sensitive", action="store_true", help="with --show-values: hide all of extra as well")


def _get(app: App, args: Namespace) -> int:
    connection, link = app.chain.connection(args.conn_id)
    stored = app.store.find_row("connection", args.conn_id) if link == "metastore" else None
    row = _row(args.conn_id, connection)
    row = {"id": stored and stored["id"], **row}
    for flag in ("is_encrypted", "is_extra_encrypted"):  # None: the connection is in no database
        row[flag] = None if stored is None else bool(stored.get(flag))
    row = {name: row[name] for name in _GOT}
    if args.output == "table":
        show([{"field": name, "value": _cell(row[name])} for name in row], ("field", "value"), "table")
    else:
        show(
            [{name: _cell(value) for name, value in row.items()} if args.output == "plain" else row],
            tuple(row),
            args.output,
        )
    return OK


def _cell(value: object) -> object:
    """A table of fields as JSON."""
    from framework.convert import to_text

    return to_text(value) if isinstance(value, dict) else value


def _row(conn_id: str, connection: Connection) -> dict[str, Any]:
    row = {"conn_id": conn_id, **{name: getattr(connection, name, None) for name in _SHOWN}}
    try:
        row["get_uri"] = connection.get_uri()
    except InvalidConnection:  # a port or a type that no URI can hold
        row["get_uri"] = None
    return row


def _list(app: App, args: Namespace) -> int:
    from framework.cli.listing import list_names
    from framework.cli.progress import Progress
    from framework.inspection.listing import asked
    from framework.masking import add_mask, redact_text

    if args.hide_sensitive and not args.show_values:
        raise UsageError("--hide-sensitive requires --show-values")
    listed, status = list_names(app, "connection", args.prefix)
    types: dict[str, str] = {}
    if not args.show_values and any(entry.link.role == METASTORE for entry in listed):
        from framework.metastore.bulk import conn_types

        types = conn_types(app.store)
    wanted = [entry for entry in listed if args.show_values or entry.link.role != METASTORE]
    seconds = _HOUR if args.show_values else app.conf.value("secrets", "resolve_timeout_seconds")
    connections: dict[Listed, Connection] = {}
    untyped: dict[str, list[FrameworkError]] = {}
    slow = sum(entry.link.may_hang for entry in wanted)
    with Progress(f"asking for {counted(slow, 'connection')}" if slow else "", slow, "questions") as progress:
        outcomes = asked(app, "connection", wanted, seconds, progress.advance)
    for entry, outcome in zip(wanted, outcomes, strict=True):
        if isinstance(outcome, IssuedOnUse):
            continue
        if isinstance(outcome, FrameworkError) and args.show_values:
            print_error(outcome)
            status = max(status, status_of(outcome))
        elif isinstance(outcome, FrameworkError):
            untyped.setdefault(entry.link.name, []).append(outcome)
        elif outcome is not None:
            connections[entry] = outcome
            for secret in outcome.secrets():
                add_mask(secret)  # before anything is shown: another connection may hold it as well
    for faults in untyped.values():
        more = f" The same for {counted(len(faults) - 1, 'other connection')} of this link." if len(faults) > 1 else ""
        print_note(f"a type is unknown: {faults[0]}{more}")
    rows = []
    for entry in listed:
        row: dict[str, Any] = {"conn_id": entry.name, "link": entry.link.name, "shadowed_by": entry.shadowed_by}
        connection = connections.get(entry)
        if args.show_values and connection is not None:
            row.update(_masked(entry.name, connection, args.hide_sensitive))
        elif connection is not None:
            row["conn_type"] = connection.conn_type and redact_text(connection.conn_type)
        elif entry.link.role == METASTORE:
            row["conn_type"] = types.get(entry.name)
        rows.append(row)
    fields = _SHOWN if args.show_values else ("conn_type",)
    if args.output in ("table", "plain"):
        rows = [{name: _cell(value) for name, value in row.items()} for row in rows]
    show(rows, ("conn_id", *fields, "link", "shadowed_by"), args.output)
    return status


def _masked(conn_id: str, connection: Connection, wholly: bool) -> dict[str, object]:
    """The row of the connection with its secrets replaced, so that its URI is made of what the other fields show."""
    from framework.connection import shown_host
    from framework.masking import redact_text
    from framework.masking.shown import shown

    fields = connection.to_dict()
    fields["password"] = connection.password and _HIDDEN
    fields["host"] = connection.host and shown_host(connection.host)
    fields["extra"] = {} if wholly else _without_credentials(shown(connection.extra_dejson))
    row = _row(conn_id, Connection(**fields))
    row["get_uri"] = row["get_uri"] and row["get_uri"].replace("%2A%2A%2A", _HIDDEN)
    if wholly and connection.extra_dejson:
        row["extra_dejson"] = _HIDDEN
        row["get_uri"] = row["get_uri"] and f"{row['get_uri']}?{_HIDDEN}"
    return {name: redact_text(value) if isinstance(value, str) else value for name, value in row.items()}


def _without_credentials(value: object) -> object:
    """What a header has after `Bearer` or `Basic` is a secret in any header."""
    if isinstance(value, dict):
        return {name: _without_credentials(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return list(map(_without_credentials, value))
    kind, blank, _ = value.partition(" ") if isinstance(value, str) else ("", "", "")
    return f"{kind} {_HIDDEN}" if blank and kind.lower() in ("bearer", "basic", "token") else value


def _add(app: App, args: Namespace) -> int:
    from framework.inspection import changes

    if fault := _misused(args):
        raise UsageError(fault)
    conn_id = args.conn_id if args.conn_id is not None else args.conn_id_flag
    for name in ("conn_uri", "conn_json", "conn_password", "conn_extra"):
        setattr(args, name, secret_argument(getattr(args, name), name.replace("_", " ")))
    try:
        connection = _made(conn_id, args)
    except InvalidConnection as error:  # not a link's
        print_error(error)
        return NO
    print_message(changes.write_connection(app, connection, overwrite=args.overwrite))
    return OK


def _misused(args: Namespace) -> str:
    """What is wrong with the flags, or nothing."""
    if (args.conn_id is None) == (args.conn_id_flag is None):
        return "give the connection's id, once"
    for flag in ("conn_uri", "conn_json"):  # an empty one counts as not given, as in Airflow
        setattr(args, flag, getattr(args, flag) or None)
    whole = [flag for flag in ("conn_uri", "conn_json") if getattr(args, flag) is not None]
    if len(whole) > 1:
        return "--conn-uri and --conn-json are both given"
    if not whole and not args.conn_type:
        return "give --conn-uri or --conn-json, or else --conn-type and the other fields"
    if whole:
        beside = [field for field in _FIELDS if getattr(args, f"conn_{field}") is not None]
        if whole == ["conn_json"]:  # extra and description may be given with a URI, as in Airflow
            beside += [field for field in ("extra", "description") if getattr(args, f"conn_{field}") is not None]
        if beside:
            flags = " ".join(f"--conn-{field}" for field in beside)
            return f"--{whole[0].replace('_', '-')} is the whole connection, so leave out {flags}"
    secrets = (args.conn_uri, args.conn_json, args.conn_password, args.conn_extra)
    return "only one value can be read from stdin" if secrets.count("-") > 1 else ""


def _made(conn_id: str, args: Namespace) -> Connection:
    from framework.inspection import changes

    fields = {field: getattr(args, f"conn_{field}") for field in (*_FIELDS, "extra", "description")}
    fields["conn_type"] = fields.pop("type")
    return changes.made(conn_id, uri=args.conn_uri, json=args.conn_json, **fields)


def _delete(app: App, args: Namespace) -> int:
    from framework.inspection import changes

    print_message(changes.delete_connection(app, args.conn_id))
    return OK


def _import(app: App, args: Namespace) -> int:
    from framework.cli.transfer import import_file

    return import_file(app, "connection", args, "overwrite" if args.overwrite else "skip")


def _export(app: App, args: Namespace) -> int:
    from framework.cli.transfer import export_file, format_of

    if args.format and args.file_format:
        raise UsageError("--format is Airflow's old name for --file-format; use only one of them")
    args.file_format = args.format or args.file_format
    found = format_of(args, default="json" if args.file == "-" else None)
    if args.serialization_format and found != "env":
        raise UsageError("--serialization-format requires the format env")
    return export_file(app, "connection", args, lambda *row: _written(args, *row))


def _written(args: Namespace, name: str, connection: Connection, description: None) -> str:
    """A connection as Airflow writes it to a file."""
    import json

    fields = {field: getattr(connection, field) for field in _EXPORTED}
    if args.file_format == "json":
        return json.dumps({name: fields}, indent=2)[2:-2]
    if args.file_format == "yaml":
        from framework.cli.transfer import yaml_lines

        return yaml_lines({name: dict(sorted(fields.items()))})
    from framework.cli.transfer import env_line

    if args.serialization_format == "json":
        return env_line(name, json.dumps(fields))
    try:
        return env_line(name, connection.get_uri())
    except InvalidConnection:  # of a port or a type that no URI can hold; the reader takes both
        return env_line(name, json.dumps(fields))


def _test(app: App, args: Namespace) -> int:
    from framework.inspection.changes import tested, verdict

    steps = list(tested(app, args.conn_id, args.timeout))
    show([step.row() for step in steps], ("step", "ok", "result", "ms"), args.output)
    works, sentence = verdict(args.conn_id, steps)
    print_message(sentence)
    return OK if works else NO

"""The command `secrets`."""

from __future__ import annotations

from framework.cli.arguments import add_ignored, secret_argument
from framework.cli.output import OK, add_output, machine, print_message, show
from framework.errors import NotFound

DESCRIPTION = """\
Config secrets: what `_secret` pointers name. Reads go through the chain, writes go to the metastore.

for example:
  python -m framework secrets set ledger/token - < token.txt
  python -m framework secrets list
  python -m framework secrets get ledger/token
  python -m framework secrets delete ledger/token
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from framework.app import App


def add_arguments(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="get|list|set|delete")
    get = commands.add_parser("get", help="print a config secret, from the link that answers")
    get.set_defaults(run=_get, issues="handed on")
    get.add_argument("name")
    listing = commands.add_parser(
        "list", help="list the names from every link that can list, and which link shadows which"
    )
    listing.set_defaults(run=_list)
    listing.add_argument("--prefix", default="", help="only names that start with this")
    add_output(listing)
    setting = commands.add_parser("set", help="write a config secret to the metastore")
    setting.set_defaults(run=_set)
    setting.add_argument("name")
    setting.add_argument("value", metavar="VALUE", help="- reads it from stdin")
    delete = commands.add_parser("delete", help="delete a config secret from the metastore")
    delete.set_defaults(run=_delete)
    delete.add_argument("name")
    for command in commands.choices.values():
        add_ignored(command)


def _get(app: App, args: Namespace) -> int:
    value, _ = app.chain.config(args.name)
    machine(value)
    return OK


def _list(app: App, args: Namespace) -> int:
    from framework.cli.listing import list_names

    listed, status = list_names(app, "config", args.prefix)
    rows = [{"name": entry.name, "link": entry.link.name, "shadowed_by": entry.shadowed_by} for entry in listed]
    show(rows, ("name", "link", "shadowed_by"), args.output)
    return status


def _set(app: App, args: Namespace) -> int:
    value = secret_argument(args.value, f"value of {args.name}") or ""
    from framework.metastore.limits import checked

    checked("config", args.name, value, bounded=app.store.database.bounded)  # the store would take an empty name
    app.warn_if_shadowed("config", args.name)
    app.store.set_config(args.name, value)
    print_message(f"the config secret {args.name!r} was written to the metastore")
    return OK


def _delete(app: App, args: Namespace) -> int:
    if not app.store.delete_config(args.name):
        raise NotFound(f"the metastore has no config secret {args.name!r}")
    print_message(f"the config secret {args.name!r} was deleted from the metastore")
    return OK

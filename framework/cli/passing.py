"""What the commands that hand values to other programs have in common: the flags that choose them, and all faults at
once."""

from __future__ import annotations

from framework.cli.output import UsageError, print_error, status_of
from framework.delivery.selection import Chosen, select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from framework.app import App
    from framework.delivery.selection import Item
    from framework.delivery.values import Faults, Prefetch
    from framework.errors import FrameworkError


def add_selection(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--only",
        metavar="PATTERN",
        action="append",
        default=[],
        help="only the options whose section.key matches, as in db.*; may be given more than once",
    )
    parser.add_argument(
        "--map",
        metavar="SOURCE=NAME",
        action="append",
        default=[],
        help="give this value this name, as in db.password=PGPASSWORD; a source is section.key, conn:NAME, "
        "conn:NAME.FIELD, var:NAME or secret:NAME; may be given more than once",
    )
    parser.add_argument(
        "--connections",
        metavar="PATTERN",
        action="append",
        nargs="?",
        const="*",
        default=[],
        help="add the connections, or those that match, as NAME_URL; may be given more than once",
    )
    parser.add_argument(
        "--prefix",
        metavar="TEXT",
        default="",
        help="put this before every name; own: use the names that this application itself reads",
    )


def chosen(args: Namespace) -> Chosen:
    """The items that the flags select.

    Raises:
        UsageError: no name can begin with the prefix.
    """
    if args.prefix and not (args.prefix.isascii() and args.prefix.isidentifier()):
        raise UsageError("--prefix takes letters, digits and _", hint="For example --prefix APP_, or --prefix own.")
    return Chosen(args.only, args.map, args.connections, args.prefix)


def selected(app: App, args: Namespace) -> list[Item]:
    """The chosen values.

    Raises:
        Faults: all that is wrong with the choice or cannot be resolved.
    """
    return select(app, chosen(args), prefetch(app))


def prefetch(app: App) -> Prefetch:
    """Resolves pointers; who waits at a terminal sees for what."""

    def resolve(names: list[tuple[str, str]]) -> dict[tuple[str, str], FrameworkError]:
        from framework.cli.progress import resolve_at_once

        return resolve_at_once(app, names)

    return resolve


def print_faults(faults: Faults) -> int:
    """Print every error, an outage once for all that it stopped, and return the exit status."""
    from framework.inspection.outages import outages

    down = outages(dict(faults.faults))
    reported = {name for names in down.values() for name in names}
    for text in (*down, *(fault for name, fault in faults.faults if name not in reported)):
        print_error(text)
    return max(status_of(fault) for _, fault in faults.faults)

"""The command `fernet`."""

from __future__ import annotations

from framework.cli.output import NO, OK, add_output, show

DESCRIPTION = """\
Keys that encrypt the metastore.

for example:
  export BILLING__CORE__FERNET_KEY=$(python -m framework fernet generate)
  python -m framework fernet check
  BILLING__CORE__FERNET_KEY=$NEW,$OLD python -m framework fernet rotate
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from framework.app import App


def add_arguments(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="generate|check|rotate")
    generate = commands.add_parser("generate", help="print a new key; it is stored nowhere")
    generate.set_defaults(needs_app=False)  # where no application can be made, for want of a key perhaps
    check = commands.add_parser("check", help="how many rows each key opens, and which rows none opens")
    add_output(check)
    commands.add_parser("rotate", help="encrypt every row with the first key, also those in clear")


def run(app: App | None, args: Namespace) -> int:
    if app is None:
        from framework.metastore.crypto import generate

        print(generate())
        return OK
    if args.action == "rotate":
        from framework.cli.commands import rotate

        return rotate.run(app, args)
    return _check(app, args.output)


def _check(app: App, output: str) -> int:
    from framework.cli.commands.rotate import row_count, tell_unopened
    from framework.cli.progress import Progress
    from framework.metastore.rotation import census

    with Progress("checking", unit="rows") as progress:
        progress.total(lambda: row_count(app))
        found = census(app.store, progress.advance)
    names = [f"key {number} of {found.keys}" for number in range(1, found.keys + 1)]
    names[:1] = [f"{name}, which encrypts" for name in names[:1]]
    rows = [
        {"opened by": name, **{kind: counts[at] for kind, counts in found.counts.items()}}
        for at, name in enumerate([*names, "nothing: in clear", "no key"])
    ]
    show(rows, ("opened by", *found.counts), output)
    tell_unopened(found.unopened)
    return NO if found.unopened else OK

"""The command `fernet`."""

from __future__ import annotations

from framework.cli.output import NO, OK, add_output, print_error, print_message, print_note, show

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
    generate.set_defaults(run=_generate, needs_app=False)  # without a key, perhaps no application can be made
    check = commands.add_parser("check", help="how many rows each key opens, and which rows none opens")
    check.set_defaults(run=_check)
    add_output(check)
    rotating = commands.add_parser("rotate", help="encrypt every row with the first key, also those in clear")
    rotating.set_defaults(run=rotate)


def _generate(app: None, args: Namespace) -> int:
    from framework.metastore.crypto import generate

    print(generate())
    return OK


def _check(app: App, args: Namespace) -> int:
    from framework.cli.progress import Progress
    from framework.metastore.rotation import census

    with Progress("checking", unit="rows") as progress:
        progress.total(lambda: _row_count(app))
        found = census(app.store, progress.advance)
    names = [f"key {number} of {found.keys}" for number in range(1, found.keys + 1)]
    names[:1] = [f"{name}, which encrypts" for name in names[:1]]
    rows = [
        {"opened by": name, **{kind: counts[at] for kind, counts in found.counts.items()}}
        for at, name in enumerate([*names, "nothing: in clear", "no key"])
    ]
    show(rows, ("opened by", *found.counts), args.output)
    return _report_unopened(found.unopened)


def rotate(app: App, args: Namespace) -> int:
    """Encrypt every row with the first key; also the command `rotate-fernet-key`."""
    from framework.cli.progress import Progress
    from framework.masking.search import counted
    from framework.metastore import rotation

    with Progress("rotating", unit="rows") as progress:
        progress.total(lambda: _row_count(app))
        done = rotation.rotate(app.store, progress.advance)
    print_message(f"{counted(done.rotated, 'row')} rotated, {done.current:,} had the first key already")
    return _report_unopened(done.unopened)


def _row_count(app: App) -> int:
    """How many rows there are, for a progress bar."""
    from framework.metastore.bulk import count

    return sum(count(app.store.database, kind) for kind in ("connection", "variable", "config"))


def _report_unopened(rows: list[str]) -> int:
    """Name the rows that no key opens and what to do; the exit status."""
    for row in rows:
        print_error(f"no key in [core] fernet_key opens the {row}")
    if not rows:
        return OK
    print_note(
        "add the key that they were written with, after a comma; or set them again, or delete them "
        "(connections delete, variables delete, secrets delete)"
    )
    return NO

"""The command `rotate-fernet-key`."""

from __future__ import annotations

import sys

from framework.cli.output import NO, OK
from framework.cli.progress import Progress
from framework.masking.search import counted

DESCRIPTION = """\
Airflow's name for `fernet rotate`: encrypt every row of the metastore with the first key of [core] fernet_key.

Put the new key before the old one, rotate, and take the old one away when `fernet check` says that no row needs it.
It may be stopped at any point, and started again.

for example:
  python -m framework rotate-fernet-key
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from framework.app import App


def add_arguments(parser: ArgumentParser) -> None:
    """It takes none."""


def run(app: App, args: Namespace) -> int:
    from framework.metastore.rotation import rotate

    store = app.store
    with Progress("rotating", unit="rows") as progress:
        progress.total(lambda: row_count(app))
        done = rotate(store, progress.advance)
    rotated = f"{counted(done.rotated, 'row')} rotated"
    print(f"{rotated}, {done.current:,} had the first key already", file=sys.stderr)
    tell_unopened(done.unopened)
    return NO if done.unopened else OK


def row_count(app: App) -> int:
    """How many rows there are, for a progress bar."""
    from framework.metastore.bulk import count

    return sum(count(app.store.database, kind) for kind in ("connection", "variable", "config"))


def tell_unopened(rows: list[str]) -> None:
    """Name the rows that no key opens, and say what can be done."""
    for row in rows:
        print(f"error: no key in [core] fernet_key opens the {row}", file=sys.stderr)
    if rows:
        print(
            "note: add the key that they were written with, after a comma; or set them again, or delete them "
            "(connections delete, variables delete, secrets delete)",
            file=sys.stderr,
        )

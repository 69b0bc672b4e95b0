"""The command `rotate-fernet-key`."""

from __future__ import annotations

from framework.cli.commands.fernet import rotate

DESCRIPTION = """\
Airflow's name for `fernet rotate`: encrypt every row of the metastore with the first key of [core] fernet_key.

Put the new key before the old one, rotate, and remove the old one when `fernet check` shows that no row needs it.
It can be stopped at any point and started again.

for example:
  python -m framework rotate-fernet-key
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=rotate)

"""Keys that encrypt the metastore.

for example:
  export BILLING__CORE__FERNET_KEY=$(python -m framework fernet generate)
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

NEEDS_APP = False


def add_arguments(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="generate")
    commands.add_parser("generate", help="print a new key; it is stored nowhere")


def run(app: None, args: Namespace) -> int:
    from framework.metastore.crypto import generate

    print(generate())
    return 0

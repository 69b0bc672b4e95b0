"""The command `exec`."""

from __future__ import annotations

from framework.cli.output import UsageError, print_error
from framework.cli.passing import add_selection, print_faults, selected
from framework.cli.progress import Progress
from framework.delivery.execution import FAILED, NotStarted, environment, replace_process
from framework.delivery.values import Faults

DESCRIPTION = """\
Resolve the configuration, and become a program that finds it in its environment.

Everything is resolved first; if anything fails, nothing is started, and every fault is told. The program then takes the
place of this process, with its PID, its signals, its terminal and its exit status. Exit status before that: 125 for a
fault of ours, 126 if the program cannot be executed, 127 if it is not found.

Options are called SECTION_KEY, or as --map names them. The framework's own options that open the stores, such as
[core] fernet_key, are not passed unless they are named exactly.

for example:
  python -m framework exec -- gunicorn billing:app
  python -m framework exec --only db.password --map db.password=PGPASSWORD -- psql
  python -m framework exec --pristine --connections -- env
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from framework.app import App


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_run, unknown_app="refused", shows_progress=False)
    add_selection(parser)
    parser.add_argument("--keep", action="store_true", help="a variable that is set already keeps its value")
    parser.add_argument(
        "--pristine",
        action="store_true",
        help="pass nothing else of this environment but PATH HOME USER LOGNAME SHELL TERM LANG LC_* TZ TMPDIR",
    )
    parser.add_argument("words", nargs="...", metavar="-- PROGRAM", help="the program and its arguments")


def _run(app: App, args: Namespace) -> int:
    words = _program(args)
    try:
        with Progress(""):
            items = selected(app, args)
        environ = environment(items, keep=args.keep, pristine=args.pristine)
        replace_process(words, environ)
    except Faults as faults:
        print_faults(faults)
    except NotStarted as fault:
        print_error(fault)
        return fault.status
    return FAILED


def _program(args: Namespace) -> list[str]:
    if args.words or args.program is None:
        raise UsageError("the program must follow --", hint="For example: exec --only 'db.*' -- psql")
    if not args.program:
        raise UsageError("no program follows --", hint="For example: exec -- printenv")
    words: list[str] = args.program
    return words

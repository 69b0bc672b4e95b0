"""The command `exec`."""

from __future__ import annotations

from framework.cli.arguments import seconds
from framework.cli.output import UsageError, print_error, print_note, print_warning
from framework.cli.passing import add_selection, chosen, print_faults, selected
from framework.cli.progress import Progress
from framework.delivery.execution import FAILED, NotStarted, environment, replace_process
from framework.delivery.selection import select
from framework.delivery.values import Faults
from framework.errors import FrameworkError

DESCRIPTION = """\
Resolve the configuration, then become the program, with the values in its environment.

Everything is resolved first; if anything fails, nothing is started, and every fault is reported. The program then takes
the place of this process: its PID, its terminal, its signals and its exit status. If it is not started, the exit status
is 125 for a fault of the configuration or wrong usage, 126 if the program cannot be executed, 127 if it is not found.
With --mask, --watch and --files the program runs as a child. It gets every signal, and its exit status is passed on.

Options are called SECTION_KEY, or as --map names them. The framework's own options that open the stores, such as
[core] fernet_key, are not passed unless they are named exactly.

for example:
  python -m framework exec -- gunicorn billing:app
  python -m framework exec --only db.password --map db.password=PGPASSWORD -- psql
  python -m framework exec --pristine --connections -- env
  python -m framework exec --watch 30 --mask -- node server.js
  python -m framework exec --files /dev/shm -- java -jar billing.jar
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from framework.app import App
    from framework.delivery.secret_files import SecretFiles
    from framework.delivery.selection import Item
    from framework.delivery.supervisor import Signals


def add_arguments(parser: ArgumentParser) -> None:
    parser.usage = "%(prog)s [options] -- PROGRAM [ARGUMENT ...]"
    parser.set_defaults(run=_run, unknown_app="refused", shows_progress=False, issues="used")
    add_selection(parser)
    parser.add_argument("--keep", action="store_true", help="do not replace variables that are already set")
    parser.add_argument(
        "--pristine",
        action="store_true",
        help="pass only these variables of this environment: PATH HOME USER LOGNAME SHELL TERM LANG LC_* TZ TMPDIR",
    )
    parser.add_argument(
        "--mask", action="store_true", help="redact the program's output, where it does not go to a terminal"
    )
    parser.add_argument(
        "--watch",
        metavar="SECONDS",
        type=seconds,
        nargs="?",
        const=60.0,
        help="look for changes every SECONDS (default: 60), and restart the program when one of its values has changed",
    )
    parser.add_argument("--signal", metavar="NAME", help="with --watch: send this signal instead, such as HUP")
    parser.add_argument(
        "--kill-after",
        metavar="SECONDS",
        type=seconds,
        default=30.0,
        help="with --watch: how long a program may take to end before it is killed (default: 30)",
    )
    parser.add_argument(
        "--splay",
        metavar="SECONDS",
        type=seconds,
        default=0.0,
        help="with --watch: wait a random time up to this before a restart",
    )
    parser.add_argument(
        "--files",
        metavar="DIR",
        help="pass secrets as files in a new folder in DIR, which is in memory (tmpfs), and their paths as NAME_FILE",
    )
    parser.add_argument("--allow-disk", action="store_true", help="with --files: DIR may be on a disk")
    parser.add_argument("words", nargs="...", metavar="-- PROGRAM", help="the program and its arguments")


def _run(app: App, args: Namespace) -> int:
    words, number = _program(args), _signal(args)
    try:
        with Progress(""):
            items = selected(app, args)
        if args.files or args.watch is not None or _masks(args):
            status = _supervised(app, args, words, items, number)
        else:
            replace_process(words, environment(items, keep=args.keep, pristine=args.pristine))
            return FAILED
    except Faults as faults:
        print_faults(faults)
        return FAILED
    except NotStarted as fault:
        print_error(fault)
        return fault.status
    from framework.delivery.supervisor import end_like
    from framework.lifetime import at_exit

    at_exit.run()  # the program may have died of a signal, which then ends this process as well
    return end_like(status)


def _supervised(app: App, args: Namespace, words: list[str], items: list[Item], number: int) -> int:
    """Run the program as a child, and return its wait status."""
    from framework.delivery.supervisor import Signals

    with Signals() as signals:  # so that none ends this process before the files are removed
        if not args.files:
            return _run_child(app, args, words, items, number, signals, None)
        from framework.delivery.secret_files import SecretFiles

        with SecretFiles(args.files, app.names.app, allow_disk=args.allow_disk) as files:
            return _run_child(app, args, words, items, number, signals, files)


def _run_child(
    app: App,
    args: Namespace,
    words: list[str],
    items: list[Item],
    number: int,
    signals: Signals,
    files: SecretFiles | None,
) -> int:
    from framework.delivery.supervisor import Supervisor

    def environ(items: list[Item]) -> dict[str, str]:
        if files is None:
            return environment(items, keep=args.keep, pristine=args.pristine)
        from framework.delivery.secret_files import own_variables

        made = environment(files.write(items), keep=args.keep, pristine=args.pristine)
        written = {item.name for item in items if not item.sensitive}
        for name in {*own_variables(app, items), *(item.name for item in items if item.sensitive)} - written:
            made.pop(name, None)
        return made

    def resolve() -> list[Item]:
        app.reload()
        return select(app, chosen(args))

    def notify(fault: FrameworkError) -> None:
        print_warning("the configuration cannot be read again; the program keeps its values")
        if isinstance(fault, Faults):
            print_faults(fault)
        else:
            print_error(fault)

    watch = None
    if args.watch is not None:
        from framework.delivery.watch import Watch

        watch = Watch(items, args.watch, resolve, environ, notify, args.splay)
    supervisor = Supervisor(
        words,
        environ(items),
        signals,
        mask=args.mask,
        watch=watch,
        notify=print_note,
        signal_number=number,
        kill_after=args.kill_after,
    )
    return supervisor.run()


def _masks(args: Namespace) -> bool:
    import os

    if args.mask and all(map(os.isatty, (1, 2))):
        print_note("stdout and stderr are terminals, so nothing is masked")
        return False
    return bool(args.mask)


def _signal(args: Namespace) -> int:
    if args.watch is None:
        for flag in ("signal", "splay"):
            if getattr(args, flag):
                raise UsageError(f"--{flag} requires --watch")
        return 0
    if args.signal is None:
        return 0
    from signal import Signals

    name = args.signal.upper()
    number = getattr(Signals, name if name.startswith("SIG") else f"SIG{name}", None)
    if number is None:
        raise UsageError("--signal takes the name of a signal", hint="For example HUP.")
    return int(number)


def _program(args: Namespace) -> list[str]:
    if args.words or args.program is None:
        raise UsageError("the program must follow --", hint="For example: exec --only 'db.*' -- psql")
    if not args.program:
        raise UsageError("no program follows --", hint="For example: exec -- printenv")
    return list(args.program)

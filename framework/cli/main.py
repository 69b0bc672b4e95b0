"""Finds the application and the command, and turns errors into messages and exit statuses."""

from __future__ import annotations

import sys

from framework import errors
from framework.chain.deadline import given_up
from framework.cli import nothing
from framework.cli.output import NO, OK, USAGE, Visible, short, status_of
from framework.errors import ConfigError, FrameworkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence
    from typing import Any

    from framework.app import App

#: command -> (module, what it does). A module has `add_arguments(parser)` and `run(app, args) -> status`.
COMMANDS = {
    "dump": ("dump", "the effective configuration, with the origin of every value"),
    "explain": ("explain", "who writes an option, connection or variable, and who wins"),
    "check": ("check", "unknown names, wrong types, pointers that lead nowhere"),
    "config": ("config", "get-value, list, lint, update, set, unset"),
    "init": ("init", "write a project file, a schema and a cfg file to start from"),
    "completion": ("completion", "what makes bash, zsh or fish complete the words of a command"),
    "backend-test": ("backend_check", "try a secrets backend against its live store, reading only"),
    "stats": ("stats", "resolve everything once, and tell what that cost each backend"),
    "policy": ("policy", "the least-privilege policy for the names that this configuration asks for"),
    "connections": ("connections", "get, list, add, delete, import, export, test"),
    "variables": ("variables", "get, list, set, delete, import, export"),
    "secrets": ("secrets", "config secrets: get, list, set, delete"),
    "db": ("db", "the metastore's database: check, migrate, reset"),
    "fernet": ("fernet", "keys of the metastore: generate, check, rotate"),
    "rotate-fernet-key": ("rotate", "Airflow's name for fernet rotate"),
}

_DESCRIPTION = """\
What will this application run with, and where is it from?

options:
  --project DIR            the folder of the pyproject.toml with [tool.framework]
  --app module:attribute   an App of your own code
  --name NAME              the application of that name, without a project file
  --env NAME               the environment, such as production; else BILLING_ENV, else development
  --config FILE            the main cfg file
  --dotenv FILE            a .env file over those of the project; may be given more than once
  --worker                 be a worker: [workers] secrets_backend instead of [secrets], and no metastore
  -h, --help               this text; after a command, the command's own
  --version                the version

commands:
{commands}

Without --project, --app or --name it is FRAMEWORK_APP, or the project in the folder FRAMEWORK_PROJECT
or in the working directory, or the application called framework.

exit status: 0 done, 1 the answer is no or problems were found, 2 wrong usage, 3 a link of the chain failed

for example:
  python -m framework dump
  python -m framework explain core port
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. Nothing is raised, and no traceback is shown."""
    import os

    if argv is None and "_ARGCOMPLETE" in os.environ:
        from framework.cli.commands.completion import complete

        return complete(COMMANDS, _app)
    arguments = list(sys.argv[1:] if argv is None else argv)
    streams = sys.stdout, sys.stderr
    _prepare_streams()
    token = given_up.set(set())  # a link that does not answer is asked once by a command, not for every name
    try:
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except FrameworkError as fault:
        return _failed(fault)
    except BrokenPipeError:  # the reader has gone: `| head`
        _silence_stdout()
        return OK
    except OSError as fault:  # a full disk, a working directory that is no more
        _silence_stdout()
        print(f"error: {fault.strerror or type(fault).__name__}", file=sys.stderr)
        return NO
    except KeyboardInterrupt:
        return 130
    except RecursionError:
        print("error: something is nested too deep", file=sys.stderr)
        return NO
    except SystemExit as stop:  # argparse's has a number; the words of anybody else may hold a secret
        if stop.code is None or isinstance(stop.code, int):
            raise
        print("error: some code ended the process with a message, which is not shown", file=sys.stderr)
        return NO
    finally:
        sys.stdout, sys.stderr = streams
        given_up.reset(token)


def _run(arguments: list[str]) -> int:
    parser = _parser()
    args = parser.parse_args(arguments)
    if args.version:
        import framework

        print(f"framework {framework.__version__}")
        return OK
    if args.help or args.command is None:
        print(parser.format_help(), end="")
        return OK if args.help else USAGE
    if args.command not in COMMANDS:
        return _unknown(args.command)
    for option in ("project", "app", "name", "config", "dotenv"):
        if getattr(args, option) == "" or (option == "dotenv" and "" in (args.dotenv or ())):
            print(f"error: --{option} is empty: give it a value, or leave it out", file=sys.stderr)
            return USAGE
    _show_warnings()
    from argparse import Namespace
    from importlib import import_module

    command = import_module(f"framework.cli.commands.{COMMANDS[args.command][0]}")
    if getattr(command, "LISTS_WARNINGS", False):
        errors.listener = lambda message: None
    words = _command_parser(command, args.command).parse_args(args.rest, Namespace(given=args))
    app = _app(args) if getattr(words, "needs_app", getattr(command, "NEEDS_APP", True)) else None
    if app is not None and args.command in nothing.COMMANDS and (fault := nothing.nothing_found(app, args)):
        if args.command != "check":  # what there is: defaults, or the framework's own options
            command.run(app, words)
        _failed(fault)
        return USAGE
    from framework.cli.progress import Progress

    with Progress(""):
        status: int = command.run(app, words)
    return status


def _prepare_streams() -> None:
    """A stream that is closed swallows; a character that it cannot encode is no reason to fail; none acts on a
    terminal."""
    import os

    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    if hasattr(sys.stdout, "reconfigure"):  # bytes of a variable that are no UTF-8 come out as they were
        sys.stdout.reconfigure(errors="surrogateescape" if encoding == "utf8" else "backslashreplace")
    sys.stdout, sys.stderr = Visible(sys.stdout), Visible(sys.stderr, messages=True)


def _silence_stdout() -> None:
    """What is still in the buffer goes nowhere, instead of failing once more when Python ends."""
    import os

    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # not a real file: a test's
        pass


def _parser() -> ArgumentParser:
    from argparse import REMAINDER

    from framework.cli import parsers

    commands = "\n".join(f"  {name:<24} {what}" for name, (_, what) in COMMANDS.items())

    class Parser(parsers.Parser):
        def format_help(self) -> str:
            return f"usage: python -m framework [options] command …\n\n{_DESCRIPTION.format(commands=commands)}"

    parser = Parser(prog="python -m framework", add_help=False, allow_abbrev=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--worker", action="store_true")
    parser.add_argument("--version", action="store_true")
    for option in ("--project", "--app", "--name", "--env", "--config"):
        parser.add_argument(option)
    parser.add_argument("--dotenv", action="append")
    parser.add_argument("command", nargs="?")
    parser.add_argument("rest", nargs=REMAINDER)
    return parser


def _command_parser(command: Any, name: str) -> ArgumentParser:
    from argparse import RawDescriptionHelpFormatter

    from framework.cli.parsers import Parser

    parser = Parser(
        prog=f"python -m framework {name}",
        description=command.DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    for action in parser._actions:
        if isinstance(action.choices, dict):
            about = {choice.dest: choice.help for choice in getattr(action, "_choices_actions", ())}
            for below, inner in action.choices.items():
                _describe(inner, about.get(below) or below, name, below, command.DESCRIPTION)
    return parser


def _describe(parser: ArgumentParser, what: str, name: str, below: str, text: str) -> None:
    """A command of a command says what it does, with those of the whole command's examples that are about it."""
    from argparse import RawDescriptionHelpFormatter

    examples = [line for line in text.split("\n") if line.startswith("  ") and f"framework {name} {below}" in line]
    parser.description = f"{what[:1].upper()}{what[1:]}." + "".join(["\n\nfor example:", *(f"\n{e}" for e in examples)])
    parser.formatter_class = RawDescriptionHelpFormatter


def _app(args: Namespace) -> App:
    import os

    from framework import project
    from framework.app import App
    from framework.discovery import named_by
    from framework.files.trust import Typed

    if args.app and (args.name or args.project):
        raise ConfigError("--app goes with neither --name nor --project", hint="Give one of them.")
    named = args.app or (os.environ.get("FRAMEWORK_APP") if not (args.name or args.project) else None)
    if named:
        for flag in ("env", "config", "dotenv", "worker"):
            if getattr(args, flag):
                what = f"--{flag} goes with --project or --name only"
                raise ConfigError(what, hint=f"An App has its own {flag}=.")
        return named_by(named, "--app" if args.app else "FRAMEWORK_APP").use()
    said: dict[str, Any] = {}
    path = ""
    if args.project:
        found = project.find(args.project, named=True)
        said, path = _of(found), found.path if found else ""
    elif not args.name:
        found = project.here()
        if found is None:
            print(
                "note: no project was found here, so this is about the application called framework; write "
                '[tool.framework] with name = "…" in pyproject.toml, or pass --project, --app or --name',
                file=sys.stderr,
            )
        said, path = (
            _of(found),
            found.path if found else os.path.join(os.environ.get("FRAMEWORK_PROJECT") or "", "pyproject.toml"),
        )
    if args.name:
        said["name"] = args.name
        project.modules_here()
    if args.env:
        said["env"] = args.env
    if args.config:
        said["config"] = Typed(args.config)
    if args.dotenv:
        said["dotenv"] = [*said.get("dotenv", ()), *map(Typed, args.dotenv)]
    if args.worker:
        said["worker"] = True
    made = App(**said)
    made.sources.project = path
    return made.use()


def _of(found: Any) -> dict[str, Any]:
    return {} if found is None else dict(found.said)


def _unknown(command: str) -> int:
    from difflib import get_close_matches

    near = get_close_matches(command, COMMANDS, 1)
    if near:
        print(f"error: there is no command {command!r}; did you mean {near[0]}?", file=sys.stderr)
    else:  # not repeated: it may be a secret that slipped to this place
        print(f"error: there is no such command; use one of {', '.join(COMMANDS)}", file=sys.stderr)
    return USAGE


def _failed(fault: FrameworkError) -> int:
    print(f"error: {short(str(fault))}", file=sys.stderr)
    return status_of(fault)


def _show_warnings() -> None:
    """Warnings go to stderr, each once, redacted, without the line of our own code that gives them."""
    import warnings

    def ours(message: str) -> None:
        print(f"warning: {short(message)}", file=sys.stderr)

    def foreign(message: Any, category: Any, filename: str, lineno: int, *_: Any, **__: Any) -> None:
        print(f"warning: {category.__name__} at {filename}:{lineno}", file=sys.stderr)  # its text may hold a secret

    errors.listener = ours
    warnings.showwarning = foreign
    warnings.simplefilter("default")
    warnings.simplefilter("ignore", ResourceWarning)

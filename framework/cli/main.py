"""Finds the application and the command, and turns errors into messages and exit statuses."""

from __future__ import annotations

import sys
from contextlib import contextmanager

from framework import errors
from framework.cli.commands import COMMANDS, STARTS_PROGRAM
from framework.cli.output import (
    NO,
    OK,
    USAGE,
    NoStdin,
    UsageError,
    Visible,
    print_error,
    print_note,
    print_warning,
    status_of,
)
from framework.deadlines import given_up
from framework.errors import ConfigError, FrameworkError
from framework.lifetime import Looking, at_exit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from framework.app import App
    from framework.project import Project


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. Nothing is raised, and no traceback is shown."""
    import os

    if argv is None and "_ARGCOMPLETE" in os.environ:
        from framework.cli.completion import complete

        return complete(chosen_app)
    arguments = list(sys.argv[1:] if argv is None else argv)
    streams = sys.stdout, sys.stderr
    _prepare_streams()
    command: list[str] = []  # once it is known
    token = given_up.set(set())  # a link that does not answer is asked once by a command, not for every name
    try:
        status = _run(arguments, command)
        sys.stdout.flush()
        return status
    except FrameworkError as fault:
        print_error(fault)
        return _status(status_of(fault), command)
    except BrokenPipeError:  # the reader has closed the pipe: `| head`
        _silence_stdout()
        return OK
    except OSError as fault:  # a full disk, a working directory that was removed
        _silence_stdout()
        print_error(fault.strerror or type(fault).__name__)
        return _status(NO, command)
    except KeyboardInterrupt:
        return 130
    except RecursionError:
        print_error("something is nested too deeply")
        return _status(NO, command)
    except SystemExit as stop:  # argparse's has a number; a message of other code may hold a secret
        if stop.code is None or isinstance(stop.code, int):
            raise SystemExit(_status(stop.code or OK, command)) from None
        print_error("some code ended the process with a message, which is not shown")
        return _status(NO, command)
    finally:
        sys.stdout, sys.stderr = streams
        given_up.reset(token)


def _status(status: int, command: list[str]) -> int:
    from framework.delivery.execution import FAILED

    return FAILED if status and command and command[0] in STARTS_PROGRAM else status


def _run(arguments: list[str], command: list[str]) -> int:
    """Run a command.

    Args:
        arguments: the words of the command line.
        command: is given the command's name as soon as it is known.
    """
    from argparse import Namespace

    from framework.cli.parsers import APP_OPTIONS, command_parser, did_you_mean, main_parser
    from framework.cli.progress import Progress

    parser = main_parser()
    program: list[str] | None = None
    if "--" in arguments:
        end = arguments.index("--")
        given, program = parser.parse_args(arguments[:end]), arguments[end + 1 :]
    if program is None or given.command not in STARTS_PROGRAM:
        given = parser.parse_args(arguments)
    command.append(given.command or "")
    if given.version:
        import framework

        print(f"framework {framework.__version__}")
        return OK
    if given.help or given.command is None:
        print(parser.format_help(), end="")
        return OK if given.help else USAGE
    if given.command not in COMMANDS:
        if near := did_you_mean(given.command, list(COMMANDS)):
            raise UsageError(f"there is no command {given.command!r}{near}")
        # The word is not repeated: it may be a secret that is in the wrong place.
        raise UsageError(f"there is no such command; use one of {', '.join(COMMANDS)}")
    for option in APP_OPTIONS:
        value = getattr(given, option)
        is_empty = value == "" and option != "env"  # an empty environment counts as not given, like BILLING_ENV
        if is_empty or (isinstance(value, list) and "" in value):
            raise UsageError(f"--{option} is empty: give it a value, or leave it out")
    args = command_parser(given.command).parse_args(given.rest, Namespace(given=given, program=program))
    at_exit.is_wanted = args.issues != "handed on"
    with _warnings(listed=args.lists_warnings), Looking(not args.issues):
        try:
            app = chosen_app(given) if args.needs_app else None
        except FrameworkError as refusal:
            if args.refused is None:
                raise
            return int(args.refused(refusal, args))
        fault = _nothing_found(app, given) if app is not None and args.unknown_app else None
        if fault is not None and args.unknown_app == "refused":
            raise fault
        if args.shows_progress:
            with Progress(""):
                status: int = args.run(app, args)
        else:
            status = args.run(app, args)
    if fault is not None:
        raise fault
    return status


def _nothing_found(app: App, given: Namespace) -> FrameworkError | None:
    """The error if nothing of the application exists; one that was named by a path or an object was found."""
    if given.app or given.config or given.dotenv or given.project:
        return None
    from framework.cli.unknown_app import nothing_found

    return nothing_found(app, given)


def _prepare_streams() -> None:
    """A closed stream swallows text, an unencodable character is escaped, nothing acts on a terminal."""
    import os

    if sys.stdin is None:
        sys.stdin = NoStdin()
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    if hasattr(sys.stdout, "reconfigure"):  # bytes of a variable that are not UTF-8 are printed unchanged
        sys.stdout.reconfigure(errors="surrogateescape" if encoding == "utf8" else "backslashreplace")
    sys.stdout, sys.stderr = Visible(sys.stdout), Visible(sys.stderr, messages=True)


def _silence_stdout() -> None:
    """Drop the rest of the buffer, so that flushing it does not fail again when Python ends."""
    import os

    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # not a real file: a test's
        pass


def chosen_app(args: Namespace, environ: Mapping[str, str] | None = None) -> App:
    """The application that the words before the command name, or that is found.

    Args:
        environ: instead of the environment of this process.
    """
    import os

    from framework import project
    from framework.app import App
    from framework.files.trust import Typed

    if args.app and (args.name or args.project):
        raise ConfigError("--app cannot be combined with --name or --project", hint="Use only one of them.")
    named = args.app or (os.environ.get("FRAMEWORK_APP") if not (args.name or args.project) else None)
    if named:
        for flag in ("env", "config", "dotenv", "worker"):
            if getattr(args, flag):
                what = f"--{flag} requires --project or --name"
                raise ConfigError(what, hint=f"An App has its own {flag}=.")
        from framework.discovery import named_by

        return named_by(named, "--app" if args.app else "FRAMEWORK_APP").use()
    settings: dict[str, Any] = {} if environ is None else {"environ": environ}
    path = ""
    if args.project:
        found = project.find(args.project, named=True)
        settings, path = settings | _of(found), found.path if found else ""
    elif not args.name:
        found = project.here()
        if found is None:
            print_note(
                "no project was found here, so the application called framework is used; write "
                '[tool.framework] with name = "…" in pyproject.toml, or pass --project, --app or --name'
            )
        settings, path = (
            settings | _of(found),
            found.path if found else os.path.join(os.environ.get("FRAMEWORK_PROJECT") or "", "pyproject.toml"),
        )
    if args.name:
        settings["name"] = args.name
        project.modules_here()
    if args.env:
        settings["env"] = args.env
    if args.config:
        settings["config"] = Typed(args.config)
    if args.dotenv:
        settings["dotenv"] = [*settings.get("dotenv", ()), *map(Typed, args.dotenv)]
    if args.worker:
        settings["worker"] = True
    made = App(**settings)
    made.sources.project = path
    return made.use()


def _of(found: Project | None) -> dict[str, object]:
    return {} if found is None else dict(found.settings)


@contextmanager
def _warnings(*, listed: bool) -> Iterator[None]:
    """Print warnings to stderr: each once, redacted, without the line of our code that raised it.

    Args:
        listed: whether the command lists our own warnings itself.
    """
    import warnings

    def foreign(message: object, category: type[Warning], filename: str, lineno: int, *_: object, **__: object) -> None:
        if issubclass(category, errors.FrameworkWarning):  # of a thread of its own
            print_warning(message)
        else:
            print_warning(f"{category.__name__} at {filename}:{lineno}")  # its text may hold a secret

    token = errors.listener.set((lambda message: None) if listed else print_warning)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = foreign
            warnings.simplefilter("default")
            warnings.simplefilter("ignore", ResourceWarning)
            yield
    finally:
        errors.listener.reset(token)

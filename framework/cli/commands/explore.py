"""The command `explore`."""

from __future__ import annotations

import os

from framework.cli.output import OK, UsageError, print_in_clear, print_message, print_note

DESCRIPTION = """\
Show every option, and the connections, variables and secret names of every link, in a browser. Nothing can be changed
without --write.

for example:
  python -m framework explore --open
  python -m framework --name airflow explore
  python -m framework explore --pid 4711            the environment of a running service
  python -m framework explore --socket /run/user/1000/explorer.sock
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from framework.app import App


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_run, needs_app=False, lists_warnings=True, shows_progress=False)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--port", type=_port, default=0, help="the port on 127.0.0.1 (default: a free one)")
    where.add_argument("--socket", metavar="PATH", help="listen on a Unix socket instead, mode 0600")
    parser.add_argument("--pid", type=int, metavar="N", help="show the environment of this process, as it started")
    parser.add_argument("--write", action="store_true", help="allow changes to the metastore")
    parser.add_argument("--open", action="store_true", help="open a browser")


def _port(text: str) -> int:
    from argparse import ArgumentTypeError

    if text.isascii() and text.isdecimal() and int(text) < 65536:
        return int(text)
    raise ArgumentTypeError("a port is a number from 0 to 65535")


def _run(app: None, args: Namespace) -> int:
    from framework.web import needed

    build = needed()
    from framework.web import serve
    from framework.web.explorer import Explorer

    if args.open and args.socket:
        raise UsageError("--open requires --port: a browser cannot open a Unix socket")
    chosen = _app(args)
    who = _user()
    explorer = Explorer(
        chosen, write=args.write, whose=_whose(chosen, args), command=_command(args), owned=True, report=print_message
    )
    if args.socket:
        listening = serve.listen_at(args.socket)
        site = build(chosen, authorize=serve.by_socket(who), explorer=explorer)
        print_message(f"the explorer listens at {args.socket}; only {who} can open it")
        try:
            serve.serve(site, listening)
        finally:
            os.unlink(args.socket)
        return OK
    listening = serve.listen(args.port)
    files: list[str] = []

    def print_link(link: str) -> None:
        for path in files:  # its link was used
            os.unlink(path)
        first = "open" if session.is_new else "used; for another browser, open"
        print_in_clear(f"{first}: {link}")
        files.clear()

    session = serve.Session(who, listening.getsockname()[1], print_link)
    site = build(chosen, authorize=session.authorize, hosts=[session.host], explorer=explorer, enter=session.enter)
    link = session.new_link()
    print_note("each link works once; Ctrl-C ends the explorer")
    try:
        if args.open:
            files.append(serve.redirect_file(link))
            serve.open_browser(files[0])
        serve.serve(site, listening)
    finally:
        for path in files:
            os.unlink(path)
    return OK


def _app(args: Namespace) -> App:
    """The application, with the environment of another process if one is named."""
    from framework.cli.main import chosen_app
    from framework.cli.unknown_app import nothing_found

    environ = None
    if args.pid is not None:
        if args.given.app or (os.environ.get("FRAMEWORK_APP") and not (args.given.name or args.given.project)):
            raise UsageError("--pid requires --name or --project: an App of your own code has its own environment")
        environ = _environment_of(args.pid)
    chosen = chosen_app(args.given, environ)
    if (fault := nothing_found(chosen, args.given)) is not None:
        raise fault
    return chosen


def _environment_of(pid: int) -> dict[str, str]:
    """The environment with which a process was started.

    Raises:
        UsageError: there is no such process, or it is another user's.
    """
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            text = file.read()
    except OSError as fault:
        hint = "Name a process of your own; this needs Linux."
        raise UsageError(f"the environment of process {pid} cannot be read ({fault.strerror})", hint=hint) from None
    pairs = (os.fsdecode(entry).partition("=") for entry in text.split(b"\0") if b"=" in entry)
    return {name: value for name, _, value in pairs}


def _whose(app: App, args: Namespace) -> str:
    if args.pid is None:
        return f"the application {app.name} with the environment of this explorer, started by {_user()}"
    return (
        f"the application {app.name} with the environment with which process {args.pid} was started; stores are asked "
        "by this explorer"
    )


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def _command(args: Namespace) -> str:
    """How this application is named on a command line."""
    import shlex

    words = ["python", "-m", "framework"]
    for option in ("app", "name", "project", "env", "config"):
        if value := getattr(args.given, option):
            words += [f"--{option}", str(value)]
    return shlex.join(words)

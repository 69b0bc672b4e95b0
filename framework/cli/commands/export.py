"""The command `export`."""

from __future__ import annotations

import os
import sys

from framework.cli.output import OK, UsageError, machine, machine_bytes, print_message, short
from framework.cli.passing import add_selection, print_faults, selected
from framework.delivery.formats import DIALECTS, FORMATS, is_object_name, masks, written
from framework.delivery.values import Faults

DESCRIPTION = """\
Print options as variables or as a document that another program reads. The values are in clear.

Options are called SECTION_KEY, or as --map names them. The framework's own options that open the stores, such as
[core] fernet_key, are left out unless they are named exactly. If anything cannot be resolved or written, nothing is
printed, and every fault is reported.

for example:
  out="$(python -m framework export --only 'db.*')" && eval "$out"
  python -m framework export --format docker -o app.env
  python -m framework export --format k8s-secret --name billing | kubectl apply -f -
  python -m framework export --format dotenv --dialect node --map db.password=PGPASSWORD
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from framework.app import App
    from framework.delivery.selection import Item


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_run, unknown_app="refused", issues="handed on")
    parser.add_argument("--format", choices=list(FORMATS), default="shell", help="the format of the output")
    parser.add_argument(
        "--dialect",
        choices=list(DIALECTS),
        default="",
        help="with dotenv: for this reader alone, where the readers disagree",
    )
    add_selection(parser)
    parser.add_argument("--name", metavar="NAME", help="the name of the Kubernetes object; default: the application's")
    parser.add_argument("--namespace", metavar="NAME", default="", help="its namespace")
    parser.add_argument("-o", "--output", metavar="FILE", help="write this file, mode 0600, instead of stdout")
    parser.add_argument("--yes", action="store_true", help="print secrets even to a terminal")


def _run(app: App, args: Namespace) -> int:
    if args.dialect and args.format != "dotenv":
        raise UsageError("--dialect requires --format dotenv")
    if not args.output and not args.yes and sys.stdout.isatty():
        raise UsageError("export prints values in clear, and this is a terminal: pass --yes, or write a file with -o")
    name = app.name.lower().replace("_", "-") if args.name is None else args.name
    if args.format.startswith("k8s") and not is_object_name(name):
        raise UsageError(
            "--name takes lower-case letters, digits, '-' and '.'", hint=f"For example {app.name.lower()}."
        )
    if args.namespace and not is_object_name(args.namespace, 63):
        raise UsageError("--namespace takes lower-case letters, digits and '-'", hint="For example default.")
    try:
        items = selected(app, args)
        data = written(items, args.format, dialect=args.dialect, name=name, namespace=args.namespace)
    except Faults as faults:
        return print_faults(faults)
    _warn_of_interpolation(items, args.dialect)
    if args.format == "github":
        return _github(items, data, args.output)
    if args.output:
        from framework.delivery.target import put

        put(args.output, data, secret=True)
        print_message(f"{counted_variables(items)} written to {short(args.output)}")
    else:
        machine_bytes(data)
    return OK


def counted_variables(items: list[Item]) -> str:
    from framework.masking.search import counted

    return f"{counted(len(items), 'value')} {'was' if len(items) == 1 else 'were'}"


def _warn_of_interpolation(items: list[Item], dialect: str) -> None:
    from framework.errors import warn

    for item in items if dialect == "python" else ():
        if "${" in item.text:
            warn(f"{item.source} holds '${{': load the file with interpolate=False, else python-dotenv replaces it")


def _github(items: list[Item], data: bytes, output: str | None) -> int:
    """Append to the file of `GITHUB_ENV`, and print what hides the secrets in the log.

    Without the file all of it is printed. Where stdout is that file (`>> "$GITHUB_ENV"`) the masks go to stderr, which
    the runner reads as well.
    """
    path = output or os.environ.get("GITHUB_ENV", "")
    if path and not output and _is_stdout(path):
        from framework.cli.output import raw

        raw(sys.stderr).write(masks(items))
        machine_bytes(data)
        return OK
    machine(masks(items), end="")
    if not path:
        machine_bytes(data)
        return OK
    from framework.errors import ConfigError

    try:
        number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with open(number, "ab") as file:
            file.write(data)
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or "invalid path"
        raise ConfigError(f"the file cannot be written ({reason})", where=path, hint="Correct the path.") from None
    return OK


def _is_stdout(path: str) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError):
        return False

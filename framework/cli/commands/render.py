"""The command `render`."""

from __future__ import annotations

import os
import sys

from framework.cli.output import NO, OK, UsageError, machine, machine_bytes, print_message, short
from framework.cli.passing import prefetch, print_faults
from framework.delivery import target
from framework.delivery.template import DELIMITERS, Template
from framework.delivery.values import Faults
from framework.errors import ConfigError

DESCRIPTION = """\
Fill in the placeholders of a template. Nothing is evaluated; every other byte is copied.

@section.key@ is an option, @conn:NAME@ a connection's URI, @conn:NAME.FIELD@ a field of it, @var:NAME@ a variable,
@secret:NAME@ a config secret. Filters write a value as another language needs it: json, yaml, toml, shell, url, base64,
dotenv, systemd, indent:N, raw; as in @db.password|json@. An unknown name in this form is an error with line and
column; any other text, such as an e-mail address, stays.

for example:
  python -m framework render nginx.conf.in -o nginx.conf
  python -m framework render nginx.conf.in -o nginx.conf --diff
  python -m framework render --delimiters '<< >>' app.yaml.in
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from framework.app import App
    from framework.delivery.template import Rendered


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_run, unknown_app="refused", issues="handed on")
    parser.add_argument("template", help="the template; - reads stdin")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write this file, mode 0600 if a secret is in it, instead of stdout"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if the file would change")
    parser.add_argument("--diff", action="store_true", help="the same, and show what would change, without secrets")
    parser.add_argument("--in-place", action="store_true", help="write into the file itself, as a bind mount needs it")
    parser.add_argument(
        "--delimiters", metavar="MARKS", default=DELIMITERS, help="the marks around a placeholder, such as '<< >>'"
    )


def _run(app: App, args: Namespace) -> int:
    if (args.check or args.diff or args.in_place) and not args.output:
        raise UsageError("--check, --diff and --in-place need a file: name it with -o")
    if args.output and args.template != "-" and _same_file(args.template, args.output):
        raise UsageError("the template and the output are one file, and the placeholders would be lost")
    template = Template(_read(args.template), short(args.template), args.delimiters)
    try:
        rendered = template.fill(app, prefetch(app))
    except Faults as faults:
        return print_faults(faults)
    if args.check or args.diff:
        return _compare(rendered, args)
    if not args.output:
        machine_bytes(rendered.data)
        return OK
    changed = target.put(args.output, rendered.data, secret=bool(rendered.secrets), in_place=args.in_place)
    print_message(f"{args.output} {'was written' if changed else 'is unchanged'}")
    return OK


def _read(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        data = target.read(path)
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or "invalid path"
        raise ConfigError(f"the template cannot be read ({reason})", where=path) from None
    if data is None:
        raise ConfigError("there is no such template", where=path, hint="Check the path.")
    return data


def _same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def _compare(rendered: Rendered, args: Namespace) -> int:
    try:
        before = target.read(args.output)
        private = before is not None and not os.stat(args.output).st_mode & 0o077
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or "invalid path"
        raise ConfigError(f"the file cannot be read ({reason})", where=args.output) from None
    if before == rendered.data:
        return OK
    if args.diff:
        from framework.delivery.difference import unified

        machine("\n".join(unified(before, rendered, short(args.output), private=private)))
    else:
        print_message(f"{args.output} would change")
    return NO

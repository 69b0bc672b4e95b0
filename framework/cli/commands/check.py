"""The command `check`."""

from __future__ import annotations

from framework.cli.output import LINK_FAILED, NO, OK, OUTPUTS, print_line, print_message, short, show
from framework.cli.progress import resolve_at_once
from framework.inspection.problem import Problem
from framework.inspection.problems import problem_of, problems_of
from framework.masking.search import counted
from framework.masking.wording import redact_message

DESCRIPTION = """\
Look for what is wrong: required options that are not set, unknown names, wrong values, pointers that lead nowhere.

An error makes the exit status 1; a warning (an older name, a secret that the environment answers although a custom
backend is set) does so with --strict. A note does not. The exit status is 3 if every error is a link or a database
that does not answer, so that a pipeline can try again.

for example:
  python -m framework check
  python -m framework check --offline --output json
  python -m framework check --output github        annotations in a pull request
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from framework.app import App
    from framework.errors import FrameworkError

#: Reports for pipelines, made by `framework.cli.reports`.
_REPORTS = ("github", "gitlab", "junit", "sarif")
_COLUMNS = ("level", "code", "where", "what")


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_run, refused=_refused, unknown_app="refused", lists_warnings=True)
    parser.add_argument("--offline", action="store_true", help="do not follow pointers: run no command, ask no link")
    parser.add_argument("--strict", action="store_true", help="warnings make the exit status 1 as well")
    parser.add_argument(
        "-o",
        "--output",
        choices=(*OUTPUTS, *_REPORTS),
        default="table",
        help="how to print (default: table); github, gitlab, junit and sarif are for pipelines",
    )


def _run(app: App, args: Namespace) -> int:
    return _report(list(dict.fromkeys(problems_of(app, offline=args.offline, resolve=resolve_at_once))), args)


def _refused(fault: FrameworkError, args: Namespace) -> int:
    """The application cannot be made, for example because of a syntax error: for programs a problem like any other."""
    if args.output == "table":
        raise fault
    return _report([problem_of(fault, "")], args)


def _report(found: list[Problem], args: Namespace) -> int:
    # Redacted now: a later option may have registered a secret.
    problems = [
        Problem(one.level, one.code, redact_message(one.where), redact_message(one.what), one.name) for one in found
    ]
    if args.output in _REPORTS:
        from framework.cli import reports

        reports.print_report(problems, args.output)
    elif args.output == "table":
        for one in problems:
            where = f"{short(one.where)}: " if one.where else ""
            print_line(f"{one.level}: {where}{short(one.what)}")
    else:
        show([{name: getattr(one, name) for name in _COLUMNS} for one in problems], _COLUMNS, args.output)
    errors_found = [one for one in problems if one.level == "error"]
    warnings = sum(one.level == "warning" for one in problems)
    print_message(f"{counted(len(errors_found), 'error')}, {counted(warnings, 'warning')}")
    if errors_found and all(one.code == "link-failed" for one in errors_found):
        return LINK_FAILED
    return NO if errors_found or (args.strict and warnings) else OK

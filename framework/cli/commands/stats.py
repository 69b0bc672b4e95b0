"""The command `stats`."""

from __future__ import annotations

from framework.cli.output import OK, add_output, print_error, print_note, show, status_of

DESCRIPTION = """\
Resolve everything once, and show what that cost: calls, hits, absent answers and logins of each custom backend.

for example:
  python -m framework stats
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from framework.app import App

_COLUMNS = (
    *("link", "state", "calls", "hits", "absent", "failures", "stale"),
    *("refreshes", "refresh failures", "kept", "logins", "most missed"),
)


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_run)
    add_output(parser)


def _run(app: App, args: Namespace) -> int:
    failures, found = app.prefetch(), app.stats()
    if not found:
        print_note("no backend of [secrets] is configured, so there is nothing to count")
    if found or args.output != "table":
        of_sharing = [name for name in found[0] if name not in _COLUMNS] if found else []
        show(found, (*_COLUMNS, *of_sharing), args.output)
    for fault in failures.values():
        print_error(fault)
    return max(map(status_of, failures.values()), default=OK)

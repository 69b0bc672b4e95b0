"""The command `redact`."""

from __future__ import annotations

import os
import sys

from framework.cli.output import OK, UsageError, print_warning, raw
from framework.cli.passing import print_faults
from framework.cli.progress import resolve_at_once
from framework.delivery.values import Faults, learn
from framework.errors import FrameworkError, IssuedOnUse
from framework.masking import should_hide_value_for_name

DESCRIPTION = """\
Copy stdin to stdout as it arrives, without the secrets of this configuration, in every spelling.

Secrets are the values of sensitive options, passwords of connections and variables with the name of a secret, as far
as the environment, local files and the metastore list them. Every pointer is followed first; if one fails, nothing is
copied, because its secret would be.

for example:
  some-program 2>&1 | python -m framework redact
  kubectl logs billing-0 | python -m framework --env production redact > billing.log
"""

_PIECE = 65_536

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator
    from typing import TextIO

    from framework.app import App


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_run, unknown_app="refused", shows_progress=False)
    parser.add_argument("--keep-going", action="store_true", help="copy even if not every secret can be resolved")


def _run(app: App, args: Namespace) -> int:
    faults = list(_learn(app))
    status = print_faults(Faults(faults)) if faults else OK
    if faults and not args.keep_going:
        return status
    if faults:
        print_warning("what could not be resolved is not redacted")
    _copy()
    return OK


def _learn(app: App) -> Iterator[tuple[tuple[str, str], FrameworkError]]:
    """Register every secret with the masker, and yield what cannot be resolved."""
    names = list(app.engine.entries())
    mentions = {name: next(app.engine.mentions(*name), None) for name in names}
    failures = resolve_at_once(
        app, [name for name, found in mentions.items() if found is not None and found.is_pointer]
    )
    yield from failures.items()
    for name in names:
        if mentions[name] is not None and name not in failures:
            try:
                answer = app.engine.answer(*name)
            except IssuedOnUse:
                continue
            except FrameworkError as fault:
                yield name, fault
                continue
            if answer is not None:
                learn(answer.value, ".".join(name))
    for kind in ("connection", "variable"):
        for listed in _listed(app, kind):
            try:
                if kind == "connection":
                    app.get_connection(listed)
                elif should_hide_value_for_name(listed):
                    app.hide_variable(listed, app.get_variable(listed))
            except IssuedOnUse:  # it is not issued yet
                continue
            except FrameworkError as fault:
                yield (kind, listed), fault


def _listed(app: App, kind: str) -> list[str]:
    """The names that are known here, without a call to a store."""
    found: set[str] = set()
    for link in app.chain.links:
        if not link.is_remote:
            found.update(link.list_names(kind))
    return sorted(found)


def _copy() -> None:
    import signal

    from framework.masking.stream import Stream

    source, out = _number(sys.stdin), raw(sys.stdout)
    if not os.isatty(source):  # Ctrl-C ends the program whose last words come here; then this ends, too
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    stream = Stream()
    out.flush()
    while data := os.read(source, _PIECE):
        _write(out, stream.feed(data))
    _write(out, stream.close())


def _write(out: TextIO, data: bytes) -> None:
    out.buffer.write(data)
    out.buffer.flush()


def _number(stream: TextIO) -> int:
    try:
        return stream.fileno()
    except (OSError, ValueError):
        raise UsageError("there is no stdin to read", hint="For example: program 2>&1 | framework redact") from None

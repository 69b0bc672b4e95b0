"""The command `completion`."""

from __future__ import annotations

from framework.cli.output import OK
from framework.errors import FrameworkError

DESCRIPTION = """\
Print a script that lets a shell complete commands, flags, sections, keys, connections and variables at TAB.

It completes the command `framework`. Candidates come from the application that the words before them select, but never
over a network, and no pointer is followed.

for example:
  eval "$(framework completion bash)"
  eval "$(framework completion zsh)"
  framework completion fish | source
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_run, needs_app=False)
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell that the script is for")


def _run(app: None, args: Namespace) -> int:
    try:
        from argcomplete.shell_integration import shellcode
    except ImportError:
        raise FrameworkError("completion needs argcomplete", hint="Install it: pip install 'framework[cli]'") from None
    print(shellcode(["framework"], shell=args.shell))
    return OK

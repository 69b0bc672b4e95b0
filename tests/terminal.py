"""A program at a real terminal: what it sends there comes back."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from patience import GUARD


class Seen(NamedTuple):
    """What a program did: its exit status, what the terminal was sent, and its stdout if that is a pipe."""

    status: int
    shown: str
    out: str


def at_a_terminal(
    words: Sequence[str],
    *,
    width: int = 0,
    raw: bool = False,
    look: Callable[[bytes], object] = lambda shown: None,
    **popen: Any,
) -> Seen:
    """Run a program at a terminal.

    Args:
        words: the program and its arguments.
        width: columns of the terminal.
        raw: whether line ends arrive as the program wrote them.
        look: called with all that was shown so far, each time that there is more.
        popen: more arguments of `Popen`; they may replace stdout with a pipe.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    if raw:
        mode = termios.tcgetattr(theirs)
        mode[1] &= ~termios.OPOST
        termios.tcsetattr(theirs, termios.TCSANOW, mode)
    with subprocess.Popen(words, **{"stdin": theirs, "stdout": theirs, "stderr": theirs, **popen}) as process:
        os.close(theirs)
        shown = b""
        while select.select([ours], [], [], GUARD)[0]:
            try:
                piece = os.read(ours, 1 << 16)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            shown += piece
            look(shown)
        out = process.communicate()[0] or b""
    os.close(ours)
    return Seen(process.returncode, shown.decode(), out.decode())

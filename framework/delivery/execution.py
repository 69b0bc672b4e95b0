"""Replaces this process by another program: its environment, where it is found, why it cannot be started."""

from __future__ import annotations

import os

from framework.delivery.values import Faults
from framework.errors import ConfigError, FrameworkError, warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from framework.delivery.selection import Item

#: Exit statuses, as those of `env`, `timeout` and shells: a fault of ours, a program that cannot be executed, none.
FAILED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127

#: The kernel takes no longer `name=value`, and says E2BIG without a name.
_LONGEST = 131_071

#: What `--pristine` keeps of the environment, beside LC_*.
_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "TZ", "TMPDIR")


class NotStarted(FrameworkError):
    """A program that cannot be started.

    Attributes:
        status: the exit status that says so.
    """

    def __init__(self, what: str, status: int, *, where: str = "", hint: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.status = status


def environment(items: Iterable[Item], *, keep: bool = False, pristine: bool = False) -> dict[str, str]:
    """The environment of a program: what this process has, and the items.

    Args:
        keep: whether a variable that is set already keeps its value.
        pristine: whether nothing of this process' own is passed but what every program needs.

    Raises:
        Faults: every value that no environment can hold.
    """
    inherited = dict(os.environ)
    if pristine:
        inherited = {n: text for n, text in inherited.items() if n in _KEPT or n.startswith("LC_")}
    made, faults = dict(inherited), []
    for item in items:
        fault = _fault_of(item)
        if fault is not None:
            faults.append((("", item.source.text), fault))
        elif item.name not in inherited:
            made[item.name] = item.text
        elif not keep:
            made[item.name] = item.text
            if inherited[item.name] != item.text:
                warn(f"the variable {item.name} of the environment is replaced by {item.source} (--keep keeps it)")
    if faults:
        raise Faults(faults)
    return made


def _fault_of(item: Item) -> ConfigError | None:
    if "\0" in item.text:
        return ConfigError(f"{item.source} holds a NUL character, which no variable can hold", hint="Use --files.")
    size = len(os.fsencode(f"{item.name}={item.text}"))
    if size > _LONGEST:
        what = f"{item.source} is too long for a variable: with its name {size:,} bytes of {_LONGEST:,}"
        return ConfigError(what, hint="Pass it as a file: --files.")
    return None


def candidates(program: str, environ: dict[str, str]) -> Iterator[str]:
    """Where a program may be, by the `PATH` that it will have itself."""
    if "/" in program:
        yield program
        return
    for folder in environ.get("PATH", os.defpath).split(":"):
        yield os.path.join(folder or ".", program)


def found(program: str, environ: dict[str, str]) -> str:
    """The file of a program.

    Raises:
        NotStarted: there is none, or none that this user may execute.
    """
    seen = ""
    for path in candidates(program, environ):
        if os.path.isfile(path):
            if os.access(path, os.X_OK):
                return path
            seen = seen or path
        elif "/" in program and os.path.isdir(path):
            raise NotStarted("this is a folder, not a program", NOT_EXECUTABLE, where=program)
    if seen:
        hint = "Check its mode: chmod +x."
        raise NotStarted("the file may not be executed (permission denied)", NOT_EXECUTABLE, where=seen, hint=hint)
    where = "" if "/" in program else " in the PATH of the new environment"
    raise NotStarted(f"there is no such program{where}", NOT_FOUND, where=program or "''", hint="Check its name.")


def replace_process(words: list[str], environ: dict[str, str]) -> None:
    """Replace this process by the program. Returns only with an error.

    Raises:
        NotStarted: it is not there, or cannot be executed.
    """
    import signal
    import sys

    path = found(words[0], environ)
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores these, and a program that replaces it would go on ignoring them: `yes | head` would never end.
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGPIPE, signal.SIGXFSZ)}
    try:
        os.execve(path, words, environ)
    except (OSError, ValueError) as fault:
        raise why_not(fault, path) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def why_not(fault: OSError | ValueError, path: str) -> NotStarted:
    """Why the kernel does not start a program that exists."""
    import errno

    code = getattr(fault, "errno", None)
    if code == errno.ENOEXEC:
        hint = "A script begins with #! and its interpreter, such as #!/bin/sh; another machine's program runs there."
        return NotStarted("the format of the file is not known", NOT_EXECUTABLE, where=path, hint=hint)
    if code == errno.ENOENT and os.path.exists(path):
        interpreter = _interpreter(path)
        what = f"its interpreter {interpreter} is missing" if interpreter else "its interpreter or loader is missing"
        return NotStarted(what, NOT_FOUND, where=path, hint="Correct its first line, or install what it names.")
    if code == errno.E2BIG:
        hint = "Choose fewer values with --only, or pass them with --files."
        return NotStarted("arguments and environment together are too long", FAILED, where=path, hint=hint)
    if isinstance(fault, ValueError):
        return NotStarted("an argument holds a NUL character", FAILED, where=path)
    status = NOT_FOUND if code in (errno.ENOENT, errno.ENOTDIR) else NOT_EXECUTABLE
    return NotStarted(f"the program cannot be executed ({fault.strerror})", status, where=path)


def _interpreter(path: str) -> str:
    try:
        with open(path, "rb") as file:
            line = file.readline(256)
    except OSError:
        return ""
    words = line[2:].split() if line.startswith(b"#!") else []
    if not words:
        return ""
    return os.fsdecode(words[0]) + (" (its line ends with a carriage return)" if line.endswith(b"\r\n") else "")

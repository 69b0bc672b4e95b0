"""`python -m framework`, and the command `framework`."""

from __future__ import annotations

import atexit
import gc
import os
import sys

gc.set_threshold(100_000)  # otherwise the collector takes a third of a short command's time
atexit.register(gc.freeze)  # no collection at the end of the process either


def _leave_working_folder() -> None:
    """Remove the working directory from `sys.path`: what happens to be there must not be imported.

    Python puts it first for `-m`, and where `PYTHONPATH` has an empty entry. It stays where `PYTHONPATH` names it, and
    where an installed package does: that comes after Python's own modules.
    """
    try:
        here = os.getcwd()
    except FileNotFoundError:
        here = ""
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    named = [os.path.normpath(path) for path in paths if os.path.isabs(path)]
    library = os.path.dirname(os.__file__)
    last = sys.path.index(library) if library in sys.path else len(sys.path)
    sys.path[:last] = [
        path for path in sys.path[:last] if path not in ("", ".", here) or os.path.normpath(path) in named
    ]


_leave_working_folder()  # before anything else is imported

from framework.cli.main import main  # noqa: E402

if __name__ == "__main__":
    raise SystemExit(main())

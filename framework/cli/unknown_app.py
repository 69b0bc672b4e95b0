"""The error of a command if nothing was found of its application."""

from __future__ import annotations

import os

from framework.cli.output import UsageError
from framework.errors import FrameworkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from framework.app import App

#: What follows the application's name in the names of its variables.
_VARIABLES = ("__", "_CONN_", "_VAR_", "_SECRET_")
#: How similar two names must be, from 0 to 1, for one to be a probable misspelling of the other.
_ALIKE = 0.75


def nothing_found(app: App, args: Namespace) -> UsageError | None:
    """The error if nothing of the application exists: no project, home, file or variable; else None.

    Args:
        app: the application that was found or named.
        args: the words before the command.
    """
    if args.app or args.config or args.dotenv or args.project or (os.environ.get("FRAMEWORK_APP") and not args.name):
        return None
    start = app.names.prefix
    file = app.main_file()[0]
    is_set = any(name.startswith(f"{start}{rest}") for name in app.environment.names() for rest in _VARIABLES)
    if is_set or os.path.isdir(app.home) or (file and os.path.exists(file)):
        return None
    if not args.name and _project() is not None:
        return None
    where = "" if args.name else _no_project()
    home = f"no folder {app.home} ({app.names.home} is {'set to it' if os.environ.get(app.names.home) else 'not set'})"
    looked = [*filter(None, [where]), home, *([f"no file {file}"] if file else []), f"no variable {start}__…"]
    what = f"nothing was found for the application {app.name!r}: {', '.join(looked)}"
    near = ", ".join(_near(app)) if args.name else ""
    hint = (
        f"Did you mean --name {near}?"
        if near
        else "Go to the folder of the project, or pass --project DIR, --app or --name."
    )
    return UsageError(what, hint=hint if near or not args.name else f"Check the name, or set {app.names.home}.")


def _no_project() -> str:
    folder = os.environ.get("FRAMEWORK_PROJECT") or "the working directory"
    return f"no pyproject.toml with [tool.framework] in {folder}"


def _project() -> str | None:
    """The name of the project here, if there is one."""
    from framework import project

    try:
        found = project.here()
    except FrameworkError:  # it is malformed or not trusted, and was not selected
        return None
    return None if found is None else str(found.settings.get("name", "framework"))


def _near(app: App) -> Iterator[str]:
    """The most similar name of an application that has a project, a home or variables."""
    from difflib import get_close_matches

    found = {name.partition(mark)[0].lower() for name in app.environment.names() for mark in _marks(name)}
    found.add(_project() or "")
    try:
        with os.scandir(os.path.dirname(app.home)) as entries:
            found.update(entry.name for entry in entries if entry.is_dir())
    except OSError:  # the folder does not exist or may not be read
        pass
    yield from get_close_matches(app.name, sorted(found - {"", app.name}), 1, _ALIKE)


def _marks(name: str) -> Iterator[str]:
    """The marks at which the name of an application's variable can be split."""
    return (mark for mark in (*_VARIABLES, "_HOME", "_CONFIG") if mark in name)

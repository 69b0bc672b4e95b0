"""The project file: `[tool.framework]` in a `pyproject.toml`, and whether it is to be trusted."""

from __future__ import annotations

import os

from framework.errors import ConfigFileError
from framework.files.lists import PLACEHOLDER, FilePattern, Placed
from framework.files.modules import also_from
from framework.files.text import read_doubtful
from framework.files.trust import Found, Vouched, folder_of, found, with_trust_of
from framework.given import is_object_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from framework.parsing import Table
_KEYS: dict[str, type] = {
    "name": str,
    "schema": str,
    "home": str,
    "config": str,
    "config_files": list,
    "settings_files": list,
    "dynaconf": str,
    "settings_environments": bool,
    "root_section": str,
    "env_style": str,
    "missing_secrets": str,
    "dotenv": list,
    "environments": list,
    "sensitive": list,
    "worker": bool,
}

#: Those that name files or folders, relative to the project file.
_PATHS = ("schema", "home", "config")
_PATTERNS = ("config_files", "settings_files", "dotenv")


class Project:
    """The settings of a project file, its paths made absolute.

    Attributes:
        path: the project file.
        settings: by name, ready to be passed to `App`.
    """

    __slots__ = ("path", "settings")

    def __init__(self, path: str, settings: Table) -> None:
        self.path, self.settings = path, settings


def here(*, must_exist: bool = False) -> Project | None:
    """The project of this process: of `FRAMEWORK_PROJECT`, or else of the working directory.

    Args:
        must_exist: whether it is an error if the working directory has no project.

    Raises:
        ConfigFileError: see `find`.
    """
    directory = os.environ.get("FRAMEWORK_PROJECT")
    if directory:
        return find(directory, named=os.path.isabs(directory), must_exist=True)
    try:
        directory = os.getcwd()
    except FileNotFoundError:  # it was removed, and the project with it
        directory = ""
    if not directory and not must_exist:
        return None
    return find(directory, named=False, must_exist=must_exist)


def modules_here() -> None:
    """Make modules importable from the folder of `here`, whether or not it has a project."""
    directory = os.environ.get("FRAMEWORK_PROJECT", "")
    if os.path.isabs(directory):
        return also_from(directory)
    try:
        also_from(found(directory))
    except ConfigFileError:  # the working directory was removed, and its modules with it
        return None


def find(directory: str, *, named: bool, must_exist: bool | None = None) -> Project | None:
    """The project of a directory, or None if its `pyproject.toml` has no [tool.framework].

    Args:
        directory: where to look; parents are not searched.
        named: whether a person named the directory. One that was only found is used if it, and the files that it
            leads to, are to be trusted; see `files/trust.py`.
        must_exist: whether it is an error if there is no project; default: `named`.

    Raises:
        ConfigFileError: malformed, not to be trusted, or not there although it must be.
    """
    must_exist = named if must_exist is None else must_exist
    path = os.path.join(directory, "pyproject.toml")
    if not named:
        path = found(path)
    if not os.path.exists(path):
        if must_exist:
            raise ConfigFileError("there is no project file", where=path, hint="Write one with [tool.framework].")
        return None
    table, places, doubt = _read(path)
    tools = table.get("tool")
    settings = tools.get("framework") if isinstance(tools, dict) else None
    if settings is None:
        if must_exist:
            raise ConfigFileError("there is no [tool.framework]", where=path, hint='Write it, with name = "…".')
        return None
    if doubt is not None:
        raise doubt
    if not isinstance(settings, dict):
        where = places.get(("tool", "framework"), path)
        raise ConfigFileError("[tool.framework] must be a table", where=where, hint='Write name = "…" under it.')
    settings = _checked(settings, places, path)
    # All that a project names is trusted as the project is.
    folder = folder_of(path if not named else Vouched(path))
    for key in _PATHS:
        if key in settings and not (key == "schema" and is_object_path(settings[key])):
            settings[key] = with_trust_of(
                folder, os.path.normpath(os.path.join(folder, os.path.expanduser(settings[key])))
            )
    for key in _PATTERNS:
        if key in settings:
            settings[key] = [FilePattern(folder, item) for item in settings[key]]
    also_from(folder)
    return Project(path, settings)


def _read(path: str) -> tuple[Table, dict[tuple[str, ...], str], ConfigFileError | None]:
    """The table of the file, the places of its keys, and the reason not to trust it, if there is one."""
    from framework.files.tables import read_table

    if not isinstance(path, Found):
        return *read_table(path), None
    text, doubt = read_doubtful(path)
    try:
        return *read_table(path, text=text), doubt
    except ConfigFileError:
        if doubt is None:
            raise
    raise doubt


def _checked(settings: dict[str, Any], places: dict[tuple[str, ...], str], path: str) -> dict[str, Any]:
    for key, value in settings.items():
        place = places.get(("tool", "framework", key), path)
        if key not in _KEYS:
            raise ConfigFileError(f"unknown setting {key!r}", where=place, hint=f"Use one of {', '.join(_KEYS)}.")
        if _KEYS[key] is list and isinstance(value, str):
            settings[key] = value = [value]
        fits = isinstance(value, _KEYS[key])
        if not fits or (isinstance(value, list) and not all(isinstance(item, str) for item in value)):
            wanted = {list: "a list of strings", bool: "true or false"}.get(_KEYS[key], "text")
            raise ConfigFileError(f"{key} must be {wanted}", where=place, hint=f"Write {key} = …")
        if key in _PATHS and PLACEHOLDER in value:
            hint = f"It is in {', '.join(_PATTERNS)}."
            raise ConfigFileError(f"{PLACEHOLDER} is not replaced in {key}", where=place, hint=hint)
        if key in ("environments", "sensitive"):
            settings[key] = listed = Placed(value)
            listed.place = place
    return dict(settings)

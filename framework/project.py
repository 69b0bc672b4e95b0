"""The project file: `[tool.framework]` in a `pyproject.toml`, and whether it is to be trusted."""

from __future__ import annotations

import os

from framework.errors import ConfigFileError
from framework.files.lists import PLACEHOLDER, Entry, Placed
from framework.files.modules import also_from
from framework.files.text import read_doubtful
from framework.files.trust import Found, Vouched, folder_of, found, like
from framework.given import is_object_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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
    "dotenv": list,
    "environments": list,
    "sensitive": list,
    "worker": bool,
}

#: Those that name files or folders, relative to the project file.
_PATHS = ("schema", "home", "config")
_PATTERNS = ("config_files", "settings_files", "dotenv")


class Project:
    """What a project file says, its paths made absolute.

    Attributes:
        path: the project file.
        said: its settings by name, ready to be passed to `App`.
    """

    __slots__ = ("path", "said")

    def __init__(self, path: str, said: dict[str, Any]) -> None:
        self.path, self.said = path, said


def here(*, must_exist: bool = False) -> Project | None:
    """The project of this process: of `FRAMEWORK_PROJECT`, or else of the working directory.

    Args:
        must_exist: whether it is an error that there is none in the working directory.

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
    """Have modules be looked for in the folder that `here` speaks of, whatever project is in it."""
    directory = os.environ.get("FRAMEWORK_PROJECT", "")
    if os.path.isabs(directory):
        return also_from(directory)
    try:
        also_from(found(directory))
    except ConfigFileError:  # the working directory was removed, and its modules with it
        return None


def find(directory: str, *, named: bool, must_exist: bool | None = None) -> Project | None:
    """The project of a directory, or None if its `pyproject.toml` says nothing to us.

    Args:
        directory: where to look; parents are not searched.
        named: whether a person named the directory. One that was only found is used if it, and the files that it
            leads to, are to be trusted; see `files/trust.py`.
        must_exist: whether it is an error that there is none; if not given, as `named`.

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
    said = tools.get("framework") if isinstance(tools, dict) else None
    if said is None:
        if must_exist:
            raise ConfigFileError("there is no [tool.framework]", where=path, hint='Write it, with name = "…".')
        return None
    if doubt is not None:
        raise doubt
    if not isinstance(said, dict):
        where = places.get(("tool", "framework"), path)
        raise ConfigFileError("[tool.framework] must be a table", where=where, hint='Write name = "…" under it.')
    said = _checked(said, places, path)
    # All that a project names is trusted as the project is.
    folder = folder_of(path if not named else Vouched(path))
    for key in _PATHS:
        if key in said and not (key == "schema" and is_object_path(said[key])):
            said[key] = like(folder, os.path.normpath(os.path.join(folder, os.path.expanduser(said[key]))))
    for key in _PATTERNS:
        if key in said:
            said[key] = [Entry(folder, item) for item in said[key]]
    also_from(folder)
    return Project(path, said)


def _read(path: str) -> tuple[dict[str, Any], dict[tuple[str, ...], str], ConfigFileError | None]:
    """What the file says, where, and why it is not to be trusted if it is not."""
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


def _checked(said: Any, places: dict[tuple[str, ...], str], path: str) -> dict[str, Any]:
    for key, value in said.items():
        place = places.get(("tool", "framework", key), path)
        if key not in _KEYS:
            raise ConfigFileError(f"unknown setting {key!r}", where=place, hint=f"Use one of {', '.join(_KEYS)}.")
        if _KEYS[key] is list and isinstance(value, str):
            said[key] = value = [value]
        fits = isinstance(value, _KEYS[key])
        if not fits or (isinstance(value, list) and not all(isinstance(item, str) for item in value)):
            wanted = {list: "a list of texts", bool: "true or false"}.get(_KEYS[key], "text")
            raise ConfigFileError(f"{key} must be {wanted}", where=place, hint=f"Write {key} = …")
        if key in _PATHS and PLACEHOLDER in value:
            hint = f"It is in {', '.join(_PATTERNS)}."
            raise ConfigFileError(f"{PLACEHOLDER} is not replaced in {key}", where=place, hint=hint)
        if key in ("environments", "sensitive"):
            said[key] = listed = Placed(value)
            listed.place = place
    return dict(said)

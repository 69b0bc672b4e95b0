"""The project file: `[tool.framework]` in a `pyproject.toml`, and whether it is to be trusted."""

from __future__ import annotations

import os

from framework.errors import ConfigFileError

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
    "settings": str,
    "dotenv": list,
    "sensitive": list,
}

#: Those that name files or folders, relative to the project file.
_PATHS = ("schema", "home", "config", "config_files", "settings_files", "dotenv")


class Project:
    """What a project file says, its paths made absolute.

    Attributes:
        path: the project file.
        said: its settings by name, ready to be passed to `App`.
    """

    __slots__ = ("path", "said")

    def __init__(self, path: str, said: dict[str, Any]) -> None:
        self.path, self.said = path, said


def find(directory: str, *, named: bool) -> Project | None:
    """The project of a directory, or None if its `pyproject.toml` says nothing to us.

    Args:
        directory: where to look; parents are not searched.
        named: whether a person named the directory. One that was only found is used if it, and the files that it
            names, belong to the caller or root and others cannot write them.

    Raises:
        ConfigFileError: malformed, not to be trusted, or named and not there.
    """
    path = os.path.join(directory, "pyproject.toml")
    if not os.path.exists(path):
        if named:
            raise ConfigFileError("there is no project file", where=path, hint="Write one with [tool.framework].")
        return None
    from framework.files.tables import read_table

    table, places = read_table(path)
    tools = table.get("tool")
    said = tools.get("framework") if isinstance(tools, dict) else None
    if said is None:
        if named:
            raise ConfigFileError("there is no [tool.framework]", where=path, hint='Write it, with name = "…".')
        return None
    if not isinstance(said, dict):
        where = places.get(("tool", "framework"), path)
        raise ConfigFileError("[tool.framework] must be a table", where=where, hint='Write name = "…" under it.')
    said = _checked(said, places, path)
    for key in _PATHS:
        if key in said:
            said[key] = _absolute(os.path.dirname(os.path.abspath(path)), said[key])
    if not named:
        for file in _files(path, said):
            _refuse_untrusted(file)
    return Project(path, said)


def _checked(said: Any, places: dict[tuple[str, ...], str], path: str) -> dict[str, Any]:
    for key, value in said.items():
        place = places.get(("tool", "framework", key), path)
        if key not in _KEYS:
            raise ConfigFileError(f"unknown setting {key!r}", where=place, hint=f"Use one of {', '.join(_KEYS)}.")
        if _KEYS[key] is list and isinstance(value, str):
            said[key] = value = [value]
        fits = isinstance(value, _KEYS[key])
        if not fits or (isinstance(value, list) and not all(isinstance(item, str) for item in value)):
            wanted = "a list of texts" if _KEYS[key] is list else "text"
            raise ConfigFileError(f"{key} must be {wanted}", where=place, hint=f"Write {key} = …")
    return dict(said)


def _absolute(directory: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_absolute(directory, item) for item in value]
    return os.path.normpath(os.path.join(directory, os.path.expanduser(value)))


def _files(path: str, said: dict[str, Any]) -> list[str]:
    named = [said[key] for key in _PATHS if key in said and key != "home"]
    files = [path]
    for item in named:
        files += item if isinstance(item, list) else [item]
    return [file for file in files if os.path.exists(file)]


def _refuse_untrusted(path: str) -> None:
    from framework.files.text import others_can_write

    if os.stat(path).st_uid not in (os.geteuid(), 0):
        what = "it belongs to another user"
    elif others_can_write(path):
        what = f"others can write it (mode {os.stat(path).st_mode & 0o777:o})"
    else:
        return
    raise ConfigFileError(
        f"a project file found in the working directory is not used when {what}",
        where=path,
        hint="If you trust it, say --project DIR.",
    )

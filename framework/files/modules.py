"""Imports what a user wrote: a backend class, a settings object, an App. A project's own folder is looked through last.

The folder of a project that was only found, or the working directory, is trusted no more than its files: each module is
checked as it is opened, its compiled form as well, and none is written.
"""

from __future__ import annotations

import os
import sys

from framework.errors import ConfigFileError
from framework.files.text import read_bytes
from framework.files.trust import Found, Untrusted, found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import FileFinder
    from types import ModuleType

#: Where modules are looked for in the end.
_folders: list[str] = []


class UntrustedModule(ConfigFileError, ImportError):
    """A module beside a project is not to be trusted."""


def also_from(folder: str) -> None:
    """Also look for modules in this folder, after every other place.

    Args:
        folder: one that a person named, or `Found`.
    """
    folder = folder if isinstance(folder, Found) else os.path.abspath(folder)
    if folder in _folders:  # one that was found may be named later
        _folders.remove(folder)
        _forget(folder)
    _folders.append(folder)


def import_module(name: str) -> ModuleType:
    """The module of a user.

    Raises:
        UntrustedModule: it is beside a project that was only found, and others may have written it.
        Exception: whatever the import raises.
    """
    from importlib import import_module as import_it

    extend_path()
    return import_it(name)


def extend_path() -> None:
    """Put the folders on `sys.path`, at its end."""
    for folder in _folders:
        if folder not in sys.path:
            _forget(folder)
            if isinstance(folder, Found) and _checked not in sys.path_hooks:
                sys.path_hooks.insert(0, _checked)
            sys.path.append(folder)


def is_found(path: str) -> bool:
    """Whether a path is in a folder that is on `sys.path` only because a project was found there."""
    folders = [folder for folder in _folders if isinstance(folder, Found)]
    ours = [entry for entry in sys.path if isinstance(entry, Found) and entry in folders]
    return any(f"{path}/".startswith(f"{folder}/") for folder in ours)


def _forget(folder: str) -> None:
    """Drop what Python knows of the folder: how it is looked through may be another now."""
    for path in list(sys.path_importer_cache):
        if path == folder or path.startswith(f"{folder}/"):
            del sys.path_importer_cache[path]


def _checked(path: str) -> FileFinder:
    """A path hook: how the found folders, and what is below them, are looked through."""
    if is_found(path):
        return _finder(path)
    raise ImportError(path)


def _finder(path: str) -> FileFinder:
    from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader

    class Checked(SourceFileLoader):
        """Reads only what is to be trusted."""

        def get_data(self, path: str) -> bytes:
            try:
                return read_bytes(found(path))[0]
            except Untrusted as error:
                refusal = UntrustedModule(error.what, where=path, hint=error.hint)
            if path.endswith(".pyc"):  # then the source counts
                raise OSError(refusal.what)
            raise refusal

        def set_data(self, path: str, data: object, *, _mode: int = 0o666) -> None:
            """Nothing is written into a folder that was only found."""

    return FileFinder(path, (Checked, SOURCE_SUFFIXES))

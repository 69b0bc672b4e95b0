"""What is packaged of applications: a module of facts for each, and tables that few commands need."""

from __future__ import annotations

import os

from framework.files.trust import found, with_trust_of

#: Application -> its tables, each a file `{app}.{table}.yml`. A part that is listed here and is not there is an error.
PACKAGED = {"airflow": ("older", "values")}


def folder_of(name: str) -> str | None:
    """The folder of an installed package that has a schema, found without importing it.

    It may also be in the project; if the project was only found, the folder is `Found` as well.
    """
    from _frozen_importlib_external import PathFinder  # importlib would load more than one option needs

    spec = PathFinder.find_spec(name)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        if os.path.exists(schema_in(folder)):
            from framework.files.modules import is_found

            return found(folder) if is_found(folder) else folder
    return None


def schema_in(folder: str) -> str:
    """The path of a package's schema."""
    return with_trust_of(folder, os.path.join(folder, "config_templates", "config.yml"))

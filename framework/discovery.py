"""How the current application is found: by its name in the environment, or by the project of the working directory."""

from __future__ import annotations

import os

from framework import project
from framework.app import App
from framework.errors import ConfigError, FrameworkError, public
from framework.files import modules


@public
def found() -> App:
    """The application of this process: `FRAMEWORK_APP`, the project of `FRAMEWORK_PROJECT` or of the working directory,
    or `framework`."""
    named = os.environ.get("FRAMEWORK_APP")
    if named:
        return named_by(named, "FRAMEWORK_APP")
    here = project.here()
    if here is not None:
        return App(**here.settings)
    made = App()
    made.engine.note = (
        "No project was found here, so the application called framework is used: write [tool.framework] with "
        'name = "…" in pyproject.toml, set FRAMEWORK_PROJECT to its folder, or call App(name).use().'
    )
    return made


@public
def named_by(path: str, where: str) -> App:
    """The application at `module:attribute`.

    Raises:
        FrameworkError: what the module's own code met when it made the application, such as a file that is missing.
        ConfigError: there is no application.
    """
    module, _, attribute = path.partition(":")
    project.modules_here()
    try:
        made = getattr(modules.import_module(module), attribute, None)
    except FrameworkError:
        raise
    except (Exception, SystemExit) as fault:
        from framework.convert import why_not_imported

        what = why_not_imported(fault, module)
    else:
        if isinstance(made, App):
            return made
        what = f"{module} has no {attribute!r}" if made is None else f"it is of type {type(made).__name__}, not App"
    raise ConfigError(f"{path!r} is not an application: {what}", where=where, hint="Write module:attribute.")

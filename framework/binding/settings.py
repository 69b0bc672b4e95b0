"""The door to this room: a class as the schema of an application, and its object from what is set there."""

from __future__ import annotations

from framework import given
from framework.binding.bind import Binder, Fault
from framework.binding.kinds import KINDS, kind_of, place_of, refused
from framework.binding.plan import Plan
from framework.errors import FrameworkError, SchemaError
from framework.files import modules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol

    from framework.options.engine import Engine

    class Parts(Protocol):
        """What a class is bound to: an application."""

        engine: Engine
        plans: dict[tuple[type, str], Plan]

        @property
        def prefetch(self) -> Callable[[list[tuple[str, str]]], dict[tuple[str, str], FrameworkError]]: ...


def class_at(path: str) -> type:
    """The settings class at `module:Class`, as a project file names it.

    Raises:
        SchemaError: there is none.
        FrameworkError: what its module meets while it is imported, such as one that is not to be trusted.
    """
    module, _, name = path.partition(":")
    found: Any = None
    try:
        found = modules.import_module(module)
    except FrameworkError:
        raise
    except (Exception, SystemExit) as fault:
        what = f"the module cannot be imported ({type(fault).__name__})"
    else:
        for step in name.split("."):
            found = getattr(found, step, None)
        if found is not None:
            return checked(found, f"schema = {path}")
        what = f"there is no {name} in the module {module}"
    raise SchemaError(what, where=f"schema = {path}", hint="Write module:Class, or the path of a file.")


def checked(cls: Any, where: str) -> type:
    """What was passed for a settings class.

    Raises:
        SchemaError: it is none.
    """
    if isinstance(cls, type) and (kind_of(cls) or refused(cls)):
        return cls
    name = place_of(cls) if isinstance(cls, type) else f"an object of the type {type(cls).__name__}"
    raise SchemaError(f"{name} is not a class of settings", where=where, hint=f"Pass {KINDS}.")


def bind(app: Parts, cls: Any, section: str = "") -> Any:
    """An object of a class from what is set; its options are declared from now on.

    Raises:
        SchemaError: the class says something that cannot be.
        SettingsError: what is set does not fit; tells all of it.
    """
    return Binder(app.engine, plan_of(app, cls, section), app.prefetch).bound()


def faults(app: Parts, cls: type, skipped: Iterable[tuple[str, str]]) -> list[Fault]:
    """Everything that is wrong with what is set for a class, but for the options that are not to be asked for."""
    binder = Binder(app.engine, plan_of(app, cls, ""), lambda names: {}, skipped)
    binder.tried()
    return binder.faults


def plan_of(app: Parts, cls: Any, section: str) -> Plan:
    """What is read for a class, which is looked at once."""
    section = given.text(section, "section").lower()
    try:
        plan = app.plans.get((cls, section))
    except TypeError:  # nothing that a dictionary holds is no class
        plan = None
    if plan is None:
        plan = Plan(checked(cls, "bind(cls)"), section)
        app.engine.declare(plan.declared())
        app.plans[cls, section] = plan
    return plan

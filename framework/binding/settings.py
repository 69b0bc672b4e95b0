"""The entry to this package: a class as the schema of an application, and an object of it."""

from __future__ import annotations

from framework import given
from framework.binding.bind import Binder, Fault
from framework.binding.kinds import SUPPORTED, kind_of, place_of, refused
from framework.binding.plan import Plan
from framework.errors import FrameworkError, SchemaError, SettingsError
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


#: How often an object is made again because options changed meanwhile: its parts must belong together.
_MOST_CHANGES = 5


def class_at(path: str) -> type:
    """The settings class at `module:Class`.

    Raises:
        SchemaError: it does not exist, or is not a settings class.
        FrameworkError: its module raises it while it is imported, or is not to be trusted.
    """
    module, _, name = path.partition(":")
    found: Any = None
    try:
        found = modules.import_module(module)
    except FrameworkError:
        raise
    except (Exception, SystemExit) as fault:
        from framework.convert import why_not_imported

        what = f"the class cannot be imported: {why_not_imported(fault, module)}"
    else:
        for step in name.split("."):
            found = getattr(found, step, None)
        if found is not None:
            return checked(found, f"schema = {path}")
        what = f"there is no {name} in the module {module}"
    raise SchemaError(what, where=f"schema = {path}", hint="Write module:Class, or the path of a file.")


def checked(cls: Any, where: str) -> type:
    """The argument, which must be a settings class.

    Raises:
        SchemaError: it is not.
    """
    if kind_of(cls) or refused(cls):
        found: type = cls
        return found
    name = place_of(cls) if isinstance(cls, type) else f"an object of the type {type(cls).__name__}"
    raise SchemaError(f"{name} is not a class of settings", where=where, hint=f"Pass {SUPPORTED}.")


def bind(app: Parts, cls: object, section: str = "") -> Any:
    """An object of a class from what is set. Its options are declared from now on.

    Raises:
        SchemaError: the class is not valid as a schema.
        SettingsError: what is set does not fit the class. Has all faults.
    """
    plan = plan_of(app, cls, section)
    for _ in range(_MOST_CHANGES):
        reading = app.engine.reading
        try:
            made = Binder(app.engine, plan, app.prefetch).bound()
        except SettingsError:
            if app.engine.reading is reading:
                raise
        else:
            if app.engine.reading is reading:
                return made
    return Binder(app.engine, plan, app.prefetch).bound()


def faults(app: Parts, cls: type, skipped: Iterable[tuple[str, str]]) -> list[Fault]:
    """All faults in what is set for a class, without those of skipped options."""
    binder = Binder(app.engine, plan_of(app, cls, ""), lambda names: {}, skipped)
    binder.tried()
    return binder.faults


def plan_of(app: Parts, cls: Any, section: str) -> Plan:
    """The plan of a class, made once."""
    section = given.text(section, "section").lower()
    try:
        plan = app.plans.get((cls, section))
    except TypeError:  # it cannot be hashed, so it is not a class
        plan = None
    if plan is None:
        plan = Plan(checked(cls, "bind(cls)"), section)
        app.engine.declare(plan.declared())
        app.plans[cls, section] = plan
    return plan

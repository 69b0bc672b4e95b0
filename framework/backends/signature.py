"""The kwargs of a backend whose constructor passes some of them on."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from inspect import Signature
    from typing import Any


class WholeSignature:
    """The `__signature__` of a class: the parameters of its constructor, and of the constructors that it passes
    `**names` on to. `inspect.signature` shows them, and `[secrets] backend_kwargs` is checked against them."""

    def __get__(self, instance: object, owner: Any) -> Signature:
        from inspect import Parameter, Signature, signature

        found: dict[str, Parameter] = {}
        for each in owner.__mro__[:-1]:
            if "__init__" not in vars(each):
                continue
            _, *own = signature(vars(each)["__init__"]).parameters.values()
            for parameter in own:
                found.setdefault(parameter.name, parameter.replace(kind=max(parameter.kind, Parameter.KEYWORD_ONLY)))
            if own and own[-1].kind is not Parameter.VAR_KEYWORD:
                break
        found.pop("names", None)
        for name, annotation in owner.settings.__annotations__.items():
            default = getattr(owner.settings, name)
            found[name] = Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for kind, switch in owner.switches.items():  # the class has a name of its own for the prefix
            if switch != (prefix := _PREFIXES[kind]):
                found.pop(prefix, None)
        return Signature(sorted(found.values(), key=lambda parameter: parameter.kind))


class NoSettings:
    """`settings` of a class that declares none."""


_PREFIXES = {"connection": "connections_prefix", "variable": "variables_prefix", "config": "config_prefix"}

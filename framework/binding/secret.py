"""Secrets in a settings class: a type, and a mark for annotations."""

from __future__ import annotations

from framework.masking import REPLACEMENT, add_mask, safe_repr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Secret(str):
    """Text that is a secret: `str()`, `repr()` and formatting give `***`, and logs and errors hide it as well.

    It is a `str`, so drivers and clients accept it. `+`, `"".join` and `json.dumps` use the text itself.

        password = Secret("hunter22")
        password.get_secret_value()  # 'hunter22'
    """

    __slots__ = ()

    def __new__(cls, value: str = "") -> Secret:
        text = value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
        add_mask(text)
        return super().__new__(cls, text)

    def get_secret_value(self) -> str:
        """The text itself, as a plain `str`."""
        return str.__str__(self)

    def __str__(self) -> str:
        return REPLACEMENT if self else ""

    def __repr__(self) -> str:
        return f"Secret({str(self)!r})"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> Any:
        """Called by pydantic, for a model with a field of this type."""
        from pydantic_core import core_schema

        shown = core_schema.plain_serializer_function_ser_schema(str, when_used="json")
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(), serialization=shown)


class Sensitive:
    """Marks an option as sensitive: `Annotated[str, Sensitive]`. `Sensitive(False)` says that it is not, although
    its name looks like a secret's."""

    __slots__ = ("value",)

    def __init__(self, value: bool = True) -> None:
        self.value = value

    @safe_repr
    def __repr__(self) -> str:
        return f"Sensitive({self.value})"

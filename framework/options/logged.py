"""An engine that writes each read of an option to the access log."""

from __future__ import annotations

import time

from framework import given
from framework.access import AccessLog, outcome_of
from framework.errors import FrameworkError
from framework.options.engine import Engine
from framework.options.values import Answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any, TypeVar

    from framework.options.listing import Reading
    from framework.options.values import Compiled

    Getenv = Callable[[str], str | None]
    Place = TypeVar("Place", bound=Hashable)


class LoggedEngine(Engine):
    """An `Engine` with an access log. What is compiled is not read again, so it is logged once, and after a change."""

    def __init__(self, access: AccessLog, *arguments: Any, **more: Any) -> None:
        self.access = access
        self._noted: dict[tuple[str, str], int] = {}
        super().__init__(*arguments, **more)

    def answer(self, section: str, key: str, *, old_names: bool = True, getenv: Getenv | None = None) -> Answer | None:
        began, fault, answer = time.perf_counter(), None, None
        try:
            answer = super().answer(section, key, old_names=old_names, getenv=getenv)
            return answer
        except FrameworkError as error:
            fault = error
            raise
        finally:
            self._note(*given.option(section, key), answer, fault, began)

    def _note(self, section: str, key: str, answer: Answer | None, fault: FrameworkError | None, began: float) -> None:
        mention = answer.mention if answer is not None else next(self.mentions(section, key), None)
        if fault is not None:
            outcome = outcome_of(fault)
        elif answer is None:
            outcome = "absent"
        else:
            outcome = "default" if answer.mention.layer == "default" else "found"
        fields: dict[str, Any] = {"origin": None, "form": None, "link": None}
        if mention is not None:
            fields = {"origin": mention.origin, "form": mention.form, "link": answer.link if answer else None}
        # The value is compared in this process, and leaves it in no form.
        state = hash((outcome, *fields.values(), repr(answer.value) if answer is not None else None))
        if not self.access.every_read and self._noted.get((section, key)) == state:
            return
        self._noted[section, key] = state
        self.access.record("option", f"{section}.{key}", outcome, began, **fields)

    def refused(self, answer: Answer) -> None:
        mention, began = answer.mention, time.perf_counter()
        fields = {"origin": mention.origin, "form": mention.form, "link": answer.link}
        self.access.record("option", f"{mention.section}.{mention.key}", "invalid", began, **fields)

    def keep(self, reading: Reading, table: dict[Place, Compiled], place: Place, compiled: Compiled) -> None:
        if not self.access.every_read:
            super().keep(reading, table, place, compiled)

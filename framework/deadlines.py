"""When a question and everything that is asked because of it must be over."""

from __future__ import annotations

from _contextvars import ContextVar  # its module loads more than we need
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from framework.errors import BackendUnavailable


class Deadline:
    """When a question and everything asked because of it must be over.

    Attributes:
        ends: on the clock of `time.monotonic`.
        seconds: how long that was from the start.
        asked: the links being asked right now, the innermost last.
        under: the deadlines of what is done side by side because of it.
        is_settled: whether the question is over. A context that outlives it has no deadline any more.
    """

    __slots__ = ("ends", "seconds", "asked", "under", "is_settled")

    def __init__(self, ends: float, seconds: float) -> None:
        self.ends, self.seconds = ends, seconds
        self.asked: list[str] = []
        self.under: list[Deadline] = []
        self.is_settled = False

    @property
    def is_watched(self) -> bool:
        """Whether code inside waits for an answer and will report when the time is over."""
        return bool(self.asked or self.under)

    def named(self, fault: BackendUnavailable) -> BackendUnavailable:
        """The error with the name of the link that did not answer, unless it has one."""
        asked = self.asked or [name for inner in self.under for name in inner.asked]
        if asked and not fault.where:
            fault.where = asked[-1]
        return fault


#: The links that missed a deadline: one command does not ask them again. None: ask again.
given_up: ContextVar[set[object] | None] = ContextVar("framework_given_up", default=None)

#: The deadline of this context.
deadline: ContextVar[Deadline | None] = ContextVar("framework_deadline", default=None)


def seconds_left(otherwise: float) -> float:
    """How many seconds the question of this context has left; `otherwise` if it has no deadline."""
    until = deadline.get()
    return otherwise if until is None or until.is_settled else until.ends - monotonic()


#: What is being waited for right now, and since when on the clock of `time.monotonic`.
_waits: dict[object, tuple[str, float]] = {}


def waiting() -> dict[str, float]:
    """What is being waited for right now, and since when on the clock of `time.monotonic`."""
    found: dict[str, float] = {}
    for name, since in list(_waits.values()):
        found[name] = min(since, found.get(name, since))
    return found


class Waiting:
    """`with Waiting("the command pass"):` lists it in `waiting` meanwhile."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        _waits[self] = self._name, monotonic()

    def __exit__(self, *_: object) -> None:
        del _waits[self]

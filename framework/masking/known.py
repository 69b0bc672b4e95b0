"""What the masker knows: the forms of the secrets, the words of sensitive names; and how its arguments are checked."""

from __future__ import annotations

from framework.limits import KEPT_NAMES, NAME_LENGTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    Kind = TypeVar("Kind")

#: Names of arguments as they are in the configuration. Messages may show them, even where one equals a secret.
argument_names: set[str] = set()

#: Bytes that are searched at once.
_BLOCK = 512
#: Bytes of a URL with a password, `s://u:p@`.
_SHORTEST_URL = 8


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class Index:
    """The registered forms. Each length is filed under the form's last few bytes.

    A look-up finds a few lengths, never the forms themselves. So a hundred thousand secrets with the same beginning or
    end cost no more than one.
    """

    __slots__ = ("gram", "forms", "lengths", "spaced", "windows", "shortest")

    def __init__(self, gram: int) -> None:
        self.gram = gram
        self.forms: set[bytes] = set()
        self.lengths: dict[bytes, tuple[int, ...]] = {}
        self.spaced = False
        self.shortest = _SHORTEST_URL  # the least number of bytes that is looked for in base64
        self.windows: list[slice] = []  # of a block, made when a text is searched: no start needs them

    def add(self, form: bytes) -> None:
        ending = form[-self.gram :]
        lengths = self.lengths.get(ending, ())
        self.spaced = self.spaced or b" " in form
        self.shortest = min(self.shortest, len(form))
        self.forms.add(form)  # before its length: another thread that sees the length must find the form
        if len(form) not in lengths:
            self.lengths[ending] = (*lengths, len(form))

    def find(self, data: bytes) -> list[tuple[int, int]]:
        """Where the forms are. As in Airflow, overlapping occurrences of one form count once."""
        spans: list[tuple[int, int]] = []
        taken: dict[bytes, int] = {}
        if not self.windows:
            self.windows = [slice(at, at + self.gram) for at in range(_BLOCK)]
        for base in range(0, len(data) - self.gram + 1, _BLOCK):
            block = data[base : base + _BLOCK + self.gram - 1]
            windows = self.windows[: len(block) - self.gram + 1]
            if self.lengths.keys().isdisjoint(map(block.__getitem__, windows)):
                continue
            for end, window in enumerate(windows, base + self.gram):
                for length in self.lengths.get(block[window], ()):
                    start = end - length
                    form = data[start:end] if start >= 0 else b""
                    if form in self.forms and taken.get(form, 0) <= start:
                        taken[form] = end
                        spans.append((start, end))
        return spans


def plain_name(name: str) -> str:
    """`API - Key` becomes `api_key`."""
    return "_".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


class Words:
    """The words of sensitive names. Results are remembered, because the same names come again and again.

    Args:
        words: in the spelling of `plain_name`.
    """

    __slots__ = ("_words", "_known")

    def __init__(self, words: Iterable[str]) -> None:
        self._words = tuple(words)
        self._known: dict[str, bool] = {}

    def are_in(self, name: str) -> bool:
        """Whether one of the words is in a name; case and separators do not matter."""
        known = self._known.get(name)
        if known is None:
            plain = plain_name(name)
            known = any(word in plain for word in self._words)
            if len(self._known) < KEPT_NAMES and len(name) <= NAME_LENGTH:
                self._known[name] = known
        return known


def _type_error(given: object, argument: str, expected: str) -> Exception:
    return TypeError(f"{argument}: expected {expected}, not {type(given).__name__}")


#: Makes the error of an argument of a wrong type.
_wrong: Callable[[object, str, str], Exception] = _type_error


def refuse_with(wrong: Callable[[object, str, str], Exception]) -> None:
    """Set what makes the error of a wrong argument. Errors are redacted, so the masker cannot import them."""
    global _wrong
    _wrong = wrong


def checked(given: object, argument: str, kind: type[Kind], expected: str = "text") -> Kind:
    """The argument, if it is of this type.

    Raises:
        InvalidArgument: it is not.
    """
    if isinstance(given, kind):
        return given
    raise _wrong(given, argument, expected)


def texts(given: object, argument: str) -> list[str]:
    """One text or several as a list; None is none. Raises: as `checked`."""
    if given is None:
        return []
    if isinstance(given, str):
        return [given]
    if isinstance(given, (bytes, bytearray, memoryview)) or hasattr(given, "keys"):
        raise _wrong(given, argument, "a string or a list of strings")
    try:
        items = iter(given)  # type: ignore[call-overload] # whether it has items, is what is asked
    except TypeError:
        raise _wrong(given, argument, "a string or a list of strings") from None
    return [checked(item, f"{argument}[{number}]", str) for number, item in enumerate(items)]

"""What rendering would change in a file, shown without a secret: neither today's nor one that was there before."""

from __future__ import annotations

from framework.delivery.template import shown_lines
from framework.masking import REPLACEMENT, redact_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from framework.delivery.template import Rendered

_CONTEXT = 3


def unified(before: bytes | None, rendered: Rendered, path: str, *, private: bool) -> Iterator[str]:
    """The lines of a unified diff.

    It is not known what was a secret before. So where a secret is in the template, or the file is not open to others, a
    line that goes is shown as far as it begins like the line that comes in its place.

    Args:
        before: what the file holds; None: there is none.
        rendered: what it would hold.
        path: what the file is called.
        private: whether only its owner may read the file.
    """
    from difflib import SequenceMatcher

    lines = list(shown_lines(rendered))
    new, shown = [line for line, _ in lines], [redact_text(line) for _, line in lines]
    old = [] if before is None else before.decode("utf-8", "surrogateescape").split("\n")
    is_secret = bool(rendered.secrets) or private
    yield f"--- {path if before is not None else '/dev/null'}"
    yield f"+++ {path}"
    for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(_CONTEXT):
        (_, a, _, c, _), (_, _, b, _, d) = group[0], group[-1]
        yield f"@@ -{a + 1},{b - a} +{c + 1},{d - c} @@"
        for kind, start, end, first, last in group:
            if kind == "equal":
                yield from (f" {line}" for line in shown[first:last])
            else:
                for number, line in enumerate(old[start:end], first):
                    beside = shown[number] if number < last else ""
                    yield f"-{_begin(line, beside) if is_secret else redact_text(line)}"
                yield from (f"+{line}" for line in shown[first:last])


def _begin(line: str, other: str) -> str:
    """As much of a line as another begins with."""
    pairs = enumerate(zip(line, other, strict=False))
    size = next((at for at, (mine, theirs) in pairs if mine != theirs), min(len(line), len(other)))
    return line if size == len(line) else f"{line[:size]}{REPLACEMENT}"

"""What `conf.explain` found: every mention of an option, and what the first of them gives."""

from __future__ import annotations

from framework.convert import to_text
from framework.errors import InvalidValue, IssuedOnUse
from framework.masking import safe_repr
from framework.masking.search import visible
from framework.masking.shown import HIDDEN, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from framework.errors import FrameworkError
    from framework.options.engine import Engine
    from framework.options.followed import Followed
    from framework.options.values import Answer, Mention

#: Stands for the option's whole value.
WHOLE: Any = object()


class Explanation:
    """What `explain` found: print it, or look at its parts.

    Attributes:
        section, key: the option by its current name.
        mentions: every writing, in order of precedence.
        answer: what the first one gives, or None.
        error: why it gives nothing, or None.
        hidden: whether the value must not be shown.
        kept: what the winning pointer gave, with its age, or None.
    """

    def __init__(
        self,
        name: tuple[str, str],
        mentions: list[Mention],
        answer: Answer | None,
        error: FrameworkError | None,
        *,
        hidden: bool,
        kept: Followed | None = None,
    ) -> None:
        self.kept = kept
        self.section, self.key = name
        self.mentions, self.answer, self.error = mentions, answer, error
        self.hidden = hidden or (answer is not None and answer.sensitive)

    @property
    def value(self) -> str | None:
        """The value as it may be shown."""
        if self.answer is None:
            return None
        return HIDDEN if self.hidden else to_text(shown(self.answer.value))

    @safe_repr
    def __str__(self) -> str:
        lines = [f"[{self.section}] {self.key}"]
        if isinstance(self.error, IssuedOnUse):
            lines.append("  is issued on use")
        elif self.error is not None:
            lines.append(f"  fails: {self.error}")
        elif self.answer is None:
            lines.append("  the option is not set")
        else:
            link = f", answered by the link {self.answer.link}" if self.answer.link else ""
            lines.append(f"  = {self.value}{link}{self.kept.status() if self.kept else ''}")
        for number, mention in enumerate(self.mentions):
            mark = "->" if number == 0 else "  "
            old = f" as [{mention.name[0]}] {mention.name[1]}" if mention.is_old_name else ""
            form = f" ({mention.form})" if mention.is_pointer else ""
            lines.append(f"  {mark} {mention.layer}: {mention.origin}{old}{form}")
        return "\n".join(map(visible, lines))

    __repr__ = __str__


def _hint_about(value: object) -> str:
    """What to do about a text that no type takes: it is empty, or has quotes around it. It does not repeat the text."""
    if not isinstance(value, str):
        return ""
    if not value.strip():
        return "It is set, and empty: write a value, or remove it."
    from framework.mistakes import is_in_quotes

    if is_in_quotes(value):
        return "Remove the quotes around it: docker's env_file keeps them as part of the value."
    return ""


def unconvertible(
    engine: Engine,
    answer: Answer,
    expected: str,
    *,
    path: str = "",
    value: object = WHOLE,
    sensitive: bool | None = None,
) -> InvalidValue:
    """A conversion error: names the option, its origin and the expected type, never the value of a secret.

    Args:
        path: where in the value, such as `[1].port`. `value`: what is there, None if that says nothing.
        sensitive: whether the value is a secret, whatever the schema says.
    """
    engine.refused(answer)
    mention = answer.mention
    section, key = mention.section, mention.key
    hidden = sensitive or answer.sensitive or engine.is_hidden(section, key)
    value = answer.value if value is WHOLE else value
    given = "" if value is None or (hidden and isinstance(value, str)) else f", not {_short(value)}"
    option = engine.schema.option(section, key)
    example = f"For example: {option.example}" if option is not None and option.example else ""
    hint = _hint_about(value) or example
    return InvalidValue(f"[{section}] {key}{path}: {expected}{given}", where=mention.origin, hint=hint)


def _short(value: object) -> str:
    """A text as it may be shown; of anything else, what it is."""
    if not isinstance(value, str):
        return {bool: "a boolean", list: "a list", dict: "a table", float: "a fraction"}.get(type(value), "that")
    given = str(shown(value))
    return repr(given if len(given) <= 60 else f"{given[:57]}...")

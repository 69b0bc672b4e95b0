"""The effective options of an application, one row each, as every list shows them."""

from __future__ import annotations

from framework.answer import Answer
from framework.cli.output import short
from framework.convert import to_text
from framework.engine import text_of
from framework.errors import FrameworkError
from framework.explanation import HIDDEN
from framework.masking import redact_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from framework.answer import Mention
    from framework.app import App

NOT_FOLLOWED = "< not followed >"


class Row:
    """One option with what it resolves to.

    Attributes:
        section, key: the option.
        mention: the writing that wins.
        answer: what it means; None if it failed or was not followed.
        error: why it failed.
        redacted: whether its value is not shown.
    """

    __slots__ = ("section", "key", "mention", "answer", "error", "redacted", "_app")

    def __init__(
        self, app: App, mention: Mention, answer: Answer | None, error: FrameworkError | None, redacted: bool
    ) -> None:
        self._app, self.mention, self.answer, self.error, self.redacted = app, mention, answer, error, redacted
        self.section, self.key = mention.section, mention.key

    @property
    def text(self) -> str | None:
        """The value as text, `< hidden >` if it is redacted, None if it failed."""
        if self.error is not None:
            return None
        if self.answer is None:
            return NOT_FOLLOWED
        return HIDDEN if self.redacted else mask_urls(text_of(self.answer), self.answer.sensitive)

    @property
    def written(self) -> str | None:
        """The text as a cfg file or a variable holds it: a list of plain texts with commas, as `getlist` reads it."""
        value = None if self.answer is None or self.redacted else self.answer.value
        if isinstance(value, list) and all(_is_plain(item) for item in value):
            return mask_urls(", ".join(map(to_text, value)), self.answer is not None and self.answer.sensitive)
        return self.text

    @property
    def value(self) -> Any:
        """The value with its declared type where JSON has that type, else its text."""
        if self.answer is None or self.redacted:
            return self.text
        option = self._app.schema.option(self.section, self.key)
        if option is not None and option.type in ("integer", "float", "boolean", "list", "array", "json", "object"):
            try:
                return self._app.conf.typed(self.answer)
            except FrameworkError:
                return self.text
        return self.answer.value if isinstance(self.answer.value, (bool, int, float, list, dict)) else self.text

    @property
    def source(self) -> str:
        """The layer, and the form of a pointer."""
        return f"{self.mention.layer} ({self.mention.form})" if self.mention.is_pointer else self.mention.layer

    @property
    def origin(self) -> str:
        """Where the value is from: variable, file and line, the link that a pointer led to."""
        place = short(self.mention.origin)
        if self.mention.is_old_name:
            place += f" as [{self.mention.name[0]}] {self.mention.name[1]}"
        if self.answer is not None and self.answer.link is not None:
            place += f" -> {self.answer.link}"
        return place


def rows(
    app: App,
    *,
    section: str | None = None,
    changed: bool = False,
    offline: bool = False,
    show_secrets: bool = False,
) -> Iterator[Row]:
    """Every option with a value, resolved; one that fails does not stop the rest."""
    for name, key in app.engine.entries():
        if section is not None and name != section.lower():
            continue
        mention = next(app.engine.mentions(name, key), None)
        if mention is None or (changed and mention.layer == "default"):
            continue
        answer, error = None, None
        if not (offline and mention.is_pointer):
            try:
                answer = app.engine.answer(name, key)
            except FrameworkError as fault:
                error = fault
        hidden = mention.is_pointer or app.engine.is_hidden(name, key)
        yield Row(app, mention, answer, error, hidden and not show_secrets and answer is not None)


def _is_plain(item: Any) -> bool:
    return isinstance(item, (bool, int, float)) or (
        isinstance(item, str) and item != "" and "," not in item and item.strip() == item
    )


def mask_urls(text: str, shown_on_purpose: bool) -> str:
    """Free text is searched for secrets, unless the person asked for this very one in clear."""
    return text if shown_on_purpose else redact_text(text)

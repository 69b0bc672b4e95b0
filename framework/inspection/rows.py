"""The effective options of an application, one row each, as every list shows them."""

from __future__ import annotations

import os

from framework.convert import to_text
from framework.errors import FrameworkError, IssuedOnUse
from framework.inspection.places import short
from framework.layers.writers import plain_list
from framework.lifetime import Looking
from framework.masking.shown import HIDDEN, shown
from framework.options.engine import text_of
from framework.options.values import Answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from framework.app import App
    from framework.options.declaration import Option
    from framework.options.values import Mention

    Names = list[tuple[str, str]]
    Failures = dict[tuple[str, str], FrameworkError]

#: Instead of a value: the pointer was not followed; a store issues it for whoever uses it.
NOT_FOLLOWED, ISSUED = "< not followed >", "< issued on use >"


class Row:
    """One option with what it resolves to.

    Attributes:
        section, key: the option.
        mention: the writing that wins.
        answer: what it means; None if it failed or was not followed.
        error: why it failed.
        hidden: whether its value is not shown at all.
        instead: what is shown if there is neither answer nor error.
    """

    __slots__ = ("section", "key", "mention", "answer", "error", "hidden", "instead", "_app", "_show_secrets")

    def __init__(
        self, app: App, mention: Mention, answer: Answer | None, error: FrameworkError | None, *, show_secrets: bool
    ) -> None:
        self.instead = ISSUED if isinstance(error, IssuedOnUse) else NOT_FOLLOWED
        self._app, self.mention, self.answer = app, mention, answer
        self.error = None if isinstance(error, IssuedOnUse) else error
        self.section, self.key = mention.section, mention.key
        self._show_secrets = show_secrets
        is_secret = mention.is_pointer or app.engine.is_hidden(self.section, self.key)
        self.hidden = answer is not None and is_secret and not show_secrets

    @property
    def _shown(self) -> object:
        # Not before it is asked for: another option may have made a part of it known as a secret meanwhile.
        if self.answer is None or self._show_secrets:
            return None if self.answer is None else self.answer.value
        return HIDDEN if self.hidden else shown(self.answer.value)

    @property
    def redacted(self) -> bool:
        """Whether the value is hidden, wholly or in parts."""
        return self.answer is not None and self._shown != self.answer.value

    @property
    def text(self) -> str | None:
        """The value as text, `< hidden >` if it is redacted, None if it failed."""
        if self.error is not None:
            return None
        if self.answer is None:
            return self.instead
        return to_text(self._shown)

    @property
    def written(self) -> str | None:
        """The text as a cfg file or a variable holds it: a list of plain texts with commas, as `getlist` reads it."""
        written = plain_list(self._shown)
        return self.text if written is None else written

    @property
    def value(self) -> object:
        """The value with its declared type where JSON has that type, else its text."""
        if self.answer is None or self.error is not None or self.hidden:
            return self.text
        option = self._app.schema.option(self.section, self.key)
        if option is not None and option.type in ("integer", "float", "boolean", "list", "array", "json", "object"):
            try:
                value = self._app.conf.typed(self.answer)
            except FrameworkError:
                return self.text
            return value if self._show_secrets else shown(value)
        value = self._shown
        return value if isinstance(value, (bool, int, float, list, dict)) else self.text

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
    own: bool = True,
    offline: bool = False,
    show_secrets: bool = False,
    resolve: Callable[[App, Names], Failures] = lambda app, names: app.prefetch(names),
) -> Iterator[Row]:
    """Every option with a value, resolved; one that fails does not stop the rest.

    Args:
        section: this section alone.
        changed: leave out what is the default.
        own: keep the framework's own options that are the default.
        offline: follow no pointer.
        show_secrets: show sensitive values.
        resolve: follows the pointers of these options and gives the failures.
    """
    found = {
        (name, key): mention
        for name, key in app.engine.entries()
        if (section is None or name == section.lower())
        and (mention := next(app.engine.mentions(name, key), None)) is not None
        and (mention.layer != "default" or not (changed or (not own and _is_own(app, name, key))))
    }
    pointers = [] if offline else [name for name, mention in found.items() if mention.is_pointer]
    failures = resolve(app, pointers) if pointers else {}
    for name, mention in found.items():
        answer, error = None, failures.get(name)
        if error is None and not (offline and mention.is_pointer):
            try:
                with Looking():
                    answer = app.engine.answer(*name)
                if answer is not None:
                    text_of(answer)  # a table may hold what has no text
            except FrameworkError as fault:
                answer, error = None, fault
        yield Row(app, mention, answer, error, show_secrets=show_secrets)


def _is_own(app: App, section: str, key: str) -> bool:
    option = app.schema.option(section, key)
    return option is not None and option.own


def files_of(app: App) -> Iterator[tuple[str, str, str]]:
    """Every file that was looked for, in order of precedence, as (kind, file, `found` or `absent`)."""
    for kind, path, found in looked_for(app):
        yield kind, short(path), "found" if found else "absent"


def looked_for(app: App) -> Iterator[tuple[str, str, bool]]:
    """Every file that was looked for, in order of precedence: kind, path, and whether it was there."""
    project, schema = app.sources.project, app.schema.origin
    if project:
        yield "project", project, os.path.exists(project)
    for look in app.environment.looks:
        yield look.kind, look.path, look.found
    if os.path.sep in schema and os.path.exists(schema):
        yield "schema", schema, True


def declared_facts(app: App, option: Option) -> list[str]:
    """What the schema says of an option beside its description: its type, whether it is required, its choices, …"""
    facts = [option.type]
    facts += ["sensitive"] if option.sensitive else []
    facts += ["required"] if option.is_required(app.environment.env) else []
    facts += [f"one of {', '.join(map(repr, option.choices))}"] if option.choices else []
    return facts + [f"{name} {value}" for name, value in option.constraints.items()]

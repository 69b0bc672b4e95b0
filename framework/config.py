"""What applications ask about their options."""

from __future__ import annotations

from framework import given
from framework.errors import ConfigError, FrameworkError, clean, public
from framework.given import MISSING
from framework.options.airflow_calls import AirflowCalls
from framework.options.getters import Getters
from framework.options.overrides import Override

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from framework.options.explanation import Explanation
    from framework.options.values import Mention

_SOURCES = {"environment": "env var", "default": "default"}


@public
class Config(Getters, AirflowCalls):
    """The options of one application: the getters, and what else can be asked about options."""

    def has_option(self, section: str, key: str = MISSING, lookup_from_deprecated: bool = True) -> bool:
        """Whether the option is set. Runs and fetches nothing, and never raises."""
        name = given.option(section, key)
        if lookup_from_deprecated:
            name = self._engine.current_name(*name)
        return next(self._engine.mentions(*name, old_names=lookup_from_deprecated), None) is not None

    def is_sensitive(self, section: str, key: str = MISSING) -> bool:
        """Whether the option is declared sensitive."""
        return self._engine.is_sensitive(*self._engine.current_name(*given.option(section, key)))

    def sections(self) -> list[str]:
        """The sections that are declared or written in a file, in order."""
        names = dict.fromkeys(self._engine.schema.sections)
        names.update(dict.fromkeys(section for section, _ in self._written_in_files()))
        return list(names)

    def options(self, section: str) -> list[str]:
        """The keys of a section that are declared or written in a file, in order.

        Raises:
            ConfigError: there is no such section.
        """
        if given.text(section, "section") not in self.sections():
            raise ConfigError("there is no such section", where=f"[{section}]", hint="See `config list`.")
        names = dict.fromkeys(self._engine.schema.options(section))
        names.update(dict.fromkeys(key for name, key in self._written_in_files() if name == section))
        return list(names)

    def _written_in_files(self) -> Iterator[tuple[str, str]]:
        for layer in reversed(self._engine.layers):
            if layer.path and layer.values:
                yield from layer.entries()

    def as_dict(
        self,
        display_source: bool = False,
        display_sensitive: bool = False,
        raw: bool = False,
        include_env: bool = True,
        include_cmds: bool = True,
        include_secret: bool = True,
    ) -> dict[str, dict[str, Any]]:
        """Every option with a value, sections and keys sorted as they are declared, then as they are found.

        A declared section of which no option has a value is there, empty.

        Args:
            display_source: values become (value, source), the source in Airflow's words.
            display_sensitive: show every value, and follow pointers; else secrets are hidden, as in `dump`.
            raw: values as a cfg file holds them: what is written in one as it is, `%` doubled in all else.
            include_env, include_cmds, include_secret: false leaves out what is written there.
        """
        left_out = [form for form, kept in (("cmd", include_cmds), ("secret", include_secret)) if not kept]
        result: dict[str, dict[str, Any]] = {section: {} for section in self._engine.schema.sections}
        for section, key in self._engine.entries():
            mention = self._listed(section, key, include_env, left_out)
            if mention is None:
                continue
            value = self._text(mention, raw=raw, hide=not display_sensitive)
            result.setdefault(section, {})[key] = (value, self.source(mention)) if display_source else value
        return result

    def _listed(self, section: str, key: str, include_env: bool, left_out: list[str]) -> Mention | None:
        """The mention that wins, unless it is left out: what it shadows is not what the application uses."""
        mention = next(self._engine.mentions(section, key), None)
        if mention is None or mention.form in left_out or (mention.layer == "environment" and not include_env):
            return None
        return mention

    def source(self, mention: Mention) -> str:
        """Where an option is written, in Airflow's words: `env var`, `billing.cfg`, `default`, `cmd`, `secret`."""
        if mention.is_pointer:
            return mention.form
        if mention.layer == "main cfg":
            return self._engine.names.cfg()
        return _SOURCES.get(mention.layer, mention.layer)

    def explain(self, section: str, key: str = MISSING) -> Explanation:
        """Every mention of an option and what the first of them gives, values redacted."""
        from framework.options.explanation import Explanation

        name = self._engine.current_name(*given.option(section, key))
        mentions = list(self._engine.mentions(*name))
        answer, error, kept = None, None, None
        if mentions:
            try:
                answer = self._engine.resolve(mentions[0])
                kept = self._engine.followed(mentions[0]) if mentions[0].is_pointer else None
            except FrameworkError as fault:
                error = clean(fault).with_traceback(None)
        return Explanation(name, mentions, answer, error, hidden=self._engine.is_hidden(*name), kept=kept)

    def override(self, values: Mapping[tuple[str, str], Any]) -> Override:
        """A block in which options have other values, in this context (thread or task) alone.

        with conf.override({("core", "port"): "1"}):
            ...
        """
        return Override(self._engine, given.options(values, "values"))

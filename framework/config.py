"""The options of an application, as its code reads them."""

from __future__ import annotations

from framework import given
from framework.errors import (
    ConfigError,
    FrameworkError,
    InvalidArgument,
    MandatoryOptionNotFound,
    OptionNotFound,
    clean,
    public,
    without,
)
from framework.given import MISSING
from framework.options.getters import Getters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, TextIO, TypeVar

    from typing_extensions import Unpack

    from framework.options.explanation import Explanation
    from framework.options.getters import How
    from framework.options.overrides import Override
    from framework.options.values import Mention

    T = TypeVar("T")

    class HowMandatory(How, total=False):
        """What `get_mandatory_value` and `get_mandatory_list_value` take, so that type checkers know it."""

        fallback: Any


_BLOCK = "for a block, use conf.override({(section, key): value}); for the file, run: python -m framework config"
_FILES = "name the file when the application is made: App(config_files=[…])"
_NOTHING = "nothing needs to be called here"
#: What Airflow's `conf` has and ours cannot have -> what to do instead.
_INSTEAD = {
    "set": f"options are not set in the process; {_BLOCK} set",
    "add_section": f"sections are not made in the process; {_BLOCK} set",
    "remove_option": f"options are not removed in the process; {_BLOCK} unset",
    "remove_section": f"sections are not removed in the process; {_BLOCK} unset",
    "read": f"files are not read later; {_FILES}",
    "read_file": f"files are not read later; {_FILES}",
    "read_string": f"texts are not read; {_FILES}, or in a test use framework.testing",
    "read_dict": f"dictionaries are not read; {_BLOCK} set",
    "update": f"dictionaries are not read; {_BLOCK} set",
    "setdefault": 'a default is passed to the getter: conf.get(section, key, fallback="…")',
    "defaults": "use conf.get_default_value(section, key)",
    "clear": "make an App of its own",
    "pop": f"sections are not removed in the process; {_BLOCK} unset",
    "airflow_home": "use app.home",
    "load_test_config": "for tests, use framework.testing",
    "is_sensitive_option": "use conf.is_sensitive(section, key)",
    "configuration_description": "use app.schema",
    "invalidate_cache": "use app.reload()",
    "validate": "run: python -m framework check",
    "load_providers_configuration": _NOTHING,
    "expand_all_configuration_values": _NOTHING,
    "remove_all_read_configurations": "make an App of its own",
    "write_custom_config": "run: python -m framework config set",
}
_SOURCES = {"environment": "env var", "default": "default"}


@public
@without("conf", _INSTEAD)
class Config(Getters):
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

        A declared section without any value is there, empty.

        Args:
            display_source: values become (value, source), the source in Airflow's words.
            display_sensitive: show every value, and follow pointers; else secrets are hidden, as in `dump`.
            raw: values as a cfg file holds them: what is written in one as it is, `%` doubled in all else.
            include_env, include_cmds, include_secret: false leaves out what is written there.
        """
        from framework.options.written import text_in

        left_out = [form for form, kept in (("cmd", include_cmds), ("secret", include_secret)) if not kept]
        result: dict[str, dict[str, Any]] = {section: {} for section in self._engine.schema.sections}
        for section, key in self._engine.entries():
            mention = self._listed(section, key, include_env, left_out)
            if mention is None:
                continue
            value = text_in(self, mention, raw=raw, hide=not display_sensitive)
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
        from framework.lifetime import Looking
        from framework.options.explanation import Explanation

        name = self._engine.current_name(*given.option(section, key))
        mentions = list(self._engine.mentions(*name))
        answer, error, kept = None, None, None
        if mentions:
            try:
                with Looking():
                    answer = self._engine.resolve(mentions[0])
                kept = self._engine.followed(mentions[0]) if mentions[0].is_pointer else None
            except FrameworkError as fault:
                error = clean(fault).with_traceback(None)
        return Explanation(name, mentions, answer, error, hidden=self._engine.is_hidden(*name), kept=kept)

    def override(self, values: Mapping[tuple[str, str], object]) -> Override:
        """A block in which options have other values, in this context (thread or task) alone.

        with conf.override({("core", "port"): "1"}):
            ...
        """
        from framework.options.overrides import Override

        return Override(self._engine, given.options(values, "values"))

    # What Airflow's code calls and new code need not

    def __getitem__(self, section: object) -> Any:
        name = section if isinstance(section, str) and section.isprintable() else "server"
        what = "options are not read by conf[…]"
        raise InvalidArgument(
            what, where="conf", hint=f'Write conf.get("{name}", "port"), or conf.getsection("{name}").'
        )

    def get_mandatory_value(self, section: str, key: str, **how: Unpack[HowMandatory]) -> str:
        """Like `get`, with its arguments, but there must be a value.

        Raises:
            MandatoryOptionNotFound: the option is not set, or the fallback is None (also a ValueError).
        """
        text: str = self._mandatory(section, key, lambda: self.get(section, key, **how))
        return text

    def get_mandatory_list_value(
        self, section: str, key: str, delimiter: str = ",", **how: Unpack[HowMandatory]
    ) -> list[Any]:
        """Like `getlist`, but there must be a value; raises as `get_mandatory_value` does."""
        return self._mandatory(section, key, lambda: self.getlist(section, key, delimiter, **how))

    def _mandatory(self, section: str, key: str, get: Callable[[], T | None]) -> T:
        where, hint = f"[{section}] {key}", "Set it."
        try:
            value = get()
        except OptionNotFound as fault:
            value, where, hint = None, fault.where, fault.hint
        if value is None:
            raise MandatoryOptionNotFound("the option must have a value", where=where, hint=hint)
        return value

    def has_section(self, section: str) -> bool:
        """Whether the section is declared or written in a file."""
        return given.text(section, "section") in self.sections()

    def items(self, section: str) -> list[tuple[str, str]]:
        """The options of a section that have a value, as (key, text), secrets in clear.

        Raises:
            ConfigError: there is no such section, or a pointer leads nowhere.
        """
        found = [(key, self.get(section, key, fallback=None)) for key in self.options(section)]
        return [(key, text) for key, text in found if text is not None]

    def get_default_value(self, section: str, key: str, fallback: object = None, raw: bool = False) -> Any:
        """The default that the schema declares, whatever is written.

        Args:
            fallback: returned as it is if there is none.
            raw: as a cfg file holds it, with `%` doubled.
        """
        section, key = given.option(section, key)
        layer = self._engine.layers[-1]
        found = layer.find(section, key)
        if found is None:
            return fallback
        text = layer.read(found[0], section, key, found[1], self._engine.environment.get)
        return text.replace("%", "%%") if raw and isinstance(text, str) else text

    def get_sections_including_defaults(self) -> list[str]:
        """The same as `sections()`."""
        return self.sections()

    def get_options_including_defaults(self, section: str) -> list[str]:
        """The same as `options(section)`; empty if there is no such section."""
        return self.options(section) if self.has_section(section) else []

    @property
    def sensitive_config_values(self) -> set[tuple[str, str]]:
        """The options that are declared sensitive, as (section, key), by their current and their older names."""
        engine, found = self._engine, set()
        for section, key in engine.entries():
            if engine.is_sensitive(section, key):
                found.add((section, key))
                found.update(name[:2] for name in engine.schema.old_names(section, key))
        return found

    def mask_secrets(self) -> None:
        """Resolve every sensitive option, so that its value is masked from now on. One that fails is passed over."""
        engine = self._engine
        for section, key in engine.entries():
            if engine.is_sensitive(section, key):
                try:
                    for mention in engine.mentions(section, key):
                        engine.resolve(mention)  # which masks it
                        break
                except FrameworkError:
                    continue

    def write(
        self,
        file: TextIO,
        section: str | None = None,
        include_examples: bool = True,
        include_descriptions: bool = True,
        include_sources: bool = True,
        include_env_vars: bool = True,
        include_providers: bool = True,
        comment_out_everything: bool = False,
        hide_sensitive: bool = True,
        extra_spacing: bool = True,
        only_defaults: bool = False,
        show_values: bool = False,
    ) -> None:
        """Write the configuration as a cfg file into a text stream; no file of the application is touched.

        Args:
            file: an open text file, or `io.StringIO()`.
            section: this one alone.
            include_examples, include_descriptions, include_sources, include_env_vars: the comments above each option.
            include_providers: accepted; a provider's options are options like any other.
            comment_out_everything: make every option a comment.
            hide_sensitive: hide the values of sensitive options (false in Airflow).
            extra_spacing: more comment signs between the parts.
            only_defaults: the declared defaults instead of what is written.
            show_values: write the values; otherwise every option is a comment without one.

        Raises:
            ConfigError: this is not a text stream, or a value cannot be resolved; nothing is written then.
        """
        from framework.options.written import write

        write(
            self,
            file,
            section=section,
            examples=include_examples,
            descriptions=include_descriptions,
            sources=include_sources,
            variables=include_env_vars,
            all_comments=comment_out_everything,
            hide=hide_sensitive,
            spacing=extra_spacing,
            only_defaults=only_defaults,
            show_values=show_values,
        )

"""What Airflow's `conf` has besides the getters, for code written for Airflow, and what to use instead of the rest."""

from __future__ import annotations

from framework import given
from framework.convert import to_text
from framework.errors import (
    ConfigError,
    FrameworkError,
    InvalidArgument,
    MandatoryOptionNotFound,
    OptionNotFound,
    public,
    without,
)
from framework.masking import REPLACEMENT, should_hide_value_for_name
from framework.options.engine import text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TextIO, TypeVar

    from framework.options.engine import Engine
    from framework.options.values import Mention

    T = TypeVar("T")

_BLOCK = "for a block, use conf.override({(section, key): value}); for the file, run: python -m framework config"
_FILES = "name the file when the application is made: App(config_files=[…])"
_NOTHING = "nothing has to be called here"
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


@public
@without("conf", _INSTEAD)
class AirflowCalls:
    """The part of `Config` that Airflow's code calls and new code need not."""

    _engine: Engine

    if TYPE_CHECKING:

        def get(self, section: str, key: str, *, fallback: Any = ...) -> str | None: ...
        def getlist(self, section: str, key: str, delimiter: str = ...) -> list[Any] | None: ...
        def sections(self) -> list[str]: ...
        def options(self, section: str) -> list[str]: ...
        def source(self, mention: Mention) -> str: ...

    def __getitem__(self, section: object) -> Any:
        name = section if isinstance(section, str) and section.isprintable() else "server"
        what = "options are not read by conf[…]"
        raise InvalidArgument(
            what, where="conf", hint=f'Write conf.get("{name}", "port"), or conf.getsection("{name}").'
        )

    def get_mandatory_value(self, section: str, key: str, **how: Any) -> str:
        """Like `get`, with its arguments, but there must be a value.

        Raises:
            MandatoryOptionNotFound: the option is not set, or the fallback is None (also a ValueError).
        """
        return self._mandatory(section, key, lambda: self.get(section, key, **how))

    def get_mandatory_list_value(self, section: str, key: str, delimiter: str = ",", **how: Any) -> list[Any]:
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

    def get_default_value(self, section: str, key: str, fallback: Any = None, raw: bool = False) -> Any:
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
            ConfigError: this is not text stream, or a value cannot be resolved; nothing is written then.
        """
        import io

        from framework.layers.writers import cfg_section, cfg_written, commented, commented_option
        from framework.masking.shown import HIDDEN

        if isinstance(file, (io.RawIOBase, io.BufferedIOBase)) or not hasattr(file, "write"):
            what = f"a text stream is expected, not {type(file).__name__}"
            raise ConfigError(what, where="conf.write(file)", hint='Pass open(path, "w") or io.StringIO().')
        if include_descriptions or include_examples:
            self._engine.schema.describe()
        lines: list[str] = []
        for name in self.sections():
            if section is None or name == section:
                lines.append(cfg_section(name))
                is_comment = lines[-1].startswith("#")
                about = self._engine.schema.description(name)
                if about and include_descriptions:
                    lines += [*commented(about), ""]
                for key in self.options(name):
                    notes = list(
                        self._notes(
                            name, key, include_descriptions, include_examples, include_sources, include_env_vars,
                            extra_spacing,
                        )
                    )  # fmt: skip
                    text = self._shown_text(name, key, only_defaults, hide_sensitive) if show_values else ""
                    lines += notes
                    if not show_values or text is None or text == HIDDEN or comment_out_everything or is_comment:
                        lines += commented_option(key, text or "")
                    else:
                        lines.append(cfg_written(key, text))
                    lines += [""] if notes else []
        file.write("".join(f"{line}\n" for line in lines))

    def _notes(
        self, section: str, key: str, descriptions: bool, examples: bool, sources: bool, variables: bool, spacing: bool
    ) -> Iterator[str]:
        """The comments above an option."""
        from framework.layers.writers import comment, commented

        option = self._engine.schema.option(section, key)
        space = ["#"] if spacing else []
        if descriptions and option is not None and option.description:
            yield from commented(option.description)
        if examples and option is not None and option.example is not None:
            yield from (*space, *commented(f"Example: {key} = {option.example}"))
        if sources:
            mention = next(self._engine.mentions(section, key), None)
            yield from ("#", *commented(f"Source: {'not defined' if mention is None else self.source(mention)}"))
        if variables:
            yield from ("#", comment(f"Variable: {self._engine.names.option(section, key)}"), *space)

    def _shown_text(self, section: str, key: str, only_default: bool, hide: bool) -> str | None:
        """An option's value as a cfg file holds it, or `< hidden >`; None if there is none."""
        from framework.masking.shown import HIDDEN

        if only_default:
            default = self.get_default_value(section, key)
            if hide and default and self._engine.is_hidden(section, key):
                return HIDDEN
            return None if default is None else to_text(default).replace("%", "%%")  # a list is JSON
        mention = next(self._engine.mentions(section, key), None)
        if mention is None:
            return None
        return self._text(mention, raw=True, hide=hide)

    def _text(self, mention: Mention, *, raw: bool, hide: bool) -> str:
        """What a mention gives, as text or as a cfg file holds it; with `hide`, as lists show it."""
        from framework.masking.shown import HIDDEN, shown

        if hide and (mention.is_pointer or self._is_secret(mention.section, mention.key)):
            return HIDDEN
        text = self._as_written(mention) if raw else text_of(self._engine.resolve(mention))
        seen = str(shown(text)) if hide else text
        return HIDDEN if seen == REPLACEMENT else seen

    def _is_secret(self, section: str, key: str) -> bool:
        """Whether an option is declared sensitive or, undeclared, has a name as secrets have it."""
        if self._engine.is_sensitive(section, key):
            return True
        is_declared = self._engine.schema.option(section, key) is not None
        return not is_declared and should_hide_value_for_name(f"{section}.{key}")

    def _as_written(self, mention: Mention) -> str:
        """A value as a cfg file holds it: as one of them does, or else with its `%` doubled."""
        if mention.form == "plain" and mention.source.interpolates:
            return str(mention.raw)
        return text_of(self._engine.resolve(mention)).replace("%", "%%")

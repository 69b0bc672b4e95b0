"""What `conf.write` and `conf.as_dict` give: options as texts, as Airflow's code asks for them."""

from __future__ import annotations

from framework.convert import to_text
from framework.errors import ConfigError
from framework.masking import REPLACEMENT, should_hide_value_for_name
from framework.masking.shown import HIDDEN, shown
from framework.options.engine import text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol, TextIO

    from framework.options.engine import Engine
    from framework.options.values import Mention

    class Written(Protocol):
        """The part of a `Config` that is used here."""

        _engine: Engine

        def sections(self) -> list[str]: ...
        def options(self, section: str) -> list[str]: ...
        def source(self, mention: Mention) -> str: ...
        def get_default_value(self, section: str, key: str) -> object: ...


def write(
    conf: Written,
    file: TextIO,
    *,
    section: str | None,
    examples: bool,
    descriptions: bool,
    sources: bool,
    variables: bool,
    all_comments: bool,
    hide: bool,
    spacing: bool,
    only_defaults: bool,
    show_values: bool,
) -> None:
    """See `Config.write`.

    Raises:
        ConfigError: the file is not a text stream, or a value cannot be resolved; nothing is written then.
    """
    import io

    from framework.layers.writers import cfg_section, cfg_written, commented, commented_option

    if isinstance(file, (io.RawIOBase, io.BufferedIOBase)) or not hasattr(file, "write"):
        what = f"expected a text stream, not {type(file).__name__}"
        raise ConfigError(what, where="conf.write(file)", hint='Pass open(path, "w") or io.StringIO().')
    if descriptions or examples:
        conf._engine.schema.describe()
    lines: list[str] = []
    for name in conf.sections():
        if section is None or name == section:
            lines.append(cfg_section(name))
            is_comment = lines[-1].startswith("#")
            about = conf._engine.schema.description(name)
            if about and descriptions:
                lines += [*commented(about), ""]
            for key in conf.options(name):
                notes = list(_notes(conf, name, key, descriptions, examples, sources, variables, spacing))
                text = _shown_text(conf, name, key, only_defaults, hide) if show_values else ""
                lines += notes
                if not show_values or text is None or text == HIDDEN or all_comments or is_comment:
                    lines += commented_option(key, text or "")
                else:
                    lines.append(cfg_written(key, text))
                lines += [""] if notes else []
    file.write("".join(f"{line}\n" for line in lines))


def _notes(
    conf: Written,
    section: str,
    key: str,
    descriptions: bool,
    examples: bool,
    sources: bool,
    variables: bool,
    spacing: bool,
) -> Iterator[str]:
    """The comments above an option."""
    from framework.layers.writers import comment, commented

    option = conf._engine.schema.option(section, key)
    space = ["#"] if spacing else []
    if descriptions and option is not None and option.description:
        yield from commented(option.description)
    if examples and option is not None and option.example is not None:
        yield from (*space, *commented(f"Example: {key} = {option.example}"))
    if sources:
        mention = next(conf._engine.mentions(section, key), None)
        yield from ("#", *commented(f"Source: {'not defined' if mention is None else conf.source(mention)}"))
    if variables:
        yield from ("#", comment(f"Variable: {conf._engine.names.option(section, key)}"), *space)


def _shown_text(conf: Written, section: str, key: str, only_default: bool, hide: bool) -> str | None:
    """An option's value as a cfg file holds it, or `< hidden >`; None if there is none."""
    if only_default:
        default = conf.get_default_value(section, key)
        if hide and default and conf._engine.is_hidden(section, key):
            return HIDDEN
        return None if default is None else to_text(default).replace("%", "%%")  # a list is JSON
    mention = next(conf._engine.mentions(section, key), None)
    if mention is None:
        return None
    return text_in(conf, mention, raw=True, hide=hide)


def text_in(conf: Written, mention: Mention, *, raw: bool, hide: bool) -> str:
    """What a mention gives, as text or as a cfg file holds it; with `hide`, as lists show it."""
    if hide and (mention.is_pointer or _is_secret(conf, mention.section, mention.key)):
        return HIDDEN
    text = _as_written(conf, mention) if raw else text_of(conf._engine.resolve(mention))
    seen = str(shown(text)) if hide else text
    return HIDDEN if seen == REPLACEMENT else seen


def _is_secret(conf: Written, section: str, key: str) -> bool:
    """Whether an option is declared sensitive or, undeclared, has a name as secrets have it."""
    if conf._engine.is_sensitive(section, key):
        return True
    is_declared = conf._engine.schema.option(section, key) is not None
    return not is_declared and should_hide_value_for_name(f"{section}.{key}")


def _as_written(conf: Written, mention: Mention) -> str:
    """A value as a cfg file holds it: as one of them does, or else with its `%` doubled."""
    if mention.form == "plain" and mention.source.interpolates:
        return str(mention.raw)
    return text_of(conf._engine.resolve(mention)).replace("%", "%%")

"""What is told where an option is not set: what to write, and which name was probably meant."""

from __future__ import annotations

from framework.errors import OptionNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from framework.engine import Engine


def not_found(engine: Engine, section: str, key: str) -> OptionNotFound:
    section, key = section.lower(), key.lower()
    near = nearest(engine, section, key)
    option = engine.schema.option(section, key)
    if option is not None and not engine.schema.declared and not option.own:
        hint = f"The schema of {engine.names.app} was not found here: install it beside, or pass schema=."
    elif option is not None:
        hint = f"It is declared without a default: set {engine.names.option(section, key)} or write it in a file."
    elif (unmeant := next(engine.own_options(section, key), None)) is not None:
        hint = (
            f"{unmeant[1]} sets {key}_{unmeant[0]}, an option of its own: write "
            f'sensitive = ["{section}.{key}"] in the project file if it is meant as a pointer.'
        )
    elif near is not None:
        hint = f"Did you mean [{near[0]}] {near[1]}?"
    else:
        hint = f"Set {engine.names.option(section, key)}, write it in a file, or pass fallback=."
    return OptionNotFound("the option is not set", where=f"[{section}] {key}", hint=hint)


def nearest(engine: Engine, section: str, key: str) -> tuple[str, str] | None:
    """The declared or written option with the most similar name, or None."""
    from difflib import get_close_matches

    names = {f"{s}.{k}": (s, k) for s, k in engine.entries() if (s, k) != (section, key)}
    same = [name for name, (s, _) in names.items() if s == section]
    close = get_close_matches(f"{section}.{key}", same, 1, 0.75) or get_close_matches(
        f"{section}.{key}", names, 1, 0.75
    )
    if not close:
        close = [name for name, (_, k) in names.items() if k == key][:1]
    return names[close[0]] if close else None

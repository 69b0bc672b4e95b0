"""The error about an option that is not set: what to write, and which name was probably intended."""

from __future__ import annotations

from framework.errors import OptionNotFound
from framework.limits import CANDIDATES, NAME_LENGTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Protocol

    from framework.errors import FrameworkError
    from framework.names import Names
    from framework.options.schema import Schema

    Name = tuple[str, str]

    class Options(Protocol):
        """What is looked through: the engine."""

        names: Names
        schema: Schema
        note: str

        def entries(self) -> Iterator[tuple[str, str]]: ...
        def own_options(self, section: str, key: str) -> Iterator[tuple[str, str]]: ...
        def mentions(self, section: str, key: str) -> Iterator[Any]: ...
        def current_name(self, section: str, key: str) -> Name: ...


def not_found(engine: Options, section: str, key: str) -> OptionNotFound:
    section, key = section.lower(), key.lower()
    option = engine.schema.option(section, key)
    near = nearest(engine, section, key, declared=engine.schema.declared and option is None)
    near = near or nearest(engine, section, key)
    if option is not None and not engine.schema.declared and not option.own and not option.plain:
        hint = (
            f"The schema of {engine.names.app} was not found here: install the package "
            "that contains it, or pass schema=."
        )
    elif option is not None:
        how = "required" if option.required else "declared without a default"
        hint = f"It is {how}: set {engine.names.option(section, key)} or write it in a file."
        if near is not None and engine.schema.option(*near) is None:
            hint += f" There is [{near[0]}] {near[1]}, which is not declared: a misspelling?"
    elif (unmeant := next(engine.own_options(section, key), None)) is not None:
        hint = (
            f"{unmeant[1]} sets {key}_{unmeant[0]}, an option of its own: write "
            f'sensitive = ["{section}.{key}"] in the project file if it is meant as a pointer.'
        )
    elif near is not None:
        hint = f"Did you mean [{near[0]}] {near[1]}?"
    else:
        hint = f"Set {engine.names.option(section, key)}, write it in a file, or pass fallback=."
    hint = f"{hint} {engine.note}".rstrip()
    return OptionNotFound("the option is not set", where=f"[{section}] {key}", hint=hint)


def named(engine: Options, names: Iterable[Name]) -> tuple[list[Name], dict[Name, FrameworkError]]:
    """Options that a caller names: their current names, and the error of each that is neither set nor declared."""
    current = [engine.current_name(*name) for name in names]
    missing = [name for name in current if engine.schema.option(*name) is None and not any(engine.mentions(*name))]
    return current, {name: not_found(engine, *name) for name in missing}


def nearest(engine: Options, section: str, key: str, *, declared: bool = False) -> tuple[str, str] | None:
    """The option with the most similar name that is declared, or written unless only `declared`; or None.

    The comparison is bounded: a limited number of names is compared, and none that is unusually long.
    """
    from difflib import get_close_matches
    from itertools import islice

    if len(section) + len(key) > NAME_LENGTH:
        return None
    listed = ((option.section, option.name) for option in engine.schema) if declared else engine.entries()
    names = {f"{s}.{k}": (s, k) for s, k in islice(listed, CANDIDATES) if (s, k) != (section, key)}
    short = [name for name in names if len(name) <= NAME_LENGTH]
    same = [name for name in short if names[name][0] == section]
    wanted = f"{section}.{key}"
    close = get_close_matches(wanted, _likely(wanted, same), 1, 0.75)
    elsewhere = [name for name, (_, k) in names.items() if k == key]
    if close and elsewhere and not get_close_matches(key, [names[close[0]][1]], 1, 0.7):
        close = []  # the section alone is alike, and the key is right: it is in another section
    close = close or get_close_matches(wanted, _likely(wanted, elsewhere), 1, 0.75)
    close = close or elsewhere[:1] or get_close_matches(wanted, _likely(wanted, short), 1, 0.75)
    return names[close[0]] if close else None


def _likely(wanted: str, names: list[str]) -> list[str]:
    """The names that share the most pairs of letters with the wanted one: difflib takes a hundred times as long."""
    from heapq import nlargest
    from itertools import pairwise

    pairs = set(pairwise(wanted))
    return nlargest(8, names, lambda name: len(pairs.intersection(pairwise(name))) / (len(name) + 1))

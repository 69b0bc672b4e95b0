"""Compiled answers: what makes `conf.get` as fast as a dictionary and yet live.

A compiled answer holds as long as the environment does not change. It is a tuple, because unpacking one is the
fastest thing there is: (var, raw, absent, text).

    var     the winning variable's name, or the option's own where no variable wins, as the dictionary beneath
            `os.environ` knows it
    raw     the very object that the variable held, or None: not set
    absent  None, or three other names that would win if they were set, and a set of any more (or None)
    text    the option's text
"""

from __future__ import annotations

from framework import given
from framework.chain.level import is_restricted
from framework.options.engine import text_of
from framework.options.overrides import overrides

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from framework.options.engine import Engine
    from framework.options.values import Absent, Answer, Mention


def compile(engine: Engine, section: str, key: str) -> Answer | None:
    """Resolve an option, and keep its text for the spelling that it was asked by if that can be checked cheaply."""
    name = given.option(section, key)
    reading = engine.reading  # before anything is looked at: an answer from before a reload is not kept after it
    names = [engine.environment.encode(name) for name in engine.variables(*name)]
    raws = [engine.environment.data.get(name) for name in names]  # before resolving: what changes later is noticed
    answer = engine.answer(section, key)
    if answer is None or overrides.get() or _depends_on_more(answer.mention):
        return answer
    if hasattr(engine.environment.data, "__missing__"):
        return answer  # a defaultdict, say: looking into it, as `get` does, would write
    winner = next((place for place, raw in enumerate(raws) if raw is not None), None)
    if engine.is_process(answer.mention.source) != (winner is not None):
        return answer  # the environment changed under our hands
    others = names[1:] if winner is None else names[:winner]
    place = winner or 0
    engine.keep(reading, section, key, (names[place], raws[place], _absent(others), text_of(answer)))
    return answer


def _depends_on_more(mention: Mention) -> bool:
    """Whether an answer must be looked at anew each time: other variables are in it, or a link was asked for it from
    inside another link, where less can be seen."""
    if mention.is_pointer:
        return is_restricted()
    raw = mention.raw
    return isinstance(raw, str) and ("$" in raw or "%(" in raw or raw[:1] == "~")


def _absent(names: list[Any]) -> Absent | None:
    """Three names, which are looked up one by one, and the rest, which is compared as a set."""
    if not names:
        return None
    first, second, third = (names * 3)[:3] if len(names) < 3 else names[:3]
    return first, second, third, frozenset(names[3:]) or None

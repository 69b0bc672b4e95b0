"""argparse, but for one thing: a word that was given wrongly is not repeated, for it may be a secret."""

from __future__ import annotations

from argparse import ArgumentParser

from framework.masking.search import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


#: The flags that select the application, for every command.
BEFORE_THE_COMMAND = ("--project", "--app", "--name", "--env", "--config", "--dotenv", "--worker")


class Parser(ArgumentParser):
    """Says what is wrong with the words of a command by the names of flags alone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.color = False  # of Python 3.14: its escapes would be shown, as those of anybody else

    def error(self, message: str) -> NoReturn:
        super().error(_without_values(message))


def _without_values(message: str) -> str:
    what, _, words = message.partition(": ")
    if what == "unrecognized arguments":
        flags = [word.partition("=")[0] for word in words.split() if word.startswith("-")]
        others = len(words.split()) - len(flags)
        before = [flag for flag in flags if flag in BEFORE_THE_COMMAND]
        if before:
            return f"{', '.join(before)} must stand before the command: python -m framework {before[0]} … COMMAND"
        more = counted(others, "more word") if others else ""
        return f"{what}: {', '.join([*flags, more] if more else flags)}"
    head, invalid, tail = message.partition("invalid ")
    if invalid and "choice" in tail:
        word = tail.partition("'")[2].partition("'")[0]
        choices = tail.partition("(choose from ")[2].rstrip(")").replace("'", "")
        return f"{head}choose one of: {choices}{_near(word, choices.split(', '))}"
    if invalid and " value: " in tail:
        kind = {"int": "a whole number", "float": "a number"}.get(tail.partition(" value")[0], "of its kind")
        return f"{head}the value is not {kind}"
    return message


def _near(word: str, choices: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, choices, 1)
    return f"; did you mean {near[0]}?" if near else ""

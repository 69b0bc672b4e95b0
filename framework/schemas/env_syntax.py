"""The syntax of @env-spec: values, function calls, lists and tables, in variables and in the comments above them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: What may surround a text, the long ones first.
QUOTES = ("```", '"""', "'", '"', "`")


class Call:
    """A function call such as `string(minLength=5)`.

    Attributes:
        name: of the function. `args`: by position. `named`: by name.
    """

    __slots__ = ("name", "args", "named")

    def __init__(self, name: str, args: list[object], named: dict[str, object]) -> None:
        self.name, self.args, self.named = name, args, named


class Malformed(ValueError):
    """A value that is not written as @env-spec has it."""


def is_open(text: str) -> bool:
    """Whether a bracket is open at the end, outside quotes."""
    return open_brackets(text) > 0


def open_brackets(text: str) -> int:
    """How many more brackets a line opens than it closes, outside quotes and comments."""
    depth, quote = 0, ""
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"`":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == "#" and (depth <= 0 or text[at + 1 : at + 2] in ("", " ")):
            break
    return depth


def parse(text: str, ends: str) -> tuple[Any, str]:
    """A value and what is after it.

    Args:
        ends: what a text without quotes ends before.
    """
    text = text.lstrip()
    if text[:1] in ("'", '"', "`"):
        quote, at = text[0], 1
        while at < len(text) and text[at] != quote:
            at += 2 if text[at] == "\\" else 1
        if at >= len(text):
            raise Malformed("the quotes are not closed")
        inner = text[1:at].replace(f"\\{quote}", quote)
        if quote != "'":
            inner = inner.replace("\\n", "\n")
            if _refers(inner):
                return Call("ref", [inner], {}), text[at + 1 :]
        return inner, text[at + 1 :]
    if text[:1] == "[":
        args, named, rest = _arguments(text[1:], "]")
        return args, rest
    if text[:1] == "{":
        try:
            args, named, rest = _arguments(text[1:], "}")
        except Malformed:
            return text, ""  # JSON, which is a text
        return (named, rest) if not args else (text, "")
    end = next((at for at, letter in enumerate(text) if letter in ends or letter == "("), len(text))
    word = text[:end].strip()
    if text[end : end + 1] == "(" and word[:1].isalpha() and word.replace("_", "a").isalnum():
        args, named, rest = _arguments(text[end + 1 :], ")")
        return Call(word, args, named), rest
    end = next((at for at, letter in enumerate(text) if letter in ends), len(text))
    return _plain(text[:end].rstrip()), text[end:]


def _arguments(text: str, close: str) -> tuple[list[object], dict[str, object], str]:
    args: list[Any] = []
    named: dict[str, Any] = {}
    while True:
        text = text.lstrip(" \n")
        if not text:
            raise Malformed(f"there is no '{close}'")
        if text[0] == close:
            return args, named, text[1:]
        if text[0] == ",":
            text = text[1:]
            continue
        name, equals, rest = text.partition("=")
        is_named = bool(equals) and name.strip().isidentifier()
        value, text = parse(rest if is_named else text, f",{close}\n")
        if is_named:
            named[name.strip()] = value
        else:
            args.append(value)
        text = text.lstrip(" \n")
        if text[:1] not in (",", close):
            raise Malformed("there is no ',' between two arguments")


def _plain(word: str) -> object:
    """A text without quotes: a number or a boolean where it would be written so again."""
    if word in ("true", "false", "undefined"):
        return {"true": True, "false": False}.get(word)
    if _refers(word):
        return Call("ref", [word], {})
    for kind in (int, float):
        try:
            if word.isascii() and str(kind(word)) == word:
                return kind(word)
        except ValueError:
            continue
    return word


def _refers(text: str) -> bool:
    """Whether another variable, or the output of a command, is inserted into the text."""
    after = [part[:1] for part in text.split("$")[1:]]
    return any(letter in ("{", "(", "_") or letter.isalpha() for letter in after)


def as_text(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)

"""Descriptions that are written in a class: its docstring, and the text below a field. They are read from the source
file, which takes milliseconds: only when a person asks for descriptions."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def descriptions(section: str, cls: type, keys: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """What a class says of its section and options: (section, key, description), with an empty key for the section.

    Args:
        keys: its fields that are options, and what those are called.
    """
    if text := _of_class(cls):
        yield section, "", text
    for field, text in _of_fields(cls).items():
        if field in keys:
            yield section, keys[field], text


def _of_class(cls: type) -> str:
    """The docstring of a class, unless it was made: dataclasses and named tuples have `Server(port: int = 8000)`."""
    from inspect import cleandoc

    text = str(vars(cls).get("__doc__") or "")
    return "" if text.startswith(f"{cls.__name__}(") else cleandoc(text)


def _of_fields(cls: type) -> dict[str, str]:
    """The texts below the fields of a class and of those that it is derived from."""
    import ast
    from inspect import cleandoc, getsource
    from itertools import pairwise
    from textwrap import dedent

    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if "__annotations__" not in vars(base):
            continue
        try:
            (tree,) = ast.parse(dedent(getsource(base))).body
        except (OSError, TypeError, SyntaxError, ValueError):  # typed at a prompt, or made by a function
            continue
        for field, text in pairwise(getattr(tree, "body", ())):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
                value = text.value
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    found[field.target.id] = cleandoc(value.value)
    return found

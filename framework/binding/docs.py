"""Descriptions in the source code of a class: its docstring, and the text below a field. Reading them takes
milliseconds, so they are read only for commands that show descriptions."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def descriptions(section: str, cls: type, keys: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """The descriptions of a section and its options: (section, key, description), with an empty key for the section.

    Args:
        keys: the fields that are options, with the names of the options.
    """
    if text := _of_class(cls):
        yield section, "", text
    for field, text in _of_fields(cls).items():
        if field in keys:
            yield section, keys[field], text


def _of_class(cls: type) -> str:
    """The docstring of a class, unless it was generated, such as `Server(port: int = 8000)` of a dataclass."""
    from inspect import cleandoc

    text = str(vars(cls).get("__doc__") or "")
    return "" if text.startswith(f"{cls.__name__}(") else cleandoc(text)


def _of_fields(cls: type) -> dict[str, str]:
    """The texts below the fields of a class and of its base classes."""
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
        except (OSError, TypeError, SyntaxError, ValueError):  # there is no source file
            continue
        for field, text in pairwise(getattr(tree, "body", ())):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
                value = text.value
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    found[field.target.id] = cleandoc(value.value)
    return found

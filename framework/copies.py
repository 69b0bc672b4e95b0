"""Copies of lists and tables: what a getter hands out is the caller's own, and what is kept does not change."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: What holds nothing else. Of exactly these types: a subclass may have attributes.
_ATOMS = frozenset((str, int, float, bool, type(None), bytes))


def copied(value: object) -> Any:
    """A deep copy of a list or table; anything else as it is."""
    kept, restore = kept_form(value)
    return kept if restore is None else restore(kept)


def kept_form(value: object) -> tuple[Any, Callable[[Any], Any] | None]:
    """A value in the form in which it is kept, and the function that makes a fresh value of that form.

    There is no function for a value that cannot change, nor for one that cannot be copied, such as an open file in the
    settings of a program: that is handed out as it is.
    """
    if not isinstance(value, (list, dict, set, tuple)):
        return value, None
    if type(value) is list and _ATOMS.issuperset(map(type, value)):
        return value.copy(), list.copy
    if type(value) is tuple and _ATOMS.issuperset(map(type, value)):
        return value, None
    if _is_plain(value):
        import marshal

        try:
            return marshal.dumps(value), marshal.loads
        except ValueError:  # it is too deep
            pass
    import pickle

    try:
        kept = pickle.dumps(value)
        pickle.loads(kept)
    except Exception:  # whatever the classes in it raise
        return value, None
    return kept, pickle.loads


def _is_plain(value: Any) -> bool:
    """Whether a value is made of lists, tuples, tables and atoms: others `marshal` refuses, or takes for bytes."""
    seen: set[int] = set()
    rest = [value]
    while rest:
        item = rest.pop()
        kind = type(item)
        if kind in _ATOMS or id(item) in seen:
            continue
        seen.add(id(item))
        if kind is dict:
            rest += item
            rest += item.values()
        elif kind is list or kind is tuple:
            rest += item
        else:
            return False
    return True
